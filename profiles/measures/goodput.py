"""What delivering an answer's tokens in time is worth: TTFT, TPOT, TBT, goodput, and smooth goodput.

Goodput counts requests within a service-level objective (DistServe, arXiv 2401.09670). Smooth goodput ("Revisiting
SLOs and System Level Metrics in LLM Serving", arXiv 2410.14257) counts tokens, less a price for having let the
reader wait. It rewards neither delaying nor abandoning nor dropping, because

- times count from *arrival*: from the first token on, withholding it would gain;
- the price of waiting is bounded, and no benefit is below 0: else a late answer would be worth less than none;
- an answer cut off costs the bound: else ending before a stall would save the price of the stall;
- the window is fixed and every arrival counts, with 0 if it got nothing.

For a retried request the tokens are those of the answer that the user got, timed from the first arrival.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import inf

# what adding up times may lose to rounding
_SLACK_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """When the user got each token of an answer, in ascending seconds since the request arrived.

    `is_complete` is False where the answer's end never came, whoever cut it off; tokens that came count all the same.
    """

    token_times_s: tuple[float, ...] = ()
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """A service-level objective: the longest that each may take; what is infinite is not asked for."""

    ttft_s: float = inf
    tpot_s: float = inf
    tbt_s: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The reader that smooth goodput measures for: reads a token in `pace_s` (V), and waiting costs tokens.

    Each second of idle latency costs `alpha` tokens; beyond `bound_s` nothing more is lost.
    """

    pace_s: float
    alpha: float
    bound_s: float

    def benefit(self, num_tokens: int, idle_s: float, *, is_complete: bool = True) -> float:
        """Tokens: max(0, n - alpha f(l)), f(l) = min(max(l, 0), bound); the bound if the answer was cut off."""
        waited_s = min(max(idle_s, 0.0), self.bound_s) if is_complete else self.bound_s
        return max(0.0, num_tokens - self.alpha * waited_s)


@dataclass(slots=True)
class Meter:
    """What is needed of one delivery, updated as it happens; `idle_s` is max(t_i - V i) so far.

    The first token counted is i = 1 and due V after arrival.
    """

    pace_s: float
    num_tokens: int = 0
    first_s: float = inf
    last_s: float = -inf
    idle_s: float = -inf
    is_complete: bool = False

    def add(self, at_s: float, num_tokens: int = 1) -> None:
        """Tokens that came together, so long after arrival; the first of them was due first."""
        if num_tokens <= 0:
            return
        if not self.num_tokens:
            self.first_s = at_s
        self.idle_s = max(self.idle_s, at_s - self.pace_s * (self.num_tokens + 1))
        self.num_tokens += num_tokens
        self.last_s = at_s

    @property
    def ttft_s(self) -> float | None:
        return self.first_s if self.num_tokens else None

    @property
    def tpot_s(self) -> float | None:
        """Mean seconds per token after the first; None for fewer than two tokens."""
        return (self.last_s - self.first_s) / (self.num_tokens - 1) if self.num_tokens > 1 else None

    def benefit(self, reader: Reader) -> float:
        return reader.benefit(self.num_tokens, self.idle_s, is_complete=self.is_complete)


def metered(delivery: Delivery, pace_s: float) -> Meter:
    meter = Meter(pace_s, is_complete=delivery.is_complete)
    for at_s in delivery.token_times_s:
        meter.add(at_s)
    return meter


# -- one request --------------------------------------------------------------------------------------------------


def ttft_s(delivery: Delivery) -> float | None:
    """Time to first token: seconds from arrival to it."""
    return metered(delivery, pace_s=0.0).ttft_s


def tpot_s(delivery: Delivery) -> float | None:
    """Time per output token: (t_n - t_1) / (n - 1), in seconds."""
    return metered(delivery, pace_s=0.0).tpot_s


def tbt_s(delivery: Delivery) -> list[float]:
    """Times between tokens: t_(i+1) - t_i in seconds, one fewer than tokens."""
    return [later - earlier for earlier, later in pairwise(delivery.token_times_s)]


def meets(delivery: Delivery, objective: ServiceLimits) -> bool:
    """Whether the whole answer came, and all of it within the objective."""
    if not delivery.is_complete or not delivery.token_times_s:
        return False
    taken = (
        (ttft_s(delivery), objective.ttft_s),
        (tpot_s(delivery), objective.tpot_s),
        (max(tbt_s(delivery), default=None), objective.tbt_s),
    )
    return all(seconds is None or seconds <= limit_s + _SLACK_S for seconds, limit_s in taken)


# -- all requests that arrived in a window ------------------------------------------------------------------------


def goodput(arrivals: Iterable[Delivery], objective: ServiceLimits, *, window_s: float) -> float:
    """Requests per second that met the objective."""
    return sum(meets(delivery, objective) for delivery in arrivals) / _length(window_s)


def smooth_goodput(arrivals: Iterable[Delivery], reader: Reader, *, window_s: float) -> float:
    """Tokens of benefit per second of a window fixed beforehand, over *all* that arrived in it."""
    return sum(metered(delivery, reader.pace_s).benefit(reader) for delivery in arrivals) / _length(window_s)


def _length(window_s: float) -> float:
    if not 0 < window_s < inf:
        raise ValueError(f"window_s: {window_s}; a fixed number of seconds above 0 is needed")
    return window_s
