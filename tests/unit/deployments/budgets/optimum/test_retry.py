from dataclasses import replace

import numpy as np
import pytest

from deployments.budgets.allocation import Procedure, allocate, setting
from deployments.budgets.optimum.batching import Batching
from deployments.budgets.optimum.objective import value_s
from deployments.budgets.optimum.problem import Floats, Problem, ProblemError, UnstableError
from deployments.budgets.optimum.retry import Retried
from deployments.budgets.optimum.search import search, to_whole_tokens
from deployments.budgets.optimum.simulation import Traffic, simulate

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


@pytest.mark.parametrize("load", [0.01, 0.1, 0.3])
def test_one_attempt_is_worth_what_the_objective_without_retries_says(load: float) -> None:
    problem = replace(TYPES, arrivals_per_s=load)
    assert setting(problem).value_s(BUDGETS) == pytest.approx(value_s(problem, BUDGETS), rel=1e-12)


@pytest.mark.parametrize(
    ("correct", "attempts", "unsolved"),
    [
        pytest.param(0.5, 1.75, 0.125, id="half"),
        pytest.param(0.0, 3.0, 1.0, id="never right"),
        pytest.param(1.0, 1.0, 0.0, id="always right"),
    ],
)
def test_attempts_go_on_until_one_is_right_or_none_is_left(correct: float, attempts: float, unsolved: float) -> None:
    retried = setting(always(correct), max_attempts=3)
    assert retried.attempts(np.zeros(1))[0] == pytest.approx(attempts)
    assert retried.unsolved(np.zeros(1))[0] == pytest.approx(unsolved)


def test_without_arrivals_nobody_waits() -> None:
    assert setting(replace(always(0.5), arrivals_per_s=0.0), max_attempts=3).mean_time_s(np.zeros(1)) == 1.75


def test_two_attempts_of_a_second_each_by_hand() -> None:
    """All wrong, 0.1 arrivals/s. Found at the arrival: 0.1 W1 + 0.1 W2 waiting, and of one in service half of 0.2.

    W2 = 0.1 (W1 + 1) for those that came meanwhile + 0.1 W1 + 0.1 for those found on their first attempt.
    Hence W1 = 0.12 / 0.88 and W2 = 0.2 + 0.2 W1.
    """
    expected_s = 2.2 + 1.2 * 0.12 / 0.88
    assert setting(always(0.0), max_attempts=2).mean_time_s(np.zeros(1)) == pytest.approx(expected_s, rel=1e-12)


def test_mean_time_with_retries_is_the_simulated_one() -> None:
    """Where returning attempts taken for Poisson arrivals would be off by a fifth."""
    problem = replace(TYPES, arrivals_per_s=0.2)
    retried = setting(problem, max_attempts=4)
    seen = simulate(problem, BUDGETS, Traffic.drawn(problem, requests=100_000, max_attempts=4, seed=1))
    assert seen.error_s < 0.02 * seen.mean_s
    assert retried.mean_time_s(BUDGETS) == pytest.approx(seen.mean_s, abs=4 * seen.error_s)


@pytest.mark.parametrize("batching", [None, BATCHES_OF_8], ids=["one at a time", "batched"])
@pytest.mark.parametrize("max_attempts", [1, 2, 7])
@pytest.mark.parametrize("border", [0.9, 0.05], ids=["stable", "beyond the border"])
def test_gradient_agrees_with_differences(batching: Batching | None, max_attempts: int, border: float) -> None:
    retried = setting(TYPES, batching=batching, max_attempts=max_attempts)
    steps = 1e-3 * np.eye(2)
    rises = [retried.slope(BUDGETS + step, border)[0] - retried.slope(BUDGETS - step, border)[0] for step in steps]
    assert retried.slope(BUDGETS, border)[1] == pytest.approx(np.array(rises) / 2e-3, rel=1e-5)


def test_unstable_queue_takes_for_ever() -> None:
    assert setting(replace(always(0.0), arrivals_per_s=0.5), max_attempts=2).mean_time_s(np.zeros(1)) == float("inf")


def test_thinking_can_make_a_queue_stable() -> None:
    """Without thinking each of the requests takes 8 attempts of 3 s: 2.4 s of work come per second."""
    retried = setting(LONG_PROMPT, max_attempts=10)
    assert retried.load(np.zeros(1)) > 2
    assert retried.load(retried.stablest()) < 0.6
    assert np.isfinite(allocate(LONG_PROMPT, max_attempts=10).outcome.mean_time_s)


def test_stablest_budget_is_the_least_load_of_all_whole_tokens() -> None:
    retried = setting(LONG_PROMPT, max_attempts=10)
    loads = [retried.load(np.array([float(tokens)])) for tokens in range(1000)]
    assert retried.stablest()[0] == int(np.argmin(loads))


def test_more_work_than_can_be_done_is_refused() -> None:
    with pytest.raises(UnstableError, match=r"with up to 10 attempts; it must stay below 1"):
        allocate(replace(LONG_PROMPT, arrivals_per_s=0.3), max_attempts=10)


def test_number_of_attempts_is_bounded() -> None:
    with pytest.raises(ProblemError, match="max_attempts: 101 given; 1 to 100 are allowed"):
        setting(TYPES, max_attempts=101)


def test_search_finds_no_less_than_a_fine_grid() -> None:
    retried = setting(TYPES, max_attempts=3)
    grid = [np.array([float(a), float(b)]) for a in range(0, 200, 5) for b in range(0, 200, 5)]
    assert search(retried).value_s >= max(retried.value_s(budgets) for budgets in grid)


def test_one_attempt_searched_for_is_the_optimum_without_retries() -> None:
    best = allocate(TYPES)
    assert search(setting(TYPES)).value_s == pytest.approx(best.outcome.value_s + best.certificate.loss_s, abs=1e-9)


def test_no_single_token_makes_whole_budgets_better() -> None:
    found = allocate(TYPES, max_attempts=3)
    retried = setting(TYPES, max_attempts=3)
    for step in (*np.eye(2), *-np.eye(2)):
        assert retried.value_s(np.clip(found.budgets + step, 0, 500)) <= found.outcome.value_s


def test_whole_budgets_stay_stable() -> None:
    """Half a token more is no longer stable here, and so is the half that rounding would add."""

    def worth(budgets: Floats) -> float:
        return float(budgets[0]) if budgets[0] < 7.6 else float("-inf")

    whole = to_whole_tokens(worth, np.array([7.5]), np.array([20.0]), np.zeros(1))
    assert whole.tolist() == [7.0]


def test_knowing_of_retries_beats_not_knowing() -> None:
    retried: Retried = setting(TYPES, max_attempts=3)
    unaware = allocate(TYPES).budgets.astype(np.float64)
    assert allocate(TYPES, max_attempts=3).outcome.value_s > retried.value_s(unaware) + 0.1


def test_seed_and_nothing_else_decides_the_starts() -> None:
    first, second = (allocate(TYPES, max_attempts=3, seed=5) for _ in range(2))
    assert first.budgets.tolist() == second.budgets.tolist()
    assert first.certificate.iterations == second.certificate.iterations
    assert first.certificate.procedure is Procedure.SEARCH


def test_types_that_may_not_think_get_no_budget() -> None:
    found = allocate(always(0.5), max_attempts=3)
    assert found.budgets.tolist() == [0]
    assert found.outcome.solved == pytest.approx(0.875)
