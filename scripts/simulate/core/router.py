"""The router of a simulated cluster: laar's own candidates, policies and chances, without the text of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from msgspec.structs import replace

from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.candidates import CandidateBuilder, Demand
from deployments.router.choice.chances import Chances
from deployments.router.choice.policy import POLICIES, Candidate, Decision, Situation, decide
from deployments.router.latency.load import LoadTracker
from deployments.router.model import Model
from deployments.router.settings import Learning
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.profile import UNKNOWN_LANGUAGE, Profile
from scripts.simulate.core.engine import DEFAULT_SLOTS
from scripts.simulate.core.traffic import SimulatedPrompt

# `server`: one request is retried where its attempts are known, as laar does; `client`: each attempt is a new request.
Loop = Literal["server", "client"]
# Verdicts change nothing.
FROZEN = Learning(enabled=False)
# Longer than any prompt.
_CONTEXT_TOKENS = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Parts of what a router knows, to be taken out.

    `no_load` routes as if all engines were idle, and `no_external` as if nobody waited for others' attempts.
    """

    no_load: bool = False
    no_external: bool = False
    no_language: bool = False


class SimulatedRouter:
    """Chooses a model for each attempt; `capability` is the profile's if it has been fitted already.

    `slots` are those of every replica.
    """

    def __init__(
        self,
        *,
        policy: str,
        models: Sequence[str],
        profile: Profile,
        replicas: Sequence[int],
        slots: int = DEFAULT_SLOTS,
        num_routers: int = 1,
        learning: Learning = FROZEN,
        ablation: Ablation | None = None,
        capability: Capability | None = None,
    ) -> None:
        self.names = tuple(models)
        self._ablation = ablation or Ablation()
        self.load = LoadTracker(self.names, num_routers=num_routers)
        for name, running in zip(self.names, replicas, strict=True):
            self.load.set_replicas(name, running)
        self.chances = Chances(profile, self.names, learning, capability=capability)
        self.builder = CandidateBuilder(
            [Model(name=name, context_tokens=_CONTEXT_TOKENS, slots=slots) for name in self.names],
            profile,
            chances=self.chances,
            load=LoadTracker(self.names) if self._ablation.no_load else self.load,
        )
        self._policy = POLICIES[policy](self.names)
        self._demands: dict[SimulatedPrompt, Demand] = {}

    def choose(
        self, prompt: SimulatedPrompt, log: Tries | None, *, session: str, turn: int, now_s: float
    ) -> Decision | None:
        """The next model; None when none is left that may be asked. Without a log the router knows of no attempt."""
        demand = self.demand(prompt)
        candidates = self.builder.candidates(demand, log, now_s)
        if self._ablation.no_external:
            candidates = [replace(candidate, external_s=0.0) for candidate in candidates]
        joint = self.chances.joint(demand.task, () if log is None else log.failed_models)
        return decide(self._policy, candidates, session=session, turn=turn, situation=Situation(joint=joint))

    def started(self, chosen: Candidate) -> None:
        self.load.start(chosen.model, chosen.prompt_tokens)

    def finished(self, chosen: Candidate) -> None:
        self.load.finish(chosen.model, chosen.prompt_tokens)

    def answered(self, prompt: SimulatedPrompt, chosen: Candidate, log: Tries | None, *, correct: bool) -> None:
        """Book a verdict, and learn from it if told to."""
        self.load.succeeded(chosen.model)
        if (learner := self.chances.learner) is not None:
            demand = self.demand(prompt)
            cell, failed = Cell(demand.task, demand.language, chosen.bucket), () if log is None else log.failed_models
            learner.observe(chosen.model, cell, correct=correct, failed=failed)

    def broke(self, model: str, now_s: float) -> None:
        """Book an attempt that brought no answer."""
        self.load.failed(model, now_s)

    def set_replicas(self, model: str, running: int) -> None:
        self.load.set_replicas(model, running)

    def demand(self, prompt: SimulatedPrompt) -> Demand:
        """What the prompt asks of each model; its tokens are estimated exactly."""
        found = self._demands.get(prompt)
        if found is None:
            found = self._demands[prompt] = self.builder.demand(
                task=prompt.task,
                language=UNKNOWN_LANGUAGE if self._ablation.no_language else prompt.language,
                prompt_tokens=np.maximum(np.rint(np.array(prompt.prompt_tokens, dtype=np.float64)), 1.0),
            )
        return found


def new_log(cap: int) -> Tries:
    """A log for a request at temperature 0 without a deadline."""
    return Tries(max_attempts=cap, deadline_at_s=float("inf"), is_repeatable=True)


def note(log: Tries, chosen: Candidate, status: Status, latency_s: float) -> None:
    """Write down how an attempt ended."""
    log.add(
        Attempt(
            model=chosen.model, status=status, reason="simulated", latency_s=latency_s, probability=chosen.probability
        )
    )
