"""The published pages follow from the raw data beside them."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.emulated import run as emulated
from scripts.bench.emulated.file import read_emulation
from scripts.bench.estimates import capability
from scripts.bench.goodput import run as goodput
from scripts.bench.goodput.file import read_recording
from scripts.bench.publish.report import recompute
from scripts.bench.simulated.published import ROUNDING, compared, difference
from scripts.bench.simulated.run import load_study, read_engines
from scripts.bench.simulated.study import WITHIN_RUN
from scripts.bench.ttca.plan import blocks_of, prompts_of, read_plan
from scripts.profile.measuring.plan import BUCKET_EDGES
from scripts.report import Report

ROOT = Path(__file__).parents[2]
DOCS, STUDIES = ROOT / "docs", ROOT / "studies"
TTCA, BENCHMARKS = STUDIES / "ttca", STUDIES / "benchmarks"

SERVED = {"interleaved": [*range(12)], "interleaved-again": [1, 2, 3, 4, 5], "interleaved-third": [0, 1, 2, 3, 4]}
# what two digits still show
_LEAST_SPREAD = 0.005


def test_results_of_this_repository_follow_from_their_raw_data() -> None:
    report = recompute(TTCA, page=DOCS / "results.md")
    published = {bar.name: bar.value for bar in report.bars if bar.name.startswith("published_")}
    assert published == {"published_figures_match": 0, "published_tables_match": 0}


def test_published_plan_asks_enough_in_enough_languages_and_lengths() -> None:
    made = read_plan(TTCA / "plan.yaml")
    prompts = prompts_of(made)
    assert len(prompts) >= 300
    lookups = {(p.language, p.target_tokens) for p in prompts if p.task == "lookup"}
    assert len({language for language, _ in lookups}) >= 6
    assert len({tokens for _, tokens in lookups}) >= 3
    assert made.cap == 10


def validation_table(validation: Mapping[str, Any], within: float) -> str:
    """Simulated over real as `docs/simulator.md` shows it; bold is what is further off than `within`."""
    servings = [_ratios(found) for found in validation["each_serving"].values()]
    published = _ratios(validation["published_run"])
    head = ["policy", "answerable prompts", "mean", "p95", "attempts, simulated / real"]
    head += ["mean by serving", "p95 by serving", "the published run: mean", "p95"]
    lines = [head, ["---"] * len(head)]
    for row in validation["other_blocks"]["policies"]:
        name, real, spread = row["name"], row["real"], row["spread"]
        lines.append(
            [
                name,
                str(row["requests"]),
                _told(row["mean_ratio"], within, spread["mean_s"] / real["mean_s"]),
                _told(row["p95_ratio"], within, spread["p95_s"] / real["p95_s"]),
                f"{row['simulated']['attempts']:.2f} / {real['attempts']:.2f}",
                *(", ".join(f"{found[name][which]:.2f}" for found in servings) for which in (0, 1)),
                *(_told(ratio, within) for ratio in published[name]),
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ratios(found: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {row["name"]: (row["mean_ratio"], row["p95_ratio"]) for row in found["policies"]}


def _told(ratio: float, within: float, spread: float = 0.0) -> str:
    told = f"{ratio:.2f}" if abs(ratio - 1) <= within else f"**{ratio:.2f}**"
    return told if spread < _LEAST_SPREAD else f"{told} ± {spread:.2f}"


def test_page_has_the_figures_that_the_bench_found() -> None:
    figures = json.loads((STUDIES / "benchmarks/simulate.json").read_text())["figures"]
    assert validation_table(figures["validation"], WITHIN_RUN) in (DOCS / "simulator.md").read_text()


def test_table_sets_in_bold_what_is_too_far_off() -> None:
    def beside(mean: float, p95: float) -> dict[str, Any]:
        side = {"mean_s": 2.0, "p95_s": 4.0, "attempts": 1.5}
        spread = {"mean_s": 0.1, "p95_s": 0.01, "attempts": 0.0}
        row = {"name": "laar", "requests": 9, "mean_ratio": mean, "p95_ratio": p95}
        return {"policies": [{**row, "simulated": side, "real": side, "spread": spread}]}

    found = {
        "other_blocks": beside(1.04, 1.11),
        "each_serving": {"one": beside(0.97, 1.0), "other": beside(1.2, 1.3)},
        "published_run": beside(0.89, 1.0),
    }
    assert validation_table(found, 0.1).splitlines()[2] == (
        "| laar | 9 | 1.04 ± 0.05 | **1.11** | 1.50 / 1.50 | 0.97, 1.20 | 1.00, 1.30 | **0.89** | 1.00 |"
    )


def test_study_of_this_repository_comes_back_from_another_process() -> None:
    study = load_study(TTCA)
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(copy, study).result() == study


def test_run_of_this_repository_is_what_its_plan_asked_for() -> None:
    found = load_study(TTCA)
    made = read_plan(TTCA / found.facts.runs[0] / "plan.yaml")
    wanted = [{sending.prompt.id for sending in block} for block in blocks_of(made, prompts_of(made))]
    for run in found.facts.runs:
        served: dict[tuple[str, int], list[str]] = defaultdict(list)
        for split in found.splits:
            if split.serving == run:
                for trial in split.held_out:
                    served[trial.policy, trial.block].append(trial.prompt_id)
        blocks_of_run = sorted({block for _, block in served})
        assert {key: sorted(prompts) for key, prompts in served.items()} == {
            (policy, block): sorted(wanted[block]) for policy in made.policies for block in blocks_of_run
        }
        assert blocks_of_run == SERVED[run]


def test_published_simulations_follow_from_the_published_engines() -> None:
    study = load_study(TTCA)
    bars = compared(TTCA, study, read_engines(TTCA, study.splits))
    assert [bar.name for bar in bars] == ["ablation_differs", "goodput_differs"]
    assert all(bar.ok for bar in bars), bars


def test_published_calibration_of_chances_follows_from_the_recorded_answers() -> None:
    folder = STUDIES / "benchmarks"
    found = capability.run(
        train=folder / "outcomes-seed1.jsonl.gz", held_out=folder / "outcomes-seed2.jsonl.gz", edges=BUCKET_EDGES
    )
    published = json.loads((folder / "capability.json").read_text())
    assert difference(found.figures, published["figures"]) <= ROUNDING
    assert all(bar.ok for bar in found.bars)


@pytest.mark.parametrize(
    ("name", "report"),
    [
        pytest.param("goodput", lambda path: goodput.report(read_recording(path)), id="streams"),
        pytest.param("emulated", lambda path: emulated.report(read_emulation(path)), id="emulated-engines"),
    ],
)
def test_recordings_give_the_figures_that_are_published(name: str, report: Callable[[Path], Report]) -> None:
    found = json.loads(json.dumps(report(BENCHMARKS / f"{name}.jsonl.gz").as_dict()))
    published = json.loads((BENCHMARKS / f"{name}.json").read_text())
    assert found["figures"] == published["figures"]
    assert found["bars"] == published["bars"]
