"""How long a request takes that may need several attempts: one at a time in a queue, or many in a batch."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import hankel, toeplitz

from deployments.budgets.optimum.batching import Batching
from deployments.budgets.optimum.problem import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What one request brings in the mean, by number of its attempt; arrays of shape (max_attempts,).

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
    by_demand: Demand
    by_arrivals: float


class Server(Protocol):
    @property
    def capacity(self) -> float:
        """Seconds of service that it can do in a second."""

    def delay(self, arrivals_per_s: float, demand: Demand) -> Delay:
        """Only for loads, arrivals_per_s * sum of work_s, below `capacity`."""


@dataclass(frozen=True, slots=True)
class OneAtATime:
    """First come first served, a wrong answer back at the end of the queue: mean values, exact for Poisson arrivals.

    Let a request of type k find W_1 of work, and W_j when it joins for the j-th time. Ahead of it are then those that
    came during one of its earlier passes, m passes ago, and have failed m - 1 times since, and those that it found at
    its arrival and that failed ever since. With a_s and b_s the work and squared work of attempts s + 1 that arrive
    per second, and what it found given by Little's law, this makes W_j = U_j + G_j t_k with

    G_r = sum of a_(r-1-m) (G_m + 1) over m < r, and
    U_r = sum of a_(r-1-m) U_m over m < r + sum of a_(m+r-2) U_m + b_(m+r-2) (G_m + 1) over m <= K + 1 - r,

    less half of all b in U_1 alone, since of the service that an arrival finds going on half is over.
    """

    capacity: float = 1.0

    def delay(self, arrivals_per_s: float, demand: Demand) -> Delay:
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
            by_demand=Demand(
                asked=waits, work_s=passes + arrivals_per_s * by_work, square_s2=arrivals_per_s * by_square
            ),
            by_arrivals=float(by_work @ demand.work_s + by_square @ demand.square_s2),
        )


@dataclass(frozen=True, slots=True)
class Batched:
    """Continuous batching; a wrong answer goes back into the batch, and only a request's work in all counts."""

    batching: Batching

    @property
    def capacity(self) -> float:
        return self.batching.capacity

    def delay(self, arrivals_per_s: float, demand: Demand) -> Delay:
        work_s = float(demand.work_s.sum())
        stretch, marginal = self.batching.sojourn(arrivals_per_s * work_s)
        nothing = np.zeros(len(demand.work_s))
        return Delay(
            time_s=work_s * stretch,
            by_demand=Demand(asked=nothing, work_s=nothing + marginal, square_s2=nothing),
            by_arrivals=work_s / arrivals_per_s * (marginal - stretch) if arrivals_per_s else 0.0,
        )


def _lagged(left: Floats, right: Floats) -> Floats:
    """sum over r of left[r] right[r - 1 - s], for each s; indices from 0."""
    size = len(left)
    sums: Floats = np.concatenate([np.correlate(left, right, "full")[size:], [0.0]])
    return sums
