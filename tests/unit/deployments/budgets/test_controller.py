"""Budgets follow the traffic, under a clock that the test holds."""

import math

import numpy as np
import pytest

from deployments.budgets.arrivals import Arrivals, Window
from deployments.budgets.controller import Controller, ModelPlan, PlanStatus, ThinkingModel, problem_of
from deployments.budgets.curves import Curves
from deployments.budgets.problem import Problem
from deployments.budgets.settings import ThinkingSettings
from profiles.arrays import Floats
from profiles.cell import Cell
from profiles.profile import ThinkingCurve

PERIOD_S = 10.0


def curve(
    task: str = "sums", language: str | None = None, bucket: int | None = None, **changes: float
) -> ThinkingCurve:
    known = {"base_s": 0.1, "token_s": 0.01, "gain": 0.6, "rate": 0.05, "floor": 0.2, "max_tokens": 100}
    return ThinkingCurve.model_validate({"task": task, "language": language, "bucket": bucket, **known, **changes})


class SpareTime:
    """Shares out the spare seconds of a one-at-a-time server in whole tokens; half of them, alike for all."""

    capacity = 1.0

    def allocate(self, problem: Problem) -> Floats:
        if not problem.arrivals_per_s:
            return problem.max_tokens
        spare_s = 1 / problem.arrivals_per_s - float(problem.shares @ problem.base_s)
        tokens = 0.5 * spare_s / float(problem.shares @ problem.token_s)
        budgets: Floats = np.minimum(np.floor(tokens), problem.max_tokens)
        return budgets

    def value_s(self, problem: Problem, budgets: Floats) -> float:
        """As if each token that differs from the best ones cost a hundredth of a second."""
        return -0.01 * float(np.abs(budgets - self.allocate(problem)).sum())


class BrokenUnderLoad(SpareTime):
    def allocate(self, problem: Problem) -> Floats:
        if problem.arrivals_per_s:
            raise ArithmeticError("no way up")
        return super().allocate(problem)


class Bench:
    """One controller over one model "m", asked so often per second, in rounds of one period."""

    def __init__(self, *curves: ThinkingCurve, routers: int = 1, allocator: SpareTime | None = None, **settings: float):
        model = ThinkingModel(name="m", curves=curves or (curve(),), allocator=allocator or SpareTime())
        given = {"period_s": PERIOD_S, "window_s": 60.0, "hysteresis": 0.0, **settings}
        self.now_s = 0.0
        self.controller = Controller(
            [model], settings=ThinkingSettings.model_validate(given), num_routers=routers, now_s=self.now_s
        )

    def arrive(self, per_s: float, *, seconds: float, task: str = "sums", tries: int = 0) -> None:
        for step in range(round(per_s * seconds)):
            at_s = self.now_s + step / per_s
            self.controller.observe("m", Cell(task, "en", 0), tries=tries, now_s=at_s)
        self.now_s += seconds

    def replan(self, replicas: float = 1.0) -> PlanStatus:
        plan = self.controller.solve(self.controller.arrivals(self.now_s, {"m": replicas}))
        self.controller.adopt(plan)
        return plan["m"].outcome

    def budget(self, task: str = "sums") -> int | None:
        return self.controller.budget("m", Cell(task, "en", 0))

    @property
    def per_s(self) -> float:
        return self.controller.plan["m"].arrivals.per_s


def test_no_budget_before_the_first_plan() -> None:
    assert Bench().budget() is None


def test_idle_model_may_think_as_long_as_was_measured() -> None:
    bench = Bench()
    assert bench.replan() is PlanStatus.TAKEN
    assert bench.budget() == 100


def test_traffic_takes_tokens_and_its_end_gives_them_back() -> None:
    bench = Bench()
    bench.arrive(2.0, seconds=60)
    bench.replan()
    # 1/2 - 0.1 = 0.4 s to spare, half of it at 0.01 s per token
    assert bench.budget() == pytest.approx(20, abs=1)
    bench.now_s += 61
    bench.replan()
    assert (bench.per_s, bench.budget()) == (0, 100)


def test_new_mix_moves_the_budgets_within_one_period() -> None:
    bench = Bench(curve("sums"), curve("proofs", base_s=0.3))
    bench.arrive(1.0, seconds=60, task="sums")
    bench.replan()
    before = bench.budget("sums")
    bench.arrive(2.0, seconds=PERIOD_S, task="proofs")
    bench.replan()
    after = bench.budget("sums")
    assert before is not None
    assert after is not None
    assert after < before


def test_small_gains_leave_the_budgets_alone() -> None:
    # 0.1 * 30 s: a change is worth it from 300 tokens on, as `SpareTime` values them
    steady = Bench(hysteresis=0.1)
    nervous = Bench(hysteresis=0.0)
    seen: dict[Bench, set[int | None]] = {steady: set(), nervous: set()}
    for bench, budgets in seen.items():
        bench.arrive(2.0, seconds=60)
        bench.replan()
        for per_s in (2.2, 1.8, 2.3, 1.7):
            bench.arrive(per_s, seconds=PERIOD_S)
            bench.replan()
            budgets.add(bench.budget())
    assert len(seen[steady]) == 1
    assert len(seen[nervous]) > 1


def test_kept_budgets_still_show_the_new_arrivals() -> None:
    bench = Bench(hysteresis=0.9)
    bench.replan()
    bench.arrive(2.0, seconds=60)
    assert bench.replan() is PlanStatus.KEPT
    assert bench.per_s == pytest.approx(2.0, rel=0.05)


def test_other_routers_and_replicas_are_reckoned_with() -> None:
    bench = Bench(routers=3)
    bench.arrive(2.0, seconds=60)
    bench.replan(replicas=2)
    assert bench.per_s == pytest.approx(3.0, rel=0.05)


def test_overload_leaves_the_least_budget() -> None:
    bench = Bench(min_tokens=4)
    bench.arrive(20.0, seconds=60)
    assert bench.replan() is PlanStatus.OVERLOADED
    assert bench.budget() == 4
    assert "it must stay below 1" in bench.controller.plan["m"].reason
    bench.now_s += 61
    assert bench.replan() is PlanStatus.TAKEN
    assert bench.budget() == 100


def test_failed_solution_leaves_the_budgets_as_they_were() -> None:
    bench = Bench(allocator=BrokenUnderLoad(), min_tokens=4)
    bench.replan()
    bench.arrive(2.0, seconds=60)
    assert bench.replan() is PlanStatus.FAILED
    assert bench.budget() == 100
    assert bench.controller.plan["m"].reason == "no way up"


def test_first_solution_that_fails_leaves_the_least_budget() -> None:
    bench = Bench(allocator=BrokenUnderLoad(), min_tokens=4)
    bench.arrive(2.0, seconds=60)
    assert bench.replan() is PlanStatus.FAILED
    assert bench.budget() == 4


def test_operator_bounds_the_budgets() -> None:
    bench = Bench(max_tokens=12)
    bench.replan()
    assert bench.budget() == 12


def test_repeats_on_a_model_count_only_where_the_objective_makes_none() -> None:
    for max_attempts, expected_per_s in ((1, 3.0), (2, 2.0)):
        bench = Bench(max_attempts=max_attempts)
        bench.arrive(2.0, seconds=60)
        bench.now_s = 0.0
        bench.arrive(1.0, seconds=60, tries=1)
        bench.replan()
        assert bench.per_s == pytest.approx(expected_per_s, rel=0.05)


def test_least_tokens_are_part_of_the_base() -> None:
    settings = ThinkingSettings(min_tokens=20, max_tokens=50)
    bench = Bench()
    arrivals = bench.controller.arrivals(0.0, {})["m"]
    problem = problem_of((curve(),), arrivals, settings=settings, capacity=1.0)
    assert problem.base_s == pytest.approx([0.3])
    assert problem.max_tokens == pytest.approx([30])
    # both at 0.2 + 0.6 (1 - e^-1.5), which is 30 tokens in all
    shifted = problem.floor + problem.gain * (1 - math.exp(-0.05 * 10))
    assert shifted == pytest.approx([0.666], abs=0.001)


def test_model_without_curves_has_no_budget() -> None:
    assert Bench().controller.budget("other", Cell("sums", "en", 0)) is None


@pytest.mark.parametrize(
    ("task", "language", "bucket", "expected"),
    [
        pytest.param("sums", "de", 1, 3, id="exactly this one"),
        pytest.param("sums", "de", 2, 2, id="its language"),
        pytest.param("sums", "fr", 1, 1, id="its bucket"),
        pytest.param("sums", "fr", 2, 0, id="its task"),
        pytest.param("plays", "de", 1, 4, id="default task"),
    ],
)
def test_most_specific_curve_counts(task: str, language: str, bucket: int, expected: int) -> None:
    curves = [curve(), curve(bucket=1), curve(language="de"), curve(language="de", bucket=1), curve("default")]
    assert Curves(curves).find(Cell(task, language, bucket)) == expected


def test_task_without_any_curve_is_not_planned_for() -> None:
    assert Curves([curve("sums")]).find(Cell("plays", "en", 0)) is None


def test_unknown_names_take_no_memory() -> None:
    found = Curves([curve("sums", language="de")])
    for number in range(1000):
        found.find(Cell(f"task-{number}", f"language-{number}", number))
    assert len(found._found) == 1


def test_window_forgets() -> None:
    window = Window(2, window_s=31.0, now_s=0.0)
    for at_s in range(31):
        window.observe(at_s % 2, at_s + 0.5)
    assert window.arrivals(31.0).per_s == pytest.approx(1.0)
    assert window.arrivals(31.0).shares == pytest.approx([16.5 / 32, 15.5 / 32])
    window.observe(1, 61.5)
    assert window.arrivals(62.0).per_s == pytest.approx(1 / 31)
    assert window.arrivals(62.0).shares == (0.25, 0.75)
    assert window.arrivals(500.0).per_s == 0


def test_first_request_is_no_rush() -> None:
    window = Window(1, window_s=31.0, now_s=0.0)
    window.observe(0, 0.001)
    assert window.arrivals(0.002).per_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("curves", "budgets", "shares"),
    [
        pytest.param((curve("sums"), curve("proofs")), (20, 15), (0.75, 0.25), id="same"),
        pytest.param((curve("proofs"), curve("sums")), (15, 20), (0.25, 0.75), id="other-order"),
        pytest.param((curve("sums"), curve("sums", "de"), curve("poems")), (20, 20, 7), (0.75, 0, 0), id="more"),
        pytest.param((curve("sums", max_tokens=12), curve("proofs")), (12, 15), (0.75, 0.25), id="measured-with-less"),
    ],
)
def test_plan_and_arrivals_are_carried_over_to_other_curves(
    curves: tuple[ThinkingCurve, ...], budgets: tuple[int, ...], shares: tuple[float, ...]
) -> None:
    former, new = Bench(curve("sums"), curve("proofs")), Bench(*curves, min_tokens=7)
    former.arrive(3.0, seconds=60)
    arrivals = Arrivals(per_s=4.0, shares=(0.75, 0.25))
    former.controller.adopt({"m": ModelPlan(budgets=(20, 15), arrivals=arrivals, outcome=PlanStatus.KEPT)})
    new.controller.carry_over(former.controller)
    carried = new.controller.plan["m"]
    assert (carried.budgets, carried.arrivals.shares, carried.outcome) == (budgets, shares, PlanStatus.KEPT)
    (before, after) = (one.controller.arrivals(former.now_s, {})["m"] for one in (former, new))
    assert after.per_s == before.per_s > 0
    assert after.shares[[one.key == curve("sums").key for one in curves].index(True)] == max(after.shares)


def test_without_a_plan_before_none_is_carried_over() -> None:
    new = Bench()
    new.controller.carry_over(Bench().controller)
    assert new.budget() is None
