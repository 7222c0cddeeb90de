"""`laar bench load`: the time to a correct answer from an idle to a nearly full cluster, policy by policy.

Simulated. All policies meet the same requests with the same answers, and have the same retries: a model that was wrong
is not asked again, and the others are until one is right. Load is a share of the capacity, the highest rate that any
policy could keep up with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, dok_array

from deployments.router.choice.policy import POLICIES
from deployments.router.latency.expected import Speeds, idle_latency_s
from profiles.arrays import Floats
from profiles.profile import Profile, load_profile
from scripts.report import Bar, Report
from scripts.simulate.core.router import Ablation
from scripts.simulate.run import Scene, scene
from scripts.simulate.settings import PACKAGED, SimulationSettings, load_settings, settings_of

LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
LAAR, SELFISH = "laar", "laar, what others wait left out"
RIVALS = ("most-accurate", "load-aware", "threshold", "fastest")
# Requests that the chances of failing together are counted on.
_COUNTED = 20_000
# The first tenth of the requests finds engines that are still idle.
_WARM_UP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCluster:
    """A cluster whose load is raised."""

    name: str
    settings: SimulationSettings
    profile: Profile


@dataclass(frozen=True, kw_only=True, eq=False)
class FluidBound:
    """The least mean time to an answer if requests were a fluid: nothing waits until an engine is full.

    `wrong` is the chance that a model (last axis) is wrong on a prompt (first axis) after each set of failures.
    `work_s` is what an attempt takes of a full engine, and `idle_s` how long it takes on an idle one, shape (prompts,
    models). `share` is how often each prompt comes. The cheapest flows from set to set of failures are a linear
    programme.
    """

    wrong: Floats
    share: Floats
    work_s: Floats
    idle_s: Floats
    replicas: Floats

    @cached_property
    def capacity_per_s(self) -> float:
        """The highest rate at which every request can be asked on until it is answered or all were wrong."""
        flows, balance, work = self._programme
        found = linprog(
            -np.eye(len(flows) + 1)[-1],
            A_eq=balance,
            b_eq=np.zeros(balance.shape[0]),
            A_ub=work,
            b_ub=self.replicas,
        )
        return float(found.x[-1])

    def mean_s(self, rate_per_s: float) -> float:
        flows, balance, work = self._programme
        costs = np.array([self.idle_s[prompt, model] for prompt, _, model in flows] + [0.0])
        limits = [(0, None)] * len(flows) + [(rate_per_s, rate_per_s)]
        found = linprog(
            costs,
            A_eq=balance,
            b_eq=np.zeros(balance.shape[0]),
            A_ub=work,
            b_ub=self.replicas * (1 + 1e-9),
            bounds=limits,
        )
        return float(found.fun) / rate_per_s

    @cached_property
    def _programme(self) -> tuple[list[tuple[int, int, int]], csr_array, csr_array]:
        """The flows (prompt, set of failures, model asked then), their balance at every set, the work they make.

        The last variable is the rate at which requests come.
        """
        prompts, sets, models = self.wrong.shape
        flows = [(p, s, m) for p in range(prompts) for s in range(sets) for m in range(models) if not s >> m & 1]
        place = {flow: column for column, flow in enumerate(flows)}
        balance = dok_array((prompts * (sets - 1), len(flows) + 1))
        work = dok_array((models, len(flows) + 1))
        for (prompt, failed, model), column in place.items():
            balance[prompt * (sets - 1) + failed, column] = 1.0
            if (then := failed | 1 << model) < sets - 1:
                balance[prompt * (sets - 1) + then, column] = -self.wrong[prompt, failed, model]
            work[model, column] = self.work_s[prompt, model]
        for prompt in range(prompts):
            balance[prompt * (sets - 1), len(flows)] = -self.share[prompt]
        return flows, csr_array(balance), csr_array(work)


def run(*, requests: int, seeds: int) -> Report:
    figures: dict[str, Any] = {}
    bars = []
    for cluster in _clusters():
        points = _curve(cluster, requests=requests, seeds=seeds)
        figures[cluster.name] = points
        ratio = max(point["laar_over_least"] for point in points)
        bars.append(Bar(name=f"{cluster.name}_laar_over_least", value=ratio, limit=1.03, kind="max"))
    parameters = {"requests": requests, "seeds": seeds, "loads": list(LOADS)}
    return Report(bench="load", parameters=parameters, figures=figures, bars=bars)


def fluid_bound(found: Scene) -> FluidBound:
    """Chances are counted on the requests of the scene."""
    traffic, cluster, slots = found.traffic, found.cluster, found.settings.slots
    speeds = Speeds.of([found.profile.models[name].latency for name in cluster.models])
    full_s = speeds.full_s(np.full(len(cluster.models), float(slots)))
    tokens = [(np.array(p.prompt_tokens), np.array(p.output_tokens)) for p in traffic.prompts]
    count = np.bincount(traffic.order, minlength=len(tokens))
    return FluidBound(
        wrong=np.array([_wrong(found.truth.right[traffic.order == prompt]) for prompt in range(len(tokens))]),
        share=count / count.sum(),
        work_s=np.array([speeds.prefill_s_per_token * read + full_s * written for read, written in tokens]),
        idle_s=np.array([idle_latency_s(speeds, prompt_tokens=read, output_tokens=out) for read, out in tokens]),
        replicas=np.array(cluster.replicas, dtype=np.float64),
    )


def _wrong(right: Any) -> Floats:
    """The share of wrong answers of each model (columns) after each set of failures (rows)."""
    models = right.shape[1]
    shares = np.ones((1 << models, models))
    for failed in range(1 << models):
        among = right[~right[:, [m for m in range(models) if failed >> m & 1]].any(axis=1)]
        if len(among):
            shares[failed] = 1 - among.mean(axis=0)
    return shares


def _curve(cluster: LoadedCluster, *, requests: int, seeds: int) -> list[dict[str, Any]]:
    counted = cluster.settings.model_copy(update={"requests": _COUNTED, "seed": seeds})
    bound = fluid_bound(scene(counted, cluster.profile))
    points = []
    for load in LOADS:
        rate_per_s = load * bound.capacity_per_s
        taken: dict[str, list[Floats]] = {}
        solved: dict[str, list[float]] = {}
        for seed in range(seeds):
            changes = {"requests": requests, "seed": seed, "rate_per_s": rate_per_s}
            played = scene(cluster.settings.model_copy(update=changes), cluster.profile)
            for name in (LAAR, SELFISH, *RIVALS):
                is_selfish = name == SELFISH
                results = played.play(LAAR if is_selfish else name, Ablation(no_external=is_selfish))
                taken.setdefault(name, []).append(results.elapsed_s[requests // _WARM_UP :])
                solved.setdefault(name, []).append(float(results.solved.mean()))
        points.append(
            _point(load, rate_per_s, bound, taken) | {"solved": {n: float(np.mean(v)) for n, v in solved.items()}}
        )
    return points


def _point(load: float, rate_per_s: float, bound: FluidBound, taken: dict[str, list[Floats]]) -> dict[str, Any]:
    fluid_s = bound.mean_s(rate_per_s)
    every = {name: np.concatenate(parts) for name, parts in taken.items()}
    by_seed = {name: np.array([part.mean() for part in parts]) for name, parts in taken.items()}
    least = min(RIVALS, key=lambda name: float(every[name].mean()))
    return {
        "load": load,
        "rate_per_s": rate_per_s,
        "fluid_s": fluid_s,
        "laar_over_fluid": float(every[LAAR].mean()) / fluid_s,
        "least": least,
        "laar_over_least": float(every[LAAR].mean() / every[least].mean()),
        "laar_over_selfish": float(every[LAAR].mean() / every[SELFISH].mean()),
        "laar_over_least_by_seed": (by_seed[LAAR] / by_seed[least]).tolist(),
        "mean_s": {name: float(values.mean()) for name, values in every.items()},
        "p95_s": {name: float(np.quantile(values, 0.95)) for name, values in every.items()},
        "p99_s": {name: float(np.quantile(values, 0.99)) for name, values in every.items()},
    }


def _clusters() -> Sequence[LoadedCluster]:
    """Five assumed models on a GPU each, and the two embedded ones as they were measured on CPUs."""
    loops = {"loops": dict.fromkeys(POLICIES, "server"), "rate_per_s": 1.0}
    paper = load_settings(PACKAGED / "paper.yaml", loops)
    embedded = settings_of(
        {"profile": "embedded", "prefix_cache": False, "slots": 8, "block_tokens": 128, "overlap": 0}, loops
    )
    return [
        LoadedCluster(name=settings.profile, settings=settings, profile=load_profile(settings.profile))
        for settings in (paper, embedded)
    ]
