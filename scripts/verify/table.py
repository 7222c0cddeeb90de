"""How the verdicts on rows compare with those that are right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployments.contract.verdict import Outcome, Verdict
from scripts.verify.rows import Row

ALL = "all"


@dataclass(slots=True, kw_only=True)
class AnswerTally:
    """Of the rows of one class: `right` ones may be called correct, `others` may not.

    `missed` are verdicts of unknown on an answer that could be read.
    """

    right: int = 0
    others: int = 0
    false_accepts: int = 0
    false_rejects: int = 0
    missed: int = 0

    def count(self, allowed: Sequence[str], outcome: Outcome) -> None:
        if "correct" in allowed:
            self.right += 1
        else:
            self.others += 1
        if outcome not in allowed:
            self.false_accepts += outcome is Outcome.CORRECT
            self.false_rejects += outcome is Outcome.WRONG
            self.missed += outcome is Outcome.UNKNOWN


def tallies(rows: Iterable[Row], verdicts: Iterable[Verdict]) -> dict[str, AnswerTally]:
    """By class in alphabetical order, then for all; rows that do not say what is right are left out."""
    found: dict[str, AnswerTally] = {}
    total = AnswerTally()
    for row, verdict in zip(rows, verdicts, strict=True):
        if row.allowed:
            for tally in (found.setdefault(row.class_ or "-", AnswerTally()), total):
                tally.count(row.allowed, verdict.outcome)
    return dict(sorted(found.items())) | ({ALL: total} if found else {})


def lines(found: dict[str, AnswerTally]) -> list[str]:
    """A table in Markdown."""
    head = [
        "| class | right | others | false accepts | false rejects | unknown, but readable |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    return head + [
        f"| {name} | {t.right} | {t.others} | {t.false_accepts} | {t.false_rejects} | {t.missed} |"
        for name, t in found.items()
    ]
