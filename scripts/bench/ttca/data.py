"""The raw data of `laar bench ttca`: what every policy did for every prompt, and every model's answer to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record
from scripts.bench.estimates.read_measurements import read_records, uncompressed
from scripts.bench.ttca.file import RESUMED

OUTCOMES, TRIALS, BEFORE = "outcomes.jsonl", "trials.jsonl", "before.jsonl"
LAAR = "laar"
NEEDED_PARAMETERS = ("policies", "cap", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPrompt:
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
class ComparedTrials:
    """LAAR's prompts, by id, as far as all models answered them, and what every policy did with those it tried too.

    `trials` has each policy's trials in the order of `prompts`, LAAR's for all of them; a policy without any is not
    there. `before` are trials of some of these that were served once more, earlier, and are compared with nothing else.
    """

    parameters: Mapping[str, Any]
    models: tuple[str, ...]
    prompts: tuple[AskedPrompt, ...]
    trials: Mapping[str, tuple[Trial, ...]]
    tried_by_any: int
    tried_by_laar: int
    before: Mapping[str, tuple[Trial, ...]] = field(default_factory=dict)

    @property
    def whole(self) -> list[str]:
        """The policies that tried every prompt."""
        return [name for name, trials in self.trials.items() if len(trials) == len(self.prompts)]

    @property
    def missing(self) -> dict[str, Any]:
        """What was planned or tried, and is not compared."""
        return {
            "policies_without_trials": [name for name in self.parameters["policies"] if name not in self.trials],
            "prompts_tried_by_any": self.tried_by_any,
            "prompts_not_tried_by_laar": self.tried_by_any - self.tried_by_laar,
            "prompts_without_every_models_answer": self.tried_by_laar - len(self.prompts),
        }


def read_compared(folder: Path) -> ComparedTrials:
    """Everything that `folder` holds, as far as it can be compared; of a file and its compressed copy the file."""
    parameters, trials = read_trials(raw(folder, TRIALS))
    found = compare(parameters, trials, read_records(raw(folder, OUTCOMES)))
    earlier = _by_policy(_read_before(folder))
    return replace(found, before={name: tuple(of.values()) for name, of in earlier.items()})


def read_trials(path: Path) -> tuple[dict[str, Any], list[Trial]]:
    """What the first line says of the run, its environment included, and all trials; ValueError names a wrong line.

    The environments in which it was gone on with are under `resumed`.
    """
    lines = uncompressed(path).splitlines()
    head = _head(path, lines)
    trials = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            if line.startswith(RESUMED.encode()):
                head["resumed"].append(msgspec.json.decode(line, type=dict[str, Any])["resumed"])
            else:
                trials.append(msgspec.json.decode(line, type=Trial))
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not trials:
        raise ValueError(f"{path} has no trials")
    return head, trials


def _read_before(folder: Path) -> list[Trial]:
    """What was served once more, earlier; nothing where the folder has no such file."""
    return read_trials(raw(folder, BEFORE))[1] if _paths(folder, BEFORE) else []


def compare(parameters: Mapping[str, Any], trials: Sequence[Trial], records: Sequence[Record]) -> ComparedTrials:
    """What LAAR tried beside what others tried of it, policies as the run names them; ValueError without LAAR."""
    found = _by_policy(trials)
    if LAAR not in found:
        raise ValueError(f"no trials of '{LAAR}', beside which others are put; there are those of {sorted(found)}")
    ours = found[LAAR]
    models, answers = _answers(records)
    known = sorted(prompt_id for prompt_id in ours if len(answers.get(prompt_id, {})) == len(models))
    shared = {
        name: tuple(found[name][prompt_id] for prompt_id in known if prompt_id in found[name])
        for name in dict.fromkeys([*parameters["policies"], *found])
        if name in found
    }
    return ComparedTrials(
        parameters=parameters,
        models=models,
        prompts=tuple(_prompt(ours[prompt_id], answers[prompt_id]) for prompt_id in known),
        trials={name: of for name, of in shared.items() if of},
        tried_by_any=len(set().union(*found.values())),
        tried_by_laar=len(ours),
    )


def raw(folder: Path, name: str) -> Path:
    """The file of raw data, or its compressed copy where there is only that."""
    if found := _paths(folder, name):
        return found[0]
    raise ValueError(f"{folder} has neither {name} nor {name}.gz")


def _paths(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / name, folder / f"{name}.gz") if path.exists()]


def _head(path: Path, lines: Sequence[bytes]) -> dict[str, Any]:
    head = msgspec.json.decode(lines[0], type=dict[str, Any]) if lines else {}
    if head.get("laar_ttca") != 1:
        raise ValueError(f"{path} does not begin with a line of version 1 of laar_ttca, but {head.get('laar_ttca')!r}")
    parameters = {**head.get("parameters", {}), "environment": head.get("environment", {}), "resumed": []}
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


def _prompt(trial: Trial, answers: Mapping[str, Record]) -> AskedPrompt:
    return AskedPrompt(
        id=trial.prompt_id,
        task=trial.task,
        language=trial.language,
        target_tokens=trial.target_tokens,
        answers=answers,
    )
