"""What `laar bench ttca --trials-only` says of trials, by hand."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles.measures.trial import Trial, TrialAttempt
from scripts import commands
from scripts.bench.ttca.plan import CONTENDERS
from scripts.bench.ttca.summary import summarise, summary_of


def trial(policy: str, prompt: str, *verdicts: bool, seconds: float) -> Trial:
    tries = tuple(TrialAttempt(model="m", started_s=0, latency_s=1, correct=verdict) for verdict in verdicts)
    return Trial(
        policy=policy,
        block=0,
        prompt_id=prompt,
        task="t",
        language="en",
        target_tokens=9,
        session="",
        sent_s=0.0,
        elapsed_s=seconds,
        tries=tries,
    )


TRIALS = [
    trial("laar", "a", True, seconds=1.0),
    trial("laar", "b", False, True, seconds=3.0),
    trial("laar", "c", False, False, seconds=9.0),
    trial("most-accurate+retries", "a", False, True, seconds=4.0),
    trial("most-accurate+retries", "b", True, seconds=4.0),
    trial("most-accurate+retries", "c", False, True, seconds=8.0),
    trial("fastest", "a", False, seconds=2.0),
    trial("fastest", "b", True, seconds=2.0),
    trial("fastest", "c", False, seconds=2.0),
]


def test_policies_are_compared_over_what_they_solved() -> None:
    found = summary_of(TRIALS)
    ours = found["policies"]["laar"]
    shares = [ours[name] for name in ("solved", "first_right", "attempts", "mean_s", "p95_s")]
    assert shares == pytest.approx([2 / 3, 1 / 3, 5 / 3, 2.0, 2.9])
    over = found["laar_over"]["most-accurate+retries"]
    assert over["solved"]["mean"] == pytest.approx(2.0 / (16 / 3))
    assert over["both_solved"] == {"mean": pytest.approx(0.5), "p95": pytest.approx(2.9 / 4.0), "prompts": 2}


def test_prompts_that_only_one_policy_has_tried_are_left_out() -> None:
    found = summary_of([*TRIALS, trial("laar", "d", True, seconds=99.0)])
    assert found["laar_over"] == summary_of(TRIALS)["laar_over"]


def test_a_policy_that_solves_nothing_has_no_times() -> None:
    found = summary_of([trial("laar", "a", True, seconds=1.0), trial("fastest", "a", False, seconds=1.0)])
    assert str(found["policies"]["fastest"]["mean_s"]) == "nan"
    assert found["policies"]["fastest"]["solved"] == 0


def test_command_compares_a_folder_of_trials_alone(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {"policies": {}, "cap": 2, "seed": 1}, "environment": {"cores": 2}}
    (tmp_path / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [head, *map(asdict, TRIALS)]))
    bars = {bar.name: [bar.limit, bar.value] for bar in summarise(tmp_path).bars}
    assert bars["mean over most-accurate+retries"] == pytest.approx([1.0, 0.375])
    assert bars["mean over fastest"] == pytest.approx([0.9, 1.0])
    command = ["bench", "ttca", "--from", str(tmp_path), "--trials-only", "--check"]
    assert CliRunner().invoke(commands.app, command).exit_code == 1


def test_retries_in_the_router_are_there_for_every_policy() -> None:
    in_router = {contender.policy for contender in CONTENDERS.values() if contender.loop == "server"}
    assert in_router == {contender.policy for contender in CONTENDERS.values()} - {None}
