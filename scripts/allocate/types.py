"""Task types for `laar allocate` from a profile: a model's thinking curves, and how often each is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from deployments.budgets.arrivals import Arrivals, counted
from deployments.budgets.curves import Curves
from deployments.log.reading.queries import count_by_cell
from profiles.cell import Buckets, Cell
from profiles.measuring.thinking_fit import is_s_shaped
from profiles.profile import ModelProfile, Profile, ThinkingCurve
from scripts.allocate.thinking_types import ThinkingTypes, TypesError, types_of

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRequest:
    """What the profile does not say: the worth of an answer, tries of a request, and how the engine serves."""

    worth_s: float
    max_attempts: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWindow:
    """The attempts of the log that count; `num_replicas` of the model share them evenly."""

    since: datetime
    before: datetime
    num_replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeTraffic:
    """Arrivals by curve, and in words where they are known from."""

    arrivals: Arrivals
    origin: str


def thinking_model(profile: Profile, name: str | None) -> tuple[str, ModelProfile]:
    """The model whose curves are meant, the only one if none is named; raises TypesError."""
    known = {model: found for model, found in profile.models.items() if found.thinking}
    if not known:
        raise TypesError(f"none of the models {sorted(profile.models)} has thinking curves")
    if name is None and len(known) > 1:
        raise TypesError(f"several models have thinking curves; name one of {sorted(known)} with --model")
    chosen = next(iter(known)) if name is None else name
    if chosen not in known:
        raise TypesError(f"model '{chosen}' has no thinking curves; known: {sorted(known)}")
    return chosen, known[chosen]


def by_hand(num_curves: int, arrivals_per_s: float) -> TypeTraffic:
    """The same share for every curve, as nothing is known of the mix."""
    shares = (1 / num_curves,) * num_curves
    return TypeTraffic(
        arrivals=Arrivals(per_s=arrivals_per_s, shares=shares), origin="arrivals given by hand, equal shares assumed"
    )


def logged(connection: Connection, profile: Profile, name: str, window: LogWindow, *, max_attempts: int) -> TypeTraffic:
    """What the log has of the model's attempts, counted as the router's controller counts them; raises TypesError.

    That is all attempts, or where the objective makes a request's further tries itself, the first of each request.
    """
    if window.since >= window.before:
        raise TypesError(f"the window begins at {window.since:%F %T} UTC, which is yet to come")
    cells = count_by_cell(
        connection,
        name,
        since=window.since,
        before=window.before,
        buckets=profile.buckets,
        is_first_only=max_attempts > 1,
    )
    counts = count_by_curve(profile.models[name].thinking, cells)
    total = sum(cells.values())
    since = f"since {window.since:%F %T} UTC"
    if not total:
        raise TypesError(f"the log has no attempt on '{name}' {since}; widen --window or give --arrivals")
    if not sum(counts):
        raise TypesError(f"none of the {total} attempts on '{name}' {since} falls under a thinking curve")
    seconds = (window.before - window.since).total_seconds()
    told = f"{sum(counts)} of {total} logged attempts {since} fall under a curve"
    if window.num_replicas > 1:
        told += f", shared by {window.num_replicas} replicas"
    return TypeTraffic(arrivals=counted(counts, seconds=seconds, scale=1 / window.num_replicas), origin=told)


def count_by_curve(curves: Sequence[ThinkingCurve], cells: Mapping[Cell, int]) -> list[int]:
    """Attempts under each curve; attempts without a curve are left out."""
    found, counts = Curves(curves), [0] * len(curves)
    for cell, count in cells.items():
        index = found.find(cell)
        if index is not None:
            counts[index] += count
    return counts


def profile_types(model: ModelProfile, buckets: Buckets, arrivals: Arrivals, wish: BudgetRequest) -> ThinkingTypes:
    """A type for each curve, named task/language/bucket; raises TypesError."""
    if late := [curve for curve in model.thinking if is_s_shaped(curve)]:
        shares = ", ".join(f"{p.correct}/{p.tried} at {p.budget}" for p in late[0].points)
        raise TypesError(
            f"the curve of '{_name(late[0], buckets)}' is S-shaped ({shares}): its best budget cannot be found, as a "
            "small budget brings nothing there; drop the curve, and let requests set thinking_token_budget"
        )
    growth = min(model.latency.decode_growth, 1.0)
    return types_of(
        {
            "arrivals_per_s": arrivals.per_s,
            "worth_s": wish.worth_s,
            "max_attempts": wish.max_attempts,
            "batching": None if wish.slots == 1 else {"growth": growth, "slots": wish.slots},
            "types": [
                _stated(curve, buckets, share) for curve, share in zip(model.thinking, arrivals.shares, strict=True)
            ],
        }
    )


def _stated(curve: ThinkingCurve, buckets: Buckets, share: float) -> dict[str, object]:
    return {
        "name": _name(curve, buckets),
        "share": share,
        **curve.model_dump(include={"base_s", "token_s", "gain", "rate", "floor", "max_tokens"}),
    }


def _name(curve: ThinkingCurve, buckets: Buckets) -> str:
    bucket = ALL if curve.bucket is None else buckets.label(curve.bucket)
    return f"{curve.task}/{curve.language or ALL}/{bucket}"
