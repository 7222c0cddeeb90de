"""What a profile may say about thinking."""

from typing import Any

import pytest
from pydantic import ValidationError

from profiles.profile import ModelProfile, Profile, ThinkingCurve

CURVE: dict[str, Any] = {
    "task": "sums",
    "base_s": 0.5,
    "token_s": 0.02,
    "gain": 0.6,
    "rate": 0.05,
    "floor": 0.2,
    "max_tokens": 64,
}
POINT = {"budget": 8, "correct": 3, "tried": 10, "mean_latency_s": 0.7}


def model(*curves: dict[str, Any]) -> dict[str, Any]:
    return {
        "latency": {"overhead_s": 0, "prefill_s_per_token": 0, "decode_s_per_token": 0.02},
        "chars_per_token": {"unknown": 4.0},
        "chars_per_symbol_token": 2.0,
        "thinking": curves,
    }


def test_curve_without_language_and_bucket_holds_for_all() -> None:
    assert ThinkingCurve.model_validate(CURVE).key == ("sums", None, None)


def test_curve_carries_its_evidence() -> None:
    given = {**CURVE, "intervals": {"gain": [0.4, 0.7]}, "points": [POINT]}
    curve = ThinkingCurve.model_validate(given)
    assert curve.intervals == {"gain": (0.4, 0.7)}
    assert curve.points[0].correct == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"floor": 0.5}, r"floor \(0\.5\) \+ gain \(0\.6\) must not exceed 1", id="above certainty"),
        pytest.param({"gain": -0.1}, "greater than or equal to 0", id="negative gain"),
        pytest.param({"rate": 0}, "greater than 0", id="no rate"),
        pytest.param({"token_s": 0}, "greater than 0", id="free tokens"),
        pytest.param({"base_s": float("nan")}, "finite number", id="nan"),
        pytest.param({"max_tokens": 0}, "greater than 0", id="nothing measured"),
        pytest.param({"intervals": {"slope": [0, 1]}}, "'base_s', 'token_s', 'gain'", id="unknown parameter"),
        pytest.param({"intervals": {"gain": [0.7, 0.4]}}, "must ascend", id="interval upside down"),
        pytest.param({"points": [POINT, POINT]}, r"more than one for the budgets \[8\]", id="point twice"),
        pytest.param({"points": [{**POINT, "budget": 65}]}, r"must not exceed max_tokens \(64\)", id="point beyond"),
        pytest.param({"points": [{**POINT, "correct": 11}]}, r"must not exceed tried \(10\)", id="more than tried"),
        pytest.param({"slope": 1}, "Extra inputs", id="unknown key"),
    ],
)
def test_impossible_curves_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ThinkingCurve.model_validate(CURVE | changes)


def test_two_curves_for_the_same_requests_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"more than one curve .*\('sums', None, None\)"):
        ModelProfile.model_validate(model(CURVE, CURVE))


def test_curves_of_different_languages_stand_side_by_side() -> None:
    found = ModelProfile.model_validate(model(CURVE, {**CURVE, "language": "de"}))
    assert [curve.language for curve in found.thinking] == [None, "de"]


def test_bucket_of_a_curve_must_exist() -> None:
    measured = {"at": "", "hardware": "", "software": {}, "command": "", "workloads": [], "seed": 0}
    given = {
        "version": 1,
        "measured": {**measured, "temperature": 0, "prompts_per_cell": 0},
        "bucket_edges": [128],
        "models": {"a": model({**CURVE, "bucket": 2})},
    }
    with pytest.raises(ValidationError, match="a: thinking bucket 2 is out of range; allowed: 0 to 1"):
        Profile.model_validate(given)
