from typing import Any

import pytest

from profiles.capability import Capability
from profiles.schema import NO_PROFILE, Cell, Latency, ModelProfile, PairCell, Profile

MEASURED = NO_PROFILE.measured


def profile(cells: dict[str, list[Cell]], pairs: tuple[PairCell, ...] = ()) -> Profile:
    models = {
        name: ModelProfile(
            latency=Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0),
            chars_per_token={"unknown": 4.0},
            chars_per_symbol_token=2.0,
            cells=tuple(mine),
        )
        for name, mine in cells.items()
    }
    return Profile(version=1, measured=MEASURED, bucket_edges=(128, 512), models=models, pairs=pairs)


def cell(language: str, bucket: int, correct: int, tried: int) -> Cell:
    return Cell(language=language, bucket=bucket, correct=correct, tried=tried)


def q(found: Capability, model: str, language: str, bucket: int = 0, task: str = "default") -> float:
    return found.probability(model, task=task, language=language, bucket=bucket)


def test_model_without_figures_is_right_half_the_time() -> None:
    assert q(Capability(profile({"m": []})), "m", "en") == 0.5
    assert q(Capability(profile({"m": []})), "another", "en") == 0.5


def test_single_cell_is_shrunk_at_every_level() -> None:
    # one cell of 16 of 16, prior strength 4: (16 + 4 * 0.5) / 20 = 0.9, then 0.98, 0.996, 0.9992
    found = Capability(profile({"m": [cell("en", 0, 16, 16)]}))
    assert q(found, "m", "en") == pytest.approx(0.9992)


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
    pair = PairCell(failed="a", model="b", language="en", bucket=0, correct=0, tried=16)
    found = Capability(profile({"a": [cell("en", 0, 10, 20)], "b": [cell("en", 0, 10, 20)]}, (pair,)))
    where: dict[str, Any] = {"task": "default", "language": "en", "bucket": 0}
    before = found.probability("b", **where)
    after = found.after_failures("b", ["a"], **where)
    # (0 + 4 * before) / 20
    assert after == pytest.approx(before / 5)


def test_failure_of_a_model_without_paired_figures_changes_nothing() -> None:
    found = Capability(profile({"a": [], "b": [cell("en", 0, 10, 20)]}))
    where: dict[str, Any] = {"task": "default", "language": "en", "bucket": 0}
    assert found.after_failures("b", ["a"], **where) == found.probability("b", **where)
