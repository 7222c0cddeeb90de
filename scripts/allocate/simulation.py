"""Simulated queues, to check the formulas of the mean time: seeded, and the same traffic for all that is compared."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem
from deployments.budgets.servers import Batching
from profiles.arrays import Floats

# One more is simulated first and left out, for the queue to fill.
BATCHES = 20
ONE_AT_A_TIME = Batching(growth=0.0, slots=1)


class SimulationError(ValueError):
    """There is nothing to simulate; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """Mean time from arrival to the end of a request with its standard error, from the means of `BATCHES` batches."""

    mean_s: float
    error_s: float
    requests: int
    solved: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueTraffic:
    """Requests in order of arrival: when, of which type, and one number of [0, 1) for each attempt it may get.

    An attempt that is right with probability p is right if its number is below p, so that more thinking never turns a
    right attempt into a wrong one.
    """

    arrival_s: Floats
    kinds: NDArray[np.intp]
    draws: Floats

    @classmethod
    def drawn(cls, problem: Problem, *, requests: int, max_attempts: int = 1, seed: int) -> "QueueTraffic":
        if problem.arrivals_per_s <= 0 or requests <= BATCHES:
            raise SimulationError(
                f"{requests} requests at {problem.arrivals_per_s:g} per second given; "
                f"more than {BATCHES} and a rate above 0 are wanted"
            )
        rng = np.random.default_rng(seed)
        return cls(
            arrival_s=np.cumsum(rng.exponential(1 / problem.arrivals_per_s, requests)),
            kinds=rng.choice(problem.num_types, size=requests, p=problem.shares / problem.shares.sum()),
            draws=rng.random((requests, max_attempts)),
        )

    def attempts(self, correct: Floats) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """By request, how many attempts it takes with these chances by type, and whether the last one is right."""
        right = self.draws < correct[self.kinds][:, None]
        solved: NDArray[np.bool_] = right.max(axis=1)
        return np.where(solved, right.argmax(axis=1) + 1, right.shape[1]), solved


def simulate(objective: BudgetObjective, budgets: Floats, traffic: QueueTraffic) -> Simulated:
    """Serve the traffic with these budgets; a wrong answer goes to the end of the queue as long as attempts are left.

    The time of a request ends with its first right attempt, or with its last one. Plain Python, about a million
    attempts in a few seconds.
    """
    problem, server = objective.problem, objective.server
    batching = server if isinstance(server, Batching) else ONE_AT_A_TIME
    attempts, solved = traffic.attempts(objective.accuracy(budgets))
    service_s = (problem.base_s + problem.token_s * budgets)[traffic.kinds]
    ends = serve(traffic.arrival_s.tolist(), service_s.tolist(), attempts.tolist(), batching)
    spent_s = np.asarray(ends) - traffic.arrival_s
    size = len(spent_s) // (BATCHES + 1)
    means_s = spent_s[-size * BATCHES :].reshape(BATCHES, size).mean(axis=1)
    return Simulated(
        mean_s=float(means_s.mean()),
        error_s=float(means_s.std(ddof=1) / np.sqrt(BATCHES)),
        requests=size * BATCHES,
        solved=float(solved.mean()),
    )


def serve(
    arrival_s: Sequence[float], service_s: Sequence[float], attempts: Sequence[int], batching: Batching
) -> list[float]:
    """When each request ends; those in service share it equally, further ones wait in the order of their coming.

    Every attempt of request i takes `service_s[i]` alone on the server. An end comes before an arrival of the same
    instant. `received_s` is the service that one would have received that was there from the start on, and orders the
    ends of those that share.
    """
    slowdown = [1.0] + [batching.slowdown(number) for number in range(1, batching.slots + 1)]
    waiting: deque[int] = deque()
    running: list[tuple[float, int]] = []
    left, ends = list(attempts), [0.0] * len(arrival_s)
    now_s = received_s = 0.0
    coming, count, slots = 0, len(arrival_s), batching.slots
    while running or coming < count:
        arrives_s = arrival_s[coming] if coming < count else float("inf")
        pace = slowdown[len(running)]
        if running and (ends_s := now_s + (running[0][0] - received_s) * pace) <= arrives_s:
            now_s, (received_s, request) = ends_s, heapq.heappop(running)
            left[request] -= 1
            if left[request]:
                waiting.append(request)
            else:
                ends[request] = now_s
            if waiting:
                request = waiting.popleft()
                heapq.heappush(running, (received_s + service_s[request], request))
            continue
        received_s += (arrives_s - now_s) / pace
        now_s = arrives_s
        if len(running) < slots:
            heapq.heappush(running, (received_s + service_s[coming], coming))
        else:
            waiting.append(coming)
        coming += 1
    return ends
