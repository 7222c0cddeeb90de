"""A replica with continuous batching, in virtual time: all sequences progress together, so one counter is enough."""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

from profiles.profile import Latency

Request = TypeVar("Request")
# vLLM's own bounds on requests that run at once, and on prompt tokens that it reads in one step.
DEFAULT_SLOTS = 256
DEFAULT_CHUNK_TOKENS = 2048
# Its prefix cache holds whole blocks; on a CPU they are of 128 tokens.
DEFAULT_BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How fast a replica works; but for `host_share` the coefficients are those of `Latency`.

    It reads in steps of at most `chunk_tokens`; prompts that come during a step are read together in the next. With
    each step those that are writing come on by one token, for which a step takes `1 - overlap` of a token's time more:
    none where writing waits for memory while reading computes, as on GPUs (1), all of it where both wait for the same
    (0). Writing, each of `n` is slowed to 1 / (1 + decode_growth * (n - 1)). Beyond `slots` requests wait in the order
    of their coming. Of a prompt that it has read before it reads only what is left after whole cached blocks, a token
    at least. With a `host_share` above 0 for any engine all replicas stand on one machine: with `b` of them busy this
    one is slowed to 1 / (1 + host_share * (b - 1)).
    """

    overhead_s: float
    prefill_s_per_token: float
    decode_s_per_token: float
    decode_growth: float
    host_share: float = 0.0
    overlap: float = 1.0
    slots: int = DEFAULT_SLOTS
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS
    block_tokens: int = DEFAULT_BLOCK_TOKENS

    @classmethod
    def of(
        cls,
        latency: Latency,
        *,
        slots: int,
        chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
        block_tokens: int = DEFAULT_BLOCK_TOKENS,
        host_share: float = 0.0,
        overlap: float = 1.0,
    ) -> "Engine":
        return cls(
            **latency.model_dump(),
            host_share=host_share,
            overlap=overlap,
            slots=slots,
            chunk_tokens=chunk_tokens,
            block_tokens=block_tokens,
        )

    def unread(self, prompt_tokens: float) -> float:
        """Tokens still to be read of a prompt that is in the prefix cache."""
        return prompt_tokens - self.block_tokens * ((prompt_tokens - 1) // self.block_tokens)


class Call(Generic[Request]):
    """One attempt of a request on its way through a replica; `prompt_tokens` are those that it still has to read."""

    __slots__ = ("first_token_s", "model", "output_tokens", "prompt_tokens", "replica", "request", "sent_s")

    def __init__(
        self, request: Request, model: int, *, prompt_tokens: float, output_tokens: float, sent_s: float
    ) -> None:
        self.request, self.model = request, model
        self.prompt_tokens, self.output_tokens = prompt_tokens, output_tokens
        self.sent_s = self.first_token_s = sent_s
        self.replica: Replica | None = None


class Host:
    """A machine that replicas share, and how many of them are busy."""

    __slots__ = ("busy", "replicas")

    def __init__(self) -> None:
        self.busy = 0
        self.replicas: list[Replica] = []

    def speed(self, engine: Engine) -> float:
        return 1.0 / (1.0 + engine.host_share * max(0, self.busy - 1))


class Replica:
    """One running copy of a model.

    `virtual_s` is the decoding that a request would have received that was there from the start, so that one number
    moves all; `stall_s` is the reading that is still to do, of which `next_s` belongs to steps after the one under way,
    with `next_tokens` in them. Times passed in never go back.
    """

    __slots__ = (
        "at_s",
        "busy_s",
        "engine",
        "host",
        "in_flight",
        "is_up",
        "model",
        "next_s",
        "next_tokens",
        "running",
        "slowdown",
        "speed",
        "stall_s",
        "ticket",
        "version",
        "virtual_s",
        "waiting",
    )

    def __init__(self, engine: Engine, *, model: int, slowdown: list[float], host: Host | None) -> None:
        self.engine, self.model, self.host, self.slowdown = engine, model, host, slowdown
        self.running: list[tuple[float, int, Call[Any]]] = []
        self.waiting: deque[Call[Any]] = deque()
        self.ticket = count()
        self.at_s = self.stall_s = self.virtual_s = self.busy_s = 0.0
        self.next_s = self.next_tokens = 0.0
        self.speed = 1.0
        self.version = self.in_flight = 0
        self.is_up = True
        if host is not None:
            host.replicas.append(self)

    def advance(self, now_s: float) -> None:
        """Do the work of the time since the last call."""
        passed_s = now_s - self.at_s
        self.at_s = now_s
        if not self.running:
            return
        self.busy_s += passed_s
        work_s = passed_s * self.speed
        if self.stall_s > 0:
            if work_s <= self.stall_s:
                self.stall_s -= work_s
                return
            work_s -= self.stall_s
            self.stall_s = 0.0
        self.virtual_s += work_s / self.slowdown[len(self.running)]

    def submit(self, call: Call[Any]) -> None:
        """Take a call in; the replica must have been advanced to now."""
        call.replica = self
        self.in_flight += 1
        if len(self.running) < self.engine.slots:
            self._admit(call)
        else:
            self.waiting.append(call)

    def pop(self) -> Call[Any]:
        """The call that has just ended; one that waited takes its place."""
        call = heappop(self.running)[2]
        self.in_flight -= 1
        if self.waiting:
            self._admit(self.waiting.popleft())
        return call

    def fail(self) -> list[Call[Any]]:
        """Drop everything and stand still; the calls that are lost."""
        lost = [entry[2] for entry in sorted(self.running)] + list(self.waiting)
        self.running.clear()
        self.waiting.clear()
        self.stall_s = self.next_s = self.next_tokens = 0.0
        self.in_flight, self.is_up = 0, False
        return lost

    def next_end_s(self) -> float:
        """When the next call ends if nothing else happens; to be asked only while one runs."""
        running = self.running
        left_s = (running[0][0] - self.virtual_s) * self.slowdown[len(running)]
        return self.at_s + (self.stall_s + (left_s if left_s > 0 else 0.0)) / self.speed

    def _admit(self, call: Call[Any]) -> None:
        engine = self.engine
        if call.prompt_tokens > 0:
            self._read(call.prompt_tokens)
        call.first_token_s = self.at_s + self.stall_s / self.speed
        ends_s = self.virtual_s + engine.decode_s_per_token * call.output_tokens
        heappush(self.running, (ends_s, next(self.ticket), call))

    def _read(self, tokens: float) -> None:
        engine = self.engine
        reads_s = engine.prefill_s_per_token * tokens
        if self.next_s >= self.stall_s:
            # the step before has ended: what was the next is under way, and takes no more in
            self.next_s = self.next_tokens = 0.0
        steps = -(-(self.next_tokens + tokens) // engine.chunk_tokens) - -(-self.next_tokens // engine.chunk_tokens)
        if self.stall_s > 0:
            self.next_s += reads_s
            self.next_tokens += tokens
        if self.running and steps:
            # those that write get a token from every step, if it lasts as long as one
            self.virtual_s += engine.overlap * min(steps * engine.decode_s_per_token, reads_s)
        self.stall_s += reads_s


def slowdowns(engine: Engine) -> list[float]:
    """How many times longer a token takes by the number of requests that are running, from none to all slots."""
    return [1.0] + [1.0 + engine.decode_growth * n for n in range(engine.slots)]
