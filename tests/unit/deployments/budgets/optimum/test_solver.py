from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.budgets.optimum import solver
from deployments.budgets.optimum.newton import climb
from deployments.budgets.optimum.objective import Slope, first_pull, moments, slope, value_s
from deployments.budgets.optimum.problem import Floats, Problem
from deployments.budgets.optimum.region import Region
from deployments.budgets.optimum.solution import Method, NoConvergenceError
from deployments.budgets.optimum.solver import solve
from scripts.bench.budgets.allocate import random_problems
from scripts.bench.budgets.problems import SWING_BETWEEN, SWINGING, light, overfull, saturated, split
from scripts.bench.budgets.reference import best_value_s, starts
from tests.unit.deployments.budgets.optimum.test_problem import TWO

SOME = random_problems(np.random.default_rng(7), 30)


@pytest.mark.parametrize("problem", [pytest.param(p, id=f"{kind}-{i}") for i, (kind, p) in enumerate(SOME)])
def test_scipy_finds_nothing_higher_and_as_much(problem: Problem) -> None:
    theirs_s = best_value_s(problem, starts(problem, np.random.default_rng(1), 0), method="SLSQP")
    assert solve(problem).value_s == pytest.approx(theirs_s, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("problem", [pytest.param(p, id=f"{kind}-{i}") for i, (kind, p) in enumerate(SOME)])
def test_no_random_budgets_lie_above_value_and_gap(problem: Problem) -> None:
    rng = np.random.default_rng(2)
    found = solve(problem)
    assert found.gap_s <= 1e-6 * max(1, abs(found.value_s))
    tried = [problem.max_tokens * rng.random(problem.num_types) ** power for power in (0.5, 1, 4) for _ in range(20)]
    near = [np.clip(found.budgets + rng.normal(0, 1, problem.num_types), 0, problem.max_tokens) for _ in range(20)]
    assert max(value_s(problem, budgets) for budgets in tried + near) <= found.value_s + found.gap_s + 1e-12


def test_gap_covers_what_an_early_end_leaves() -> None:
    early = solve(SWINGING, tolerance_tokens=1e9)
    assert early.iterations == 0
    assert early.value_s < 46.5 < 46.776804 < early.value_s + early.gap_s


@pytest.mark.parametrize("seed", range(5))
def test_no_newton_step_lowers_the_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        problem = saturated(rng, 4)
        budgets = Region.of(problem).project(problem.max_tokens * rng.random(4) ** 6)
        moved = climb(problem, slope(problem, budgets, moments(problem, budgets), first_pull(problem)))
        assert value_s(problem, moved) >= value_s(problem, budgets)


def test_one_type_without_a_queue_thinks_until_a_token_costs_what_it_brings() -> None:
    # 20 * 0.5 * 0.01 * exp(-0.01 l) = 0.01: l = 100 ln 10
    alone = Problem(
        shares=np.array([1.0]),
        base_s=np.array([1.0]),
        token_s=np.array([0.01]),
        gain=np.array([0.5]),
        rate=np.array([0.01]),
        floor=np.array([0.2]),
        max_tokens=np.array([1000.0]),
        arrivals_per_s=0.0,
        worth_s=20.0,
    )
    assert solve(alone).budgets == pytest.approx([230.2585093])


def test_plain_iteration_swings_between_two_points_for_ever() -> None:
    budgets = np.zeros(2)
    visited = []
    for _ in range(500):
        here = slope(SWINGING, budgets, moments(SWINGING, budgets), first_pull(SWINGING))
        budgets = here.budgets + here.wanted
        visited.append(budgets.tolist())
    assert sorted(visited[-2:], reverse=True) == [pytest.approx(end, abs=1e-5) for end in SWING_BETWEEN]
    with pytest.raises(NoConvergenceError, match=r"fixed_point: after 500 iterations a budget would still move by 1"):
        solve(SWINGING, method=Method.FIXED_POINT, max_iterations=500)


@pytest.mark.parametrize("method", [Method.DAMPED, Method.GRADIENT, Method.NEWTON, Method.AUTO])
def test_other_methods_find_the_optimum_where_the_plain_one_swings(method: Method) -> None:
    found = solve(SWINGING, method=method)
    assert found.contraction > 1
    assert found.budgets == pytest.approx([683.89459, 468.07897], abs=1e-4)
    assert found.value_s == pytest.approx(46.776804247, abs=1e-8)


def test_all_methods_agree_where_the_fixed_point_contracts() -> None:
    problem = replace(SWINGING, arrivals_per_s=0.01, worth_s=30.0)
    found = {method: solve(problem, method=method, tolerance_tokens=1e-8) for method in Method}
    assert all(solution.contraction < 1 for solution in found.values())
    budgets = [solution.budgets for solution in found.values()]
    assert np.ptp(budgets, axis=0) == pytest.approx([0, 0], abs=1e-6)


def test_contraction_is_infinite_where_the_largest_budgets_are_unstable() -> None:
    assert solve(replace(SWINGING, max_tokens=np.array([2000.0, 2000.0]))).contraction == float("inf")


def test_auto_falls_back_to_the_gradient_where_newton_finds_no_way_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def stay(problem: Problem, here: Slope) -> Floats:
        return here.budgets

    monkeypatch.setattr(solver, "climb", stay)
    found = solve(SWINGING)
    assert found.method is Method.GRADIENT
    assert found.budgets == pytest.approx([683.89459, 468.07897], abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"worth_s": 0.0}, [0.0, 0.0], id="answers worth nothing"),
        pytest.param({"gain": np.array([0.0, 0.7])}, [0.0, 569.14], id="one type that gains nothing"),
        pytest.param({"max_tokens": np.array([0.0, 0.0])}, [0.0, 0.0], id="no thinking allowed"),
        pytest.param({"worth_s": 1e12, "arrivals_per_s": 0.0}, [1200.0, 1200.0], id="worth everything"),
    ],
)
def test_budgets_at_bounds(changes: dict[str, Any], expected: list[float]) -> None:
    assert solve(replace(SWINGING, **changes)).budgets == pytest.approx(expected, abs=0.01)


def test_extreme_parameters_raise_no_warning() -> None:
    for rate in (1e-12, 1e12):
        for cost in (1e-12, 1e12):
            for worth in (0.0, 1e-12, 1e12):
                problem = replace(TWO, rate=np.full(2, rate), token_s=np.full(2, cost), worth_s=worth)
                assert solve(problem).utilisation < 1


def test_a_type_that_nobody_asks_for_gets_what_its_first_request_should() -> None:
    rare = replace(SWINGING, shares=np.array([1.0, 0.0]))
    nearly = replace(SWINGING, shares=np.array([1 - 1e-7, 1e-7]))
    assert solve(rare).budgets[1] > 0
    assert solve(rare).budgets == pytest.approx(solve(nearly).budgets, abs=1e-2)


def test_order_of_types_does_not_matter() -> None:
    problem = overfull(np.random.default_rng(3), 6)
    order = np.array([4, 0, 5, 2, 1, 3])
    fields = ("shares", "base_s", "token_s", "gain", "rate", "floor", "max_tokens")
    shuffled = replace(problem, **{name: getattr(problem, name)[order] for name in fields})
    assert solve(shuffled).budgets == pytest.approx(solve(problem).budgets[order], abs=1e-4)


def test_a_type_under_two_names_keeps_its_budget() -> None:
    problem = saturated(np.random.default_rng(3), 5)
    assert solve(split(problem, 2)).budgets == pytest.approx(np.repeat(solve(problem).budgets, 2), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_more_arrivals_never_raise_a_budget(seed: int) -> None:
    """All delays g = 1 + x t + y / 2 rise with the load, by x = lambda / q and y = sum of pi (x t)^2.

    Were x to rise and y to fall, a type that thinks less, for a higher g, would have a higher x t, and so would one
    that thinks more, for its higher t: y would rise. Were x to fall and y to rise, it is the other way round; were both
    to fall, all would think more, and x would rise.
    """
    problem = overfull(np.random.default_rng(seed), 4)
    spare = 0.99 / (problem.arrivals_per_s * float(problem.shares @ problem.base_s))
    loads = problem.arrivals_per_s * np.linspace(0, spare, 8)
    budgets = [solve(replace(problem, arrivals_per_s=float(load))).budgets for load in loads]
    assert np.diff(budgets, axis=0).max() <= 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_optimum_lies_within_the_region(seed: int) -> None:
    problem = saturated(np.random.default_rng(seed), 5)
    assert solve(problem).utilisation < Region.of(problem).utilisation < 1


def test_limit_of_the_region_is_the_utilisation_without_thinking_where_that_is_worth_nothing() -> None:
    # equal services: the bound by E[S]^2 is exact
    equal = replace(TWO, base_s=np.array([2.0, 2.0]), worth_s=0.0)
    assert Region.of(equal).utilisation == pytest.approx(0.2)


def test_projection_onto_the_box_clips() -> None:
    region = Region.of(light(np.random.default_rng(0), 3))
    most = region.problem.max_tokens
    assert region.project(np.array([-5.0, 3.0, 1e9])).tolist() == [0.0, 3.0, most[2]]


def test_projection_onto_the_limit_is_the_nearest_point_of_the_region() -> None:
    """No point of a convex set lies beyond the plane through the projection, across the way to it."""
    rng = np.random.default_rng(4)
    problem = overfull(rng, 4)
    region = Region.of(problem)
    weights = problem.shares * problem.token_s
    point = problem.max_tokens * 1.1
    nearest = region.project(point)
    assert float(weights @ nearest) == pytest.approx(region.budget_s, rel=1e-9)
    others = problem.max_tokens * rng.random((500, 4)) ** 3
    inside = others[others @ weights <= region.budget_s]
    assert len(inside) > 20
    assert ((inside - nearest) @ (point - nearest)).max() <= 1e-6


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        pytest.param({"tolerance_tokens": 0.0}, r"tolerance_tokens: 0 given; it must be above 0", id="tolerance"),
        pytest.param({"max_iterations": 0}, r"max_iterations: 0 given; it must be at least 1", id="iterations"),
    ],
)
def test_limits_that_cannot_be_met_are_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve(TWO, **limits)
