"""What a client's earlier requests for the same answer have tried, and how an id carries it from request to request."""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# An id names as many models as this; with more, those that were tried first are forgotten.
MAX_TRIED = 64
_VERSION = 1
# version, milliseconds since 1970 of the first request, attempts made, what the answers were drawn with
_HEAD = struct.Struct(">BQB4s")
# a model, by a hash of its name, and how often it was wrong; the bits above: it would say the same again, it was judged
_TRIED = struct.Struct(">4sB")
_SAME, _JUDGED, _MOST = 0x80, 0x40, 0x3F
MAX_STATE_BYTES = _HEAD.size + MAX_TRIED * _TRIED.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """How often each model was wrong on the same prompt before, in the order in which they answered.

    0 means that it is not known whether the answer was wrong. `repeating` models would give the same answer again.
    `num_attempts` were made, the first `since_s` before this request. `is_guess` if the client did not say that this is
    a retry. Wrong answers of `judged` models rest on a verdict: a check's, or that of a client who sent back the id of
    an answer that no check had found correct.
    """

    wrong: Mapping[str, int] = field(default_factory=dict)
    repeating: frozenset[str] = frozenset()
    num_attempts: int = 0
    since_s: float = 0.0
    is_guess: bool = False
    judged: frozenset[str] = frozenset()

    @property
    def failed_models(self) -> tuple[str, ...]:
        """The model of each wrong answer."""
        return tuple(model for model, times in self.wrong.items() for _ in range(times))

    @property
    def judged_models(self) -> tuple[str, ...]:
        """The same of the wrong answers that may be learned from; a client's word and a guess say nothing here."""
        return () if self.is_guess else tuple(model for model in self.failed_models if model in self.judged)


NOTHING_EARLIER = Earlier()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryState:
    """What an id says: `first_at_s` counts from 1970, `sampling` tells draws apart and is empty where they are chance.

    Models are known by a hash of their names, which is the same in every application.
    """

    first_at_s: float
    num_attempts: int
    sampling: str
    wrong: Mapping[str, int]
    repeating: frozenset[str]
    judged: frozenset[str] = frozenset()

    def packed(self) -> bytes:
        """At most MAX_STATE_BYTES."""
        head = _HEAD.pack(_VERSION, round(self.first_at_s * 1000), min(self.num_attempts, 255), _digest(self.sampling))
        latest = list(self.wrong.items())[-MAX_TRIED:]
        return head + b"".join(_TRIED.pack(_digest(model), self._said(model, times)) for model, times in latest)

    def _said(self, model: str, times: int) -> int:
        return min(times, _MOST) | _SAME * (model in self.repeating) | _JUDGED * (model in self.judged)


def unpacked(state: bytes, models: Iterable[str], sampling: str) -> RetryState | None:
    """What an id says of these models to a request with this `sampling`; None if another version wrote it."""
    if state[0] != _VERSION:
        return None
    _, first_at_ms, num_attempts, drawn = _HEAD.unpack_from(state)
    names = {_digest(model): model for model in models}
    tried = [(names[digest], said) for digest, said in _TRIED.iter_unpack(state[_HEAD.size :]) if digest in names]
    is_drawn_alike = sampling != "" and drawn == _digest(sampling)
    return RetryState(
        first_at_s=first_at_ms / 1000,
        num_attempts=num_attempts,
        sampling=sampling,
        wrong={model: said & _MOST for model, said in tried},
        repeating=frozenset(model for model, said in tried if said & _SAME and is_drawn_alike),
        judged=frozenset(model for model, said in tried if said & _JUDGED),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=4).digest()
