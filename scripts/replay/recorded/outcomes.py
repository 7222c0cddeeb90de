"""Recorded outcomes: what many models answered to the same prompts, read from a folder of three tables."""

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profiles.arrays import Floats
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

PROMPTS, MODELS, OUTCOMES = "prompts.csv", "models.csv", "outcomes.csv"
# A score between wrong and right counts as right from here on.
RIGHT_FROM = 0.5
CHARS_PER_TOKEN = 4.0
# A note with this word marks an endpoint that no one would put into production.
RESEARCH = "research"
MAX_FIELD_CHARS = 4 << 20


class RecordedError(ValueError):
    """A folder that cannot be replayed; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedOutcomes:
    """Answers of models (rows) to prompts (columns); NaN where none was recorded.

    `groups` names the question of a prompt, which siblings in other languages or lengths share. `families` names the
    model that a row is a mode of. `texts` are empty where the recording has none.
    """

    name: str
    models: tuple[str, ...]
    families: tuple[str, ...]
    is_research: Bools
    prompts: tuple[str, ...]
    groups: tuple[str, ...]
    tasks: tuple[str, ...]
    languages: tuple[str, ...]
    texts: tuple[str, ...]
    prompt_tokens: Floats
    correct: Floats
    latency_s: Floats
    output_tokens: Floats
    cost_usd: Floats
    notes: tuple[str, ...] = ()

    def of_prompts(self, chosen: Ints) -> "RecordedOutcomes":
        """The same models on some of the prompts."""
        kept: dict[str, Any] = {name: tuple(getattr(self, name)[i] for i in chosen) for name in _BY_PROMPT}
        kept |= {name: getattr(self, name)[:, chosen] for name in _BY_BOTH}
        return replace(self, prompt_tokens=self.prompt_tokens[chosen], **kept)

    def of_models(self, names: Sequence[str]) -> "RecordedOutcomes":
        """Some of the models on the same prompts."""
        rows = np.array([self.models.index(name) for name in names], dtype=np.intp)
        return replace(
            self,
            models=tuple(names),
            families=tuple(self.families[row] for row in rows),
            is_research=self.is_research[rows],
            **dict[str, Any]({name: getattr(self, name)[rows] for name in _BY_BOTH}),
        )


_BY_PROMPT = ("prompts", "groups", "tasks", "languages", "texts")
_BY_BOTH = ("correct", "latency_s", "output_tokens", "cost_usd")


def read_outcomes(folder: Path) -> RecordedOutcomes:
    """The tables of a folder, each plain or gzipped; RecordedError names what cannot be read."""
    prompts = {_needed(row, "prompt_id", PROMPTS): row for row in _rows(folder, PROMPTS)}
    models = {_needed(row, "model", MODELS): row for row in _rows(folder, MODELS)}
    if not prompts or len(models) < 2:
        raise RecordedError(f"{folder}: {len(prompts)} prompts and {len(models)} models; at least 1 and 2 are needed")
    columns, rows = ({name: i for i, name in enumerate(table)} for table in (prompts, models))
    arrays = {name: np.full((len(models), len(prompts)), np.nan) for name in _BY_BOTH}
    num_graded = 0
    for line in _rows(folder, OUTCOMES):
        row, column = rows.get(line["model"]), columns.get(line["prompt_id"])
        if row is None or column is None:
            raise RecordedError(
                f"{folder / OUTCOMES}: '{line['model']}' on '{line['prompt_id']}' is not in the other two tables"
            )
        score = _number(line.get("hit") or line.get("correct"))
        num_graded += 0 < score < 1
        arrays["correct"][row, column] = score if np.isnan(score) else float(score >= RIGHT_FROM)
        for name in _BY_BOTH[1:]:
            arrays[name][row, column] = _number(line.get(name))
    tokens, how = _lengths(list(prompts.values()))
    notes = [how] if how else []
    if num_graded:
        notes.append(f"{num_graded} answers have a score between 0 and 1; from {RIGHT_FROM} on they count as right")
    if not np.isfinite(arrays["correct"]).any():
        raise RecordedError(f"{folder / OUTCOMES}: no answer is marked right or wrong in the column 'correct'")
    return RecordedOutcomes(
        name=folder.resolve().name,
        models=tuple(models),
        families=tuple(row.get("base_model") or name for name, row in models.items()),
        is_research=np.array([RESEARCH in (row.get("notes") or "").lower() for row in models.values()]),
        prompts=tuple(prompts),
        groups=tuple(row.get("base") or name for name, row in prompts.items()),
        tasks=tuple(row.get("task") or DEFAULT_TASK for row in prompts.values()),
        languages=tuple(row.get("language") or UNKNOWN_LANGUAGE for row in prompts.values()),
        texts=tuple(row.get("text") or "" for row in prompts.values()),
        prompt_tokens=tokens,
        notes=tuple(notes),
        **arrays,
    )


def split_by_question(recorded: RecordedOutcomes, seed: int) -> tuple[RecordedOutcomes, RecordedOutcomes]:
    """Two halves, one to fit to and one to judge; all prompts of a question lie in the same half."""
    is_fitted = np.array([_digest(f"{seed}:{group}") % 2 == 0 for group in recorded.groups])
    fitted, judged = np.flatnonzero(is_fitted), np.flatnonzero(~is_fitted)
    if not len(fitted) or not len(judged):
        raise RecordedError(f"{recorded.name}: {len(recorded.prompts)} prompts are too few to be cut into two halves")
    return recorded.of_prompts(fitted), recorded.of_prompts(judged)


def at_most(recorded: RecordedOutcomes, count: int, seed: int) -> RecordedOutcomes:
    """This many prompts, drawn at random; all of them if there are fewer."""
    if len(recorded.prompts) <= count:
        return recorded
    order = sorted(range(len(recorded.prompts)), key=lambda i: (_digest(f"{seed}#{recorded.prompts[i]}"), i))
    return recorded.of_prompts(np.sort(np.array(order[:count], dtype=np.intp)))


def _lengths(prompts: Sequence[Mapping[str, str]]) -> tuple[Floats, str]:
    """Prompt tokens, and how they came about where they were not counted."""
    for column, divisor, how in (
        ("prompt_tokens", 1.0, ""),
        ("nominal_tokens", 1.0, "prompt lengths are nominal, not counted"),
        ("prompt_chars", CHARS_PER_TOKEN, f"prompt lengths are characters over {CHARS_PER_TOKEN:g}, not counted"),
    ):
        found = np.array([_number(row.get(column)) for row in prompts]) / divisor
        if np.isfinite(found).mean() > 0.5:
            return np.where(np.isfinite(found), found, np.nanmedian(found)), how
    return np.ones(len(prompts)), "prompt lengths are not recorded; all prompts count as equally long"


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise RecordedError(f"{folder}: there is neither {name} nor {name}.gz")
    csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        with path.open("rb") as raw:
            text = TextIOWrapper(gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw, newline="")
            yield from csv.DictReader(text)
    except (csv.Error, UnicodeError, gzip.BadGzipFile, EOFError) as error:
        raise RecordedError(f"{path}: {error}") from error


def _needed(row: Mapping[str, str], column: str, table: str) -> str:
    value = row.get(column)
    if not value:
        raise RecordedError(f"{table}: a row has no '{column}'; its columns: {', '.join(map(str, row))}")
    return value


def _number(text: str | None) -> float:
    try:
        found = float(text) if text else float("nan")
    except ValueError:
        raise RecordedError(f"'{str(text)[:64]}' stands where a number is expected") from None
    return found if np.isfinite(found) else float("nan")


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
