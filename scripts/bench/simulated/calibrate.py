"""Engines fitted to what was timed, by simulating how it was asked."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from profiles.arrays import Floats
from profiles.cell import Buckets
from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record
from scripts.bench.simulated.replay import SHAKEN
from scripts.bench.simulated.scripted import Step, of_trials, play, shaken
from scripts.simulate.core.cluster import Cluster

_FIELDS = ("overhead_s", "prefill_s_per_token", "decode_s_per_token", "decode_growth", "host_share")
# Where a search begins at the least: a coefficient of nothing could not be multiplied, and no profile has a host_share.
_LEAST = np.array([0.05, 1e-5, 1e-4, 0.02, 0.2])
# Coefficients twice as high or low count as much as means a tenth off: (0.1 / log 2) squared.
_RIDGE = 0.02
# How far from the best so far a search begins, in logarithms, one search after the other, and how far each goes.
_REACHES, _LAST_REACH, _MOST_STEPS = (0.7, 0.4, 0.3), 0.02, 300
# In a closed loop a little more work, and requests meet others: the mean over so many plays moves less by that.
_PLAYS = 4
# Prompts and answers of about the same length, in tokens, share a group.
_PROMPT_BINS, _ANSWER_BINS = Buckets((200, 600)), Buckets((8, 16))

# By model, task, bins of both lengths, and whether it was asked before: simulated and measured seconds of each attempt.
Group = tuple[str, str, int, int, bool]
Timed = Mapping[Group, Sequence[tuple[float, float]]]
Source = Callable[[Cluster], Timed]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFit:
    """A cluster, and the mean of simulated over measured latency by model, where it was fitted."""

    cluster: Cluster
    mean_ratio: Mapping[str, float]


def calibrate(start: Cluster, sources: Sequence[Source]) -> CalibrationFit:
    """Engines near those of `start` with which the groups of all sources take as long on average as they did.

    A source has about as many requests at each engine all the time, which tells its speed, and hardly apart what is
    overhead, writing and growth: so several loads are needed, and to leave `start` costs something. What an engine
    loses to others on its machine shows where some sources keep it busy alone and others all of them. The `verify_s`
    of `start` is what an attempt takes outside of what its router sees as in flight.
    """
    asked = {model for source in sources for model, *_ in source(start)}
    if silent := [model for model in start.models if model not in asked]:
        raise ValueError(f"no attempt at {silent} to fit to; every one of {list(start.models)} must have been asked")

    def cluster(logs: Floats) -> Cluster:
        rows = np.exp(logs).reshape(len(start.models), len(_FIELDS)).tolist()
        coefficients = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
        engines = [replace(engine, **of) for engine, of in zip(start.engines, coefficients, strict=True)]
        return replace(start, engines=tuple(engines))

    def off(logs: Floats) -> float:
        now = cluster(logs)
        far = _RIDGE * float(np.mean((logs - first) ** 2))
        return _distance([group for source in sources for group in source(now).values()]) + far

    rows = [np.maximum([getattr(engine, name) for name in _FIELDS], _LEAST) for engine in start.engines]
    first = np.log(np.concatenate(rows))
    found = cluster(_descend(off, first))
    return CalibrationFit(cluster=found, mean_ratio=_ratios(found, sources))


def block_source(trials: Sequence[Trial], records: Sequence[Record], *, clients: int) -> Source:
    """A block of trials in a closed loop, in groups of model, task, lengths, and whether it was asked before.

    Simulated seconds are means of plays with answers a little longer or shorter. All trials must have been answered.
    """
    tried = sorted(trials, key=lambda trial: trial.sent_s)
    scripts = of_trials(tried, records)
    measured: list[tuple[Group, float]] = []
    for trial, script in zip(tried, scripts, strict=True):
        asked: set[str] = set()
        for was, step in zip(trial.tries, script, strict=True):
            measured.append(((was.model, trial.task, *_lengths(step), was.model in asked), was.latency_s))
            asked.add(was.model)
    every = [scripts, *(shaken(scripts, SHAKEN, seed) for seed in range(1, _PLAYS))]

    def timed(cluster: Cluster) -> Timed:
        plays = [play(cluster, one, clients=clients).tries for one in every]
        seconds = [[made.latency_s for index in range(len(scripts)) for made in tries[index]] for tries in plays]
        found: dict[Group, list[tuple[float, float]]] = defaultdict(list)
        for now_s, (group, was_s) in zip(np.mean(seconds, axis=0).tolist(), measured, strict=True):
            found[group].append((now_s, was_s))
        return found

    return timed


def _descend(off: Callable[[Floats], float], start: Floats) -> Floats:
    """Where `off` is least, near the start, by quadratic models in shrinking regions (COBYQA, Ragonneau and Zhang)."""
    best = start
    for reach in _REACHES:
        # never worse than where it began, which is among the points of its first model
        options = {"initial_tr_radius": reach, "final_tr_radius": _LAST_REACH, "maxfev": _MOST_STEPS}
        best = minimize(off, best, method="COBYQA", options=options).x
    return best


def _distance(groups: Sequence[Sequence[tuple[float, float]]]) -> float:
    """Mean square of the logarithm of simulated over measured means, a group's weight the root of its size."""
    weights = np.sqrt([len(group) for group in groups])
    return float(np.average([np.log(_ratio(group)) ** 2 for group in groups], weights=weights))


def _ratios(cluster: Cluster, sources: Sequence[Source]) -> dict[str, float]:
    by_model: dict[str, list[tuple[float, float]]] = {model: [] for model in cluster.models}
    for source in sources:
        for (model, *_), group in source(cluster).items():
            by_model[model] += group
    return {model: _ratio(mine) for model, mine in by_model.items()}


def _ratio(group: Sequence[tuple[float, float]]) -> float:
    now_s, was_s = np.mean(group, axis=0)
    return float(now_s / was_s)


def _lengths(step: Step) -> tuple[int, int]:
    """The bins of prompt and answer."""
    return _PROMPT_BINS.of(step.prompt_tokens), _ANSWER_BINS.of(int(step.output_tokens))
