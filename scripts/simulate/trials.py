"""Simulated clusters of a plan, all judged by the same requests, the same luck and the same charge for failing."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deployments.router.latency.expected import Speeds, idle_latency_s
from profiles.arrays import Floats
from profiles.profile import Profile
from scripts.simulate.core.truth import DrawnTruth
from scripts.simulate.run import Scene, scene
from scripts.simulate.settings import SettingsError, SimulationSettings
from scripts.simulate.summary import charged_s

Measure = Literal["mean", "p95"]
Counts = tuple[int, ...]
Members = tuple[bool, ...]
# Of the success of all models together, what a plan is to reach unless told otherwise.
NEARLY = 0.99
# The requests are cut into this many equal parts; the first is a warm-up.
_PARTS = 10
# A growing queue shows within this multiple of the time that a request takes on idle engines.
LASTING = 20
# Of the time from the second quarter of the requests to the last, by how much those may take longer, and beyond chance.
_EXCESS, _DEVIATIONS = 0.02, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTarget:
    """A limit on the time to the right answer, for a success that must be kept; None: nearly that of all models."""

    measure: Measure
    limit_s: float
    max_replicas: int
    min_success: float | None = None

    def value_s(self, charged: Floats) -> float:
        return float(charged.mean() if self.measure == "mean" else np.quantile(charged, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTrial:
    """One simulated cluster; `busy` is the share of the time that each model's replicas worked.

    `is_growing` where requests take longer and longer.
    """

    value_s: float
    success: float
    attempts: float
    busy: Mapping[str, float]
    is_growing: bool


class Trials:
    """Clusters by their replica counts, each simulated once.

    `value_s` is reading (i) of docs/measures.md: over the requests that some model answers, the unsolved charged all
    attempts up to the cap, none of them shorter than the slowest model's. Set of requests and charge are the same for
    every cluster. Raises SettingsError where the traffic is too short to judge.
    """

    def __init__(
        self, settings: SimulationSettings, profile: Profile, models: Sequence[str], target: PlanTarget
    ) -> None:
        self._settings, self._profile, self.models, self.target = settings, profile, tuple(models), target
        self.known: dict[Counts, PlanTrial] = {}
        self._idle: dict[Members, PlanTrial] = {}
        self._everyone = scene(settings, profile, dict.fromkeys(models, 1))
        size = len(self._everyone.traffic)
        self._is_measured = np.arange(size) >= size // _PARTS
        self._attempt_s = _longest_attempts_s(self._everyone)
        alone = {"trace": None, "rate_per_s": None, "concurrency": 1, "requests": size}
        self._alone = settings.model_copy(update=alone)
        self._answerable: NDArray[np.bool_] = self._everyone.truth.answerable & self._is_measured
        self._refuse_short()

    @property
    def can_answer(self) -> bool:
        return bool(self._answerable.any())

    @property
    def min_success(self) -> float:
        wanted = self.target.min_success
        return NEARLY * self.idle((True,) * len(self.models)).success if wanted is None else wanted

    def at(self, counts: Counts) -> PlanTrial:
        found = self.known.get(counts)
        if found is None:
            found = self.known[counts] = self._judged(self._settings, counts)
        return found

    def idle(self, members: Members) -> PlanTrial:
        """One replica of some models, asked by one client: what no number of replicas improves."""
        found = self._idle.get(members)
        if found is None:
            found = self._idle[members] = self._judged(self._alone, tuple(map(int, members)))
        return found

    def meets(self, counts: Counts) -> bool:
        if not any(counts):
            return False
        found = self.at(counts)
        return found.value_s <= self.target.limit_s and found.success >= self.min_success and not found.is_growing

    def _judged(self, settings: SimulationSettings, counts: Counts) -> PlanTrial:
        made, policy = self._scene(settings, counts), settings.policies[0]
        outcome = made.play(policy)
        charged = charged_s(outcome, cap=settings.cap, attempt_s=self._attempt_s)
        return PlanTrial(
            value_s=self.target.value_s(charged[self._answerable]) if self.can_answer else float("inf"),
            success=float(outcome.solved[self._is_measured].mean()),
            attempts=float(outcome.attempts[self._is_measured].mean()),
            busy=dict(zip(made.cluster.models, outcome.busy, strict=True)),
            is_growing=settings.concurrency is None and is_growing(outcome.arrival_s, outcome.elapsed_s),
        )

    def _scene(self, settings: SimulationSettings, counts: Counts) -> Scene:
        replicas = {name: many for name, many in zip(self.models, counts, strict=True) if many}
        made = scene(settings, self._profile, replicas)
        rows = [row for row, many in enumerate(counts) if many]
        return replace(made, truth=_among(self._everyone.truth, rows))

    def _refuse_short(self) -> None:
        arrivals = self._everyone.traffic.arrival_s
        if arrivals is None:
            return
        idle = self._scene(self._alone, (1,) * len(self.models)).play(self._settings.policies[0])
        lasts_s, wanted_s = float(arrivals[-1] - arrivals[0]), LASTING * float(idle.elapsed_s.mean())
        if lasts_s < wanted_s:
            raise SettingsError(
                f"requests: {len(arrivals)} come within {lasts_s:.3g} s, too few to see whether a queue grows; "
                f"at least {wanted_s:.3g} s are wanted, {LASTING} times what a request takes on idle engines"
            )


def _among(truth: DrawnTruth, rows: Sequence[int]) -> DrawnTruth:
    """The same answers from some of the models, whose failures alone would be drawn to go together otherwise."""
    some = copy(truth)
    some.right = truth.right[:, rows]
    return some


def is_growing(arrival_s: Floats, elapsed_s: Floats) -> bool:
    """Whether requests take longer and longer, by more than chance and by a share of the time that passes.

    In a system that gets more work than it does, that share is the excess. Times rather than backlogs are compared, as
    a backlog also follows a rate that changes.
    """
    size = len(elapsed_s)
    early, late = slice(size // 4, size // 2), slice(size - size // 4, size)
    if size < 8:
        return False
    passed_s = float(arrival_s[late].mean() - arrival_s[early].mean())
    more_s = float(elapsed_s[late].mean() - elapsed_s[early].mean())
    chance_s = float(np.sqrt((elapsed_s[early].var() + elapsed_s[late].var()) / (size // 4)))
    return more_s > _EXCESS * passed_s and more_s > _DEVIATIONS * chance_s


def _longest_attempts_s(everyone: Scene) -> Floats:
    """By request, what the slowest model takes for it on an idle engine, its verdict included."""
    speeds = Speeds.of([everyone.profile.models[name].latency for name in everyone.cluster.models])
    by_prompt = [
        idle_latency_s(
            speeds, prompt_tokens=np.array(prompt.prompt_tokens), output_tokens=np.array(prompt.output_tokens)
        ).max()
        for prompt in everyone.traffic.prompts
    ]
    return np.array(by_prompt)[everyone.traffic.order] + everyone.settings.verify_s
