"""Q(m, x): the probability that a model answers a request correctly, as estimated from a profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logit

from profiles.cell import Cell
from profiles.chances.estimator import CellGrid, CountArrays, estimate
from profiles.chances.joint import Pairs, burdens, prompt_variance
from profiles.chances.logistic import Floats
from profiles.profile import DEFAULT_TASK, PairCounts, Profile

# The key of every task and every language that has no figures; none is spelt so.
UNSEEN = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A chance in (0, 1) and the 95 % interval of it; `is_extrapolated` if no such length was measured."""

    probability: float
    low: float
    high: float
    is_extrapolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The same of several models over all buckets, shape (models, buckets)."""

    probability: Floats
    low: Floats
    high: Floats


class Capability:
    """Estimates for any model, task, language and bucket; fitted once, then look-ups.

    A model, task or language without figures is taken for one more of its kind: the mean of the others within a
    wide interval.
    """

    def __init__(self, profile: Profile) -> None:
        cells = [(name, cell) for name, model in profile.models.items() for cell in model.cells if cell.tried]
        self._models = _numbered(sorted({name for name, _ in cells}))
        self._tasks = _numbered(sorted({cell.task for _, cell in cells}))
        self._languages = _numbered(sorted({cell.language for _, cell in cells}))
        self.num_buckets = len(profile.bucket_edges) + 1
        shape = (len(self._models), len(self._tasks), len(self._languages), self.num_buckets)
        correct, tried = np.zeros(shape), np.zeros(shape)
        for name, cell in cells:
            place = self._cell(name, cell.cell)
            correct[place] += cell.correct
            tried[place] += cell.tried
        cells_of_pairs, places = self._paired(profile.pairs)
        pairs = self._pairs(cells_of_pairs, places)
        variance = _prompt_variance(pairs, places, correct, tried)
        counts = CountArrays(correct=correct, tried=tried, edges=profile.bucket_edges, prompt_variance=variance)
        self._grid: CellGrid = estimate(counts)
        pairs = replace(pairs, log_odds=logit(np.array([self._grid.probability[place] for place in places])))
        self._has_pairs = bool(pairs.tried.sum())
        self._burdens = burdens(pairs, num_models=len(self._models), num_tasks=len(self._tasks))

    def probability(self, model: str, cell: Cell) -> float:
        """The chance in (0, 1) that `model` answers such a request correctly at the first attempt."""
        return float(self._grid.probability[self._cell(model, cell)])

    def estimate(self, model: str, cell: Cell) -> Estimate:
        """The same chance with what is known of its certainty."""
        place, grid = self._cell(model, cell), self._grid
        return Estimate(
            probability=float(grid.probability[place]),
            low=float(grid.low[place]),
            high=float(grid.high[place]),
            is_extrapolated=bool(grid.is_extrapolated[place]),
        )

    def tables(self, models: Sequence[str], *, task: str, language: str) -> Tables:
        """Estimates of all these models at every length."""
        rows = [self._models.get(name, len(self._models)) for name in models]
        place = (rows, *self._place("", task, language)[1:])
        return Tables(probability=self._grid.probability[place], low=self._grid.low[place], high=self._grid.high[place])

    def burdens(self, models: Sequence[str], *, task: str) -> Floats:
        """What a wrong answer of each model (rows) weighs against each (columns), as `joint.after` takes it.

        Nothing is known to speak against a model that no pair was measured of.
        """
        rows = np.array([self._models.get(name, -1) for name in models])
        found = self._burdens[self._place("", task, "")[1]][np.ix_(rows, rows)] if self._models else 0.0
        return np.where((rows >= 0)[:, None] & (rows >= 0), found, 0.0)

    def has_pairs(self, models: Iterable[str]) -> bool:
        """Whether it was measured how failures go together, and these models have figures."""
        return self._has_pairs and all(model in self._models for model in models)

    def known(self, task: str, language: str) -> tuple[str, str]:
        """The task and language as the profile knows them, which bounds their number."""
        if task not in self._tasks:
            task = DEFAULT_TASK if DEFAULT_TASK in self._tasks else UNSEEN
        return task, language if language in self._languages else UNSEEN

    def _cell(self, model: str, cell: Cell) -> tuple[int, int, int, int]:
        return (*self._place(model, cell.task, cell.language), cell.bucket)

    def _place(self, model: str, task: str, language: str) -> tuple[int, int, int]:
        task, language = self.known(task, language)
        return (
            self._models.get(model, len(self._models)),
            self._tasks.get(task, len(self._tasks)),
            self._languages.get(language, len(self._languages)),
        )

    def _paired(self, cells: Sequence[PairCounts]) -> tuple[list[PairCounts], list[tuple[int, int, int, int]]]:
        """Paired outcomes of models and tasks that have figures of their own, and the second models' cells."""
        cells = [c for c in cells if c.tried and c.task in self._tasks and {c.failed, c.model} <= self._models.keys()]
        return cells, [self._cell(pair.model, pair.cell) for pair in cells]

    def _pairs(self, cells: Sequence[PairCounts], places: Sequence[tuple[int, int, int, int]]) -> Pairs:
        """The same as arrays; the chances beside which they are weighed are not known yet."""
        return Pairs(
            failed=np.array([self._models[cell.failed] for cell in cells], dtype=np.intp),
            model=np.array([place[0] for place in places], dtype=np.intp),
            task=np.array([place[1] for place in places], dtype=np.intp),
            log_odds=np.zeros(len(cells)),
            correct=np.array([cell.correct for cell in cells], dtype=np.float64),
            tried=np.array([cell.tried for cell in cells], dtype=np.float64),
        )


def _prompt_variance(
    pairs: Pairs, places: Sequence[tuple[int, int, int, int]], correct: Floats, tried: Floats
) -> float:
    """How hard and how easy prompts are, by the pairs in those cells that have counts."""
    if not places:
        return 0.0
    _, task, language, bucket = np.array(places, dtype=np.intp).T
    is_counted = language < tried.shape[2]
    cell = (task, np.where(is_counted, language, 0), bucket)
    asked = [np.where(is_counted, tried[(models, *cell)], 0.0) for models in (pairs.failed, pairs.model)]
    rates = [
        correct[(models, *cell)] / np.maximum(tried[(models, *cell)], 1.0) for models in (pairs.failed, pairs.model)
    ]
    return prompt_variance(pairs, failed_rate=rates[0], model_rate=rates[1], prompts=np.minimum(*asked))


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}
