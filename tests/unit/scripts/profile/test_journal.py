import json
from pathlib import Path
from typing import Any

import pytest

from profiles.measuring.measurement import Record
from scripts.profile.measuring.journal import VERSION, Entry, MeasurementJournal, Result, journal_path
from scripts.profile.measuring.plan import Key, ProfileError

PLAN = {"seed": 1, "tokens": [100]}
RECORD = Record(
    prompt_id="p1",
    model="a",
    task="lookup",
    language="en",
    correct=True,
    latency_s=0.5,
    concurrency=1,
    prompt_tokens=100,
    output_tokens=10,
    num_chars=400,
    symbol_share=0.25,
)


def outcome(prompt_id: str, result: Result = Result.ANSWERED, **other: Any) -> Entry:
    record = RECORD if result is Result.ANSWERED else None
    return Entry(model="a", prompt_id=prompt_id, thinking_tokens=None, result=result, record=record, **other)


def test_journal_stands_beside_the_profile() -> None:
    assert journal_path(Path("there/p.json")) == Path("there/p.json.journal")


def test_every_outcome_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1"))
        head, line = (tmp_path / "j").read_text().splitlines()
    assert json.loads(head) == {"laar_profile_journal": 2, "plan": PLAN}
    assert json.loads(line)["record"]["latency_s"] == 0.5


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add_round([Key("a", "p1", None), Key("a", "p2", 64)])
        journal.add(outcome("p1"))
        journal.add(outcome("p2", Result.REFUSED, reason="400"))
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        assert journal.rounds == [[Key("a", "p1", None), Key("a", "p2", 64)]]
        assert [o.prompt_id for o in journal.outcomes.values()] == ["p1", "p2"]
        assert journal.outcomes[Key("a", "p1", None)].record == RECORD
        assert len(journal.resumed) == 2


def test_failures_are_forgotten_on_opening_and_the_latest_outcome_counts(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1", Result.FAILED, reason="503"))
        journal.add(outcome("p2", Result.FAILED, reason="503"))
        journal.add(outcome("p2"))
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        assert [o.prompt_id for o in journal.outcomes.values()] == ["p2"]


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_torn_last_line_is_cut_off_before_anything_is_added(tmp_path: Path, cut: int) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1"))
        journal.add(outcome("p2"))
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes()[:-cut])
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        assert [o.prompt_id for o in journal.outcomes.values()] == ["p1"]
        journal.add(outcome("p3"))
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        assert [o.prompt_id for o in journal.outcomes.values()] == ["p1", "p3"]


def test_torn_head_starts_over(tmp_path: Path) -> None:
    (tmp_path / "j").write_text('{"laar_profile_jou')
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False):
        assert json.loads((tmp_path / "j").read_text())["plan"] == PLAN


def test_damage_elsewhere_is_refused_with_its_line(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1"))
        journal.add(outcome("p2"))
    lines = (tmp_path / "j").read_text().splitlines()
    (tmp_path / "j").write_text("\n".join([lines[0], lines[1][:50], lines[2]]) + "\n")
    with pytest.raises(ProfileError, match=r"line 2 of the journal .* is damaged; --fresh starts over"):
        MeasurementJournal(tmp_path / "j", PLAN, fresh=False)


def test_other_plan_is_refused_with_what_differs_and_left_as_it_is(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1"))
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(ProfileError, match=r"belongs to another plan: seed was 1, is now 2\. Repeat"):
        MeasurementJournal(tmp_path / "j", PLAN | {"seed": 2}, fresh=False)
    assert (tmp_path / "j").read_bytes() == before


def test_fresh_forgets_another_plan(tmp_path: Path) -> None:
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False) as journal:
        journal.add(outcome("p1"))
    with MeasurementJournal(tmp_path / "j", PLAN | {"seed": 2}, fresh=True) as journal:
        assert journal.outcomes == {}


def test_journal_in_which_nothing_was_measured_binds_nobody(tmp_path: Path) -> None:
    MeasurementJournal(tmp_path / "j", PLAN, fresh=False).__exit__(None, None, None)
    with MeasurementJournal(tmp_path / "j", PLAN | {"seed": 2}, fresh=False):
        assert json.loads((tmp_path / "j").read_text())["plan"]["seed"] == 2


def test_journal_of_an_older_version_in_which_nothing_was_measured_binds_nobody(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b'{"laar_profile_journal": 1, "plan": {}}\n')
    with MeasurementJournal(tmp_path / "j", PLAN, fresh=False):
        assert json.loads((tmp_path / "j").read_text()) == {"laar_profile_journal": VERSION, "plan": PLAN}


def test_journal_of_an_older_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    before = b'{"laar_profile_journal": 1, "plan": {}}\n{"round": []}\n{"torn'
    (tmp_path / "j").write_bytes(before)
    with pytest.raises(ProfileError, match=r"has version 1; only 2 can be gone on with\. Start over with --fresh"):
        MeasurementJournal(tmp_path / "j", PLAN, fresh=False)
    assert (tmp_path / "j").read_bytes() == before


@pytest.mark.parametrize("content", ["a diary\n", "a diary", "a diary\nof two lines"])
def test_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / "j").write_text(content)
    for fresh in (False, True):
        with pytest.raises(ProfileError, match="is no journal of laar profile"):
            MeasurementJournal(tmp_path / "j", PLAN, fresh=fresh)
    assert (tmp_path / "j").read_text() == content


def test_two_measurements_do_not_share_a_journal(tmp_path: Path) -> None:
    with (
        MeasurementJournal(tmp_path / "j", PLAN, fresh=False),
        pytest.raises(ProfileError, match="another measurement writes the journal"),
    ):
        MeasurementJournal(tmp_path / "j", PLAN, fresh=True)
