"""Which model to ask: LAAR and the policies it is compared with, as functions from candidates to an order."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from itertools import chain
from operator import itemgetter
from typing import Literal

import msgspec
import numpy as np

from deployments.router.choice.objective import (
    MAX_ORDERED,
    UNTIL_RIGHT,
    Joint,
    Objective,
    best_order,
    remembered_all_wrong,
)

PolicyName = Literal["laar", "load-aware", "session-affinity", "round-robin", "fastest", "most-accurate", "threshold"]

# A model counts as good enough when its probability is this close to the best one's.
GOOD_ENOUGH = 0.1
# A conversation without a session id is told apart by so much of its beginning.
MAX_SESSION_CHARS = 1024


class ChoiceReason(StrEnum):
    """Why a model was chosen; the same word stands in answers, logs and metric labels."""

    LOWEST_EXPECTED_COST = "lowest_expected_cost"
    LEAST_LOADED = "least_loaded"
    SESSION = "session"
    ROUND_ROBIN = "round_robin"
    FASTEST = "fastest"
    MOST_ACCURATE = "most_accurate"
    GOOD_ENOUGH = "good_enough"
    NAMED = "named"
    LONGEST_CONTEXT = "longest_context"
    EXPLORATION = "exploration"
    REPAIR = "repair"


class Exclusion(StrEnum):
    """Why a model is not asked, or only when nothing better is left."""

    CONTEXT_EXCEEDED = "context_exceeded"
    UNHEALTHY = "unhealthy"
    NOT_RUNNING = "not_running"
    TOO_SLOW = "too_slow"
    TRIED = "tried"
    WAS_WRONG = "was_wrong"
    SAME_ANSWER_EXPECTED = "same_answer_expected"
    REFUSED = "refused"
    FULL = "full"
    FAILED_REPEATEDLY = "failed_repeatedly"
    UNDER_WAY = "under_way"


# That a model has answered the request, and what it would answer to it again.
ANSWERED = frozenset({Exclusion.TRIED, Exclusion.WAS_WRONG, Exclusion.SAME_ANSWER_EXPECTED})


class Candidate(msgspec.Struct, frozen=True):
    """A model as one request sees it now.

    `probability` is Q in (0, 1), `latency_s` is L with what is queued, `idle_latency_s` L on an idle engine;
    `external_s` is what other requests would wait longer, and `thinking_budget` what its thinking would be held to, if
    anything.
    """

    model: str
    probability: float
    latency_s: float
    idle_latency_s: float
    prompt_tokens: int
    bucket: int
    in_flight: int
    tries: int = 0
    exclusion: Exclusion | None = None
    thinking_budget: int | None = None
    external_s: float = 0.0

    @property
    def score_s(self) -> float:
        """L/Q, what others wait counted in L: the cost of asking this model until it is right."""
        return (self.latency_s + self.external_s) / self.probability


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen candidate and why; `has_alternative` if another model, untried and healthy, could be asked as well.

    After a wrong answer `chance_left` is the chance that any of the attempts left is right. `promised` is the chance of
    a correct answer by the time of the request's target, if it has one, before its first attempt.
    """

    chosen: Candidate
    reason: ChoiceReason
    has_alternative: bool = False
    chance_left: float = 1.0
    promised: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What else a choice depends on: what the request wants, and how failures go together, if that is known."""

    objective: Objective = UNTIL_RIGHT
    joint: Joint | None = None


ANYTIME = Situation()
Key = Callable[[Candidate], tuple[float | int | str, ...]]
Tiers = tuple[frozenset[Exclusion | None], ...]
# Exclusions with which a model may still be asked, in the order in which it is.
TIERS: Tiers = (
    frozenset({None}),
    frozenset({Exclusion.TRIED, Exclusion.WAS_WRONG}),
    frozenset({Exclusion.TOO_SLOW}),
    frozenset({Exclusion.UNHEALTHY}),
)


class Policy:
    """Orders candidates by a key, ties by name; `key_for` may depend on the request's session and its turn."""

    reason: ChoiceReason
    # a candidate of a later tier is only asked when all earlier tiers are empty
    tiers: Tiers = TIERS

    def key_for(self, *, session: str, turn: int) -> Key:
        raise NotImplementedError

    def arrange(self, members: Collection[Candidate], key: Key, situation: Situation) -> Iterator[Candidate]:
        """Candidates that may be asked before all others, the first to ask first."""
        return iter(sorted(members, key=key))


class Laar(Policy):
    """Least expected cost, as the request's objective has it.

    Where every model may be asked and attempts are independent that is ascending L/Q. Exchange argument: swapping
    neighbours i, j changes `E = sum L_i * prod_{j<i}(1 - Q_j)` by `L_j*Q_i - L_i*Q_j` up to a positive factor.
    Elsewhere the best order of at most MAX_ORDERED attempts comes first, and the rest by ascending L/Q.
    """

    reason = ChoiceReason.LOWEST_EXPECTED_COST
    # a model that was wrong and may say something else competes with the others, by its chance after that
    tiers = (frozenset({None, Exclusion.WAS_WRONG}), *TIERS[1:])

    def key_for(self, *, session: str, turn: int) -> Key:
        # `score_s` written out, as it is asked of every candidate
        return lambda c: ((c.latency_s + c.external_s) / c.probability, -c.probability, c.model)

    def arrange(self, members: Collection[Candidate], key: Key, situation: Situation) -> Iterator[Candidate]:
        objective, joint = situation.objective, situation.joint
        if objective.notice_s:
            ranked = sorted(
                members, key=lambda c: ((c.latency_s + c.external_s + objective.notice_s) / c.probability, *key(c))
            )
        else:
            ranked = sorted(members, key=key)
        is_open = objective.is_open_for([c.latency_s for c in ranked[:MAX_ORDERED]])
        is_plain = joint is None or (joint.is_of_each_alone and not objective.has_samples)
        order = ranked
        if len(ranked) > 1 and not (is_open and is_plain):
            pool = sorted(_pool(ranked, situation, is_open=is_open), key=lambda c: -c.probability)
            all_wrong = remembered_all_wrong(joint, tuple(c.model for c in pool), tuple(c.probability for c in pool))
            latency_s, external_s = [c.latency_s for c in pool], [c.external_s for c in pool]
            order = [pool[index] for index in best_order(latency_s, all_wrong, objective, external_s=external_s)]
        yield from order
        models = {c.model for c in order}
        yield from (rest := [c for c in ranked if c.model not in models])
        if objective.has_samples and objective.attempts_left is not None and joint is not None:
            asked = [*order, *rest]
            yield from _again(asked, joint, objective.attempts_left - len(asked))


class LoadAware(Policy):
    """Fewest requests under way."""

    reason = ChoiceReason.LEAST_LOADED

    def key_for(self, *, session: str, turn: int) -> Key:
        return lambda c: (c.in_flight, c.latency_s, c.model)


class SessionAffinity(Policy):
    """Rendezvous hashing: a session keeps its model, and loses it only when that model leaves."""

    reason = ChoiceReason.SESSION

    def key_for(self, *, session: str, turn: int) -> Key:
        seed = hashlib.blake2b(session[:MAX_SESSION_CHARS].encode(), digest_size=16).digest()
        return lambda c: (hashlib.blake2b(c.model.encode(), digest_size=8, key=seed).hexdigest(), c.model)


class RoundRobin(Policy):
    """Each request starts one model further in the order of the configuration."""

    reason = ChoiceReason.ROUND_ROBIN

    def __init__(self, models: Sequence[str]) -> None:
        self._position = {model: index for index, model in enumerate(models)}

    def key_for(self, *, session: str, turn: int) -> Key:
        count = len(self._position)
        return lambda c: ((self._position[c.model] - turn) % count,)


class Fastest(Policy):
    """Lowest latency on an idle engine, whatever its answers are worth."""

    reason = ChoiceReason.FASTEST

    def key_for(self, *, session: str, turn: int) -> Key:
        return lambda c: (c.idle_latency_s, c.model)


class MostAccurate(Policy):
    """Highest probability of a correct answer, however long it takes."""

    reason = ChoiceReason.MOST_ACCURATE

    def key_for(self, *, session: str, turn: int) -> Key:
        return lambda c: (-c.probability, c.model)


class Threshold(Policy):
    """The fastest of the models whose probability is within GOOD_ENOUGH of the best one's."""

    reason = ChoiceReason.GOOD_ENOUGH

    def key_for(self, *, session: str, turn: int) -> Key:
        return lambda c: (c.idle_latency_s, c.model)

    def arrange(self, members: Collection[Candidate], key: Key, situation: Situation) -> Iterator[Candidate]:
        left = list(members)
        while left:
            enough = max(c.probability for c in left) - GOOD_ENOUGH
            yield (chosen := min((c for c in left if c.probability >= enough), key=key))
            left.remove(chosen)


POLICIES: Mapping[str, Callable[[Sequence[str]], Policy]] = {
    "laar": lambda models: Laar(),
    "load-aware": lambda models: LoadAware(),
    "session-affinity": lambda models: SessionAffinity(),
    "round-robin": RoundRobin,
    "fastest": lambda models: Fastest(),
    "most-accurate": lambda models: MostAccurate(),
    "threshold": lambda models: Threshold(),
}


def attempts(
    policy: Policy,
    candidates: Collection[Candidate],
    *,
    session: str = "",
    turn: int = 0,
    situation: Situation = ANYTIME,
) -> Iterator[Candidate]:
    """The attempts in the order in which they would be made if each were wrong; samples of one model stand apart.

    Untried healthy models come first, then tried ones, the least tried before the others, then those that can hardly
    answer in time, then unhealthy ones. A model is never asked whose context is too short, that does not run, that
    refused or failed this request, or that would only repeat a wrong answer.
    """
    key = policy.key_for(session=session, turn=turn)
    for tier, exclusions in enumerate(policy.tiers):
        if members := [c for c in candidates if c.exclusion in exclusions]:
            yield from policy.arrange(members, key, situation) if tier == 0 else sorted(members, key=_least_tried(key))


def decided(policy: Policy, chosen: Candidate, candidates: Collection[Candidate]) -> Decision:
    """The decision for one of the candidates."""
    first_tier = policy.tiers[0]
    others = (c for c in candidates if c.exclusion in first_tier and c is not chosen)
    has_alternative = chosen.exclusion in first_tier and next(others, None) is not None
    return Decision(chosen=chosen, reason=policy.reason, has_alternative=has_alternative)


def decide(
    policy: Policy,
    candidates: Collection[Candidate],
    *,
    session: str = "",
    turn: int = 0,
    situation: Situation = ANYTIME,
) -> Decision | None:
    """Choose the model of the first attempt, or None when no model may be asked."""
    chosen = next(attempts(policy, candidates, session=session, turn=turn, situation=situation), None)
    return None if chosen is None else decided(policy, chosen, candidates)


def rank(
    policy: Policy,
    candidates: Collection[Candidate],
    *,
    session: str = "",
    turn: int = 0,
    situation: Situation = ANYTIME,
) -> list[Candidate]:
    """All candidates that may be asked, each once, in the order of their first attempts."""
    return list(dict.fromkeys(attempts(policy, candidates, session=session, turn=turn, situation=situation)))


def _pool(ranked: Sequence[Candidate], situation: Situation, *, is_open: bool) -> list[Candidate]:
    """What is put into the best order: the first by L/Q and, where few can be asked, those best for a single attempt.
    With a target so do those that are likeliest to be right by then.

    With samples a model stands there more than once, as far as there is room.
    """
    objective = situation.objective
    if len(ranked) > MAX_ORDERED and not is_open:
        latency_s, chances = [c.latency_s for c in ranked], [c.probability for c in ranked]
        costs = objective.single_costs_s(latency_s, chances, [c.external_s for c in ranked])
        bests = [np.argsort(cost, kind="stable")[:MAX_ORDERED].tolist() for cost in costs]
        places = chain.from_iterable(zip(*bests, range(MAX_ORDERED), strict=True))
        ranked = [ranked[place] for place in dict.fromkeys(places)]
    pool, joint = list(ranked[:MAX_ORDERED]), situation.joint
    return (
        [*pool, *_again(pool, joint, MAX_ORDERED - len(pool))] if objective.has_samples and joint is not None else pool
    )


def _again(asked: Sequence[Candidate], joint: Joint, most: int) -> list[Candidate]:
    """The further samples of lowest L/Q, each after the failures of the model's samples that are asked before it."""

    def score_s(candidate: Candidate, failures: int) -> float:
        odds_against = (1 - candidate.probability) / candidate.probability
        cost_s = candidate.latency_s + candidate.external_s
        return cost_s * (1 + odds_against * (1 + failures * joint.of_itself(candidate.model)))

    further = (
        (score_s(c, failures), number, c)
        for number, (c, count) in enumerate(Counter(asked).items())
        for failures in range(count, count + most)
    )
    return [candidate for _, _, candidate in nsmallest(most, further, key=itemgetter(0, 1))]


def _least_tried(key: Key) -> Key:
    return lambda c: (c.tries, *key(c))
