"""Whether a model that was wrong is given its answer back to mend it, before another one is asked."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import msgspec

from deployments.contract.reply import Reply
from deployments.router.choice.objective import Objective
from deployments.verifier.text.thinking import after_thinking

RepairMode = Literal["never", "learned", "always"]

# longer answers are not given back
MAX_MENDED_CHARS = 16_000
# shares that are kept; those that were learned last stay
MAX_SHARES = 4096
# what counts as observed before anything is: one repair that was right and one that was not
_BEFORE = (1.0, 2.0)
# of what was observed before, so much is kept with each further repair
_KEPT = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An attempt that may be made: how long it is expected to take, and its chance to be right if it is made."""

    latency_s: float
    probability: float


class RepairShares:
    """How many repairs were right, by tenant, model and type of check, as one router replica has seen them.

    One tenant's repairs say nothing of another's.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, str], tuple[float, float]] = OrderedDict()

    def of(self, tenant: str, model: str, check: str) -> float:
        right, tried = self._seen.get((tenant, model, check), _BEFORE)
        return right / tried

    def learn(self, tenant: str, model: str, check: str, *, is_right: bool) -> None:
        key = tenant, model, check
        right, tried = self._seen.get(key, _BEFORE)
        self._seen[key] = _KEPT * right + is_right, _KEPT * tried + 1
        self._seen.move_to_end(key)
        if len(self._seen) > MAX_SHARES:
            self._seen.popitem(last=False)


def mending(reply: Reply, complaint: str) -> list[dict[str, Any]] | None:
    """The messages that give a model its answer back, and what is wrong with it; None for one that cannot be given.

    Templates read the arguments of calls as JSON, and servers want a reply to each call.
    """
    text = after_thinking(reply.text)
    if text is None or len(text) + sum(len(call.arguments) for call in reply.tool_calls) > MAX_MENDED_CHARS:
        return None
    said: dict[str, Any] = {"role": "assistant", "content": text}
    if not reply.tool_calls:
        return [said, {"role": "user", "content": complaint}] if text.strip() else None
    try:
        if not all(isinstance(msgspec.json.decode(call.arguments), dict) for call in reply.tool_calls):
            return None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for i, call in enumerate(reply.tool_calls)
    ]
    told = [{"role": "tool", "tool_call_id": call["id"], "content": complaint} for call in calls]
    return [said | {"tool_calls": calls}, *told]


def pays(repair: Asking, others: Sequence[Asking], objective: Objective) -> bool:
    """Whether the expected cost is lower with a repair now than without one; `others` come in their order.

    A repair that fails is taken to tell nothing more of the others.
    """
    return _expected_cost_s([repair, *others], objective) < _expected_cost_s(others, objective)


def _expected_cost_s(asked: Sequence[Asking], objective: Objective) -> float:
    """Seconds until a right answer or until none can come any more, plus the worth of one if there is none.

    Each attempt takes its mean. One that cannot end in time is not made.
    """
    cost_s, all_wrong, spent_s = 0.0, 1.0, 0.0
    left = inf if objective.attempts_left is None else objective.attempts_left
    for asking in asked:
        if left <= 0 or spent_s + asking.latency_s > objective.time_left_s:
            break
        cost_s += all_wrong * asking.latency_s
        all_wrong *= 1 - asking.probability
        spent_s += asking.latency_s
        left -= 1
    return cost_s + all_wrong * objective.worth_s
