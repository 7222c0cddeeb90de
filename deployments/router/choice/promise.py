"""What attempts in a given order can promise: the chance of a correct answer by a time, and what they cost."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from math import inf

import msgspec
import numpy as np

from deployments.router.choice.objective import TotalLatency, all_wrong
from deployments.router.choice.policy import Candidate, Situation
from profiles.arrays import Floats


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected of attempts that are made until one is right, in the order of `models`.

    `probability` is the chance to be right by the time in question. The rest are means: `seconds` until the correct
    answer or until there can be none, the seconds that engines work for it, `engine_s`, and the `spend` for tokens.
    """

    models: tuple[str, ...]
    probability: float
    seconds: float
    engine_s: float
    spend: float


def chance_right(attempts: Iterable[Candidate], situation: Situation, *, by_s: float = inf) -> float:
    """The chance that one of these attempts is right by then, as far as they can be made in the situation."""
    asked = list(islice(attempts, situation.objective.attempts_left))
    return _chance_by(by_s, *_failures(asked, situation), situation)


def promise_of(
    attempts: Iterable[Candidate], situation: Situation, *, by_s: float, spend: Callable[[Candidate], float]
) -> Promise:
    """The promise of these attempts, as far as they can be made in the situation; `spend` tells what one costs."""
    asked = list(islice(attempts, situation.objective.attempts_left))
    wrong, total = _failures(asked, situation)
    in_time, spent_s = total.by(situation.objective.time_left_s)
    is_made = wrong[:-1] * in_time[:-1]
    return Promise(
        models=tuple(c.model for c in asked),
        probability=_chance_by(by_s, wrong, total, situation),
        seconds=float(wrong[:-1] @ (spent_s[1:] - spent_s[:-1])),
        engine_s=float(is_made @ np.array([c.idle_latency_s for c in asked])),
        spend=float(is_made @ np.array([spend(c) for c in asked])),
    )


def _failures(asked: list[Candidate], situation: Situation) -> tuple[Floats, TotalLatency]:
    """After none of the attempts, the first, the first two and so on: the chance that all were wrong; their time."""
    objective, joint = situation.objective, situation.joint
    made = _made(len(asked))
    likeliest = sorted(range(len(asked)), key=lambda place: -asked[place].probability)
    among = [asked[place] for place in likeliest]
    burdens = np.zeros((len(asked), len(asked))) if joint is None else joint.among([c.model for c in among])
    wrong = all_wrong(made[:, likeliest], np.array([c.probability for c in among]), burdens)
    return wrong, TotalLatency.of(made, np.array([c.latency_s for c in asked]) + objective.notice_s)


def _chance_by(by_s: float, wrong: Floats, total: TotalLatency, situation: Situation) -> float:
    in_time, _ = total.by(min(by_s, situation.objective.time_left_s))
    return float((wrong[:-1] - wrong[1:]) @ in_time[1:])


@cache
def _made(count: int) -> Floats:
    """Which attempts (columns) have been made after none to all of them (rows)."""
    return np.tri(count + 1, count, -1)
