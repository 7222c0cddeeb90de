from dataclasses import replace

import numpy as np
import pytest

from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem
from deployments.budgets.servers import Batching
from scripts.allocate.simulation import ONE_AT_A_TIME, QueueTraffic, SimulationError, serve, simulate

SECOND = Problem(
    shares=np.array([1.0]),
    base_s=np.array([1.0]),
    token_s=np.array([0.01]),
    gain=np.array([0.5]),
    rate=np.array([0.01]),
    floor=np.array([0.5]),
    max_tokens=np.array([100.0]),
    arrivals_per_s=0.5,
    worth_s=1.0,
)


def test_fixed_service_takes_what_the_formula_says() -> None:
    """rho = 0.5: 1 + 0.5 / (2 * 0.5) = 1.5 s."""
    seen = simulate(BudgetObjective(problem=SECOND), np.zeros(1), QueueTraffic.drawn(SECOND, requests=60_000, seed=3))
    assert seen.mean_s == pytest.approx(1.5, abs=4 * seen.error_s)
    assert seen.error_s < 0.02
    assert seen.solved == pytest.approx(0.5, abs=0.01)


def test_wrong_answer_goes_to_the_end_of_the_queue() -> None:
    """0 is served from 0 to 2 and comes back behind 1 and 2, which end at 4 and 6; its second attempt ends at 8."""
    assert serve([0.0, 1.0, 1.5], [2.0, 2.0, 2.0], [2, 1, 1], ONE_AT_A_TIME) == [8.0, 4.0, 6.0]


def test_last_attempt_ends_the_request_however_it_ends() -> None:
    traffic = QueueTraffic(
        arrival_s=np.zeros(3), kinds=np.zeros(3, dtype=np.intp), draws=np.array([[0.9], [0.2], [0.6]])
    )
    attempts, solved = traffic.attempts(np.array([0.5]))
    assert attempts.tolist() == [1, 1, 1]
    assert solved.tolist() == [False, True, False]


def test_first_right_attempt_is_the_last() -> None:
    draws = np.array([[0.9, 0.1, 0.0], [0.3, 0.9, 0.9], [0.9, 0.9, 0.9]])
    traffic = QueueTraffic(arrival_s=np.zeros(3), kinds=np.zeros(3, dtype=np.intp), draws=draws)
    attempts, solved = traffic.attempts(np.array([0.5]))
    assert attempts.tolist() == [2, 1, 3]
    assert solved.tolist() == [True, True, False]


def test_two_in_a_batch_slow_each_other() -> None:
    """Alone until 1, then both at half speed: 0 ends at 3, and 1 has 2 s left, alone again, and ends at 5."""
    assert serve([0.0, 1.0], [2.0, 3.0], [1, 1], Batching(growth=1.0, slots=2)) == [3.0, 5.0]


def test_third_waits_for_a_slot() -> None:
    assert serve([0.0, 0.0, 0.0], [1.0, 2.0, 1.0], [1, 1, 1], Batching(growth=0.0, slots=2)) == [1.0, 2.0, 2.0]


def test_batch_takes_what_processor_sharing_says() -> None:
    """Growth 1 shares one server among all: E[T] = 1 / (1 - 0.5) = 2 s."""
    traffic = QueueTraffic.drawn(SECOND, requests=60_000, seed=2)
    shared = BudgetObjective(problem=SECOND, server=Batching(growth=1.0, slots=500))
    seen = simulate(shared, np.zeros(1), traffic)
    assert seen.mean_s == pytest.approx(2.0, abs=4 * seen.error_s)
    assert seen.error_s < 0.05


def test_same_traffic_for_every_budget() -> None:
    traffic = QueueTraffic.drawn(SECOND, requests=2000, max_attempts=3, seed=4)
    few, many = traffic.attempts(np.array([0.5])), traffic.attempts(np.array([0.7]))
    assert (many[0] <= few[0]).all()


def test_seed_decides_the_traffic() -> None:
    first, again, other = (QueueTraffic.drawn(SECOND, requests=100, seed=seed) for seed in (0, 0, 1))
    assert (first.arrival_s == again.arrival_s).all()
    assert (first.arrival_s != other.arrival_s).all()


@pytest.mark.parametrize("problem", [replace(SECOND, arrivals_per_s=0.0), SECOND], ids=["no arrivals", "too few"])
def test_nothing_to_simulate_is_refused(problem: Problem) -> None:
    with pytest.raises(SimulationError, match=r"20 requests at 0.* given; more than 20 and a rate above 0 are wanted"):
        QueueTraffic.drawn(problem, requests=20, seed=0)
