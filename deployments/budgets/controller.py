"""Budgets by traffic: planned again at intervals for the recent traffic, and changed only if the gain is worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np

from deployments.budgets.arrivals import Arrivals, Window, summed
from deployments.budgets.curves import Curves
from deployments.budgets.problem import Problem, UnstableError
from deployments.budgets.settings import ThinkingSettings
from profiles.arrays import Floats
from profiles.cell import Cell
from profiles.profile import ThinkingCurve


class PlanStatus(StrEnum):
    """What became of one solution for one model."""

    TAKEN = "taken"
    KEPT = "kept"
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Allocator(Protocol):
    """How a model's replica serves, and so which budgets are best for it."""

    @property
    def capacity(self) -> float:
        """Seconds of service, as one request alone would need them, that it does in a second at most."""
        ...

    def allocate(self, problem: Problem) -> Floats:
        """The best budgets in whole tokens; raises UnstableError or another ArithmeticError or ValueError."""
        ...

    def value_s(self, problem: Problem, budgets: Floats) -> float:
        """J in seconds, -inf where the queue would grow for ever."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingModel:
    """A model whose engine limits thinking, and what is known of its thinking."""

    name: str
    curves: tuple[ThinkingCurve, ...]
    allocator: Allocator


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """The budgets of one model by curve, the arrivals they were last looked at under, and what came of it."""

    budgets: tuple[int, ...]
    arrivals: Arrivals
    outcome: PlanStatus
    reason: str = ""


Plan = Mapping[str, ModelPlan]


@dataclass(slots=True)
class _Watched:
    """One model with its curves and its window."""

    model: ThinkingModel
    curves: Curves = field(init=False)
    window: Window

    def __post_init__(self) -> None:
        self.curves = Curves(self.model.curves)


class Controller:
    """Observes attempts, plans budgets and looks them up. `solve` may run in a thread, the rest in one event loop.

    Attempts are what is observed: a retry is work like any other. Where the objective itself makes further tries of
    each request (`max_attempts` above 1), only a request's first attempt on a model counts, or its retries would
    count twice. A router sees its share of the requests, which are taken to be spread evenly over `num_routers`.
    """

    def __init__(
        self, models: Sequence[ThinkingModel], *, settings: ThinkingSettings, num_routers: int = 1, now_s: float
    ) -> None:
        self._settings, self._num_routers = settings, num_routers
        self._watched = {
            model.name: _Watched(model, Window(len(model.curves), window_s=settings.window_s, now_s=now_s))
            for model in models
            if model.curves
        }
        self.plan: Plan = MappingProxyType({})

    def curves(self, model: str) -> tuple[ThinkingCurve, ...]:
        watched = self._watched.get(model)
        return watched.curves.all if watched else ()

    def observe(self, model: str, cell: Cell, *, tries: int, now_s: float) -> None:
        """Count an attempt that begins; `tries` is how often this request was at this model before."""
        index = self.curve_index(model, cell)
        if index is not None and not (tries and self._settings.max_attempts > 1):
            self._watched[model].window.observe(index, now_s)

    def curve_index(self, model: str, cell: Cell) -> int | None:
        watched = self._watched.get(model)
        return watched.curves.find(cell) if watched else None

    def budget(self, model: str, cell: Cell) -> int | None:
        """The planned budget; None where there is no curve, or no plan yet."""
        index = self.curve_index(model, cell)
        plan = self.plan.get(model)
        return None if index is None or plan is None else plan.budgets[index]

    def arrivals(self, now_s: float, replicas: Mapping[str, float]) -> dict[str, Arrivals]:
        """What one replica of each model gets, of all routers together."""
        return {
            name: watched.window.arrivals(now_s, scale=self._num_routers / replicas.get(name, 1.0))
            for name, watched in self._watched.items()
        }

    def solve(self, arrivals: Mapping[str, Arrivals]) -> Plan:
        """The plan for these arrivals, given the present one; changes nothing."""
        return MappingProxyType({name: self._solve(self._watched[name].model, seen) for name, seen in arrivals.items()})

    def adopt(self, plan: Plan) -> bool:
        """Make a plan the present one; whether any budget has changed by it."""
        before = {name: known.budgets for name, known in self.plan.items()}
        self.plan = plan
        return before != {name: known.budgets for name, known in plan.items()}

    def carry_over(self, former: "Controller") -> None:
        """Go on with the plan and the arrivals of a controller with other curves, until there is a plan for these.

        A new curve gets the budget that its requests had, up to what it was measured with; where they had none, the
        least. Its share may be 0.
        """
        plan: dict[str, ModelPlan] = {}
        for name in self._watched.keys() & former._watched.keys():
            new, old = self._watched[name], former._watched[name]
            kinds = [new.curves.nearest(curve.key) for curve in old.curves.all]
            new.window.take_over(old.window, kinds)
            if (known := former.plan.get(name)) is not None:
                at = [old.curves.nearest(curve.key) for curve in new.curves.all]
                least = self._settings.min_tokens
                budgets = tuple(
                    least if i is None else max(least, min(known.budgets[i], int(curve.max_tokens)))
                    for i, curve in zip(at, new.curves.all, strict=True)
                )
                shares = tuple(summed(known.arrivals.shares, kinds, len(at)))
                plan[name] = replace(known, budgets=budgets, arrivals=replace(known.arrivals, shares=shares))
        self.plan = MappingProxyType(plan)

    def _solve(self, model: ThinkingModel, arrivals: Arrivals) -> ModelPlan:
        present = self.plan.get(model.name)
        least = self._settings.min_tokens
        try:
            problem = problem_of(model.curves, arrivals, settings=self._settings, capacity=model.allocator.capacity)
            found = model.allocator.allocate(problem)
        except UnstableError as error:
            budgets = (least,) * len(model.curves)
            return ModelPlan(budgets=budgets, arrivals=arrivals, outcome=PlanStatus.OVERLOADED, reason=str(error))
        except (ArithmeticError, ValueError) as error:
            budgets = present.budgets if present else (least,) * len(model.curves)
            return ModelPlan(budgets=budgets, arrivals=arrivals, outcome=PlanStatus.FAILED, reason=str(error))
        budgets = tuple(least + int(tokens) for tokens in found)
        if present is not None and not self._is_worth_it(model.allocator, problem, present.budgets, found):
            return ModelPlan(budgets=present.budgets, arrivals=arrivals, outcome=PlanStatus.KEPT)
        return ModelPlan(budgets=budgets, arrivals=arrivals, outcome=PlanStatus.TAKEN)

    def _is_worth_it(self, allocator: Allocator, problem: Problem, present: tuple[int, ...], found: Floats) -> bool:
        now = np.array(present, dtype=float) - self._settings.min_tokens
        gained_s = allocator.value_s(problem, found) - allocator.value_s(problem, now)
        return gained_s > self._settings.hysteresis * self._settings.worth_s


def problem_of(
    curves: Sequence[ThinkingCurve], arrivals: Arrivals, *, settings: ThinkingSettings, capacity: float
) -> Problem:
    """The problem of the budgets above `min_tokens`: tokens that every request gets are part of the base.

    With l = least + m, the accuracy is floor + gain (1 - exp(-rate least)) + gain exp(-rate least) (1 - exp(-rate m)).
    """
    base_s, token_s, gain, rate, floor, measured = (
        np.array([getattr(curve, name) for curve in curves], dtype=float)
        for name in ("base_s", "token_s", "gain", "rate", "floor", "max_tokens")
    )
    least = float(settings.min_tokens)
    return Problem(
        shares=np.array(arrivals.shares),
        base_s=base_s + token_s * least,
        token_s=token_s,
        gain=gain * np.exp(-rate * least),
        rate=rate,
        floor=floor - gain * np.expm1(-rate * least),
        max_tokens=np.maximum(np.minimum(measured, settings.max_tokens) - least, 0),
        arrivals_per_s=arrivals.per_s,
        worth_s=settings.worth_s,
        capacity=capacity,
    )
