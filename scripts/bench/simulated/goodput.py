"""Goodput by load: recorded prompts at Poisson arrivals, and what the answers are worth to their readers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from profiles.measures.goodput import Delivery, Reader, ServiceLimits, goodput, smooth_goodput
from scripts.bench.simulated.replay import ReplayedRequest, ReplayWorld, play_policy
from scripts.simulate.core.simulation import Results
from scripts.simulate.run import loop_of

# Four tokens a second; a second of waiting costs one token, and no more than half a minute is held against an answer.
READER = Reader(pace_s=0.25, alpha=1.0, bound_s=30.0)
# A right answer comes all at once, so that its first token's time is its TTCA.
OBJECTIVE = ServiceLimits(ttft_s=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one policy brings at one load, over all that arrived: right answers within OBJECTIVE, and benefit."""

    load_per_s: float
    in_time_per_s: float
    smooth_tokens_per_s: float


def by_load(
    world: ReplayWorld,
    policies: Sequence[str],
    loads_per_s: Sequence[float],
    *,
    requests: int,
    sessions: int,
    seed: int,
) -> dict[str, list[Point]]:
    """For each policy its goodput at each load.

    The same requests at every load, closer together. The window is the time in which as many arrive on average.
    """
    rng = np.random.default_rng(seed)
    names = list(world.prompts)
    chosen = [names[i] for i in rng.integers(len(names), size=requests)]
    users = rng.integers(sessions, size=requests).tolist()
    at = np.cumsum(rng.exponential(1.0, requests))
    found: dict[str, list[Point]] = {policy: [] for policy in policies}
    for load in loads_per_s:
        plan = [
            ReplayedRequest(prompt_id=name, session=f"user-{user}", due_s=float(due))
            for name, user, due in zip(chosen, users, at / load, strict=True)
        ]
        for policy in policies:
            outcome = play_policy(world, plan, policy, loop=loop_of(policy))
            got = deliveries(outcome)
            found[policy].append(_point(load, got))
    return found


def _point(load_per_s: float, got: Sequence[Delivery]) -> Point:
    window_s = len(got) / load_per_s
    return Point(
        load_per_s=load_per_s,
        in_time_per_s=goodput(got, OBJECTIVE, window_s=window_s),
        smooth_tokens_per_s=smooth_goodput(got, READER, window_s=window_s),
    )


def deliveries(outcome: Results) -> list[Delivery]:
    """What each user got: all of the right answer at its end, as it is verified first; else nothing."""
    found = []
    for index, is_solved in enumerate(outcome.solved.tolist()):
        if not is_solved:
            found.append(Delivery(is_complete=False))
            continue
        tokens = outcome.tries[index][-1].output_tokens
        found.append(Delivery(token_times_s=(float(outcome.elapsed_s[index]),) * tokens))
    return found
