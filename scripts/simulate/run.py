"""From settings to what each policy would bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deployments.router.choice.candidates import DEFAULT_OUTPUT_TOKENS
from deployments.router.settings import Learning
from profiles.arrays import Floats
from profiles.chances.capability import Capability
from profiles.profile import Profile
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from scripts.simulate.core.router import Ablation, Loop, SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic, closed, poisson
from scripts.simulate.core.truth import DrawnTruth
from scripts.simulate.settings import SettingsError, SimulationSettings, TrafficKind
from scripts.simulate.summary import SimulatedCharging, Summary, summarise


def loop_of(policy: str) -> Loop:
    """laar retries where it knows of the attempts before; behind the others it is the client that asks again."""
    return "server" if policy == "laar" else "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A cluster and the answers and traffic that every policy meets alike."""

    settings: SimulationSettings
    profile: Profile
    capability: Capability
    cluster: Cluster
    traffic: Traffic
    truth: DrawnTruth

    def loop_for(self, policy: str) -> Loop:
        return self.settings.loops.get(policy) or loop_of(policy)

    def play(self, policy: str, ablation: Ablation | None = None) -> Results:
        settings, cluster = self.settings, self.cluster
        router = SimulatedRouter(
            policy=policy,
            models=cluster.models,
            profile=self.profile,
            replicas=cluster.replicas,
            slots=settings.slots,
            learning=Learning(enabled=settings.learning),
            ablation=ablation,
            capability=self.capability,
        )
        return Simulation(
            cluster,
            router,
            self.traffic,
            self.truth,
            loop=self.loop_for(policy),
            cap=settings.cap,
            seed=settings.seed,
        ).run()

    def summaries(self, outcomes: Mapping[str, Results]) -> list[Summary]:
        """The figures of each policy, charged by what all of them show."""
        charging = SimulatedCharging.of(
            list(outcomes.values()), answerable=self.truth.answerable, cap=self.settings.cap
        )
        models = self.cluster.models
        return [
            summarise(outcome, charging, policy=policy, loop=self.loop_for(policy), models=models)
            for policy, outcome in outcomes.items()
        ]


def scene(settings: SimulationSettings, profile: Profile, replicas: Mapping[str, int] | None = None) -> Scene:
    """What the settings describe, or the same with other replicas; raises SettingsError."""
    counts = dict(replicas) if replicas is not None else settings.chosen(profile)
    cluster = _cluster(settings, profile, counts)
    kinds = settings.kinds(profile)
    traffic = _traffic(settings, [_prompt(kind, profile, cluster.models) for kind in kinds], kinds)
    capability = Capability(profile)
    truth = DrawnTruth(profile, cluster.models, traffic, seed=settings.seed + 1, capability=capability)
    return Scene(
        settings=settings, profile=profile, capability=capability, cluster=cluster, traffic=traffic, truth=truth
    )


def run(settings: SimulationSettings, profile: Profile) -> list[Summary]:
    """Every policy on the same traffic with the same answers."""
    found = scene(settings, profile)
    return found.summaries({policy: found.play(policy) for policy in settings.policies})


def _cluster(settings: SimulationSettings, profile: Profile, replicas: Mapping[str, int]) -> Cluster:
    faults = settings.faults
    engines = tuple(
        Engine.of(
            profile.models[name].latency,
            slots=settings.slots,
            chunk_tokens=settings.chunk_tokens,
            block_tokens=settings.block_tokens,
            host_share=settings.host_share,
            overlap=settings.overlap,
        )
        for name in replicas
    )
    return Cluster(
        models=tuple(replicas),
        engines=engines,
        replicas=tuple(replicas.values()),
        has_prefix_cache=settings.prefix_cache,
        verify_s=settings.verify_s,
        mtbf_s=faults.mtbf_s if faults else 0.0,
        mttr_s=faults.mttr_s if faults else 0.0,
        detect_s=faults.detect_s if faults else 0.0,
    )


def _prompt(kind: TrafficKind, profile: Profile, models: Sequence[str]) -> SimulatedPrompt:
    output = [profile.models[name].output_tokens.get(kind.task, DEFAULT_OUTPUT_TOKENS) for name in models]
    return SimulatedPrompt(
        id=f"{kind.task}-{kind.language}-{kind.prompt_tokens}",
        task=kind.task,
        language=kind.language,
        prompt_tokens=(float(kind.prompt_tokens),) * len(models),
        output_tokens=tuple(output),
    )


def _traffic(settings: SimulationSettings, prompts: Sequence[SimulatedPrompt], kinds: Sequence[TrafficKind]) -> Traffic:
    shares, seed = [kind.share for kind in kinds], settings.seed
    if settings.concurrency is not None:
        found = closed(prompts, shares, requests=settings.requests, clients=settings.concurrency, seed=seed)
    elif settings.rate_per_s is not None:
        found = poisson(prompts, shares, requests=settings.requests, rate_per_s=settings.rate_per_s, seed=seed)
    else:
        arrivals = _trace(settings)
        drawn = poisson(prompts, shares, requests=len(arrivals), rate_per_s=1.0, seed=seed)
        found = Traffic(prompts=prompts, order=drawn.order, arrival_s=arrivals)
    if settings.sessions is None:
        return found
    rng = np.random.default_rng(seed + 2)
    sessions = [str(number) for number in rng.integers(settings.sessions, size=len(found)).tolist()]
    return Traffic(
        prompts=found.prompts, order=found.order, arrival_s=found.arrival_s, clients=found.clients, sessions=sessions
    )


def _trace(settings: SimulationSettings) -> Floats:
    """The arrival times of the file."""
    assert settings.trace is not None
    try:
        times = np.loadtxt(settings.trace, ndmin=1)
    except (OSError, ValueError) as error:
        raise SettingsError(f"trace: {settings.trace}: {error}") from error
    if not len(times) or np.any(np.diff(times) < 0) or times[0] < 0 or not np.all(np.isfinite(times)):
        raise SettingsError(f"trace: {settings.trace}: times from 0 up are wanted, ascending, one a line")
    return np.asarray(times, dtype=np.float64)
