import numpy as np
import pytest

from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.chances.joint import after as conditioned
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile

MEASURED = NO_PROFILE.measured


def profile(
    cells: dict[str, list[CellCounts]], pairs: tuple[PairCounts, ...] = (), *, edges: tuple[int, ...] = (128, 512)
) -> Profile:
    models = {
        name: ModelProfile(
            latency=Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0),
            chars_per_token={"unknown": 4.0},
            chars_per_symbol_token=2.0,
            cells=tuple(mine),
        )
        for name, mine in cells.items()
    }
    return Profile(version=1, measured=MEASURED, bucket_edges=edges, models=models, pairs=pairs)


def cell(language: str, bucket: int, correct: int, tried: int) -> CellCounts:
    return CellCounts(language=language, bucket=bucket, correct=correct, tried=tried)


def q(found: Capability, model: str, language: str, bucket: int = 0, task: str = "default") -> float:
    return found.probability(model, Cell(task, language, bucket))


def test_model_without_any_figures_anywhere_is_right_half_the_time() -> None:
    assert q(Capability(profile({"m": []})), "m", "en") == pytest.approx(0.5)
    assert q(Capability(NO_PROFILE), "another", "en") == pytest.approx(0.5)


def test_model_without_figures_is_taken_for_one_like_the_others_within_a_wide_interval() -> None:
    found = Capability(profile({"m": [cell("en", b, 38, 40) for b in (0, 1)], "n": [cell("en", 0, 36, 40)], "new": []}))
    known, new, another = (found.estimate(name, Cell("default", "en", 0)) for name in ("m", "new", "another"))
    assert new == another
    assert new.probability > 0.7
    assert new.high - new.low > 2 * (known.high - known.low)


def test_estimate_lies_between_the_cell_and_what_the_others_suggest() -> None:
    cells = [cell(language, 0, 10, 20) for language in ("de", "es", "fr", "it", "zh")]
    found = Capability(profile({"m": [*cells, cell("en", 0, 20, 20)]}))
    assert 0.6 < q(found, "m", "en") < 1.0


def test_more_data_outweighs_the_prior() -> None:
    cells = [cell("en", 0, 18, 20), cell("zh", 0, 2, 20)]
    found = Capability(profile({"m": cells}))
    assert q(found, "m", "en") > 0.8
    assert q(found, "m", "zh") < 0.2


def test_language_without_cells_gets_the_rate_over_all_languages() -> None:
    found = Capability(profile({"m": [cell("en", 0, 18, 20), cell("zh", 0, 2, 20)]}))
    assert q(found, "m", "sw") == pytest.approx(0.5, abs=0.01)


def test_unmeasured_bucket_gets_the_rate_over_all_buckets() -> None:
    found = Capability(profile({"m": [cell("en", 0, 4, 40)]}))
    assert q(found, "m", "en", bucket=2) == pytest.approx(q(found, "m", "en", bucket=1))
    assert q(found, "m", "en", bucket=2) < 0.2


def test_unknown_task_is_answered_by_the_default_task() -> None:
    found = Capability(profile({"m": [cell("en", 0, 18, 20)]}))
    assert q(found, "m", "en", task="poetry") == q(found, "m", "en")


def test_probability_is_never_certain() -> None:
    found = Capability(profile({"m": [cell("en", 0, 20, 20), cell("de", 0, 0, 20)]}))
    assert 0 < q(found, "m", "de") < q(found, "m", "en") < 1


def test_models_that_fail_together_lower_the_probability_after_a_failure() -> None:
    pair = PairCounts(failed="a", model="b", language="en", bucket=0, correct=0, tried=16)
    found = Capability(profile({"a": [cell("en", 0, 10, 20)], "b": [cell("en", 0, 10, 20)]}, (pair,)))
    before = found.probability("b", Cell("default", "en", 0))
    after = float(conditioned(np.array(before), found.burdens(["a", "b"], task="default")[0, 1]))
    assert before == pytest.approx(0.5, abs=0.02)
    # the paired rate is 0 of 16; the shift is shrunk twice, to the two models' and to one over all
    assert 0.0 < after < 0.15


def test_failure_of_a_model_without_paired_figures_changes_nothing() -> None:
    found = Capability(profile({"a": [], "b": [cell("en", 0, 10, 20)]}))
    assert not found.burdens(["a", "b"], task="default").any()


def test_task_without_figures_is_answered_by_the_default_task_where_that_has_some() -> None:
    found = Capability(profile({"m": [cell("en", 0, 18, 20)]}))
    assert found.known("poetry", "sw") == ("default", "*")
    lookup = CellCounts(task="lookup", language="en", bucket=0, correct=18, tried=20)
    assert Capability(profile({"m": [lookup]})).known("poetry", "en") == ("*", "en")


def test_tables_hold_the_same_estimates_for_several_models() -> None:
    found = Capability(profile({"m": [cell("en", 0, 18, 20)], "n": [cell("en", 1, 2, 20)]}))
    tables = found.tables(["n", "another", "m"], task="default", language="en")
    assert tables.probability.tolist() == [
        [q(found, name, "en", bucket=bucket) for bucket in (0, 1, 2)] for name in ("n", "another", "m")
    ]
