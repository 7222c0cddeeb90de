"""`laar profile check`: labelled answers in, errors with intervals out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deployments.contract.verdict import Evidence
from profiles.profile import CheckCounts, VerdictTally, load_profile
from scripts.commands import app
from scripts.profile.check import label
from scripts.verify.rows import read_rows


def is_long(evidence: Evidence) -> bool:
    return len(evidence.answer) > 3


def row(verify: dict[str, Any], answer: str, *allowed: str, **fields: Any) -> dict[str, Any]:
    return {"verify": verify, "answer": answer, "allowed": allowed, "language": "en", **fields}


def check(tmp_path: Path, rows: list[dict[str, Any]], *options: str) -> Result:
    file = tmp_path / "labelled.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return CliRunner().invoke(app, ["profile", "check", str(file), *options], env={"COLUMNS": "200"})


JUDGE = {"type": "judge"}
JUDGED = [
    *(row(JUDGE, "Paris", "correct", judge_reply=reply) for reply in ("CORRECT", "CORRECT", "WRONG", "Well.")),
    *(row(JUDGE, "Lyon", "wrong", "unknown", judge_reply=reply) for reply in ("WRONG", "CORRECT")),
    row(JUDGE, "Paris", "correct", "unknown", judge_reply="CORRECT", language="fr"),
]


def test_errors_are_counted_by_language_with_their_intervals(tmp_path: Path) -> None:
    result = check(tmp_path, JUDGED)
    assert result.exit_code == 0, result.output
    assert "| judge | right | false rejects | unknown | wrong | false accepts | unknown |" in result.output
    wilson = "0.250 (0.046-0.699)"
    assert f"| en | 4 | {wilson} | {wilson} | 2 | 0.500 (0.095-0.905) | 0.000 (0.000-0.658) |" in result.output
    assert "| fr | 1 | 0.000 (0.000-0.793) |" in result.output
    assert "| all | 5 | 0.200 (0.036-0.624) |" in result.output


def test_the_figures_are_written_into_a_profile(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = check(tmp_path, JUDGED, "--base", "embedded", "--out", str(out))
    assert result.exit_code == 0, result.output
    english = CheckCounts(
        check="judge",
        language="en",
        right=VerdictTally(correct=2, wrong=1, unknown=1),
        wrong=VerdictTally(correct=1, wrong=1),
    )
    assert load_profile(str(out)).checks[0] == english


def test_any_type_can_be_measured(tmp_path: Path) -> None:
    custom = {"type": "custom", "name": "mine"}
    rows = [
        row(custom, "Lyon", "wrong"),
        row(custom, "Ur", "correct"),
        row({"type": "exact", "value": "a"}, "a", "correct"),
    ]
    out = tmp_path / "out.json"
    result = check(tmp_path, rows, "--custom", f"mine={__name__}:is_long", "--base", "embedded", "--out", str(out))
    assert result.exit_code == 0, result.output
    found = {counts.check: counts for counts in load_profile(str(out)).checks}
    assert found["custom:mine"].wrong == VerdictTally(correct=1)
    assert found["custom:mine"].right == VerdictTally(wrong=1)
    assert found["exact"].right == VerdictTally(correct=1)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        pytest.param([row(JUDGE, "a")], [], "has `allowed`", id="no label"),
        pytest.param(JUDGED, ["--out", "x.json"], "go together", id="out without a base"),
        pytest.param([row({"type": "exact"}, "a", "correct")], [], "answer 1", id="refused verification"),
        pytest.param(JUDGED, ["--custom", "mine"], "name=module:attribute", id="custom without a path"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], options: list[str], message: str
) -> None:
    result = check(tmp_path, rows, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_the_labelled_answers_that_ship_are_balanced() -> None:
    rows = list(read_rows(Path("profiles/workloads/labelled_answers.jsonl")))
    assert sum(label(one) is True for one in rows) == sum(label(one) is False for one in rows) == 100
    assert len({one.language for one in rows}) == 10
