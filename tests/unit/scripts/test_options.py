from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts import commands


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["bench", "drift", "--json", "/no/such/x.json"], "there is no folder '/no/such'", id="bench"),
        pytest.param(["demo", "--once", "--json", "/"], "'/' is a folder; the name of a file is wanted", id="demo"),
        pytest.param(["profile", "run", "--out", "/"], "'/' is a folder", id="profile"),
        pytest.param(["profile", "merge", "a", "b", "--out", "/no/such/p"], "no folder '/no/such'", id="merge"),
        pytest.param(["profile", "show", "embedded", "--png", "/no/such/p.png"], "no folder '/no/such'", id="show"),
        pytest.param(["profile", "show", "embedded", "--png", "p.jpg"], "ends in .png is wanted", id="no-png"),
        pytest.param(["profile", "run", "--out", "p", "--languages", ""], "there is nothing to ask", id="no-language"),
        pytest.param(["bench", "ttca", "--from", "/", "--policies", "laar"], "--from asks no model", id="policies"),
        pytest.param(["bench", "ttca", "--from", "/", "--budget-s", "5"], "--from asks no model", id="budget"),
        pytest.param(["bench", "ttca", "--from", "/", "--url", "http://x"], "--from asks no model", id="url"),
        pytest.param(["bench", "ttca", "--from", "/", "--api-key-env", "K"], "--from asks no model", id="key"),
        pytest.param(["bench", "simulate", "--from", "/", "--write", "--check"], "not with --write", id="write-check"),
        pytest.param(["bench", "simulate", "--from", "/", "--write", "--json", "x"], "not with --write", id="write"),
    ],
)
def test_what_cannot_be_written_or_asked_is_refused_at_once(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(commands.app, arguments, env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert message in result.output


def test_file_without_records_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.journal"
    path.write_text('{"laar_profile_journal": 1, "plan": {}}\n{"model": "a", "rec')
    arguments = ["bench", "capability", "--train", str(path), "--held-out", str(path)]
    result = CliRunner().invoke(commands.app, arguments, env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert "cut.journal, line 2: Input data was truncated" in result.output
