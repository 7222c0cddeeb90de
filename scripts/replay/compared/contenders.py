"""Who is compared: for every prompt the order in which a policy asks the models of a pool, each at most once.

All of them have the same verifier and the same retries. Nothing waits in a replay, so that policies that look at load
alone fall back on the latency of idle engines.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from deployments.router.choice.chances import Chances
from deployments.router.choice.policy import POLICIES, Candidate, Laar, Policy, Situation, rank
from profiles.arrays import Floats
from scripts.replay.beliefs import FittedBeliefs
from scripts.replay.compared.rivals import Rivals
from scripts.replay.play import elapsed_s
from scripts.replay.recorded.outcomes import Ints, RecordedOutcomes

LAAR = "laar"
TASK_LQ = "task L/Q"
ORACLE, TRUE_LATENCY, TRUE_ANSWERS = "oracle", "laar, latency known", "laar, answers known"
# What one rule for all prompts of a pool would be; the best of them is found in hindsight.
SINGLE = ("most accurate", "most accurate of the task", "fastest", "global L/Q")
TASK_PSEUDO_PROMPTS = 8.0
# Prompts of a cell that an order of its own is found on at least.
LEAST_OF_CELL = 10
MARGINS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
# Longer orders are too many to try each; then only the rules above are compared.
MOST_TRIED = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolView:
    """A pool on both halves, shape (k, prompts); models in rows, and beliefs of them by cell, shape (k, cells)."""

    names: tuple[str, ...]
    rows: Ints
    fitted: RecordedOutcomes
    judged: RecordedOutcomes
    beliefs: FittedBeliefs
    rivals: Rivals
    seed: int

    @property
    def cells(self) -> Ints:
        return self.beliefs.map.judged

    @property
    def chances(self) -> Floats:
        found: Floats = self.beliefs.chances[self.rows]
        return found

    @property
    def mean_s(self) -> Floats:
        found: Floats = self.beliefs.seconds.mean_s[self.rows]
        return found


def orders(view: PoolView) -> Mapping[str, Ints]:
    """By contender, the positions in the pool in the order of asking, shape (k, prompts)."""
    found = {LAAR: _ranked(view, Laar(), is_joint=True), "laar, failures independent": _ranked(view, Laar())}
    found |= _fixed(view) | _known(view) | _others(view)
    if len(view.rows) <= MOST_TRIED:
        found |= _static(view)
    return found


def _ranked(view: PoolView, policy: Policy, *, is_joint: bool = False) -> Ints:
    """The order of one of the router's own policies, which is the same for all prompts of a cell."""
    chances = view.beliefs.of_pool(view.names) if is_joint else None
    of_cell = np.zeros((len(view.rows), len(view.beliefs.map.cells)), dtype=np.intp)
    for cell in np.unique(view.cells).tolist():
        of_cell[:, cell] = rank_in_cell(view.beliefs, view.rows, policy, cell, chances)
    found: Ints = of_cell[:, view.cells]
    return found


def rank_in_cell(
    beliefs: FittedBeliefs, rows: Ints, policy: Policy, cell: int, chances: Chances | None = None
) -> list[int]:
    """Positions in `rows` in the order in which a policy of the router asks them; failures are joint with `chances`."""
    where, names = beliefs.map.cells[cell], [beliefs.models[row] for row in rows]
    situation = Situation(joint=chances.joint(where.task) if chances else None)
    candidates = [
        Candidate(
            model=name,
            probability=q,
            latency_s=seconds,
            idle_latency_s=seconds,
            prompt_tokens=0,
            bucket=where.bucket,
            in_flight=0,
        )
        for name, q, seconds in zip(
            names, beliefs.chances[rows, cell].tolist(), beliefs.seconds.mean_s[rows, cell].tolist(), strict=True
        )
    ]
    return [names.index(c.model) for c in rank(policy, candidates, situation=situation)]


def _fixed(view: PoolView) -> dict[str, Ints]:
    """Rules that look at the models alone, or at the task."""
    fitted, task = view.fitted, view.beliefs.map.tasks
    correct, seconds = fitted.correct[view.rows], fitted.latency_s[view.rows]
    rate, mean_s, median_s = np.nanmean(correct, axis=1), np.nanmean(seconds, axis=1), np.nanmedian(seconds, axis=1)
    of_task = task[view.beliefs.map.fitted]
    task_rate = _shrunk(correct, rate, of_task, task.max() + 1)
    task_s = _shrunk(seconds, mean_s, of_task, task.max() + 1)
    now = task[view.cells]
    count = len(view.cells)
    return {
        "most accurate": _everywhere(-rate, count),
        "most accurate of the task": _ascending(-task_rate[:, now]),
        "fastest": _everywhere(median_s, count),
        "global L/Q": _everywhere(mean_s / np.maximum(rate, 1e-3), count),
        TASK_LQ: _ascending((task_s / np.maximum(task_rate, 1e-3))[:, now]),
    }


def _known(view: PoolView) -> dict[str, Ints]:
    """What perfect knowledge would do: of the answers, of the seconds, of both."""
    correct, seconds = view.judged.correct[view.rows], view.judged.latency_s[view.rows]
    believed_s = view.mean_s[:, view.cells]
    global_s = np.nanmean(view.fitted.latency_s[view.rows], axis=1)[:, None]
    rate = np.maximum(np.nanmean(view.fitted.correct[view.rows], axis=1), 1e-3)[:, None]
    believed = view.chances[:, view.cells]
    return {
        ORACLE: _ascending(np.where(correct == 1, seconds, 1e12 + seconds)),
        TRUE_LATENCY: _ascending(seconds / believed),
        TRUE_ANSWERS: _ascending(np.where(correct == 1, believed_s, 1e12 + believed_s)),
        "global Q, latency fitted": _ascending(believed_s / rate),
        "global Q, latency known": _ascending(seconds / rate),
        "global L, chances fitted": _ascending(global_s / believed),
        "global L, answers known": _ascending(np.where(correct == 1, global_s, 1e12 + global_s)),
    }


def _others(view: PoolView) -> dict[str, Ints]:
    """The router's other policies, draws, and what others publish."""
    k, count = len(view.rows), len(view.cells)
    rng = np.random.default_rng(view.seed)
    shuffled = rng.permuted(np.repeat(np.arange(k)[:, None], count, axis=1), axis=0)
    believed_s = view.mean_s[:, view.cells]
    turns = (np.arange(count)[None] + np.arange(k)[:, None]) % k
    found = {f"{name} (router)": _ranked(view, POLICIES[name](view.names)) for name in ("most-accurate", "threshold")}
    found |= {
        "load-aware (nothing waits)": _ranked(view, POLICIES["load-aware"](view.names)),
        "power of two (nothing waits)": _of_two(shuffled, believed_s),
        "round-robin": turns,
        "random": shuffled,
        "session-affinity": _by_session(view),
        "threshold, tuned": _tuned_threshold(view),
        "LAAR as published": _ascending(
            view.rivals.token_s[view.rows][:, None] / view.rivals.logistic[view.rows][:, view.cells]
        ),
    }
    if view.rivals.near is not None:
        near = view.rivals.near
        found["nearest prompts (text)"] = _ascending(near.seconds[view.rows] / near.chances[view.rows])
    return found


def _static(view: PoolView) -> dict[str, Ints]:
    """The orders that were quickest on the fitting half, of all there are: one for all, by task, by cell."""
    tried = np.array(list(permutations(range(len(view.rows)))), dtype=np.intp)
    correct, seconds = view.fitted.correct[view.rows], view.fitted.latency_s[view.rows]
    asked = np.isfinite(correct).all(axis=0)
    took_s = np.array([elapsed_s(correct[order][:, asked], seconds[order][:, asked]) for order in tried])
    cells = view.beliefs.map.fitted[asked]
    tasks = view.beliefs.map.tasks
    by_all = took_s.sum(axis=1)
    by_task = took_s @ np.eye(tasks.max() + 1)[tasks[cells]]
    by_cell = took_s @ np.eye(len(tasks))[cells]
    number = np.bincount(cells, minlength=len(tasks))
    best_of_task = np.where(
        np.bincount(tasks[cells], minlength=tasks.max() + 1) > 0, by_task.argmin(axis=0), by_all.argmin()
    )
    best_of_cell = np.where(number >= LEAST_OF_CELL, by_cell.argmin(axis=0), best_of_task[tasks])
    return {
        "cascade, tuned": np.repeat(tried[by_all.argmin()][:, None], len(view.cells), axis=1),
        "best order by task": tried[best_of_task[tasks[view.cells]]].T,
        "best order by cell": tried[best_of_cell[view.cells]].T,
    }


def _tuned_threshold(view: PoolView) -> Ints:
    """Fastest of those whose chance is within a margin of the best; the margin is the best on the fitting half."""
    correct, seconds = view.fitted.correct[view.rows], view.fitted.latency_s[view.rows]
    asked = np.isfinite(correct).all(axis=0)
    cells = view.beliefs.map.fitted

    def total_s(margin: float) -> float:
        order = _within(view.chances, view.mean_s, margin)[:, cells][:, asked]
        taken = [np.take_along_axis(values[:, asked], order, axis=0) for values in (correct, seconds)]
        return float(elapsed_s(*taken).sum())

    found: Ints = _within(view.chances, view.mean_s, min(MARGINS, key=total_s))[:, view.cells]
    return found


def _within(chances: Floats, mean_s: Floats, margin: float) -> Ints:
    left, order = chances.copy(), np.zeros(chances.shape, dtype=np.intp)
    columns = np.arange(chances.shape[1])
    for place in range(len(chances)):
        order[place] = np.where(left >= left.max(axis=0) - margin, mean_s, np.inf).argmin(axis=0)
        left[order[place], columns] = -1.0
    return order


def _by_session(view: PoolView) -> Ints:
    """Every prompt is a session of its own here."""
    keys = [
        [int(hashlib.sha256(f"{p}/{m}".encode()).hexdigest()[:8], 16) for p in view.judged.prompts] for m in view.names
    ]
    return _ascending(np.array(keys, dtype=np.float64))


def _of_two(shuffled: Ints, seconds: Floats) -> Ints:
    """Of the next two of a random order the quicker one, again and again."""
    order = shuffled.copy()
    columns = np.arange(order.shape[1])
    for place in range(len(order) - 1):
        swap = seconds[order[place + 1], columns] < seconds[order[place], columns]
        order[place : place + 2, swap] = order[place : place + 2, swap][::-1]
    return order


def _shrunk(values: Floats, level: Floats, group: Ints, count: int) -> Floats:
    """Means by group, drawn to those of the models."""
    known = np.isfinite(values)
    of_group = np.eye(count)[group]
    total = np.where(known, values, 0.0) @ of_group
    found: Floats = (total + TASK_PSEUDO_PROMPTS * level[:, None]) / (known @ of_group + TASK_PSEUDO_PROMPTS)
    return found


def _ascending(key: Floats) -> Ints:
    found: Ints = np.argsort(key, axis=0, kind="stable")
    return found


def _everywhere(key: Floats, count: int) -> Ints:
    return np.repeat(np.argsort(key, kind="stable")[:, None], count, axis=1)
