"""Which model to ask: LAAR and the policies it is compared with, as functions from candidates to an order."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from deployments.router.choice.joint_order import MAX_ORDERED, Joint

PolicyName = Literal["laar", "load-aware", "session-affinity", "round-robin", "fastest", "most-accurate", "threshold"]

# A model counts as good enough when its probability is this close to the best one's.
GOOD_ENOUGH = 0.1
# A conversation without a session id is told apart by so much of its beginning.
MAX_SESSION_CHARS = 1024


class ChoiceReason(StrEnum):
    """Why a model was chosen; the same word stands in answers, logs and metric labels."""

    LOWEST_EXPECTED_TIME = "lowest_expected_time"
    LEAST_LOADED = "least_loaded"
    SESSION = "session"
    ROUND_ROBIN = "round_robin"
    FASTEST = "fastest"
    MOST_ACCURATE = "most_accurate"
    GOOD_ENOUGH = "good_enough"
    NAMED = "named"
    LONGEST_CONTEXT = "longest_context"
    EXPLORATION = "exploration"


class Exclusion(StrEnum):
    """Why a model is not asked, or only when nothing better is left."""

    CONTEXT_EXCEEDED = "context_exceeded"
    UNHEALTHY = "unhealthy"
    TRIED = "tried"
    SAME_ANSWER_EXPECTED = "same_answer_expected"
    REFUSED = "refused"
    FAILED_REPEATEDLY = "failed_repeatedly"


class Candidate(msgspec.Struct, frozen=True):
    """A model as one request sees it now.

    `probability` is Q in (0, 1), `latency_s` is L with what is queued, `idle_latency_s` L on an idle engine;
    `thinking_budget` is what its thinking would be held to, if anything.
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

    @property
    def score_s(self) -> float:
        """L/Q: the expected time to a correct answer if this model were asked until it is right."""
        return self.latency_s / self.probability


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen candidate and why; `has_alternative` if another model, untried and healthy, could be asked as well.

    After a wrong answer `chance_left` is the chance that any of the models that may still be asked is right.
    """

    chosen: Candidate
    reason: ChoiceReason
    has_alternative: bool = False
    chance_left: float = 1.0


Key = Callable[[Candidate], tuple[float | int | str, ...]]


class Policy:
    """Orders candidates by a key, ties by name; `key_for` may depend on the request's session and its turn."""

    reason: ChoiceReason

    def key_for(self, *, session: str, turn: int) -> Key:
        raise NotImplementedError

    def arrange(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> list[Candidate]:
        """Untried healthy candidates, the first to ask first."""
        return sorted(members, key=key)

    def choose(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> Candidate:
        """The first of `arrange`."""
        return min(members, key=key)


class Laar(Policy):
    """Ascending L/Q: with independent attempts, each model once, the order of least expected time.

    Exchange argument: swapping neighbours i, j changes `E = sum L_i * prod_{j<i}(1 - Q_j)` by
    `L_j*Q_i - L_i*Q_j` up to a positive factor, so the order is optimal when L/Q ascends.
    Where failures are known to go together, the first MAX_ORDERED of that order are put into the best one.
    """

    reason = ChoiceReason.LOWEST_EXPECTED_TIME

    def key_for(self, *, session: str, turn: int) -> Key:
        return lambda c: (c.score_s, c.model)

    def arrange(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> list[Candidate]:
        ranked = sorted(members, key=key)
        head = ranked[:MAX_ORDERED]
        if joint is None or len(head) < 2:
            return ranked
        names, latencies_s = [c.model for c in head], [c.latency_s for c in head]
        order = joint.best_order(names, latencies_s, [c.probability for c in head])
        return [head[index] for index in order] + ranked[MAX_ORDERED:]

    def choose(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> Candidate:
        return min(members, key=key) if joint is None else self.arrange(members, key, joint)[0]


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

    def arrange(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> list[Candidate]:
        left, arranged = list(members), []
        while left:
            arranged.append(self.choose(left, key, joint))
            left.remove(arranged[-1])
        return arranged

    def choose(self, members: Collection[Candidate], key: Key, joint: Joint | None) -> Candidate:
        enough = max(c.probability for c in members) - GOOD_ENOUGH
        return min((c for c in members if c.probability >= enough), key=key)


POLICIES: Mapping[str, Callable[[Sequence[str]], Policy]] = {
    "laar": lambda models: Laar(),
    "load-aware": lambda models: LoadAware(),
    "session-affinity": lambda models: SessionAffinity(),
    "round-robin": RoundRobin,
    "fastest": lambda models: Fastest(),
    "most-accurate": lambda models: MostAccurate(),
    "threshold": lambda models: Threshold(),
}

# A candidate of a later tier is only asked when all earlier tiers are empty.
TIERS = (None, Exclusion.TRIED, Exclusion.UNHEALTHY)


def decide(
    policy: Policy,
    candidates: Collection[Candidate],
    *,
    session: str = "",
    turn: int = 0,
    joint: Joint | None = None,
) -> Decision | None:
    """Choose the best candidate of the best tier, or None when nobody may be asked.

    Untried healthy models come first, then tried ones, the least tried before the others, then unhealthy ones;
    a model whose context is too short, that refused or failed this request, or that would only repeat a wrong
    answer, is never chosen.
    """
    key = policy.key_for(session=session, turn=turn)
    for tier in TIERS:
        if members := [c for c in candidates if c.exclusion is tier]:
            chosen = policy.choose(members, key, joint) if tier is None else min(members, key=_least_tried(key))
            return Decision(chosen=chosen, reason=policy.reason, has_alternative=tier is None and len(members) > 1)
    return None


def rank(
    policy: Policy,
    candidates: Collection[Candidate],
    *,
    session: str = "",
    turn: int = 0,
    joint: Joint | None = None,
) -> list[Candidate]:
    """All candidates that may be asked, in the order in which they would be if each were wrong."""
    key = policy.key_for(session=session, turn=turn)
    untried, tried, unhealthy = ([c for c in candidates if c.exclusion is tier] for tier in TIERS)
    arranged = policy.arrange(untried, key, joint)
    return [*arranged, *sorted(tried, key=_least_tried(key)), *sorted(unhealthy, key=_least_tried(key))]


def _least_tried(key: Key) -> Key:
    return lambda c: (c.tries, *key(c))
