"""What is said of a simulated cluster and its traffic, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles.profile import load_profile
from scripts.simulate.commands import simulate
from scripts.simulate.run import run
from scripts.simulate.settings import PACKAGED, SettingsError, SimulationSettings, load_settings, settings_of
from tests.unit.simulated import profile

KIND = {"language": "en", "prompt_tokens": 1}
SMALL = {"profile": "test", "requests": 300, "rate_per_s": 1.0, "policies": ["laar"]}


def settings(**changes: object) -> SimulationSettings:
    return settings_of(SMALL, changes)


def trace(folder: Path, times: Sequence[float]) -> Path:
    path = folder / "trace"
    path.write_text("".join(f"{time:g}\n" for time in times))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"profile": "p"}, "one of rate_per_s, concurrency and trace is wanted; given: none", id="no way"),
        pytest.param({**SMALL, "speed": 1}, "there is no such key", id="unknown key"),
        pytest.param({**SMALL, "policies": ["best"]}, r"unknown policies \['best'\]", id="policy"),
        pytest.param({**SMALL, "rate_per_s": float("inf")}, "finite number", id="infinity"),
        pytest.param({**SMALL, "replicas": {"a": 60_000, "b": 40_001}}, "100001 in all; at most 100000", id="replicas"),
        pytest.param({**SMALL, "policies": ["laar", "laar"]}, "each once is wanted", id="policy twice"),
        pytest.param({**SMALL, "sessions": 10**7 + 1}, "less than or equal to 10000000", id="sessions"),
        pytest.param({**SMALL, "chunk_tokens": 10**7 + 1}, "less than or equal to 10000000", id="chunk"),
        pytest.param({**SMALL, "workload": [KIND] * 10_001}, "at most 10000 items", id="workload"),
        pytest.param({**SMALL, "workload": [{**KIND, "prompt_tokens": 10**7 + 1}]}, "less than or equal", id="prompt"),
    ],
)
def test_settings_refuse_what_they_do_not_know(content: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(content, {})


def test_a_way_to_come_on_the_command_line_takes_the_place_of_the_files() -> None:
    assert settings(concurrency=3).rate_per_s is None


def test_models_that_the_profile_does_not_know_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown models \['other'\]; known: \['fast', 'good'\]"):
        run(settings(replicas={"other": 1}), profile())


def test_trace_gives_the_arrival_times_and_their_number(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("# seconds\n0.5\n1.5\n\n9\n")
    asked = settings_of(SMALL, {"trace": path})
    assert asked.requests == 3
    assert run(asked, profile())[0].ttca.count <= 3


def test_a_fault_is_told_by_its_key_and_what_was_given() -> None:
    with pytest.raises(SettingsError, match=r"^speed: there is no such key$"):
        settings(speed=1)


@pytest.mark.parametrize("requests", [2, 4])
def test_trace_with_another_number_of_requests_is_refused(tmp_path: Path, requests: int) -> None:
    path = trace(tmp_path, [0.5, 1.5, 9.0])
    with pytest.raises(SettingsError, match=rf"requests: {requests}, but .* has 3 arrival times; leave requests out"):
        settings_of(SMALL, {"trace": path, "requests": requests})


@pytest.mark.parametrize("content", ["", "1 2\n", "# none\n"])
def test_trace_without_one_time_a_line_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trace"
    path.write_text(content)
    with pytest.raises(SettingsError, match="one a line"):
        settings_of(SMALL, {"trace": path})


def test_trace_that_falls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ascending, one a line"):
        run(settings(trace=trace(tmp_path, [2.0, 1.0])), profile())


def test_the_papers_setting_is_five_models_three_languages_five_lengths_and_all_assumed() -> None:
    found = load_settings(PACKAGED / "paper.yaml", {})
    known = load_profile(found.profile)
    assert known.measured.assumed
    assert len(known.models) == 5
    assert {kind.language for kind in found.workload} == {"en", "ja", "zh"}
    assert {kind.prompt_tokens for kind in found.workload} == {4000, 8000, 16000, 32000, 64000}
    assert (found.cap, found.concurrency) == (10, 8)


def test_task_that_the_profile_does_not_know_is_refused() -> None:
    asked = settings(workload=[{"task": "cooking", "language": "en", "prompt_tokens": 90}])
    with pytest.raises(SettingsError, match=r"the profile has no task \['cooking'\]; it has \['default'"):
        asked.kinds(profile())


def test_setting_with_another_profile_is_refused() -> None:
    done = CliRunner().invoke(simulate, ["run", "--setting", "paper", "--profile", "embedded"])
    assert done.exit_code == 2
    assert "has a profile of its own" in " ".join(done.output.split())
