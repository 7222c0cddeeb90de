import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scripts import commands

ROWS: list[dict[str, Any]] = [
    {"class": "b", "verify": {"type": "exact", "value": "Paris"}, "answer": "paris.", "allowed": ["correct"]},
    {"class": "b", "verify": {"type": "exact", "value": "Paris"}, "answer": "Rome", "allowed": ["correct"]},
    {"class": "a", "verify": {"type": "exact", "value": "Paris"}, "answer": "Paris", "allowed": ["wrong", "unknown"]},
    {"class": "a", "verify": {"type": "exact"}, "answer": "Paris", "allowed": ["correct"]},
    {"verify": {"type": "judge"}, "answer": "Paris", "judge_reply": "WRONG", "allowed": ["wrong"]},
    {"verify": {"type": "judge", "model": "large"}, "answer": "Paris", "judge_reply": "CORRECT"},
    {"verify": {"type": "judge"}, "answer": "Paris"},
    {"verify": {"type": "agreement"}, "answer": "Paris", "others": [{"model": "b", "answer": "paris"}]},
    {"verify": {"type": "grounded"}, "answer": "in `k-77ab`", "prompt": "k-77ab is the key", "language": "en"},
]
EXPECTED = ["correct", "wrong", "correct", "unknown", "wrong", "correct", "unknown", "correct", "correct"]


def laar(*arguments: str) -> Result:
    return CliRunner().invoke(commands.app, ["verify", *arguments])


def written(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_verdicts_are_written_in_the_order_of_the_rows(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", ["", *map(json.dumps, ROWS), ""])
    result = laar(file, "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())["verdicts"]
    assert [verdict["outcome"] for verdict in found] == EXPECTED
    assert {key for verdict in found for key in verdict} == {"outcome", "reason", "read"}
    assert found[3]["reason"] == "spec_refused"


def test_rows_that_say_what_is_right_are_counted_by_class(tmp_path: Path) -> None:
    result = laar(written(tmp_path / "rows.jsonl", list(map(json.dumps, ROWS))))
    assert result.stdout.splitlines()[2:] == [
        "| - | 0 | 1 | 0 | 0 | 0 |",
        "| a | 1 | 1 | 1 | 0 | 1 |",
        "| b | 2 | 0 | 0 | 1 | 0 |",
        "| all | 3 | 2 | 1 | 1 | 1 |",
    ]


def test_without_a_file_to_write_verdicts_are_printed(tmp_path: Path) -> None:
    result = laar(written(tmp_path / "rows.jsonl", [json.dumps(ROWS[5])]))
    assert json.loads(result.stdout)["reason"] == "judged_correct"


def test_verdicts_that_go_to_a_file_are_counted(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "allowed"} for row in ROWS[:4]]
    result = laar(written(tmp_path / "rows.jsonl", list(map(json.dumps, rows))), "--json", str(tmp_path / "out.json"))
    assert result.stdout == "2 correct, 1 wrong, 1 unknown\n"


def test_a_refused_verification_says_why_in_our_own_words(tmp_path: Path) -> None:
    row = {"verify": {"type": "exact", "value": " "}, "answer": "a"}
    result = laar(written(tmp_path / "rows.jsonl", [json.dumps(row)]))
    assert json.loads(result.stdout)["read"].startswith("value 0 has no visible character")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "line 2: no JSON: Input data was truncated", id="no-json"),
        pytest.param("[]", "line 2: Expected `object`, got `array`", id="no-object"),
        pytest.param('{"verify": {"type": "none"}}', "missing required field `answer`", id="no-answer"),
        pytest.param('{"answer": "a"}', "missing required field `verify`", id="no-verify"),
        pytest.param('{"answer": 5, "verify": {}}', "Expected `str`, got `int` - at `$.answer`", id="no-text"),
        pytest.param('{"answer": "", "verify": {}, "finish_reson": 1}', "unknown column 'finish_reson'", id="misspelt"),
        pytest.param('{"answer": "", "verify": {}, "allowed": ["right"]}', "Invalid enum value 'right'", id="verdict"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, message: str) -> None:
    result = laar(written(tmp_path / "rows.jsonl", [json.dumps(ROWS[0]), line]))
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert laar(str(tmp_path / "none.jsonl")).exit_code == 2
