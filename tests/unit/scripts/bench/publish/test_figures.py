import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from profiles.measures.trial import Trial, TrialAttempt
from scripts.bench.publish.figures import bars_of, figures_of, round_numbers
from scripts.bench.ttca.data import ComparedTrials, compare, read_compared, read_trials
from scripts.report import Bar
from tests.unit.ttca_data import ASKED, PARAMETERS, compared, records, trials

SECOND = pytest.approx
THREE = {**PARAMETERS, "policies": {"laar": {}, "round-robin": {}, "load-aware": {}}}


def figures(of: ComparedTrials) -> dict[str, Any]:
    return figures_of(of, resamples=200)


def bars(found: Mapping[str, Any], parameters: Mapping[str, Any] = PARAMETERS) -> dict[str, Bar]:
    return {bar.name: bar for bar in bars_of(found, parameters)}


def renamed(name: str) -> list[Trial]:
    """Round-robin's trials under another policy's name."""
    return [replace(trial, policy=name) for trial in trials() if trial.policy == "round-robin"]


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return path


# -- what is compared ---------------------------------------------------------------------------------------------


def test_trials_are_read_back_with_their_attempts(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {"policies": {}, "cap": 2, "seed": 3}, "environment": {"cores": 2}}
    path = write(tmp_path / "trials.jsonl.gz", [head, *(asdict(trial) for trial in trials())])
    parameters = {"policies": {}, "cap": 2, "seed": 3, "environment": {"cores": 2}, "resumed": []}
    assert read_trials(path) == (parameters, trials())


def test_environments_in_which_a_run_was_gone_on_with_are_known(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {"policies": {}, "cap": 2, "seed": 3}, "environment": {"cores": 2}}
    first, second = trials()[:2]
    lines = [head, asdict(first), {"resumed": {"cores": 4}}, asdict(second)]
    parameters, found = read_trials(write(tmp_path / "trials.jsonl.gz", lines))
    assert (parameters["environment"], parameters["resumed"]) == ({"cores": 2}, [{"cores": 4}])
    assert found == [first, second]


def test_what_was_served_before_is_set_beside_it(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {**PARAMETERS}}
    earlier = [
        replace(trial, elapsed_s=trial.elapsed_s / 2)
        for trial in [*trials(), *renamed("fastest")]
        if trial.policy != "laar" and trial.prompt_id in "ab"
    ]
    write(tmp_path / "trials.jsonl.gz", [head, *(asdict(trial) for trial in trials())])
    write(tmp_path / "before.jsonl.gz", [head, *(asdict(trial) for trial in earlier)])
    write(tmp_path / "outcomes.jsonl.gz", ({"result": "answered", "record": asdict(r)} for r in records()))
    found = figures(read_compared(tmp_path))["before"]
    # round-robin takes 4 s for a and 5 s for b
    assert found == {
        "round-robin": {
            "num_answerable": 2,
            "answerable_s": 4.5,
            "before_s": 2.25,
            "answerable_p95_s": 4.95,
            "before_p95_s": 2.475,
        }
    }


def test_line_that_is_no_trial_is_named(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {"policies": {}, "cap": 2, "seed": 3}, "environment": {}}
    path = write(tmp_path / "trials.jsonl.gz", [head, {"policy": "laar"}])
    with pytest.raises(ValueError, match=r"trials\.jsonl\.gz, line 2: Object missing required field `block`"):
        read_trials(path)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "trials.jsonl.gz", [{"laar_profile_journal": 1}])
    with pytest.raises(ValueError, match="does not begin with a line of version 1 of laar_ttca, but None"):
        read_trials(path)


def test_run_without_a_parameter_that_figures_need_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "trials.jsonl.gz", [{"laar_ttca": 1, "parameters": {"cap": 2, "seed": 3}}])
    with pytest.raises(
        ValueError, match=r"line 1: no parameter \['policies'\]; there are \['cap', 'environment', 'resumed', 'seed'\]"
    ):
        read_trials(path)


def test_file_in_use_comes_before_its_compressed_copy(tmp_path: Path) -> None:
    head = {"laar_ttca": 1, "parameters": {**PARAMETERS}}
    write(tmp_path / "trials.jsonl.gz", [head, *(asdict(trial) for trial in trials())])
    write(tmp_path / "outcomes.jsonl.gz", [asdict(r) for r in records()])
    assert len(read_compared(tmp_path).prompts) == 4
    lines = [head, *(asdict(trial) for trial in trials() if trial.prompt_id != "d")]
    (tmp_path / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(read_compared(tmp_path).prompts) == 3


def test_folder_without_raw_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has neither trials\.jsonl nor trials\.jsonl\.gz"):
        read_compared(tmp_path)


def test_each_policy_is_compared_on_the_prompts_that_laar_tried_too() -> None:
    some = {("laar", "b"), ("round-robin", "d")}
    of = compare(PARAMETERS, [t for t in trials() if (t.policy, t.prompt_id) not in some], records())
    assert {name: [t.prompt_id for t in found] for name, found in of.trials.items()} == {
        "laar": ["a", "c", "d"],
        "round-robin": ["a", "c"],
    }
    assert [prompt.id for prompt in of.prompts] == ["a", "c", "d"]
    assert of.whole == ["laar"]
    assert of.missing["prompts_not_tried_by_laar"] == 1


def test_policy_that_never_began_is_named() -> None:
    assert compare(THREE, trials(), records()).missing["policies_without_trials"] == ["load-aware"]


def test_policy_that_shares_no_prompt_with_laar_has_no_trials() -> None:
    asked = {"laar": {"a": "small"}, "round-robin": {"b": "big"}}
    of = compare(PARAMETERS, trials(asked), records())
    assert set(of.trials) == {"laar"}
    assert of.missing["policies_without_trials"] == ["round-robin"]


def test_comparison_without_laar_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no trials of 'laar', .*; there are those of \['round-robin'\]"):
        compare(PARAMETERS, [t for t in trials() if t.policy != "laar"], records())


def test_prompts_without_every_models_answer_are_left_out_and_counted() -> None:
    of = compare(PARAMETERS, trials(), [r for r in records() if (r.prompt_id, r.model) != ("d", "big")])
    assert [prompt.id for prompt in of.prompts] == ["a", "b", "c"]
    assert of.missing["prompts_without_every_models_answer"] == 1


def test_prompt_tried_twice_by_a_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="policy 'laar' tried prompt 'a' twice; once is allowed"):
        compare(PARAMETERS, [*trials(), trials()[0]], records())


# -- figures ------------------------------------------------------------------------------------------------------


def test_three_readings_of_each_policy() -> None:
    # d has no answer: it counts in reading (ii) alone, with ten times the longest trial (5 s)
    found = figures(compared())["policies"]
    for name, readings in (("laar", (10 / 3, 15.0, 10 / 3)), ("round-robin", (14 / 3, 16.0, 14 / 3))):
        of = found[name]
        assert (of["answerable_s"], of["penalised_s"], of["solved_s"]) == SECOND(readings)


def test_success_and_attempts_of_each_policy() -> None:
    of = figures(compared())["policies"]["laar"]
    assert (of["success_at"], of["success_rate"], of["mean_attempts"]) == ([0.5, 0.75], 0.75, 1.5)
    assert of["solved_after_attempts"] == {"1": 2, "2": 1}


def test_success_within_times_stands_beside_laars_on_the_same_prompts() -> None:
    some = [t for t in trials() if t.policy == "laar" or t.prompt_id in "ab"]
    within = figures_of(compare(PARAMETERS, some, records()), resamples=2)["success_within"]
    assert within == {
        "laar": {"2": {"share": 0.25, "laar_share": 0.25}},
        "round-robin": {"2": {"share": 0.0, "laar_share": 0.5}},
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([66.0, 1.4], [2, 5, 10, 20, 50], id="seconds"),
        pytest.param([0.03, 0.3], [0.05, 0.1, 0.2], id="parts of one"),
        pytest.param([2.0, 5.0, 10.0], [5], id="ends are left out"),
        pytest.param([3.0, 4.0], [], id="none between"),
        pytest.param([], [], id="no values"),
    ],
)
def test_round_numbers_lie_between_the_values(values: list[float], expected: list[float]) -> None:
    assert round_numbers(values) == pytest.approx(expected)


def test_verdicts_that_differ_from_the_recorded_ones_are_counted() -> None:
    # of LAAR's six attempts small at a and big at b were right, and are recorded as wrong
    changed = [replace(r, correct=r.correct and r.prompt_id not in ("a", "b")) for r in records()]
    of = figures(compare(PARAMETERS, trials(), changed))["policies"]["laar"]
    assert of["verdicts_unlike_recorded"] == SECOND(2 / 6)


def test_ratio_is_of_means_with_an_interval_around_it() -> None:
    over = figures(compared())["laar_over"]["round-robin"]
    ratio = over["answerable"]
    assert (ratio["value"], over["penalised"]["value"]) == SECOND((10 / 14, 15 / 16))
    assert ratio["low"] == SECOND(1 / 4)
    assert ratio["high"] == SECOND(1.0)


def test_prompt_that_one_model_answers_and_a_policy_does_not_is_charged_all_attempts() -> None:
    # LAAR breaks off c after small's second: 1 s, and one more attempt at the longest that anyone needed for c, 4 s
    asked = {**ASKED, "laar": {**ASKED["laar"], "c": "small"}}
    of = figures(compare(PARAMETERS, trials(asked), records()))
    assert of["policies"]["laar"]["answerable_s"] == SECOND((1 + 5 + 5) / 3)
    assert of["policies"]["laar"]["answerable_unsolved"] == 1
    assert bars(of)["success_above_round-robin"].value == -0.25


def test_prompts_per_second_count_the_time_of_all_blocks() -> None:
    # all are sent at once, and LAAR's longest takes 5 s
    assert figures(compared())["policies"]["laar"]["prompts_per_s"] == 4 / 5
    later = [replace(trial, block=1, sent_s=5.0) if trial.prompt_id == "a" else trial for trial in trials()]
    assert figures(compare(PARAMETERS, later, records()))["policies"]["laar"]["prompts_per_s"] == 4 / (5 + 6)


def test_policy_with_fewer_prompts_is_put_beside_laar_on_just_these() -> None:
    # LAAR: 1, 5 and 4 s on a, b and c; round-robin has 4 and 5 s on a and b
    of = figures(compare(PARAMETERS, trials({**ASKED, "round-robin": {"a": "big", "b": "small big"}}), records()))
    theirs, over = of["policies"]["round-robin"], of["laar_over"]["round-robin"]
    assert (theirs["num_prompts"], theirs["num_answerable"], theirs["answerable_s"]) == (2, 2, 4.5)
    assert (over["laar_answerable_s"], over["laar_success_rate"]) == (3.0, 1.0)
    assert (over["answerable"]["value"], over["answerable"]["num_prompts"]) == SECOND((6 / 9, 2))
    assert bars(of)["success_above_round-robin"].value == 0
    assert of["policies"]["laar"]["answerable_s"] == SECOND(10 / 3)
    assert set(of["cells_s"]) == {"laar"}


def test_price_of_an_attempt_is_the_same_for_all_whatever_they_tried() -> None:
    # LAAR breaks off b after small's second; load-aware alone tells that another attempt takes 5 s
    asked = {**ASKED, "laar": {**ASKED["laar"], "b": "small"}, "round-robin": {"b": "small"}}
    slow = replace(
        renamed("load-aware")[1],
        elapsed_s=5.0,
        tries=(TrialAttempt(model="big", started_s=0.0, latency_s=5.0, correct=True),),
    )
    of = figures(compare(THREE, [*trials(asked), slow], records()))
    assert of["laar_over"]["round-robin"]["laar_answerable_s"] == 6.0
    assert of["policies"]["round-robin"]["answerable_s"] == 6.0


def test_distance_from_the_bounds() -> None:
    bounds = figures(compared())["bounds"]
    assert [bounds[name]["answerable_s"] for name in ("oracle", "best_static", "laar_replayed")] == SECOND(
        [3.0, 10 / 3, 10 / 3]
    )
    assert bounds["laar_over_oracle"]["answerable"]["value"] == SECOND(10 / 9)
    assert bounds["laar_over_best_static"]["answerable"]["value"] == SECOND(1.0)
    assert bounds["replayed_over_measured"] == SECOND(1.0)
    # 3 prompts of 4, and the same penalty as for everybody
    assert (bounds["oracle"]["success_rate"], bounds["oracle"]["penalised_s"]) == (0.75, (1 + 4 + 4 + 50) / 4)


def test_what_each_model_answers_alone() -> None:
    prompts = figures(compared())["prompts"]
    assert prompts["answered_by"] == {"big": 1.0, "small": SECOND(1 / 3)}
    assert prompts["answered_only_by"] == {"big": SECOND(2 / 3), "small": 0.0}


def test_mean_by_language_and_length() -> None:
    assert figures(compared())["cells_s"]["laar"] == {"de": {"90": 4.0}, "en": {"90": 3.0}}


# -- bars ---------------------------------------------------------------------------------------------------------


def test_bars_are_the_same_whatever_could_be_computed() -> None:
    few = figures(compare(THREE, [t for t in trials() if t.policy == "laar"], records()))
    assert set(bars(few, THREE)) == {
        "laar_over_load-aware",
        "laar_over_session-affinity",
        "success_above_load-aware",
        "success_above_round-robin",
        "laar_over_best_static",
        "laar_replayed_over_best_static",
        "requests_per_policy",
        "languages",
        "lengths_in_every_language",
        "answered_by_one_model_alone",
        "client_late_s",
    }


@pytest.mark.parametrize(
    "name", ["laar_over_load-aware", "laar_over_session-affinity", "success_above_load-aware"], ids=str
)
def test_bar_that_cannot_be_computed_falls_short(name: str) -> None:
    bar = bars(figures(compare(THREE, trials(), records())), THREE)[name]
    assert math.isnan(bar.value)
    assert not bar.ok


def test_bars_on_bounds_fall_short_where_there_are_none() -> None:
    answers = [*records(), *(replace(r, model="third", correct=False) for r in records() if r.model == "big")]
    found = figures(compare(PARAMETERS, trials(), answers))
    assert found["bounds"]["not_computed"].startswith("no policy asked model 'third'")
    assert not bars(found)["laar_over_best_static"].ok


@pytest.mark.parametrize(
    ("seconds", "holds"), [pytest.param(5.0, True, id="0.67"), pytest.param(4.5, False, id="0.74")]
)
def test_ratio_to_load_aware_is_held_against_its_limit(seconds: float, holds: bool) -> None:
    # LAAR takes 10 s for the answerable three
    others = [
        replace(t, elapsed_s=seconds, tries=(replace(t.tries[-1], started_s=0.0, latency_s=seconds),))
        for t in renamed("load-aware")
    ]
    bar = bars(figures(compare(THREE, [*trials(), *others], records())), THREE)["laar_over_load-aware"]
    assert (bar.limit, bar.ok) == (0.69, holds)


def test_one_model_that_answers_nearly_everything_falls_short() -> None:
    bar = bars(figures(compared()))["answered_by_one_model_alone"]
    assert (bar.value, bar.limit, bar.ok) == (1.0, 0.8, False)


@pytest.mark.parametrize(
    ("late_s", "holds"),
    [
        pytest.param({"laar": 0.01, "round-robin": 0.02}, True, id="on-time"),
        pytest.param({"laar": 0.01, "round-robin": 0.03}, False, id="one-policy-late"),
        pytest.param({"laar": 0.01, "round-robin": None}, False, id="not-measured"),
    ],
)
def test_client_that_waits_for_its_own_core_falls_short(late_s: dict[str, float | None], holds: bool) -> None:
    timed = [replace(trial, client_late_s=late_s[trial.policy]) for trial in trials()]
    assert bars(figures(compare(PARAMETERS, timed, records())))["client_late_s"].ok == holds


@pytest.mark.parametrize(
    ("elapsed_s", "measured", "late_s"),
    [
        pytest.param(0.1, [None, 0.01, None, 0.03], 0.02, id="between-two-timers"),
        pytest.param(0.1, [None] * 4, None, id="all-between-two-timers"),
        pytest.param(0.2, [None, 0.01, 0.02, 0.03], None, id="one-of-long-trials-not-measured"),
    ],
)
def test_client_is_timed_by_every_trial_that_is_not_over_at_once(
    elapsed_s: float, measured: Sequence[float | None], late_s: float | None
) -> None:
    assert [trial.policy for trial in trials()[:4]] == ["laar"] * 4
    timed = [
        replace(
            trial,
            elapsed_s=elapsed_s,
            tries=(replace(trial.tries[-1], started_s=0.0, latency_s=elapsed_s),),
            client_late_s=late,
        )
        for trial, late in zip(trials(), [*measured, *[0.03] * len(trials())], strict=False)
    ]
    found = figures(compare(PARAMETERS, timed, records()))["policies"]["laar"]["client_late_s"]
    assert found == (None if late_s is None else pytest.approx(late_s))


def test_policy_without_a_trial_has_no_requests() -> None:
    assert bars(figures(compared()), THREE)["requests_per_policy"].value == 0


def test_too_few_languages_or_lengths_fall_short() -> None:
    found = bars(figures(compared()))
    names = ("languages", "lengths_in_every_language")
    assert [(found[name].value, found[name].ok) for name in names] == [(2, False), (1, False)]


@pytest.mark.parametrize(
    ("fewest", "holds"), [pytest.param(300, True, id="enough"), pytest.param(299, False, id="too few of one")]
)
def test_requests_of_every_policy_are_held_against_the_limit(fewest: int, holds: bool) -> None:
    found = figures(compare(THREE, [*trials(), *renamed("load-aware"), *renamed("session-affinity")], records()))
    for name, of in found["policies"].items():
        of["num_prompts"] = fewest if name == "round-robin" else 300
    bar = bars(found)["requests_per_policy"]
    assert (bar.value, bar.limit, bar.ok) == (fewest, 300, holds)


def test_nothing_answerable_is_refused() -> None:
    with pytest.raises(ValueError, match="no model answers any of the 4 prompts of 'laar' that are compared"):
        figures(compare(PARAMETERS, trials(), [replace(r, correct=False) for r in records()]))
