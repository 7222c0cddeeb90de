"""Where every planned prompt went; the sums are checked, not trusted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from profiles.measuring.fitting import standing
from profiles.profile import Profile
from scripts.profile.measuring.journal import MeasurementJournal, Result
from scripts.profile.measuring.plan import Case


class AccountError(Exception):
    """Prompts are missing or counted twice: an error of the profiler, and no result to be used."""


@dataclass(slots=True, kw_only=True)
class AccountRow:
    """The prompts of one model, task, language, intended length and budget.

    `measured` were answered now, `resumed` by an earlier run; `left_out` counts by reason what brought no answer, and
    `outstanding` is what was not asked because the run ended before.
    """

    model: str
    task: str
    language: str
    target_tokens: int
    thinking_tokens: int | None
    planned: int = 0
    measured: int = 0
    resumed: int = 0
    outstanding: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened to the prompts of one model in this run, counted as it happened."""

    model: str
    num_prompts: int
    answered: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def is_untried(self) -> bool:
        return self.answered == self.refused == self.failed == 0

    def add(self, result: Result) -> None:
        self.answered += result is Result.ANSWERED
        self.refused += result is Result.REFUSED
        self.failed += result is Result.FAILED

    def __str__(self) -> str:
        return f"{self.model}: {self.failed} of {self.num_prompts} prompts failed twice"


def account(cases: Iterable[Case], journal: MeasurementJournal) -> list[AccountRow]:
    rows: dict[tuple[object, ...], AccountRow] = {}
    for case in cases:
        key = (case.model, *case.kind, case.thinking_tokens)
        task, language, tokens = case.kind
        row = rows.setdefault(
            key,
            AccountRow(
                model=case.model,
                task=task,
                language=language,
                target_tokens=tokens,
                thinking_tokens=case.thinking_tokens,
            ),
        )
        row.planned += 1
        outcome = journal.outcomes.get(case.key)
        if outcome is None:
            row.outstanding += 1
        elif outcome.result is not Result.ANSWERED:
            row.left_out[f"{outcome.result}: {outcome.reason}"] += 1
        elif case.key in journal.resumed:
            row.resumed += 1
        else:
            row.measured += 1
    return list(rows.values())


def total(rows: Sequence[AccountRow]) -> dict[str, Any]:
    left_out: Counter[str] = Counter()
    for row in rows:
        left_out += row.left_out
    sums = {name: sum(getattr(r, name) for r in rows) for name in ("planned", "measured", "resumed", "outstanding")}
    return sums | {"left_out": dict(left_out)}


def check_account(
    rows: Sequence[AccountRow], tallies: Iterable[Tally], journal: MeasurementJournal, profile: Profile | None
) -> None:
    """Raises AccountError unless all sums agree, with each other and with what was counted on the way."""
    for row in rows:
        parts = row.measured + row.resumed + row.outstanding + row.left_out.total()
        _agree(f"planned prompts of {row.model}", row.planned, parts)
    seen = list(tallies)
    now = Counter({tally.model: tally.answered for tally in seen})
    for model, answered in _by_model(rows).items():
        _agree(f"answers of {model} in this run", now[model], answered)
    answered_keys = [k for k, outcome in journal.outcomes.items() if outcome.result is Result.ANSWERED]
    sums = total(rows)
    _agree("answers in the journal", len(answered_keys), sums["measured"] + sums["resumed"])
    left_out = len(journal.outcomes) - len(answered_keys)
    _agree("prompts left out in the journal", left_out, sum(sums["left_out"].values()))
    if profile is not None:
        records = [outcome.record for outcome in journal.outcomes.values() if outcome.record is not None]
        counted = sum(cell.tried for model in profile.models.values() for cell in model.cells)
        _agree("answers in the profile's cells", counted, len(standing(records)))


def as_dict(row: AccountRow) -> dict[str, Any]:
    return asdict(row) | {"left_out": dict(row.left_out)}


def _by_model(rows: Iterable[AccountRow]) -> dict[str, int]:
    answered: dict[str, int] = defaultdict(int)
    for row in rows:
        answered[row.model] += row.measured
    return answered


def _agree(what: str, one: int, other: int) -> None:
    if one != other:
        raise AccountError(f"{what}: {one} by one count and {other} by another")
