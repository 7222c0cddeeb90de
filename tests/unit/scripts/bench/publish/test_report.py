import csv
import gzip
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record
from scripts.bench.publish.page import stale_blocks, write_blocks
from scripts.bench.publish.plots import GoodputCurve, InTimeGoodput, plot_goodput, plot_success
from scripts.bench.publish.report import page_of, publish, recompute
from scripts.bench.ttca.data import compare
from scripts.report import Bar
from tests.unit.ttca_data import PARAMETERS, records, trials

RESULTS = Path(__file__).parents[5] / "docs" / "results"


def pack(path: Path, lines: Sequence[Any]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def write(folder: Path, of: Sequence[Trial], answers: Sequence[Record]) -> None:
    head = {"laar_ttca": 1, "environment": {"cores": 2, "niceness": 5}, "parameters": {**PARAMETERS}}
    pack(folder / "trials.jsonl.gz", [head, *(asdict(trial) for trial in of)])
    pack(folder / "outcomes.jsonl.gz", [{"model": r.model, "result": "answered", "record": asdict(r)} for r in answers])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "results"
    folder.mkdir()
    write(folder, trials(), records())
    publish(folder, resamples=200)
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """Raw data and all that was published of them, to be changed as a test likes."""
    shutil.copytree(published.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results"


def bar(folder: Path, name: str) -> Bar:
    return next(bar for bar in recompute(folder, resamples=200).bars if bar.name == name)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


# -- what is published --------------------------------------------------------------------------------------------


def test_published_figures_follow_from_the_raw_data(folder: Path) -> None:
    assert (bar(folder, "published_figures_match").value, bar(folder, "published_tables_match").value) == (0, 0)


def test_published_environment_is_that_of_the_run(folder: Path) -> None:
    assert json.loads((folder / "ttca.json").read_text())["environment"] == {"cores": 2, "niceness": 5}


def test_published_figure_that_was_changed_is_found(folder: Path) -> None:
    published = json.loads((folder / "ttca.json").read_text())
    published["figures"]["policies"]["laar"]["answerable_s"] *= 0.999
    (folder / "ttca.json").write_text(json.dumps(published))
    found = bar(folder, "published_figures_match")
    assert (found.value, found.ok) == (1, False)


def test_published_figure_that_is_gone_is_found(folder: Path) -> None:
    published = json.loads((folder / "ttca.json").read_text())
    del published["figures"]["policies"]["laar"]["success_rate"]
    (folder / "ttca.json").write_text(json.dumps(published))
    assert bar(folder, "published_figures_match").value == 1


def test_raw_data_that_were_changed_are_found(folder: Path) -> None:
    write(folder, [t for t in trials() if t.prompt_id != "b"], records())
    assert not bar(folder, "published_figures_match").ok


def test_table_that_was_changed_is_found(folder: Path) -> None:
    edit(page_of(folder), "| laar | 4 | 3 | 3.33 |", "| laar | 4 | 3 | 2.33 |")
    found = bar(folder, "published_tables_match")
    assert (found.value, found.ok) == (1, False)


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        pytest.param("results/ttca.json", "published_figures_match", id="figures"),
        pytest.param("results.md", "published_tables_match", id="page"),
    ],
)
def test_what_was_never_published_falls_short(folder: Path, gone: str, name: str) -> None:
    (folder.parent / gone).unlink()
    found = bar(folder, name)
    assert math.isnan(found.value)
    assert not found.ok


def test_a_row_for_each_policy(folder: Path) -> None:
    with (folder / "policies.csv").open() as file:
        rows = {row["policy"]: row for row in csv.DictReader(file)}
    assert rows["laar"]["success_at_1"] == "0.5"
    assert rows["laar"]["laar_over_it_answerable_value"] == ""
    assert float(rows["round-robin"]["laar_over_it_answerable_value"]) == pytest.approx(10 / 14)


def test_a_row_for_each_trial(folder: Path) -> None:
    with (folder / "trials.csv").open() as file:
        rows = {(row["policy"], row["prompt_id"]): row for row in csv.DictReader(file)}
    assert len(rows) == 8
    of = rows["laar", "b"]
    assert (of["ttca_s"], of["charged_s"], of["models"]) == ("5.0", "5.0", "small big")
    assert (rows["laar", "d"]["ttca_s"], rows["laar", "d"]["charged_s"]) == ("", "")


def test_every_plot_is_drawn(folder: Path) -> None:
    drawn = {path.stem for path in folder.glob("*.png") if path.read_bytes().startswith(b"\x89PNG")}
    assert drawn == {"ecdf", "success", "cells", "attempts"}


def test_simulated_goodput_and_ablation_are_shown_where_they_are(folder: Path) -> None:
    goodput = {"simulated": True, "load_unit": "requests/s", "goodput_unit": "tokens/s"}
    (folder / "goodput.json").write_text(json.dumps({**goodput, "series": {"laar": [[1, 10], [2, 15]]}}))
    (folder / "ablation.json").write_text(json.dumps({"rows": [{"without": "language", "over_full": 1.25}]}))
    edit(page_of(folder), "# laar bench ttca\n", "# Ours\n")
    publish(folder, resamples=200)
    page = page_of(folder).read_text()
    assert page.startswith("# Ours\n")
    assert "| without | over_full |\n| --- | --- |\n| language | 1.25 |" in page
    assert (folder / "goodput.png").exists()


def test_policies_with_fewer_prompts_are_drawn_beside_laar_on_those_they_share() -> None:
    some = [t for t in trials() if t.policy == "laar" or t.prompt_id in "ab"]
    whole, small = plot_success(compare(PARAMETERS, some, records())).axes
    assert [line.get_label() for line in whole.lines] == ["laar"]
    assert [line.get_label() for line in small.lines] == ["laar", "round-robin"]
    assert whole.get_title() == "success within a time, all of 4 prompts"
    assert small.get_title() == "success within a time, all of 2 prompts"


def test_goodput_of_a_simulation_says_so() -> None:
    points = {"laar": [(2.0, 15.0), (1.0, 10.0)]}
    goodput = GoodputCurve(simulated=True, load_unit="requests/s", goodput_unit="tokens/s", series=points)
    (axes,) = plot_goodput(goodput).axes
    assert axes.get_title() == "smooth goodput by load (simulated)"
    assert np.asarray(axes.lines[0].get_xydata()).tolist() == [[1.0, 10.0], [2.0, 15.0]]


def test_goodput_is_drawn_below_smooth_goodput_with_its_limit() -> None:
    in_time = InTimeGoodput(limit_s=10.0, series={"laar": [(1.0, 0.5)]})
    smooth = {"laar": [(1.0, 10.0)]}
    goodput = GoodputCurve(
        simulated=True, load_unit="requests/s", goodput_unit="tokens/s", series=smooth, in_time=in_time
    )
    above, below = plot_goodput(goodput).axes
    assert (above.get_ylabel(), below.get_ylabel()) == ("smooth goodput, tokens/s", "goodput, requests/s")
    assert below.get_title() == "right answers within 10 s by load (simulated)"
    assert np.asarray(below.lines[0].get_xydata()).tolist() == [[1.0, 0.5]]


# -- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("| laar | 4 | 3 | 3.33 | 4.00 | 4.90 | - |  | 15.00 |  | 3.33 |", id="readings"),
        pytest.param("| round-robin | 4 | 3 | 4.67 | 5.00 | 5.00 | 3.33 | 0.71 (0.25–1.00) |", id="beside laar"),
        pytest.param("| round-robin | 4 | 0.250 | 0.750 | 0.750 | 0.750 | 1.75 | 0 | 0 | 0.0% |", id="success"),
        pytest.param("| policy | prompts | within 2 s |\n| --- | --- | --- |\n| laar | 4 | 0.250 |", id="within"),
        pytest.param("| round-robin | 4 | 0.000 (0.250) |", id="within, beside laar"),
        pytest.param("| oracle | 3.00 | 1.11 (1.00–1.25) |  |", id="oracle"),
        pytest.param("| en | 3.00 |", id="cells"),
        pytest.param("Policies with fewer than 300 prompts: laar (4), round-robin (4).", id="policies with few"),
        pytest.param("| requests_per_policy | 0 | at least 300 | **no** |", id="bar that falls short"),
        pytest.param("- laar_over_load-aware: not computed against 0.69", id="figure that is not there"),
        pytest.param("| round-robin | server |", id="policies"),
    ],
)
def test_page_shows(folder: Path, line: str) -> None:
    assert line in page_of(folder).read_text()


def test_text_around_tables_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin bars -->\nold\n<!-- end bars -->\nafter\n")
    write_blocks(page, {"bars": "new"})
    assert page.read_text() == "before\n<!-- begin bars -->\n\nnew\n\n<!-- end bars -->\nafter\n"
    assert stale_blocks(page, {"bars": "new"}) == []
    assert stale_blocks(page, {"bars": "newer"}) == ["bars"]


def test_table_without_a_place_in_the_page_is_stale(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin bars -->\n\nnew\n\n<!-- end bars -->\n<!-- begin short -->\n")
    assert stale_blocks(page, {"bars": "new", "ttca": "1 s", "short": ""}) == ["ttca", "short"]


def test_place_for_something_unknown_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- begin bras -->\n<!-- end bras -->\n")
    with pytest.raises(ValueError, match="unknown block 'bras' in the page; known: bars"):
        write_blocks(page, {"bars": "new"})


# -- what this repository publishes -------------------------------------------------------------------------------
