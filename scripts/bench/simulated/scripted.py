"""Requests whose attempts are given beforehand, so that only the engines are simulated and no choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deployments.router.attempt.tries import Tries
from deployments.router.choice.policy import Candidate, ChoiceReason, Decision
from profiles.measures.trial import Trial, TrialAttempt
from profiles.measuring.measurement import Record
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One attempt as it was: how much a model read and wrote."""

    model: str
    prompt_tokens: int
    output_tokens: float
    correct: bool


Script = tuple[Step, ...]


class ScriptedRouter:
    """Asks the models that the script names; a request's session is its number."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._scripts = scripts

    def choose(
        self, prompt: SimulatedPrompt, log: Tries | None, *, session: str, turn: int, now_s: float
    ) -> Decision | None:
        done = len(log.attempts) if log is not None else 0
        script = self._scripts[int(session)]
        if done == len(script):
            return None
        chosen = Candidate(script[done].model, 0.5, 0.0, 0.0, script[done].prompt_tokens, 0, 0)
        return Decision(chosen=chosen, reason=ChoiceReason.NAMED)

    def started(self, chosen: Candidate) -> None: ...

    def finished(self, chosen: Candidate) -> None: ...

    def answered(self, prompt: SimulatedPrompt, chosen: Candidate, log: Tries | None, *, correct: bool) -> None: ...

    def broke(self, model: str, now_s: float) -> None: ...

    def set_replicas(self, model: str, running: int) -> None: ...


class ScriptedTruth:
    def __init__(self, scripts: Sequence[Script], models: Sequence[str]) -> None:
        self._right = [{step.model: step.correct for step in script} for script in scripts]
        self._models = models

    def is_right(self, request: int, prompt: SimulatedPrompt, model: int) -> bool:
        return self._right[request][self._models[model]]


def play(cluster: Cluster, scripts: Sequence[Script], *, clients: int) -> Results:
    """Run the scripts in order in a closed loop, every attempt kept; chance has a part only among several replicas."""
    prompts = [_prompt(str(index), script, cluster.models) for index, script in enumerate(scripts)]
    order = np.arange(len(scripts))
    sessions = [prompt.id for prompt in prompts]
    traffic = Traffic(prompts=prompts, order=order, clients=clients, sessions=sessions)
    cap = max(len(script) for script in scripts) + 1
    truth = ScriptedTruth(scripts, cluster.models)
    router = ScriptedRouter(scripts)
    return Simulation(cluster, router, traffic, truth, loop="server", cap=cap, seed=0, keeps_tries=True).run()


def shaken(scripts: Sequence[Script], by: float, seed: int) -> list[Script]:
    """The same with every answer a little longer or shorter, so that requests meet otherwise."""
    rng = np.random.default_rng(seed)
    factors = np.exp(by * rng.standard_normal(sum(map(len, scripts))))
    longer = iter(factors.tolist())
    return [
        tuple(replace(step, output_tokens=step.output_tokens * next(longer)) for step in script) for script in scripts
    ]


def of_trials(trials: Sequence[Trial], records: Sequence[Record]) -> list[Script]:
    """What the trials' attempts were; where one does not tell its tokens, a record must, or ValueError is raised."""
    known = {(r.prompt_id, r.model): r for r in records}
    return [tuple(_step(trial.prompt_id, made, known) for made in trial.tries) for trial in trials]


def _step(prompt_id: str, made: TrialAttempt, known: Mapping[tuple[str, str], Record]) -> Step:
    if made.prompt_tokens > 0 and made.output_tokens > 0:
        read, wrote = made.prompt_tokens, made.output_tokens
    elif (record := known.get((prompt_id, made.model))) is not None:
        read, wrote = record.prompt_tokens, record.output_tokens
    else:
        raise ValueError(f"no trial and no record says how many tokens '{made.model}' had for prompt '{prompt_id}'")
    return Step(model=made.model, prompt_tokens=read, output_tokens=wrote, correct=made.correct)


def _prompt(name: str, script: Script, models: Sequence[str]) -> SimulatedPrompt:
    by_model = {step.model: step for step in script}

    def tokens(field: str) -> tuple[float, ...]:
        return tuple(float(getattr(by_model[m], field)) if m in by_model else 1.0 for m in models)

    return SimulatedPrompt(
        id=name,
        task="scripted",
        language="unknown",
        prompt_tokens=tokens("prompt_tokens"),
        output_tokens=tokens("output_tokens"),
    )
