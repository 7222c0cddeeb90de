"""The search for replicas, and the options of `laar simulate`."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from typer.testing import CliRunner

from profiles.profile import PairCounts, Profile
from scripts.simulate.commands import simulate
from scripts.simulate.planning import ClusterPlan, NoPlan, exchanged, fewest, plan
from scripts.simulate.run import run
from scripts.simulate.settings import SettingsError, SimulationSettings, settings_of
from scripts.simulate.trials import Counts, PlanTarget, Trials, is_growing
from tests.unit.simulated import FAST, GOOD, profile

NOTHING = NoPlan(why="no model solves any request", simulated=0)
TOGETHER = PairCounts(failed=FAST, model=GOOD, task="t", language="en", bucket=0, correct=5, tried=40)
SMALL = {"profile": "test", "requests": 300, "rate_per_s": 1.0, "policies": ["laar"]}


def settings(**changes: object) -> SimulationSettings:
    return settings_of(SMALL, changes)


def target(limit_s: float, *, max_replicas: int = 16, min_success: float | None = None) -> PlanTarget:
    return PlanTarget(measure="mean", limit_s=limit_s, max_replicas=max_replicas, min_success=min_success)


def with_correct(correct: dict[str, int]) -> Profile:
    """So many of a million."""
    known = profile()
    models = {}
    for name, found in known.models.items():
        cells = tuple(
            cell.model_copy(update={"correct": 25_000 * correct[name], "tried": 10**6}) for cell in found.cells
        )
        models[name] = found.model_copy(update={"cells": cells})
    return known.model_copy(update={"models": models})


def planned(
    asked: SimulationSettings,
    limit_s: float,
    *,
    costs: dict[str, float] | None = None,
    min_success: float | None = None,
    known: Profile | None = None,
) -> ClusterPlan:
    found = plan(asked, known or profile(), target(limit_s, min_success=min_success), costs or {})
    assert isinstance(found, ClusterPlan), found.why
    return found


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


def test_a_model_that_gives_up_soon_is_charged_for_it() -> None:
    # alone, the fast model answers half of the requests, within 1.1 s; the rest count ten attempts, mostly of 5.1 s
    trials = Trials(settings(rate_per_s=0.05), profile(), (FAST, GOOD), target(4.0))
    alone = trials.at((1, 0))
    assert alone.success == pytest.approx(0.5, abs=0.1)
    assert alone.value_s == pytest.approx(1.1 + 0.5 * 9 * 5.1, rel=0.2)


def test_plan_says_when_idle_engines_are_too_slow() -> None:
    found = plan(settings(), profile(), target(0.5), {})
    assert isinstance(found, NoPlan)
    assert "out of reach with any number of replicas: of 3 sets of models fast and good is the fastest" in found.why


def test_plan_says_when_a_success_is_out_of_reach() -> None:
    found = plan(settings(), profile(), target(60.0, min_success=1.0), {})
    assert isinstance(found, NoPlan)
    assert "a success of 1.000 is out of reach with any number of replicas" in found.why


def test_idle_engines_are_idle_at_any_rate() -> None:
    slow, quick = (
        Trials(settings(rate_per_s=rate, requests=400), profile(), (FAST, GOOD), target(4.0)) for rate in (0.01, 4.0)
    )
    assert slow.idle((True, True)).value_s == quick.idle((True, True)).value_s


@pytest.mark.parametrize(("rate", "grows"), [(1.4, True), (0.9, False)])
def test_a_queue_that_grows_is_not_a_plan(rate: float, grows: bool) -> None:
    # one slot, 1.1 s a request
    asked = settings(rate_per_s=rate / 1.1, requests=1000, slots=1)
    trials = Trials(asked, profile(), (FAST,), target(1e6, min_success=0.0))
    assert trials.at((1,)).is_growing is grows
    assert trials.meets((1,)) is not grows


def test_too_few_requests_to_see_a_queue_grow_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"300 come within 0.\d+ s, too few to see whether a queue grows"):
        plan(settings(rate_per_s=1000.0), profile(), target(4.0), {})


def test_the_first_tenth_of_the_requests_does_not_count(tmp_path: Path) -> None:
    # thirty at once, which one slot works off before the next, then one every ten seconds
    path = tmp_path / "trace"
    path.write_text("0\n" * 30 + "".join(f"{1000 + 10 * row}\n" for row in range(270)))
    asked = settings_of({"profile": "test", "trace": path, "policies": ["laar"], "slots": 1}, {})
    trials = Trials(asked, profile(), (FAST, GOOD), target(6.0))
    assert trials.at((1, 1)).value_s == pytest.approx(trials.idle((True, True)).value_s)


def test_times_that_follow_a_rate_but_not_the_clock_do_not_grow() -> None:
    arrivals = np.linspace(0.0, 1000.0, 1000, dtype=np.float64)
    assert is_growing(arrivals, arrivals * 0.03)
    assert not is_growing(arrivals, arrivals * 0.01)
    # too few to tell from chance
    assert not is_growing(arrivals[:8], np.array([1, 1, 5, 1, 1, 1, 5, 5], dtype=np.float64))


def test_no_model_at_all_is_tried_before_one_two_and_more() -> None:
    # good answers all in time alone; beside it a single fast replica is a crowd of its own
    tried: list[int] = []
    met = {0: True, 1: False, 2: False, 3: True}

    class Few:
        def meets(self, counts: Counts) -> bool:
            tried.append(counts[0])
            return met[counts[0]]

    assert fewest((3, 1), 0, cast("Trials", Few())) == 0
    assert tried == [0]
    met[0] = False
    assert fewest((3, 1), 0, cast("Trials", Few())) == 3


def test_two_replicas_are_exchanged_for_one_of_the_same_cost() -> None:
    class Only:
        target = target(4.0)

        def meets(self, counts: Counts) -> bool:
            return counts in {(3, 0), (1, 1), (3, 1)}

    assert exchanged((3, 0), [1.0, 1.0], cast("Trials", Only())) == (1, 1)


def test_plan_says_when_no_model_solves_anything() -> None:
    assert plan(settings(), with_correct({FAST: 0, GOOD: 0}), target(4.0), {}) == NOTHING


def test_costs_of_unknown_models_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"costs: unknown models \['other'\]"):
        plan(settings(), profile(), target(4.0), {"other": 1.0})


def test_command_prints_that_it_is_simulated_and_writes_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    done = CliRunner().invoke(simulate, ["run", "--setting", "paper", "--requests", "60", "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert "simulated" in done.output
    assert "assumed figures, not measured ones" in done.output
    assert '"simulated": true' in path.read_text()


def test_command_refuses_pairs_without_a_number() -> None:
    done = CliRunner().invoke(simulate, ["run", "--profile", "embedded", "--rate", "1", "--replicas", "gemma"])
    assert done.exit_code == 2
    assert "MODEL=NUMBER is wanted" in done.output


PLAN = ["plan", "--profile", "embedded", "--rate", "0.2", "--target-s", "30"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--target-s", "0"], "a finite number above 0", id="no time"),
        pytest.param(["--target-s", "inf"], "a finite number above 0", id="any time"),
        pytest.param(["--target-s", "nan"], "a finite number above 0", id="no number"),
        pytest.param(["--min-success", "nan"], "from 0 to 1", id="no share"),
        pytest.param(["--min-success", "1.5"], "from 0 to 1", id="more than all"),
        pytest.param(["--cost", "gemma-3-270m=inf"], "a number from 1e-09", id="cost"),
        pytest.param(["--cost", "gemma-3-270m=1", "--cost", "gemma-3-270m=2"], "has been given 1", id="twice"),
    ],
)
def test_plan_refuses_options_without_bounds(options: list[str], message: str) -> None:
    done = CliRunner().invoke(simulate, [*PLAN, *options])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_more_replicas_than_can_be_simulated_are_refused() -> None:
    with pytest.raises(SettingsError, match="50001 replicas of 2 models: 100002; at most 100000"):
        plan(settings(), profile(), target(4.0, max_replicas=50_001), {})


def test_what_a_file_says_of_requests_and_policy_holds_for_a_plan(tmp_path: Path) -> None:
    config, found = tmp_path / "plan.yaml", tmp_path / "found.json"
    config.write_text("profile: embedded\nrate_per_s: 0.2\nrequests: 60\npolicies: [load-aware, laar]\n")
    done = CliRunner().invoke(simulate, ["plan", "--config", str(config), "--target-s", "90", "--json", str(found)])
    assert done.exit_code == 0, done.output
    assert "simulated for load-aware with 60 requests" in " ".join(done.output.split())
    assert json.loads(found.read_text())["settings"]["requests"] == 60


def test_without_a_plan_there_are_no_replicas_and_no_cost_in_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    options = ["--requests", "30", "--target-s", "0.01", "--json", str(path)]
    done = CliRunner().invoke(simulate, ["plan", "--profile", "embedded", "--rate", "0.2", *options])
    assert done.exit_code == 1, done.output
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert found["plan"] is None
    assert "out of reach with any number of replicas" in found["why"]
    assert "cost" not in found
