"""Simulated queues, to check the formulas against: seeded, and the same traffic for whatever is compared."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.optimum.batching import Batching
from deployments.budgets.optimum.objective import accuracy
from deployments.budgets.optimum.problem import Floats, Problem

# One more is simulated first and left out, for the queue to fill.
BATCHES = 20
ONE_AT_A_TIME = Batching(growth=0.0, slots=1)


class SimulationError(ValueError):
    """There is nothing to simulate; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """Mean time from arrival to the end of a request with its standard error, from the means of `BATCHES` batches.

    `batch_means_s` compares two policies on the same traffic; `attempts` is the mean number of a request's attempts.
    """

    mean_s: float
    error_s: float
    batch_means_s: Floats
    requests: int
    solved: float
    attempts: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """Requests in order of arrival: when, of which type, and one number of [0, 1) for each attempt it may get.

    An attempt that is right with probability p is right if its number is below p, so that more thinking never turns a
    right attempt into a wrong one.
    """

    arrival_s: Floats
    kinds: NDArray[np.intp]
    draws: Floats

    @classmethod
    def drawn(cls, problem: Problem, *, requests: int, max_attempts: int = 1, seed: int) -> "Traffic":
        _require_traffic(problem, requests)
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


def simulate_mg1(problem: Problem, budgets: Floats, *, arrivals: int, seed: int) -> Simulated:
    """E[T] of the M/G/1 queue by Lindley's recursion, W' = max(0, W + S - A), a batch of arrivals at a time."""
    _require_traffic(problem, arrivals)
    rng = np.random.default_rng(seed)
    service_s, correct = problem.base_s + problem.token_s * budgets, accuracy(problem, budgets)
    size, shares = arrivals // BATCHES, problem.shares / problem.shares.sum()
    waiting_s, means, solved = 0.0, [], 0
    for _ in range(BATCHES + 1):
        kinds = rng.choice(problem.num_types, size=size, p=shares)
        own_s = service_s[kinds]
        waits, waiting_s = lindley(waiting_s, own_s, rng.exponential(1 / problem.arrivals_per_s, size))
        means.append(float((waits + own_s).mean()))
        solved += int((rng.random(size) < correct[kinds]).sum())
    return _simulated(np.array(means[1:]), size * BATCHES, solved / (size * (BATCHES + 1)), 1.0)


def lindley(first_wait_s: float, service_s: Floats, gaps_s: Floats) -> tuple[Floats, float]:
    """Waits of these customers and of the next one; `gaps_s[i]` is from the arrival of customer i to that of the next.

    W_n = max(W_0 + C_n, C_n - min(C_1, ..., C_n)), with C the running sum of S - A.
    """
    walk = np.cumsum(service_s - gaps_s)
    later = np.maximum(first_wait_s + walk, walk - np.minimum.accumulate(walk))
    return np.concatenate([[first_wait_s], later[:-1]]), float(later[-1])


def simulate(problem: Problem, budgets: Floats, traffic: Traffic, *, batching: Batching = ONE_AT_A_TIME) -> Simulated:
    """Serve the traffic with these budgets; a wrong answer goes to the end of the queue as long as attempts are left.

    The time of a request ends with its first right attempt, or with its last one. Plain Python, about a million
    attempts in a few seconds.
    """
    attempts, solved = traffic.attempts(accuracy(problem, budgets))
    service_s = (problem.base_s + problem.token_s * budgets)[traffic.kinds]
    ends = serve(traffic.arrival_s.tolist(), service_s.tolist(), attempts.tolist(), batching)
    spent_s = np.asarray(ends) - traffic.arrival_s
    size = len(spent_s) // (BATCHES + 1)
    kept = spent_s[-size * BATCHES :].reshape(BATCHES, size)
    return _simulated(kept.mean(axis=1), kept.size, float(solved.mean()), float(attempts.mean()))


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


def _simulated(means_s: Floats, requests: int, solved: float, attempts: float) -> Simulated:
    return Simulated(
        mean_s=float(means_s.mean()),
        error_s=float(means_s.std(ddof=1) / np.sqrt(len(means_s))),
        batch_means_s=means_s,
        requests=requests,
        solved=solved,
        attempts=attempts,
    )


def _require_traffic(problem: Problem, requests: int) -> None:
    if problem.arrivals_per_s <= 0 or requests <= BATCHES:
        raise SimulationError(
            f"{requests} requests at {problem.arrivals_per_s:g} per second given; "
            f"more than {BATCHES} and a rate above 0 are wanted"
        )
