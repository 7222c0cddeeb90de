from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from profiles.workloads import Prompt
from scripts.commands import app as laar
from scripts.profile.measuring import run as running
from scripts.profile.measuring.plan import ProfilePlan
from scripts.profile.measuring.run import Output


def plan(**changes: Any) -> ProfilePlan:
    settings: dict[str, Any] = {"workloads": (), "languages": (), "target_tokens": (), "prompts_per_cell": 1}
    return ProfilePlan(url="", concurrency=1, seed=1, command="", **(settings | changes))


def own(text: str) -> Prompt:
    verify = {"type": "contains", "value": "x"}
    return Prompt(id="own-1", language="en", task="t", target_tokens=0, text=text, answer="x", verify=verify)


def test_other_prompts_of_ones_own_are_another_measurement() -> None:
    one, same, other = (plan(own_prompts=(own(text),)).identity() for text in ("1?", "1?", "2?"))
    assert one == same
    assert one["own_prompts"] != other["own_prompts"]
    assert plan().identity()["own_prompts"] is None


def test_file_of_prompts_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, asked = tmp_path / "own.jsonl", []
    path.write_text('{"prompt": "1 + 1?", "answer": "2"}\n')

    def measured(plan: ProfilePlan, prompts: Sequence[Prompt], output: Output) -> int:
        path.write_text("no longer JSON")
        asked.extend([*prompts, plan.identity()["own_prompts"]])
        return 0

    monkeypatch.setattr(running, "run_profile", measured)
    monkeypatch.setattr("scripts.commands.prepare_environment", lambda environ: None)
    result = CliRunner().invoke(laar, ["profile", "--out", "p.json", "--jsonl", str(path)])
    assert result.exit_code == 0, result.output
    prompt, digest = asked
    assert (prompt.text, digest[:7]) == ("1 + 1?", "sha256:")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--jsonl", "x", "--languages", "en"], "--languages: no workload is asked", id="languages"),
        pytest.param(["--jsonl", "x", "--tokens", "100"], "--tokens: no workload is asked", id="tokens"),
        pytest.param(["--jsonl", "x", "--prompts", "3"], "--prompts: no workload is asked", id="prompts"),
        pytest.param(
            ["--workload", "instruct", "--tokens", "100"], "--tokens: instruct comes in one length only", id="short"
        ),
    ],
)
def test_option_that_would_change_nothing_is_refused(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(laar, ["profile", "--out", "p.json", *arguments], env={"COLUMNS": "500"})
    assert (result.exit_code, told in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(["show"], id="show"), pytest.param(["merge", "--out", "p.json", "embedded"], id="merge")],
)
def test_path_is_not_taken_for_the_name_of_a_profile_that_ships_with_laar(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("embedded").write_text("no profile")
    result = CliRunner().invoke(laar, ["profile", *arguments, "./embedded"], env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert "Invalid value for ./embedded: 1 validation error for Profile" in result.stderr


def test_lengths_count_where_any_workload_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Prompt] = []

    def measured(plan: ProfilePlan, prompts: Sequence[Prompt], output: Output) -> int:
        asked.extend(prompts)
        return 0

    monkeypatch.setattr(running, "run_profile", measured)
    monkeypatch.setattr("scripts.commands.prepare_environment", lambda environ: None)
    options = ["--workload", "instruct,lookup", "--languages", "en", "--tokens", "100", "--prompts", "3"]
    result = CliRunner().invoke(laar, ["profile", "--out", "p.json", *options])
    assert result.exit_code == 0, result.output
    assert {prompt.target_tokens for prompt in asked if prompt.task == "lookup"} == {100}
