"""From what clients were told, and what the log has, to figures and bars."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.bench.chaos.traffic import ToldAnswer
from scripts.report import Bar, quantile

# of a router that goes down, of models that all fail, of one that is too late
ENDINGS = frozenset({429, 502, 503, 504})
GRACE_S = 1.0
# an answer is slow that takes so much longer than the slowest hundredth did before
SLOWER = 1.5
LEAST_SUCCESS = 0.999
MOST_SETTLING_S = 90.0
Told = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultWindow:
    """When one fault began, was complete, was mended, and was over; seconds of the clock that answers are timed by.

    `lost` is how many records the log counts as lost meanwhile.
    """

    name: str
    quiet_from_s: float
    broken_s: float
    all_broken_s: float
    mended_s: float
    back_s: float
    ended_s: float
    kills_a_router: bool = False
    fills_the_disk: bool = False
    stops_checks: bool = False
    lost: float = 0.0


def ends_rightly(answer: ToldAnswer) -> bool:
    """A right answer, or OpenAI's error with a status that says who failed."""
    if answer.status == 200 and not answer.code:
        return answer.is_right or not answer.is_verified
    return bool(answer.code) and answer.status in ENDINGS


def during(answers: Sequence[ToldAnswer], window: FaultWindow) -> list[ToldAnswer]:
    """Those that were under way at some time from the fault to its end."""
    return [a for a in answers if a.ended_s >= window.broken_s and a.begun_s < window.ended_s]


def excused(answers: Sequence[ToldAnswer], window: FaultWindow) -> list[ToldAnswer]:
    """Failures that a killed router leaves behind: of requests that were under way when it was killed."""
    if not window.kills_a_router:
        return []
    return [a for a in during(answers, window) if not a.is_ok and a.begun_s <= window.all_broken_s]


def figures(answers: Sequence[ToldAnswer], window: FaultWindow, deadline_s: float) -> dict[str, Any]:
    """One fault in numbers: how requests ended, and for how long they were disturbed."""
    quiet = [a for a in answers if window.quiet_from_s <= a.begun_s and a.ended_s < window.broken_s and a.is_ok]
    usual_s = quantile([a.took_s for a in quiet], 0.99) if quiet else float("nan")
    affected = during(answers, window)
    bad = [a for a in affected if not (a.is_ok and a.is_verified and not a.took_s > SLOWER * usual_s)]
    let_off = excused(answers, window)
    counted = [a for a in affected if a not in let_off]
    return {
        "requests": len(affected),
        "failed": sum(not a.is_ok for a in counted),
        "on_the_killed_router": len(let_off),
        "unverified": sum(a.is_ok and not a.is_verified for a in counted),
        "wrong_endings": sum(not ends_rightly(a) for a in counted),
        "endings": dict(Counter(f"{a.status} {a.code}".strip() for a in affected)),
        "latest_over_deadline_s": max((a.took_s - deadline_s for a in affected), default=0.0),
        "usual_p99_s": usual_s,
        "p99_s": quantile([a.took_s for a in counted], 0.99) if counted else float("nan"),
        "disturbed_for_s": max((a.ended_s - window.broken_s for a in bad), default=0.0),
        "back_after_s": window.back_s - window.broken_s,
        "back_after_mending_s": window.back_s - window.mended_s,
        "records_lost": window.lost,
    }


def bars(found: Mapping[str, Mapping[str, Any]], windows: Sequence[FaultWindow]) -> Iterator[Bar]:
    """What must hold of each fault."""
    for window in windows:
        of, name = found[window.name], window.name
        yield Bar(name=f"{name}: wrong endings", value=of["wrong_endings"], limit=0, kind="max")
        yield Bar(
            name=f"{name}: later than its deadline by, s", value=of["latest_over_deadline_s"], limit=GRACE_S, kind="max"
        )
        yield Bar(name=f"{name}: back after, s", value=of["back_after_mending_s"], limit=MOST_SETTLING_S, kind="max")
        share = 1 - of["failed"] / max(1, of["requests"])
        yield Bar(name=f"{name}: succeeded", value=share, limit=LEAST_SUCCESS, kind="min")
        if not window.stops_checks:
            yield Bar(name=f"{name}: unverified", value=of["unverified"], limit=0, kind="max")
        yield from log_bars(name, of)
        if window.fills_the_disk:
            uncounted = of["answers_lost"] - window.lost
            yield Bar(name=f"{name}: lost, not counted", value=uncounted, limit=0, kind="max")
            yield Bar(name=f"{name}: records counted as lost", value=window.lost, limit=1, kind="min")


def missing(answers: Sequence[ToldAnswer], rows: Told) -> list[ToldAnswer]:
    """Answers whose attempts, as their client was told them, are not those that the log has."""
    return [a for a in answers if a.attempts and tuple(rows.get(a.request_id, ())) != a.attempts]


def compared(answers: Sequence[ToldAnswer], rows: Told, window: FaultWindow | None = None) -> dict[str, Any]:
    """What clients were told of attempts, and what the log has of them; only a full disk may lose some meanwhile."""
    told = [a for a in answers if a.attempts]
    absent = missing(told, rows)
    lost = during(absent, window) if window is not None and window.fills_the_disk else []
    return {
        "answers_compared": len(told),
        "attempts_told": sum(len(a.attempts) for a in told),
        "attempts_logged": sum(len(rows.get(a.request_id, ())) for a in told),
        "answers_not_in_the_log": len(absent) - len(lost),
        "answers_lost": len(lost),
    }


def log_bars(name: str, of: Mapping[str, Any]) -> Iterator[Bar]:
    """The log has what clients were told; to have compared nothing shows nothing."""
    yield Bar(name=f"{name}: answers compared with the log", value=of["answers_compared"], limit=1, kind="min")
    yield Bar(name=f"{name}: answers not in the log as told", value=of["answers_not_in_the_log"], limit=0, kind="max")
