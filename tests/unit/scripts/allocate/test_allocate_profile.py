import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deployments.log.database.store import Store
from profiles.profile import load_profile
from scripts.commands import app
from tests.unit.logged import NOON, asked, tried

MODEL = "smollm2-135m-thinking"
AGO_S = (datetime.now(UTC) - NOON).total_seconds() - 600
QUEUE = ("--profile", "embedded_thinking", "--worth-s", "30")


def allocate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["allocate", *map(str, arguments)], env={"COLUMNS": "400", "LAAR_LOG_URL": ""})


def written(tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    result = allocate(*QUEUE, *arguments, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    return content


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Ten minutes ago: two requests for arithmetic, one of them tried twice on the model, one of an unknown task."""
    found = f"sqlite:///{tmp_path}/attempts.sqlite"
    store = Store(found)
    store.migrate()
    store.write(
        [
            asked(1, tried(MODEL, "wrong"), tried("b", "wrong"), tried(MODEL), at_s=AGO_S, task="arithmetic"),
            asked(2, tried(MODEL, "error"), at_s=AGO_S, task="arithmetic"),
            asked(3, tried(MODEL), at_s=AGO_S, task="poems"),
            asked(4, tried("b"), at_s=AGO_S, task="lookup"),
            asked(5, tried(MODEL), task="lookup"),
        ]
    )
    store.close()
    return found


def test_types_are_the_curves_with_equal_shares_where_arrivals_are_given(tmp_path: Path) -> None:
    found = written(tmp_path, "--arrivals", "0.1")
    assert [(kind["name"], kind["share"]) for kind in found["types"]["types"]] == [
        ("default/all/all", 1 / 3),
        ("arithmetic/all/all", 1 / 3),
        ("lookup/all/all", 1 / 3),
    ]
    assert found["types"]["types"][1]["rate"] == 0.05
    assert found["origin"].endswith("arrivals given by hand, equal shares assumed")
    assert found["allocations"][0]["arrivals_per_s"] == 0.1
    assert found["types"]["batching"] is None


def test_every_attempt_in_the_log_counts_under_its_most_specific_curve(tmp_path: Path, url: str) -> None:
    found = written(tmp_path, "--log-url", url)
    assert found["types"]["arrivals_per_s"] == pytest.approx(4 / 3600)
    # half a request more for each curve: 1.5, 3.5 and 0.5 of 5.5
    assert [kind["share"] for kind in found["types"]["types"]] == pytest.approx([1.5 / 5.5, 3.5 / 5.5, 0.5 / 5.5])
    assert "4 of 4 logged attempts since" in found["origin"]


def test_a_requests_further_attempts_count_once_where_the_objective_makes_them(tmp_path: Path, url: str) -> None:
    found = written(tmp_path, "--log-url", url, "--max-attempts", "2")
    assert found["types"]["arrivals_per_s"] == pytest.approx(3 / 3600)


def test_replicas_share_the_logged_arrivals(tmp_path: Path, url: str) -> None:
    found = written(tmp_path, "--log-url", url, "--replicas", "2")
    assert found["types"]["arrivals_per_s"] == pytest.approx(2 / 3600)


def test_slots_batch_with_the_growth_of_the_profile(tmp_path: Path) -> None:
    found = written(tmp_path, "--arrivals", "0.1", "--slots", "4")
    assert found["types"]["batching"] == {"growth": 0.38705553469194304, "slots": 4}


def test_curves_of_a_length_are_named_and_counted_by_it(tmp_path: Path, url: str) -> None:
    profile = load_profile("embedded_thinking")
    curves = profile.models[MODEL].thinking
    short = curves[1].model_copy(update={"language": "en", "bucket": 0})
    model = profile.models[MODEL].model_copy(update={"thinking": (curves[1], short)})
    path = tmp_path / "p.json"
    path.write_text(profile.model_copy(update={"models": {MODEL: model}}).model_dump_json())
    found = written(tmp_path, "--profile", path, "--log-url", url)
    assert [kind["name"] for kind in found["types"]["types"]] == ["arithmetic/all/all", "arithmetic/en/<=128"]
    assert [kind["share"] for kind in found["types"]["types"]] == pytest.approx([0.5 / 4, 3.5 / 4])
    assert "3 of 4 logged attempts" in found["origin"]


def test_task_may_have_as_long_a_name_as_in_a_request(tmp_path: Path) -> None:
    profile = load_profile("embedded_thinking")
    long = profile.models[MODEL].thinking[1].model_copy(update={"task": "t" * 64})
    model = profile.models[MODEL].model_copy(update={"thinking": (long,)})
    path = tmp_path / "p.json"
    path.write_text(profile.model_copy(update={"models": {MODEL: model}}).model_dump_json())
    found = written(tmp_path, "--profile", path, "--arrivals", "0.1")
    assert [kind["name"] for kind in found["types"]["types"]] == ["t" * 64 + "/all/all"]


def test_one_of_several_models_must_be_named(tmp_path: Path) -> None:
    profile = load_profile("embedded_thinking")
    both = {"a": profile.models[MODEL], "b": profile.models[MODEL]}
    path = tmp_path / "p.json"
    path.write_text(profile.model_copy(update={"models": both}).model_dump_json())
    result = allocate("--profile", path, "--arrivals", "0.1")
    assert result.exit_code == 2
    assert "name one of ['a', 'b'] with --model" in result.output
    assert allocate("--profile", path, "--arrivals", "0.1", "--model", "b").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "either a file of types or --profile is wanted", id="neither"),
        pytest.param(["t.yaml", "--profile", "embedded"], "either a file of types or --profile", id="both"),
        pytest.param(["t.yaml", "--slots", "2"], "goes with --profile", id="file has slots"),
        pytest.param([*QUEUE, "--arrivals", "1", "--window", "2h"], "not read with --arrivals", id="no log read"),
        pytest.param(["--profile", "nowhere"], "'nowhere' is neither a file nor one that ships", id="no profile"),
        pytest.param(["--profile", "embedded", "--arrivals", "1"], "has thinking curves", id="no curves"),
        pytest.param([*QUEUE, "--model", "x", "--arrivals", "1"], "'x' has no thinking curves; known: ", id="no model"),
        pytest.param([*QUEUE, "--slots", "0", "--arrivals", "1"], "batching.slots: ", id="no slots"),
        pytest.param([*QUEUE, "--max-attempts", "0", "--arrivals", "1"], "max_attempts: ", id="attempts"),
        pytest.param([*QUEUE, "--arrivals", "50"], "even without thinking", id="too busy"),
        pytest.param([*QUEUE, "--window", "soon"], "'soon' is no time", id="no window"),
    ],
)
def test_bad_options_are_named(arguments: list[str], message: str) -> None:
    result = allocate(*arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("window", "message"),
    [
        pytest.param("60s", f"the log has no attempt on '{MODEL}' since", id="empty"),
        pytest.param("2999-01-01", "which is yet to come", id="future"),
    ],
)
def test_window_without_attempts_is_refused(url: str, window: str, message: str) -> None:
    result = allocate(*QUEUE, "--log-url", url, "--window", window)
    assert result.exit_code == 1
    assert result.stderr.startswith("laar allocate: ")
    assert message in result.stderr


def test_log_that_is_not_there_is_refused() -> None:
    result = allocate(*QUEUE, "--log-url", "sqlite:////nowhere/a.sqlite")
    assert (result.exit_code, result.stderr) == (
        1,
        "laar allocate: there is no attempt log at /nowhere/a.sqlite; LAAR_LOG_URL names another one\n",
    )


def test_a_curve_that_rises_late_is_refused_with_its_points(tmp_path: Path) -> None:
    profile = load_profile("embedded_thinking").model_dump(mode="json")
    curve = profile["models"][MODEL]["thinking"][1]
    rising = zip((0, 100, 200, 400, 800), (2, 3, 2, 30, 58), strict=True)
    curve["points"] = [{"budget": b, "correct": c, "tried": 100, "mean_latency_s": 1.0} for b, c in rising]
    curve |= {"floor": 0.01, "gain": 0.95, "rate": 0.0007, "max_tokens": 800}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(profile))
    result = allocate("--profile", path, "--worth-s", "30", "--arrivals", "0.1")
    assert result.exit_code != 0
    assert "'arithmetic/all/all' is S-shaped (2/100 at 0, 3/100 at 100," in result.output
