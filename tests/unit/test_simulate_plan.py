"""Settings, their runs, and the search for replicas."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles.schema import PairCell, load_profile
from scripts.simulate.commands import simulate
from scripts.simulate.planning import Target, plan
from scripts.simulate.run import run
from scripts.simulate.settings import PACKAGED, SettingsError, SimulationSettings, load_settings, settings_of
from tests.unit.simulated import FAST, GOOD, profile

TOGETHER = PairCell(failed=FAST, model=GOOD, task="t", language="en", bucket=0, correct=5, tried=40)
SMALL = {"profile": "test", "requests": 300, "rate_per_s": 1.0, "policies": ["laar"]}


def settings(**changes: object) -> SimulationSettings:
    return settings_of(SMALL, changes)


def target(limit_s: float, *, max_replicas: int = 16) -> Target:
    return Target(measure="mean", limit_s=limit_s, max_replicas=max_replicas)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"profile": "p"}, "one of rate_per_s, concurrency and trace is wanted; given: none", id="no way"),
        pytest.param({**SMALL, "speed": 1}, "Extra inputs are not permitted", id="unknown key"),
        pytest.param({**SMALL, "policies": ["best"]}, r"unknown policies \['best'\]", id="policy"),
        pytest.param({**SMALL, "rate_per_s": float("inf")}, "finite number", id="infinity"),
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


def test_trace_gives_the_arrival_times(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("0.5\n1.5\n9\n")
    found = run(settings(rate_per_s=None, trace=path), profile())
    assert found[0].ttca.count <= 3


def test_trace_that_falls_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("2\n1\n")
    with pytest.raises(SettingsError, match="ascending, one a line"):
        run(settings(trace=path), profile())


def test_mean_is_over_the_same_requests_whatever_policies_are_listed() -> None:
    alone = run(settings(policies=["fastest"], cap=1), profile())[0]
    both = run(settings(policies=["fastest", "laar"], cap=1), profile())
    assert alone.ttca.count == both[0].ttca.count == both[1].ttca.count
    assert alone.ttca.count > 300 * alone.success


def test_all_models_asked_in_any_order_solve_what_any_model_answers() -> None:
    names = ["laar", "fastest", "most-accurate", "round-robin"]
    found = run(settings(policies=names, loops=dict.fromkeys(names, "server")), profile(TOGETHER))
    assert {one.success for one in found} == {found[0].ttca.count / 300}
    assert found[0].attempts != found[2].attempts


def test_plan_reaches_its_target_and_one_replica_less_of_any_model_does_not() -> None:
    wish = target(4.0)
    found = plan(settings(rate_per_s=3.0), profile(), wish, {})
    assert found.why == ""
    assert found.value_s <= 4.0
    for model, many in found.replicas.items():
        if many > 1:
            fewer = {**{m: n for m, n in found.replicas.items() if n}, model: many - 1}
            slower = run(settings(rate_per_s=3.0, replicas=fewer), profile())[0].solved_ttca.mean_s
            assert slower is None or slower > 4.0


def test_plan_says_when_idle_engines_are_too_slow() -> None:
    found = plan(settings(), profile(), target(0.5), {})
    assert found.replicas == {}
    assert "out of reach with any number of replicas" in found.why


def test_plan_says_when_more_replicas_are_needed_than_allowed() -> None:
    found = plan(settings(rate_per_s=20.0), profile(), target(4.0, max_replicas=1), {})
    assert "takes more than 1 replicas of each model" in found.why


def test_a_dear_model_is_left_out_where_the_other_will_do() -> None:
    found = plan(settings(rate_per_s=0.05), profile(), target(20.0), {FAST: 1.0, GOOD: 50.0})
    assert found.replicas == {FAST: 1, GOOD: 0}


def test_costs_of_unknown_models_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"costs: unknown models \['other'\]"):
        plan(settings(), profile(), target(4.0), {"other": 1.0})


def test_the_papers_setting_is_five_models_three_languages_five_lengths_and_all_assumed() -> None:
    found = load_settings(PACKAGED / "paper.yaml", {})
    known = load_profile(found.profile)
    assert known.measured.assumed
    assert len(known.models) == 5
    assert {kind.language for kind in found.workload} == {"en", "ja", "zh"}
    assert {kind.prompt_tokens for kind in found.workload} == {4000, 8000, 16000, 32000, 64000}
    assert (found.cap, found.concurrency) == (10, 8)


def test_command_prints_that_it_is_simulated_and_writes_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    done = CliRunner().invoke(simulate, ["run", "--setting", "paper", "--requests", "60", "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert "simulated" in done.output
    assert "nobody measured them" in done.output
    assert '"simulated": true' in path.read_text()


def test_command_refuses_pairs_without_a_number() -> None:
    done = CliRunner().invoke(simulate, ["run", "--profile", "embedded", "--rate", "1", "--replicas", "gemma"])
    assert done.exit_code == 2
    assert "MODEL=NUMBER is wanted" in done.output
