"""Q(m, x): the probability that a model answers a request correctly, from a profile's counts."""

from collections import defaultdict
from collections.abc import Iterable

from profiles.schema import DEFAULT_TASK, UNKNOWN_LANGUAGE, Counts, Profile

# Pseudo-prompts of prior behind every cell: 20 measured prompts outweigh it five to one, one hardly moves it.
PRIOR_STRENGTH = 4.0
# With nothing measured, a model is right about half the time: it gets tried, and is not preferred.
UNINFORMED = 0.5

_Key = tuple[str, str, int]


class Capability:
    """Smoothed probabilities per (model, task, language, bucket), exact look-ups after the first one.

    Each level is shrunk toward the one above: model -> model and task -> bucket over all languages -> cell.
    A language or task without cells is answered from the level above; the value is never 0 or 1.
    """

    def __init__(self, profile: Profile) -> None:
        self._known_languages = {c.language for m in profile.models.values() for c in m.cells}
        self._known_tasks = {c.task for m in profile.models.values() for c in m.cells}
        self._counts: dict[str, dict[tuple[object, ...], list[int]]] = {}
        for name, model in profile.models.items():
            table = self._counts[name] = defaultdict(lambda: [0, 0])
            for cell in model.cells:
                for key in _levels(cell.task, cell.language, cell.bucket):
                    _add(table[key], cell)
        self._pairs: dict[tuple[str, str, str, str, int], list[int]] = defaultdict(lambda: [0, 0])
        for pair in profile.pairs:
            _add(self._pairs[pair.failed, pair.model, pair.task, pair.language, pair.bucket], pair)
        self._memo: dict[str, dict[_Key, float]] = {name: {} for name in profile.models}

    def probability(self, model: str, *, task: str, language: str, bucket: int) -> float:
        """The chance in (0, 1) that `model` answers such a request correctly at the first attempt."""
        key = (*self.known(task, language), bucket)
        memo = self._memo.get(model)
        if memo is None:
            return UNINFORMED
        value = memo.get(key)
        if value is None:
            value = memo[key] = self._smoothed(self._counts[model], key)
        return value

    def after_failures(
        self,
        model: str,
        failed: Iterable[str],
        *,
        task: str,
        language: str,
        bucket: int,
        marginal: float | None = None,
    ) -> float:
        """The same chance, given that the `failed` models were wrong on this very request.

        Paired counts shrunk toward the unconditional value; of several failed models the most telling counts
        (the lowest value), since models that fail together share what makes the request hard. `marginal` is the
        unconditional value where something better than these counts tells it.
        """
        if marginal is None:
            marginal = self.probability(model, task=task, language=language, bucket=bucket)
        key = (*self.known(task, language), bucket)
        values = [marginal]
        for other in failed:
            counts = self._pairs.get((other, model, *key))
            if counts:
                values.append(_shrink(counts, marginal))
        return min(values)

    def known(self, task: str, language: str) -> tuple[str, str]:
        """The task and language as the profile knows them, so that there are only so many."""
        return (
            task if task in self._known_tasks else DEFAULT_TASK,
            language if language in self._known_languages else UNKNOWN_LANGUAGE,
        )

    @staticmethod
    def _smoothed(table: dict[tuple[object, ...], list[int]], key: _Key) -> float:
        value = UNINFORMED
        for level in _levels(*key):
            value = _shrink(table.get(level, [0, 0]), value)
        return value


def _levels(task: str, language: str, bucket: int) -> tuple[tuple[object, ...], ...]:
    return (), (task,), (task, bucket), (task, language, bucket)


def _add(total: list[int], counts: Counts) -> None:
    total[0] += counts.correct
    total[1] += counts.tried


def _shrink(counts: list[int], prior: float) -> float:
    correct, tried = counts
    return (correct + PRIOR_STRENGTH * prior) / (tried + PRIOR_STRENGTH)
