"""The router of a simulated cluster: laar's own policies, chances and load terms, without the text of requests.

It builds the candidates that `Routing.candidates` would build for a request whose tokens are estimated exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.chances import Chances
from deployments.router.choice.joint_order import Joint
from deployments.router.choice.latency import Floats, Speeds, idle_latency_s, loaded_latency_s
from deployments.router.choice.load import LoadTracker
from deployments.router.choice.policy import POLICIES, Candidate, Decision, Exclusion, decide
from deployments.router.choice.routing import DEFAULT_OUTPUT_TOKENS, UNPROFILED
from deployments.router.settings import Learning
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE, Profile
from scripts.simulate.core.traffic import Prompt

# `server`: one request is retried where its attempts are known, as laar does; `client`: each attempt is a new request.
Loop = Literal["server", "client"]
# Verdicts change nothing.
FROZEN = Learning(enabled=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Parts of what a router knows, to be taken out: `no_load` routes as if all engines were idle."""

    no_load: bool = False
    no_language: bool = False


@dataclass(slots=True, kw_only=True)
class _View:
    """What never changes about a prompt as the router sees it; chances only where it does not learn."""

    task: str
    language: str
    tokens: list[int]
    buckets: NDArray[np.intp]
    bucket_list: list[int]
    output: list[float]
    idle_s: list[float]
    chances: Floats | None
    chance_list: list[float]
    joint: Joint | None
    # chances and joint failures by who has failed, in the order of names, as burdens add up
    after: dict[tuple[str, ...], tuple[list[float], Joint | None]] = field(default_factory=dict)


class Router:
    """Chooses a model for each attempt; `capability` is the profile's if it has been fitted already."""

    def __init__(
        self,
        *,
        policy: str,
        models: Sequence[str],
        profile: Profile,
        replicas: Sequence[int],
        learning: Learning = FROZEN,
        ablation: Ablation | None = None,
        capability: Capability | None = None,
    ) -> None:
        self.names = tuple(models)
        self._rows = {name: row for row, name in enumerate(self.names)}
        self._ablation = ablation or Ablation()
        self.tracker = LoadTracker(self.names)
        for name, running in zip(self.names, replicas, strict=True):
            self.tracker.set_replicas(name, running)
        self.chances = Chances(profile, self.names, learning, capability=capability)
        self.is_learning = learning.enabled
        self._buckets = profile.buckets
        self._profiles = [profile.models.get(name, UNPROFILED) for name in self.names]
        self._tasks = {task for known in self._profiles for task in known.output_tokens}
        self._speeds = Speeds.of([known.latency for known in self._profiles])
        self._policy = POLICIES[policy](self.names)
        self._views: dict[Prompt, _View] = {}
        self._none: list[Exclusion | None] = [None] * len(self.names)
        self._zeros = [0] * len(self.names)
        self._is_all_well = True

    def choose(self, prompt: Prompt, log: Tries | None, *, session: str, turn: int, now_s: float) -> Decision | None:
        """The next model; None when none is left that may be asked. Without a log the router knows of no attempt."""
        view = self.view(prompt)
        if log is None:
            candidates, joint = self._candidates(view, now_s), view.joint
        else:
            chances, joint = self._after(view, log.failed_models)
            candidates = self._again(view, log, chances, now_s)
        return decide(self._policy, candidates, session=session, turn=turn, joint=joint)

    def candidates(self, prompt: Prompt, log: Tries | None, now_s: float) -> list[Candidate]:
        """Every model with its numbers and what speaks against it, as `Routing.candidates` has it.

        But for what a model would still have to read that has answered: at temperature 0 it is not asked again.
        """
        view = self.view(prompt)
        return (
            self._candidates(view, now_s)
            if log is None
            else self._again(view, log, self._after(view, log.failed_models)[0], now_s)
        )

    def _candidates(self, view: _View, now_s: float) -> list[Candidate]:
        chances = self._chances(view).tolist() if self.is_learning else view.chance_list
        exclusions = self._none if self._is_all_well else self._unhealthy(now_s)
        return self._line_up(view, chances, self._zeros, exclusions)

    def _again(self, view: _View, log: Tries, chances: list[float], now_s: float) -> list[Candidate]:
        """The candidates once some have been asked."""
        exclusions, tries = self._unhealthy(now_s), [0] * len(self.names)
        for attempt in log.attempts:
            row = self._rows[attempt.model]
            tries[row] += 1
            exclusions[row] = log.exclusion(attempt.model)
        return self._line_up(view, chances, tries, exclusions)

    def _line_up(
        self, view: _View, chances: list[float], tries: list[int], exclusions: Sequence[Exclusion | None]
    ) -> list[Candidate]:
        columns = (
            self.names,
            chances,
            view.idle_s
            if self._ablation.no_load
            else loaded_latency_s(self._speeds, idle_s=view.idle_s, output_tokens=view.output, load=self.tracker),
            view.idle_s,
            view.tokens,
            view.bucket_list,
            self.tracker.in_flight,
            tries,
            exclusions,
            self._none,
        )
        return list(map(Candidate, *columns))

    def started(self, chosen: Candidate) -> None:
        self.tracker.start(chosen.model, chosen.prompt_tokens)

    def finished(self, chosen: Candidate) -> None:
        self.tracker.finish(chosen.model, chosen.prompt_tokens)

    def answered(self, prompt: Prompt, chosen: Candidate, log: Tries | None, *, correct: bool) -> None:
        """Book a verdict, and learn from it if told to."""
        if not self._is_all_well:
            self.tracker.succeeded(chosen.model)
        if self.is_learning:
            view = self.view(prompt)
            assert self.chances.learner is not None
            cell, failed = Cell(view.task, view.language, chosen.bucket), () if log is None else log.failed_models
            self.chances.learner.observe(chosen.model, cell, correct=correct, failed=failed)

    def broke(self, model: str, now_s: float) -> None:
        """Book an attempt that brought no answer."""
        self._is_all_well = False
        self.tracker.failed(model, now_s)

    def set_replicas(self, model: str, running: int) -> None:
        self._is_all_well = False
        self.tracker.set_replicas(model, running)

    def view(self, prompt: Prompt) -> _View:
        found = self._views.get(prompt)
        if found is None:
            found = self._views[prompt] = self._seen(prompt)
        return found

    def _seen(self, prompt: Prompt) -> _View:
        tokens = np.maximum(np.rint(np.array(prompt.prompt_tokens, dtype=np.float64)), 1.0)
        buckets = np.array([self._buckets.of(int(count)) for count in tokens])
        task = prompt.task if prompt.task in self._tasks else DEFAULT_TASK
        output = np.array([known.output_tokens.get(task, DEFAULT_OUTPUT_TOKENS) for known in self._profiles])
        language = UNKNOWN_LANGUAGE if self._ablation.no_language else prompt.language
        chances = None if self.is_learning else self.chances.probabilities(prompt.task, language, buckets)
        return _View(
            task=prompt.task,
            language=language,
            tokens=tokens.astype(np.int64).tolist(),
            buckets=buckets,
            bucket_list=buckets.tolist(),
            output=output.tolist(),
            idle_s=idle_latency_s(self._speeds, prompt_tokens=tokens, output_tokens=output).tolist(),
            chances=chances,
            chance_list=[] if chances is None else chances.tolist(),
            joint=self.chances.joint(prompt.task),
        )

    def _chances(self, view: _View) -> Floats:
        if view.chances is not None:
            return view.chances
        return self.chances.probabilities(view.task, view.language, view.buckets)

    def _after(self, view: _View, failed: tuple[str, ...]) -> tuple[list[float], Joint | None]:
        """Chances after these failures and how further ones go together; the same each time, unless it learns."""
        failed = tuple(sorted(failed))
        found = view.after.get(failed)
        if found is None:
            chances = self.chances.after_failures(self._chances(view), view.task, failed).tolist()
            found = chances, self.chances.joint(view.task, failed)
            if not self.is_learning:
                view.after[failed] = found
        return found

    def _unhealthy(self, now_s: float) -> list[Exclusion | None]:
        if self._is_all_well:
            return [None] * len(self.names)
        return [None if well else Exclusion.UNHEALTHY for well in self.tracker.healthy(now_s).tolist()]


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
