"""The raw data of `laar bench ttca`: what every policy did for every prompt, and every model's answer to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from profiles.record import Record
from profiles.trial import Trial
from scripts.bench.recorded import read_records, uncompressed

OUTCOMES, TRIALS = "outcomes.jsonl", "trials.jsonl"
LAAR = "laar"
# A policy that was stopped earlier is left out, so that it does not cost all others their prompts.
LEAST_SHARE = 0.5
NEEDED_PARAMETERS = ("policies", "cap", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is known of a prompt beforehand, and how every model answered it."""

    id: str
    task: str
    language: str
    target_tokens: int
    answers: Mapping[str, Record]

    @property
    def cell(self) -> tuple[str, str, int]:
        """The features that a policy can know, each as the workload set it."""
        return self.task, self.language, self.target_tokens

    @property
    def is_answerable(self) -> bool:
        return any(record.correct for record in self.answers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Policies on prompts that all of them tried once and all models answered, and what that leaves out.

    `trials` has each policy's trials in the order of `prompts`; `incomplete` says how many prompts each policy
    tried that tried too few.
    """

    parameters: Mapping[str, Any]
    models: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    trials: Mapping[str, tuple[Trial, ...]]
    incomplete: Mapping[str, int]
    prompts_tried: int
    without_outcomes: int

    @property
    def missing(self) -> dict[str, Any]:
        """What was planned or tried, and is not compared."""
        return {
            "incomplete_policies": dict(self.incomplete),
            "prompts_tried_by_any": self.prompts_tried,
            "prompts_not_tried_by_all": self.prompts_tried - len(self.prompts) - self.without_outcomes,
            "prompts_without_every_models_answer": self.without_outcomes,
        }


def read_compared(folder: Path) -> Compared:
    """Everything that `folder` holds, as far as it can be compared; of a file and its compressed copy the file."""
    parameters, trials = read_trials(raw(folder, TRIALS))
    return compare(parameters, trials, read_records(raw(folder, OUTCOMES)))


def read_trials(path: Path) -> tuple[dict[str, Any], list[Trial]]:
    """What the first line says of the run, its environment included, and all trials; ValueError names a wrong line."""
    lines = uncompressed(path).splitlines()
    head = _head(path, lines)
    trials = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            trials.append(msgspec.json.decode(line, type=Trial))
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not trials:
        raise ValueError(f"{path} has no trials")
    return head, trials


def compare(parameters: Mapping[str, Any], trials: Sequence[Trial], records: Sequence[Record]) -> Compared:
    """The prompts that every policy with most of them tried, where each model's answer is known, by id."""
    found = _by_policy(trials)
    tried = set().union(*found.values())
    planned = [*found, *(name for name in parameters["policies"] if name not in found)]
    incomplete = {
        name: len(found.get(name, {})) for name in planned if len(found.get(name, {})) < LEAST_SHARE * len(tried)
    }
    complete = {name: by_prompt for name, by_prompt in found.items() if name not in incomplete}
    if not complete:
        raise ValueError(f"no policy tried {LEAST_SHARE:.0%} of the {len(tried)} prompts: {incomplete}")
    by_all = set.intersection(*(set(by_prompt) for by_prompt in complete.values()))
    models, answers = _answers(records)
    known = sorted(prompt_id for prompt_id in by_all if len(answers.get(prompt_id, {})) == len(models))
    one = next(iter(complete.values()))
    return Compared(
        parameters=parameters,
        models=models,
        prompts=tuple(_prompt(one[prompt_id], answers[prompt_id]) for prompt_id in known),
        trials={name: tuple(by_prompt[prompt_id] for prompt_id in known) for name, by_prompt in complete.items()},
        incomplete=incomplete,
        prompts_tried=len(tried),
        without_outcomes=len(by_all) - len(known),
    )


def raw(folder: Path, name: str) -> Path:
    """The file of raw data, or its compressed copy where there is only that."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.exists()]
    if not found:
        raise ValueError(f"{folder} has neither {name} nor {name}.gz")
    return found[0]


def _head(path: Path, lines: Sequence[bytes]) -> dict[str, Any]:
    head = msgspec.json.decode(lines[0], type=dict[str, Any]) if lines else {}
    if head.get("laar_ttca") != 1:
        raise ValueError(f"{path} does not begin with a line of version 1 of laar_ttca, but {head.get('laar_ttca')!r}")
    parameters = {**head.get("parameters", {}), "environment": head.get("environment", {})}
    if missing := [name for name in NEEDED_PARAMETERS if name not in parameters]:
        raise ValueError(f"{path}, line 1: no parameter {missing}; there are {sorted(parameters)}")
    return parameters


def _by_policy(trials: Iterable[Trial]) -> dict[str, dict[str, Trial]]:
    found: dict[str, dict[str, Trial]] = defaultdict(dict)
    for trial in trials:
        if trial.prompt_id in found[trial.policy]:
            raise ValueError(f"policy '{trial.policy}' tried prompt '{trial.prompt_id}' twice; once is allowed")
        found[trial.policy][trial.prompt_id] = trial
    return dict(found)


def _answers(records: Iterable[Record]) -> tuple[tuple[str, ...], dict[str, dict[str, Record]]]:
    """All models, and what they answered to each prompt; of several answers the last, as a journal replaces them."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in records:
        found[record.prompt_id][record.model] = record
    return tuple(sorted({model for answers in found.values() for model in answers})), found


def _prompt(trial: Trial, answers: Mapping[str, Record]) -> Prompt:
    return Prompt(
        id=trial.prompt_id,
        task=trial.task,
        language=trial.language,
        target_tokens=trial.target_tokens,
        answers=answers,
    )
