"""How long a request takes that may need several attempts: one at a time in a queue, or many in a batch."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import hankel, toeplitz

from deployments.budgets.problem import ProblemError
from profiles.arrays import Floats

MAX_SLOTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServerDemand:
    """What a mean request brings, by number of its attempt; arrays of shape (max_attempts,).

    `asked` is the chance that the attempt is made at all, `work_s` and `square_s2` are its service and the square of
    that, each 0 if it is not made. Also holds derivatives by each of these.
    """

    asked: Floats
    work_s: Floats
    square_s2: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delay:
    """Mean seconds from arrival to the end of the last attempt, with their derivatives."""

    time_s: float
    by_demand: ServerDemand
    by_arrivals: float


class Server(Protocol):
    @property
    def capacity(self) -> float:
        """Seconds of service that it does in a second at most, in seconds that one request alone would need."""

    def delay(self, arrivals_per_s: float, demand: ServerDemand) -> Delay:
        """Only for loads, arrivals_per_s * sum of work_s, below `capacity`."""


@dataclass(frozen=True, slots=True)
class SingleServer:
    """First come first served, a wrong answer back at the end of the queue: mean values, exact for Poisson arrivals.

    With one attempt this is the time of the M/G/1 queue by Pollaczek and Khinchine. With several, let a request of
    type k find W_1 of work, and W_j when it joins for the j-th time. Ahead of it are then those that came during one
    of its earlier passes, m passes ago, and have failed m - 1 times since, and those that it found at its arrival and
    that failed ever since. With a_s and b_s the work and squared work of attempts s + 1 that arrive per second, and
    what it found given by Little's law, this makes W_j = U_j + G_j t_k with

    G_r = sum of a_(r-1-m) (G_m + 1) over m < r, and
    U_r = sum of a_(r-1-m) U_m over m < r + sum of a_(m+r-2) U_m + b_(m+r-2) (G_m + 1) over m <= K + 1 - r,

    less half of all b in U_1 alone, since of the service that an arrival finds going on half is over.
    """

    capacity: float = 1.0

    def delay(self, arrivals_per_s: float, demand: ServerDemand) -> Delay:
        work, square = arrivals_per_s * demand.work_s, arrivals_per_s * demand.square_s2
        size = len(work)
        # row r, column m: work of those that came during pass m, and work of those found at the arrival
        since = toeplitz(np.concatenate([[0.0], work[:-1]]), np.zeros(size))
        found, found_square = hankel(work), hankel(square)
        unit, first = np.eye(size), np.eye(size)[0]
        passes = 1 + np.linalg.solve(unit - since, since.sum(axis=1))
        waits = np.linalg.solve(unit - since - found, found_square @ passes - first * square.sum() / 2)
        # adjoints: what a unit more in an equation of U, or of G, adds to the mean time
        of_waits = np.linalg.solve((unit - since - found).T, demand.asked)
        of_passes = np.linalg.solve((unit - since).T, demand.work_s + found_square @ of_waits)
        by_work = _lagged(of_waits, waits) + np.convolve(of_waits, waits)[:size] + _lagged(of_passes, passes)
        by_square = np.convolve(of_waits, passes)[:size] - of_waits[0] / 2
        return Delay(
            time_s=float(demand.asked @ waits + demand.work_s @ passes),
            by_demand=ServerDemand(
                asked=waits, work_s=passes + arrivals_per_s * by_work, square_s2=arrivals_per_s * by_square
            ),
            by_arrivals=float(by_work @ demand.work_s + by_square @ demand.square_s2),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """Continuous batching: up to `slots` requests in service, each slowed by `growth` of its time for every other one.

    With n requests in service each runs at the relative speed 1 / (1 + growth (n - 1)), as `Latency.decode_growth` of
    a capability profile has it. Taken as generalised processor sharing of the total rate phi(n) = n / (1 + growth
    (n - 1)), phi(slots) above, the number in the system has P(n) ~ load^n / (phi(1) ... phi(n)), load = lambda E[S]
    with E[S] alone on the server, whatever the distribution of S (Cohen 1979). That is exact while no request waits.
    It is approximate once some do: the model serves the waiting ones too. A wrong answer goes back into the batch, so
    that only the work of all attempts together counts.
    """

    growth: float
    slots: int

    def __post_init__(self) -> None:
        if not 0 <= self.growth <= 1:
            raise ProblemError(
                f"growth: {self.growth:g} given; 0 to 1 is allowed: above 1 a batch is slower than a queue"
            )
        if not 1 <= self.slots <= MAX_SLOTS:
            raise ProblemError(f"slots: {self.slots} given; 1 to {MAX_SLOTS} are allowed")

    def slowdown(self, in_service: int) -> float:
        """How many times longer a request takes with this many in service than alone."""
        return 1 + self.growth * (in_service - 1)

    @property
    def capacity(self) -> float:
        """phi(slots)."""
        return self.slots / self.slowdown(self.slots)

    def sojourn(self, load: float) -> tuple[float, float]:
        """E[T] / E[S] and dE[T] / dE[S] at `load` = lambda E[S], both 1 at load 0 and infinite from `capacity` on.

        The first is E[N] / load and the second Var[N] / load; both are summed as means over P(n) of what an arrival
        finds, with a geometric tail from `slots` on, so that nothing is divided by a load near 0.
        """
        if load >= self.capacity:
            return float("inf"), float("inf")
        number = np.arange(1, self.slots + 1)
        slowdown = 1 + self.growth * (number - 1)
        with np.errstate(divide="ignore"):
            logs = np.concatenate([[0.0], np.cumsum(np.log(load * slowdown[:-1] / number[:-1]))])
        weights = np.exp(logs - logs.max())
        ratio, slots = load / self.capacity, self.slots
        tail = weights[-1] * ratio / (1 - ratio)
        tail_first = tail * (slots + 1 / (1 - ratio))
        tail_second = tail * (slots**2 + 2 * slots / (1 - ratio) + (1 + ratio) / (1 - ratio) ** 2)
        total = weights.sum() + tail
        stretch = float((weights @ slowdown + tail_first / self.capacity) / total)
        second = float((weights @ (number * slowdown) + tail_second / self.capacity) / total)
        return stretch, second - load * stretch**2

    def delay(self, arrivals_per_s: float, demand: ServerDemand) -> Delay:
        work_s = float(demand.work_s.sum())
        stretch, marginal = self.sojourn(arrivals_per_s * work_s)
        nothing = np.zeros(len(demand.work_s))
        return Delay(
            time_s=work_s * stretch,
            by_demand=ServerDemand(asked=nothing, work_s=nothing + marginal, square_s2=nothing),
            by_arrivals=work_s / arrivals_per_s * (marginal - stretch) if arrivals_per_s else 0.0,
        )


def _lagged(left: Floats, right: Floats) -> Floats:
    """sum over r of left[r] right[r - 1 - s], for each s; indices from 0."""
    size = len(left)
    sums: Floats = np.concatenate([np.correlate(left, right, "full")[size:], [0.0]])
    return sums
