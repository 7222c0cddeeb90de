"""Thinking budgets as the choice of a model sees them: what each model would get, cost and bring for a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.controller import Controller, ThinkingModel
from deployments.budgets.settings import ThinkingSettings
from deployments.router.http.request import UNLIMITED, RoutedRequest
from deployments.router.latency.expected import Floats
from deployments.router.model import Model
from profiles.cell import Cell
from profiles.profile import DEFAULT_TASK, Profile

# A curve is a fit, and never so certain that a model should count as infallible or be ruled out.
_LEAST_PROBABILITY, _MOST_PROBABILITY = 0.01, 0.99
# The share of a request's tokens that may go into thinking; the rest is for the answer.
MOST_OF_OUTPUT = 0.5

# Stands for every language without a curve of its own; no detector says it.
_NO_LANGUAGE = ""

Source = Literal["client", "plan", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEffect:
    """What thinking means for one request, by model, shape (m,).

    `budgets` is what the engine is to be held to, NaN where nothing limits it; `tokens` is what is expected then, 0
    where no curve tells. Where `is_known`, accuracy and seconds alone on the engine come from the curve.
    """

    budgets: Floats
    tokens: Floats
    is_known: NDArray[np.bool_]
    probability: Floats
    service_s: Floats


class Thinking:
    """Budgets per request, from cached tables that are made anew when a plan changes them."""

    def __init__(
        self,
        controller: Controller,
        *,
        models: Sequence[str],
        thinkers: frozenset[str],
        num_buckets: int,
        default_tokens: int | None,
    ) -> None:
        self.controller = controller
        self.models = thinkers
        self._names, self._default_tokens = tuple(models), default_tokens
        self._num_buckets = num_buckets
        self._thinks = np.array([name in thinkers for name in models])
        self._rows = np.arange(len(self._names))
        curves = [curve for name in thinkers for curve in controller.curves(name)]
        self._tasks = {curve.task for curve in curves}
        self._languages = {curve.language for curve in curves}
        # (curve parameter or budget, model, bucket), see `_known`
        self._tables: dict[tuple[str, str], Floats] = {}

    def plan_changed(self) -> None:
        self._tables.clear()

    def of(
        self, *, task: str, language: str, buckets: NDArray[np.intp], own: int | None, max_tokens: int | None
    ) -> BudgetEffect:
        """What thinking means for a request; its `own` budget counts before the planned one."""
        known = self._table(task, language)[:, self._rows, buckets]
        base_s, token_s, gain, rate, floor, most, planned = known
        budgets = self._budgets(planned, own=own, max_tokens=max_tokens)
        is_known = ~np.isnan(base_s)
        tokens = np.where(is_known, np.fmin(budgets, most), 0.0)
        correct = floor - gain * np.expm1(-rate * tokens)
        return BudgetEffect(
            budgets=budgets,
            tokens=tokens,
            is_known=is_known,
            probability=np.minimum(np.maximum(correct, _LEAST_PROBABILITY), _MOST_PROBABILITY),
            service_s=base_s + token_s * tokens,
        )

    def explain(self, model: str, request: RoutedRequest, cell: Cell, *, budget: int | None) -> dict[str, Any] | None:
        """The budget of a candidate and what it rests on; None for a model that cannot be limited."""
        if model not in self.models:
            return None
        index = self.controller.curve_index(model, cell)
        plan = self.controller.plan.get(model)
        source: Source | None = "default" if budget is not None else None
        if request.thinking_token_budget is not None:
            source = "client"
        elif index is not None and plan is not None:
            source = "plan"
        told: dict[str, Any] = {"budget": budget, "source": source, "has_curve": index is not None}
        return told | (self.planned(model) or {})

    def planned(self, model: str) -> dict[str, Any] | None:
        """The budgets of a model by task, language and bucket, and the arrivals they are for; None without a plan."""
        plan = self.controller.plan.get(model)
        if plan is None:
            return None
        mix = [
            {"task": c.task, "language": c.language, "bucket": c.bucket, "share": round(share, 4), "budget": tokens}
            for c, share, tokens in zip(self.controller.curves(model), plan.arrivals.shares, plan.budgets, strict=True)
        ]
        return {"arrivals_per_s": round(plan.arrivals.per_s, 6), "mix": mix, "outcome": plan.outcome.value}

    def _budgets(self, planned: Floats, *, own: int | None, max_tokens: int | None) -> Floats:
        if own is None:
            return planned if max_tokens is None else np.minimum(planned, int(MOST_OF_OUTPUT * max_tokens))
        return np.where(self._thinks, np.nan if own == UNLIMITED else float(own), np.nan)

    def _table(self, task: str, language: str) -> Floats:
        task = task if task in self._tasks else DEFAULT_TASK
        language = language if language in self._languages else _NO_LANGUAGE
        key = (task, language)
        if key not in self._tables:
            cells = [Cell(task, language, bucket) for bucket in range(self._num_buckets)]
            known = np.array([[self._known(name, cell) for cell in cells] for name in self._names])
            self._tables[key] = np.array(np.moveaxis(known, 2, 0), order="C")
        return self._tables[key]

    def _known(self, model: str, cell: Cell) -> list[float]:
        """A curve's parameters, its largest budget and the present one; NaN for what there is not."""
        nothing = float("nan")
        if model not in self.models:
            return [nothing] * 7
        index = self.controller.curve_index(model, cell)
        if index is None:
            return [nothing] * 6 + [nothing if self._default_tokens is None else float(self._default_tokens)]
        curve = self.controller.curves(model)[index]
        budget = self.controller.budget(model, cell)
        planned = nothing if budget is None else float(budget)
        return [curve.base_s, curve.token_s, curve.gain, curve.rate, curve.floor, float(curve.max_tokens), planned]


def overrides(request: RoutedRequest, model: str, budget: int | None, thinking: Thinking | None) -> dict[str, Any]:
    """Fields that the chosen model is to take otherwise than the body has them.

    A client's own budget stays, but a model that cannot honour it, one of several for `auto`, goes without.
    """
    limit = {} if request.has_token_limit or request.max_tokens is None else {"max_tokens": request.max_tokens}
    if request.thinking_token_budget is None:
        return limit if budget is None else limit | {"thinking_token_budget": budget}
    return limit if thinking is not None and model in thinking.models else limit | {"thinking_token_budget": None}


def thinking_of(
    models: Sequence[Model], profile: Profile, *, settings: ThinkingSettings, num_routers: int, now_s: float
) -> Thinking | None:
    """Budgets for the models whose engines limit thinking; None where there is no such model."""
    thinkers = [model for model in models if model.can_think]
    if not thinkers:
        return None
    # 25 MB of SciPy that other routers do without
    from deployments.budgets.allocate import Serving

    watched = [
        ThinkingModel(
            name=model.name,
            curves=known.thinking,
            allocator=Serving.of(
                slots=model.slots, growth=known.latency.decode_growth, max_attempts=settings.max_attempts
            ),
        )
        for model in thinkers
        if (known := profile.models.get(model.name)) is not None
    ]
    return Thinking(
        Controller(watched, settings=settings, num_routers=num_routers, now_s=now_s),
        models=[model.name for model in models],
        thinkers=frozenset(model.name for model in thinkers),
        num_buckets=len(profile.bucket_edges) + 1,
        default_tokens=settings.default_tokens,
    )
