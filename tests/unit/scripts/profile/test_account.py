from collections import Counter
from pathlib import Path

import pytest

from profiles.workloads import Prompt
from scripts.profile.measuring.account import AccountError, AccountRow, Tally, account, check_account, total
from scripts.profile.measuring.journal import Entry, MeasurementJournal, Result
from scripts.profile.measuring.plan import Case
from tests.unit.scripts.profile.test_journal import RECORD


def case(prompt_id: str, model: str = "a") -> Case:
    prompt = Prompt(
        id=prompt_id, language="en", task="lookup", target_tokens=100, text="?", answer="1", verify={"type": "none"}
    )
    return Case(model=model, prompt=prompt, thinking_tokens=None, concurrency=1)


def add(journal: MeasurementJournal, prompt_id: str, result: Result, reason: str = "") -> None:
    record = RECORD if result is Result.ANSWERED else None
    journal.add(
        Entry(model="a", prompt_id=prompt_id, thinking_tokens=None, result=result, record=record, reason=reason)
    )


CASES = [case("p1"), case("p2"), case("p3"), case("p4"), case("p5")]


@pytest.fixture
def journal(tmp_path: Path) -> MeasurementJournal:
    """p1 answered before, p2 now, p3 refused, p4 failed, p5 not asked."""
    with MeasurementJournal(tmp_path / "j", {}, fresh=False) as earlier:
        add(earlier, "p1", Result.ANSWERED)
    with MeasurementJournal(tmp_path / "j", {}, fresh=False) as journal:
        add(journal, "p2", Result.ANSWERED)
        add(journal, "p3", Result.REFUSED, "400")
        add(journal, "p4", Result.FAILED, "503")
    return journal


def tally(answered: int) -> Tally:
    return Tally(model="a", num_prompts=5, answered=answered)


def test_every_prompt_is_counted_in_one_place(journal: MeasurementJournal) -> None:
    (row,) = account(CASES, journal)
    assert (row.planned, row.measured, row.resumed, row.outstanding) == (5, 1, 1, 1)
    assert row.left_out == {"refused: 400": 1, "failed: 503": 1}
    check_account([row], [tally(1)], journal, None)


def test_total_is_the_sum_of_the_rows(journal: MeasurementJournal) -> None:
    rows = account([*CASES, case("p1", model="b")], journal)
    assert total(rows) == {
        "planned": 6,
        "measured": 1,
        "resumed": 1,
        "outstanding": 2,
        "left_out": {"refused: 400": 1, "failed: 503": 1},
    }


def test_prompt_that_went_nowhere_is_noticed(journal: MeasurementJournal) -> None:
    (row,) = account(CASES, journal)
    row.outstanding = 0
    with pytest.raises(AccountError, match="planned prompts of a: 5 by one count and 4 by another"):
        check_account([row], [tally(1)], journal, None)


def test_answer_counted_twice_on_the_way_is_noticed(journal: MeasurementJournal) -> None:
    with pytest.raises(AccountError, match="answers of a in this run: 2 by one count and 1 by another"):
        check_account(account(CASES, journal), [tally(2)], journal, None)


def test_answer_outside_the_plan_is_noticed(journal: MeasurementJournal) -> None:
    with pytest.raises(AccountError, match="answers in the journal: 2 by one count and 1 by another"):
        check_account(account(CASES[1:], journal), [tally(1)], journal, None)


def test_rows_are_one_for_each_kind_of_prompt(journal: MeasurementJournal) -> None:
    rows: list[AccountRow] = account([case("p1"), case("p1", model="b")], journal)
    assert Counter(row.model for row in rows) == {"a": 1, "b": 1}
