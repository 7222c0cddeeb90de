from dataclasses import replace

import numpy as np
import pytest

from deployments.budgets.allocate import allocate
from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem, ProblemError, UnstableError
from deployments.budgets.servers import Batching

BATCHING = Batching(growth=0.05, slots=8)
# 5.93 s of service can be done in a second: 3 of 2 s each are too many, 3 of 0.4 s are not
TYPES = Problem(
    shares=np.array([0.5, 0.5]),
    base_s=np.array([0.3, 0.5]),
    token_s=np.array([0.01, 0.02]),
    gain=np.array([0.3, 0.6]),
    rate=np.array([0.02, 0.004]),
    floor=np.array([0.5, 0.2]),
    max_tokens=np.array([512.0, 2048.0]),
    arrivals_per_s=3.0,
    worth_s=30.0,
    capacity=BATCHING.capacity,
)


@pytest.mark.parametrize(
    ("batching", "load", "stretch"),
    [
        pytest.param(Batching(growth=0.0, slots=1), 0.75, 4.0, id="one slot: 1 / (1 - rho)"),
        pytest.param(Batching(growth=1.0, slots=50), 0.75, 4.0, id="equal shares of one server: 1 / (1 - rho)"),
        pytest.param(Batching(growth=0.0, slots=1000), 20.0, 1.0, id="a server for everyone: no wait"),
        pytest.param(Batching(growth=0.0, slots=2), 1.0, 4 / 3, id="two servers: 1 / (1 - rho^2)"),
        pytest.param(BATCHING, 0.0, 1.0, id="nobody else"),
    ],
)
def test_time_in_known_queues(batching: Batching, load: float, stretch: float) -> None:
    assert batching.sojourn(load)[0] == pytest.approx(stretch, rel=1e-9)


@pytest.mark.parametrize("batching", [BATCHING, Batching(growth=0.3, slots=100), Batching(growth=0.0, slots=3)])
@pytest.mark.parametrize("utilisation", [0.05, 0.5, 0.95])
def test_marginal_time_agrees_with_differences(batching: Batching, utilisation: float) -> None:
    load, step = utilisation * batching.capacity, 1e-5

    def number(at: float) -> float:
        return at * batching.sojourn(at)[0]

    assert batching.sojourn(load)[1] == pytest.approx(
        (number(load + step) - number(load - step)) / (2 * step), rel=1e-6
    )


@pytest.mark.parametrize("growth", [0.0, 0.05, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("slots", [1, 2, 8, 300])
def test_time_is_convex_in_the_mean_service(growth: float, slots: int) -> None:
    batching = Batching(growth=growth, slots=slots)
    slopes = [batching.sojourn(load)[1] for load in np.linspace(0, 0.99 * batching.capacity, 60)]
    assert min(np.diff(slopes)) >= -1e-9 * max(slopes)


def test_beyond_capacity_time_has_no_end() -> None:
    assert BATCHING.capacity == pytest.approx(8 / 1.35)
    assert BATCHING.sojourn(BATCHING.capacity) == (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("worth_s", "expected"),
    [pytest.param(0.0, [0, 0], id="worth nothing"), pytest.param(1e9, [512, 2048], id="worth everything")],
)
def test_budgets_stop_at_their_bounds(worth_s: float, expected: list[int]) -> None:
    types = replace(TYPES, arrivals_per_s=0.01, worth_s=worth_s)
    assert allocate(BudgetObjective(problem=types, server=BATCHING)).budgets.tolist() == expected


def test_batching_carries_a_load_that_one_at_a_time_cannot() -> None:
    with pytest.raises(UnstableError, match=r"utilisation is 1.2 even without thinking; it must stay below 1"):
        replace(TYPES, capacity=1.0)
    assert 0.2 < allocate(BudgetObjective(problem=TYPES, server=BATCHING)).performance.utilisation < 1


def test_problem_of_a_faster_server_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"capacity: 5.92593 given; this server does at most 1"):
        BudgetObjective(problem=TYPES)


@pytest.mark.parametrize(
    ("growth", "slots", "message"),
    [
        pytest.param(1.5, 8, "growth: 1.5 given; 0 to 1 is allowed", id="slower than a queue"),
        pytest.param(float("nan"), 8, "growth: nan given", id="no number"),
        pytest.param(0.1, 0, "slots: 0 given; 1 to 4096 are allowed", id="no slot"),
    ],
)
def test_impossible_batching_is_refused(growth: float, slots: int, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Batching(growth=growth, slots=slots)
