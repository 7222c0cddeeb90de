"""What a person sees while models are measured, and at the end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from profiles.chances.intervals import wilson
from profiles.profile import Profile
from scripts.profile.measuring.journal import Entry
from scripts.profile.measuring.plan import Case, PromptKind


class Display:
    """A bar for each model over a table of what was found; without a terminal, a line for every tenth part."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._bars: dict[str, TaskID] = {}
        self._counts: dict[PromptKind, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        # renders at once
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._live.stop()

    def expect(self, model: str, more: int) -> None:
        """Adds this many questions to a model's."""
        bar = self._bars.get(model)
        if bar is None:
            self._bars[model] = self._progress.add_task(model, total=more)
        else:
            self._progress.update(bar, total=(self._task(model).total or 0) + more)

    def done(self, case: Case, outcome: Entry) -> None:
        if outcome.record is not None:
            count = self._counts[case.kind][case.model]
            count[0] += outcome.record.correct
            count[1] += 1
        self._progress.advance(self._bars[case.model])
        task = self._task(case.model)
        total, completed = int(task.total or 0), int(task.completed)
        if not self._console.is_terminal and completed % max(1, total // 10) == 0:
            self._console.print(f"{case.model}: {completed} of {total}")

    def _task(self, model: str) -> Task:
        return self._progress.tasks[list(self._bars).index(model)]

    def _render(self) -> RenderableType:
        return Group(live_table(self._counts, list(self._bars)), self._progress)


def live_table(counts: Mapping[PromptKind, Mapping[str, Sequence[int]]], models: Sequence[str]) -> Table:
    """What each model got right so far; lengths are the intended ones."""
    table = Table("task", "language", "tokens", *models, title="correct / tried, 95 % interval")
    for cell in sorted(counts):
        shown = [share(*counts[cell][model]) if model in counts[cell] else "-" for model in models]
        table.add_row(cell.task, cell.language, str(cell.target_tokens), *shown)
    return table


def profile_table(profile: Profile) -> Table:
    """The cells of a profile, as measured."""
    table = Table("task", "language", "tokens", *profile.models, title="correct / tried, 95 % interval")
    found = {
        (cell.task, cell.language, cell.bucket, name): cell
        for name, model in profile.models.items()
        for cell in model.cells
    }
    for task, language, bucket in sorted({key[:3] for key in found}):
        cells = [found.get((task, language, bucket, name)) for name in profile.models]
        shown = [share(cell.correct, cell.tried) if cell else "-" for cell in cells]
        table.add_row(task, language, profile.buckets.label(bucket), *shown)
    return table


def share(correct: int, tried: int) -> str:
    low, high = wilson(correct, tried)
    return f"{correct}/{tried}  {low:.2f}-{high:.2f}"


def reasons(left_out: Mapping[str, int]) -> Iterable[str]:
    for reason, count in sorted(left_out.items()):
        yield f"left out: {count} {reason}"
