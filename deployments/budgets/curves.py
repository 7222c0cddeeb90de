"""Which of a model's thinking curves a request falls under."""

from collections.abc import Sequence

from profiles.cell import Cell
from profiles.profile import DEFAULT_TASK, ThinkingCurve

Key = tuple[str, str | None, int | None]


class Curves:
    """A model's curves; each is one type of the budget problem, since what shares a curve gets the same budget."""

    def __init__(self, curves: Sequence[ThinkingCurve]) -> None:
        self.all = tuple(curves)
        self._index = {curve.key: index for index, curve in enumerate(self.all)}
        self._tasks, self._languages, self._buckets = ({curve.key[part] for curve in self.all} for part in range(3))
        self._found: dict[Key, int | None] = {}

    def find(self, cell: Cell) -> int | None:
        """The index of the most specific curve, or None; a memo of bounded size, as unknown names fall together.

        The task counts more than the language and this more than the bucket; a task without curves of its own is
        answered by those of the default task.
        """
        key: Key = (
            cell.task if cell.task in self._tasks else DEFAULT_TASK,
            cell.language if cell.language in self._languages else None,
            cell.bucket if cell.bucket in self._buckets else None,
        )
        if key not in self._found:
            self._found[key] = self.nearest(key)
        return self._found[key]

    def nearest(self, key: Key) -> int | None:
        """The index of the curve with this key, else of the most specific one that is wider, or None."""
        return next((self._index[k] for k in _wider(key) if k in self._index), None)


def _wider(key: Key) -> list[Key]:
    task, language, bucket = key
    return [
        (t, *rest)
        for t in (task, DEFAULT_TASK)
        for rest in ((language, bucket), (language, None), (None, bucket), (None, None))
    ]
