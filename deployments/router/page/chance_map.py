"""What is believed of each model by language and length, with what was measured of it: the page's map."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from profiles.cell import Buckets, Cell
from profiles.chances.capability import Tables
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE, Profile

MAX_LANGUAGES = 64


class TableSource(Protocol):
    """Believes something of every model at every length."""

    def tables(self, models: Sequence[str], *, task: str, language: str) -> Tables: ...


class ChanceMap:
    """The measured counts of a profile, beside which the present chances are laid."""

    def __init__(self, profile: Profile, models: Sequence[str], buckets: Buckets) -> None:
        self._models, self._buckets = tuple(models), buckets
        self._tried: Counter[tuple[str, Cell]] = Counter()
        self._correct: Counter[tuple[str, Cell]] = Counter()
        for model in models:
            for counts in profile.models[model].cells if model in profile.models else ():
                self._tried[model, counts.cell] += counts.tried
                self._correct[model, counts.cell] += counts.correct
        cells = [cell for _, cell in self._tried]
        self.tasks = tuple(sorted({DEFAULT_TASK, *(cell.task for cell in cells)}))
        by_task: Counter[str] = Counter()
        for (_, cell), tried in self._tried.items():
            by_task[cell.task] += tried
        self.most_measured = max(self.tasks, key=lambda task: (by_task[task], task == DEFAULT_TASK))
        languages = sorted({cell.language for cell in cells if cell.language != UNKNOWN_LANGUAGE})
        self.languages = (*languages[:MAX_LANGUAGES], UNKNOWN_LANGUAGE)

    def of(self, task: str, source: TableSource) -> dict[str, Any]:
        """Every cell of one task: the chance as of now, its 95 % interval, and the prompts in the profile."""
        by_language = {
            language: source.tables(self._models, task=task, language=language) for language in self.languages
        }
        return {
            "task": task,
            "tasks": self.tasks,
            "languages": self.languages,
            "buckets": list(self._buckets.labels),
            "models": [
                {
                    "model": model,
                    "cells": [
                        self._cell(model, row, Cell(task, language, bucket), tables)
                        for language, tables in by_language.items()
                        for bucket in range(len(self._buckets))
                    ],
                }
                for row, model in enumerate(self._models)
            ],
        }

    def _cell(self, model: str, row: int, cell: Cell, tables: Tables) -> dict[str, Any]:
        at = row, cell.bucket
        return {
            "language": cell.language,
            "bucket": cell.bucket,
            "probability": round(float(tables.probability[at]), 4),
            "interval": [round(float(tables.low[at]), 4), round(float(tables.high[at]), 4)],
            "correct": self._correct[model, cell],
            "tried": self._tried[model, cell],
        }
