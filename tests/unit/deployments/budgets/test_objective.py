from dataclasses import replace

import numpy as np
import pytest

from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem, ProblemError
from deployments.budgets.servers import Batching, Server, SingleServer
from scripts.allocate.simulation import QueueTraffic, simulate
from scripts.bench.budgets import reference
from tests.unit.deployments.budgets.test_problem import TWO

TYPES = Problem(
    shares=np.array([0.6, 0.4]),
    base_s=np.array([0.5, 1.0]),
    token_s=np.array([0.01, 0.02]),
    gain=np.array([0.5, 0.7]),
    rate=np.array([0.02, 0.01]),
    floor=np.array([0.3, 0.1]),
    max_tokens=np.array([500.0, 500.0]),
    arrivals_per_s=0.1,
    worth_s=20.0,
)
# 3 s to read the prompt, and hardly ever right without thinking
LONG_PROMPT = Problem(
    shares=np.array([1.0]),
    base_s=np.array([3.0]),
    token_s=np.array([0.01]),
    gain=np.array([0.9]),
    rate=np.array([0.01]),
    floor=np.array([0.05]),
    max_tokens=np.array([4096.0]),
    arrivals_per_s=0.1,
    worth_s=0.0,
)
BATCHES_OF_8 = Batching(growth=0.05, slots=8)
BUDGETS = np.array([40.0, 60.0])


def always(correct: float) -> Problem:
    """One type of 1 s service, right with this chance whatever the budget."""
    return replace(
        LONG_PROMPT, base_s=np.array([1.0]), gain=np.array([0.0]), floor=np.array([correct]), max_tokens=np.array([0.0])
    )


def test_time_is_service_and_waiting_by_pollaczek_and_khinchine() -> None:
    # 1.5 s and 5 s, half of the arrivals each: 3.25 + 0.1 * 13.625 / (2 * 0.675)
    assert BudgetObjective(problem=TWO).mean_time_s(np.array([50.0, 100.0])) == pytest.approx(4.259259259)


def test_equal_services_give_the_time_of_the_md1_queue() -> None:
    # 1 + 0.5 / (2 * 0.5): service of exactly 1 s, half of the server used
    equal = replace(TWO, base_s=np.array([1.0, 1.0]), arrivals_per_s=0.5)
    assert BudgetObjective(problem=equal).mean_time_s(np.zeros(2)) == pytest.approx(1.5)


def test_accuracy_rises_from_the_floor_towards_floor_and_gain() -> None:
    # 0.2 + 0.5 * (1 - exp(-0.5)) and 0.4 + 0.5 * (1 - exp(-1))
    assert BudgetObjective(problem=TWO).accuracy(np.array([50.0, 100.0])) == pytest.approx([0.396734670, 0.716060279])


@pytest.mark.parametrize("load", [0.01, 0.1, 0.3])
def test_one_attempt_is_worth_what_the_paper_says(load: float) -> None:
    problem = replace(TYPES, arrivals_per_s=load)
    assert BudgetObjective(problem=problem).value_s(BUDGETS) == pytest.approx(
        reference.value_s(problem, BUDGETS), rel=1e-12
    )


def test_an_unstable_queue_is_worth_nothing() -> None:
    assert BudgetObjective(problem=replace(TWO, arrivals_per_s=0.4)).value_s(np.array([50.0, 100.0])) == float("-inf")


@pytest.mark.parametrize(
    ("correct", "attempts", "unsolved"),
    [
        pytest.param(0.5, 1.75, 0.125, id="half"),
        pytest.param(0.0, 3.0, 1.0, id="never right"),
        pytest.param(1.0, 1.0, 0.0, id="always right"),
    ],
)
def test_attempts_go_on_until_one_is_right_or_none_is_left(correct: float, attempts: float, unsolved: float) -> None:
    retried = BudgetObjective(problem=always(correct), max_attempts=3)
    assert retried.attempts(np.zeros(1))[0] == pytest.approx(attempts)
    assert retried.unsolved(np.zeros(1))[0] == pytest.approx(unsolved)


def test_without_arrivals_nobody_waits() -> None:
    assert (
        BudgetObjective(problem=replace(always(0.5), arrivals_per_s=0.0), max_attempts=3).mean_time_s(np.zeros(1))
        == 1.75
    )


def test_two_attempts_of_a_second_each_by_hand() -> None:
    """All wrong, 0.1 arrivals/s. Found at the arrival: 0.1 W1 + 0.1 W2 waiting, and of one in service half of 0.2.

    W2 = 0.1 (W1 + 1) for those that came meanwhile + 0.1 W1 + 0.1 for those found on their first attempt.
    Hence W1 = 0.12 / 0.88 and W2 = 0.2 + 0.2 W1.
    """
    expected_s = 2.2 + 1.2 * 0.12 / 0.88
    assert BudgetObjective(problem=always(0.0), max_attempts=2).mean_time_s(np.zeros(1)) == pytest.approx(
        expected_s, rel=1e-12
    )


def test_mean_time_with_retries_is_the_simulated_one() -> None:
    """Where returning attempts taken for Poisson arrivals would be off by a fifth."""
    problem = replace(TYPES, arrivals_per_s=0.2)
    retried = BudgetObjective(problem=problem, max_attempts=4)
    seen = simulate(retried, BUDGETS, QueueTraffic.drawn(problem, requests=100_000, max_attempts=4, seed=1))
    assert seen.error_s < 0.02 * seen.mean_s
    assert retried.mean_time_s(BUDGETS) == pytest.approx(seen.mean_s, abs=4 * seen.error_s)


@pytest.mark.parametrize("server", [SingleServer(), BATCHES_OF_8], ids=["one at a time", "batched"])
@pytest.mark.parametrize("max_attempts", [1, 2, 7])
@pytest.mark.parametrize("border", [0.9, 0.05], ids=["stable", "beyond the border"])
def test_gradient_agrees_with_differences(server: Server, max_attempts: int, border: float) -> None:
    retried = BudgetObjective(problem=TYPES, server=server, max_attempts=max_attempts)
    steps = 1e-3 * np.eye(2)
    rises = [retried.slope(BUDGETS + step, border)[0] - retried.slope(BUDGETS - step, border)[0] for step in steps]
    assert retried.slope(BUDGETS, border)[1] == pytest.approx(np.array(rises) / 2e-3, rel=1e-5)


def test_unstable_queue_takes_for_ever() -> None:
    assert BudgetObjective(problem=replace(always(0.0), arrivals_per_s=0.5), max_attempts=2).mean_time_s(
        np.zeros(1)
    ) == float("inf")


def test_stablest_budget_is_the_least_load_of_all_whole_tokens() -> None:
    retried = BudgetObjective(problem=LONG_PROMPT, max_attempts=10)
    loads = [retried.load(np.array([float(tokens)])) for tokens in range(1000)]
    assert retried.stablest()[0] == int(np.argmin(loads))


def test_number_of_attempts_is_bounded() -> None:
    with pytest.raises(ProblemError, match="max_attempts: 101 given; 1 to 100 are allowed"):
        BudgetObjective(problem=TYPES, max_attempts=101)
