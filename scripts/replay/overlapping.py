"""Overlapped attempts on recorded outcomes: the router's rule, and a timer to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from deployments.router.choice.overlap import TimedAttempt, start_after_s
from scripts.replay.play import Answers, PlayedPrompts
from scripts.replay.recorded.outcomes import Ints

# Running times are rounded to this share of the seconds expected, so that what was computed can be used again.
ROUNDING = 0.02
# The crude rule: the next model starts when this share of the last one's expected time is over.
TIMER_SHARE = 0.7

# seconds from now until the next one starts, by the places in the order that run, how long they have, and the next
Wait = Callable[[Sequence[tuple[int, float]], int], float]


@dataclass(slots=True, kw_only=True)
class OverlapPlan:
    """Moments for one pool in one cell, in the order in which its models are asked; each computed once."""

    attempts: Sequence[TimedAttempt]
    known: dict[tuple[int, tuple[tuple[int, int], ...]], float] = field(default_factory=dict)

    def wait_s(self, running: Sequence[tuple[int, float]], following: int) -> float:
        units = [(place, ROUNDING * self.attempts[place].mean_s) for place, _ in running]
        key = (following, tuple((p, round(s / u)) for (p, s), (_, u) in zip(running, units, strict=True)))
        found = self.known.get(key)
        if found is None:
            begun = [self._begun(place, elapsed_s) for place, elapsed_s in running]
            found = self.known[key] = start_after_s(begun, self.attempts[following])
        return found

    def _begun(self, place: int, elapsed_s: float) -> TimedAttempt:
        return replace(self.attempts[place], elapsed_s=elapsed_s)


def timer_s(attempts: Sequence[TimedAttempt]) -> Wait:
    """The next model after a share of the last one's expected time, whatever is to be gained."""

    def wait_s(running: Sequence[tuple[int, float]], following: int) -> float:
        last = dict(running).get(following - 1)
        return inf if last is None else max(0.0, TIMER_SHARE * attempts[following - 1].mean_s - last)

    return wait_s


def play_overlapped(order: Ints, answers: Answers, waits: Sequence[Wait]) -> PlayedPrompts:
    """Each prompt by itself; `waits` has the rule for each. Losers are cancelled when an answer is right.

    An attempt that was begun is paid for in full.
    """
    found = np.array(
        [_prompt(answers, ranked, column, waits[column]) for column, ranked in enumerate(order.T)]
    ).reshape(-1, 5)
    return PlayedPrompts(
        seconds=found[:, 0], work_s=found[:, 1], attempts=found[:, 2], usd=found[:, 3], solved=found[:, 4] > 0
    )


def _prompt(answers: Answers, ranked: Ints, column: int, wait_s: Wait) -> tuple[float, float, float, float, float]:
    correct, seconds, usd = (v[ranked, column] for v in (answers.correct, answers.seconds, answers.usd))
    began: list[float] = []
    ends: dict[int, float] = {}
    now_s, is_right = 0.0, False
    while not is_right and (ends or len(began) < len(seconds)):
        starts_s = inf
        if len(began) < len(seconds):
            starts_s = now_s + (wait_s([(p, now_s - began[p]) for p in sorted(ends)], len(began)) if ends else 0.0)
        place = min(ends, key=lambda p: ends[p], default=None)
        if place is None or starts_s < ends[place]:
            now_s = starts_s
            ends[len(began)] = now_s + float(seconds[len(began)])
            began.append(now_s)
        else:
            now_s = ends.pop(place)
            is_right = bool(correct[place] == 1)
    work_s = sum(min(float(took), now_s - start) for took, start in zip(seconds, began, strict=False))
    return now_s, work_s, float(len(began)), float(usd[: len(began)].sum()), float(is_right)
