import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from deployments.budgets.problem import Problem
from scripts import commands
from scripts.allocate.thinking_types import read_types
from scripts.bench.budgets.simulated import ASSUMED, MEASURED

EXAMPLE = Path(__file__).parents[4] / "docs" / "thinking_types.yaml"


def allocate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands.app, ["allocate", *map(str, arguments)], env={"COLUMNS": "400"})


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = EXAMPLE.read_text()
    assert old in text
    path = tmp_path / "types.yaml"
    path.write_text(text.replace(old, new))
    return path


def written(tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    result = allocate(*arguments, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    return content


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        pytest.param("types", ASSUMED, id="assumed"),
        *(pytest.param(model, types, id=model) for model, types in MEASURED.items()),
    ],
)
def test_examples_are_the_types_that_the_bench_compares(name: str, compared: Problem) -> None:
    stated = read_types(EXAMPLE.with_name(f"thinking_{name}.yaml"))
    problem = stated.objective(stated.arrivals_per_s).problem
    for field in ("shares", "base_s", "token_s", "gain", "rate", "floor", "max_tokens", "arrivals_per_s", "worth_s"):
        assert np.array_equal(getattr(problem, field), getattr(compared, field)), field


def test_example_is_printed_and_written(tmp_path: Path) -> None:
    result = allocate(EXAMPLE, "--json", tmp_path / "out.json")
    assert "J = 18.5823 s   E[T] = 3.2562 s   utilisation = 0.445" in result.output
    assert "other budgets add at most" in result.output
    (found,) = json.loads((tmp_path / "out.json").read_text())["allocations"]
    assert [kind["budget"] for kind in found["types"]] == [104, 158, 310, 204]
    assert found["simulated"] is None
    assert found["certificate"].keys() == {"iterations", "loss_s", "gap_s", "starts", "agreeing"}
    assert found["certificate"]["gap_s"] < 1e-4


def test_simulation_stands_beside_the_formula(tmp_path: Path) -> None:
    (found,) = written(tmp_path, EXAMPLE, "--simulate", "--requests", "100000")["allocations"]
    seen = found["simulated"]
    assert found["mean_time_s"] == pytest.approx(seen["mean_time_s"], abs=4 * seen["error_s"])
    # the first of 21 batches fills the queue and does not count
    assert seen["requests"] == 95_220


@pytest.mark.parametrize(
    ("old", "new", "starts"),
    [
        pytest.param("# max_attempts: 4", "max_attempts: 4", 3, id="retries"),
        pytest.param("# batching:", "batching:", 1, id="batching"),
    ],
)
def test_server_and_retries_are_heeded(tmp_path: Path, old: str, new: str, starts: int) -> None:
    path = changed(tmp_path, old, new)
    (found,) = written(tmp_path, path, "--simulate", "--requests", "20000")["allocations"]
    assert found["certificate"]["starts"] == starts
    assert found["mean_time_s"] == pytest.approx(found["simulated"]["mean_time_s"], rel=0.1)


def test_busier_servers_think_less(tmp_path: Path) -> None:
    found = written(tmp_path, EXAMPLE, "--arrivals", "0.1,0.4")["allocations"]
    assert [at["arrivals_per_s"] for at in found] == [0.1, 0.4]
    assert found[1]["types"][2]["budget"] < found[0]["types"][2]["budget"]


def test_plot_is_a_png(tmp_path: Path) -> None:
    assert allocate(EXAMPLE, "--plot", tmp_path / "j.png").exit_code == 0
    assert (tmp_path / "j.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("share: 0.40", "share: 0.50", r"shares: they sum to 1.1; they must sum to 1", id="shares"),
        pytest.param("gain: 0.25", "gain: 1.25", r"types.0.gain: .*less than or equal to 1 \(1.25 given\)", id="range"),
        pytest.param("floor: 0.15", "flor: 0.15", r"types.2.flor: there is no such key", id="unknown key"),
        pytest.param("worth_s: 30", "", r"worth_s: missing; write worth_s: ", id="missing key"),
        pytest.param("arrivals_per_s: 0.2", "arrivals_per_s: 9", r"4.41 even without thinking", id="too busy"),
        pytest.param("arrivals_per_s: 0.2", "arrivals_per_s: .inf", r"arrivals_per_s: .*finite", id="infinite"),
        pytest.param("name: code", "name: maths", r"\['maths'\] named more than once", id="twice"),
        pytest.param("worth_s: 30", "worth_s: [", r"no YAML: line \d+, column \d+: ", id="syntax"),
        pytest.param("worth_s: 30", "worth_s: 2020-13-45", r"YAML cannot read: month must be", id="no date"),
        pytest.param("worth_s: 30", "worth_s: " + "[" * 500, r"more than 100 deep", id="too deep"),
        pytest.param(
            "max_tokens: 512", "max_tokens: 1" + "0" * 400, r"max_tokens: .*equal to 1000000000000", id="huge"
        ),
        pytest.param("name: code", 'name: "[/b]"', r"types.3.name: .*match pattern", id="mark-up"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    result = allocate(changed(tmp_path, old, new))
    assert result.exit_code == 2
    assert re.search(message, result.output), result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--arrivals", "0.1,x"], "'0.1,x'; numbers above 0", id="no number"),
        pytest.param(["--arrivals", "0"], "'0'; numbers above 0", id="no arrivals"),
        pytest.param(["--plot", "j.pdf"], "'j.pdf'; a name that ends in .png", id="no PNG"),
        pytest.param(["--plot", "j.png", "--arrivals", "0.1,0.2"], "2 loads given; a plot is of one", id="two plots"),
        pytest.param(["--json", "nowhere/x.json"], "there is no folder 'nowhere'", id="no folder"),
        pytest.param(["--json", "/dev/full"], "cannot be written: ", id="full"),
        pytest.param(["--json", "/"], "'/' is a folder", id="folder as file"),
    ],
)
def test_bad_options_are_named(arguments: list[str], message: str) -> None:
    result = allocate(EXAMPLE, *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_bench_refuses_a_plot_it_could_not_write_before_it_computes() -> None:
    result = CliRunner().invoke(commands.app, ["bench", "allocate", "--plot", "j.pdf"], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert "'j.pdf'; a name that ends in .png" in result.output


def test_missing_file_is_named() -> None:
    result = allocate("nowhere.yaml")
    assert result.exit_code == 2
    assert "cannot be read" in result.output
