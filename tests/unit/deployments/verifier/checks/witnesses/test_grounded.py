from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, Place
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "answer", "expected"),
    [
        pytest.param({}, "The key is `k-77ab`", (C, "grounded"), id="grounded"),
        pytest.param({}, "The key is `k-77ab`, or `k-99zz` rather", (W, "not_grounded"), id="half"),
        pytest.param(
            {"min_share": 0.5}, "The key is `k-77ab`, or `k-99zz` rather", (C, "grounded"), id="half-is-enough"
        ),
        pytest.param({}, "Nobody could say much about that", (U, "grounds_unclear"), id="no-pieces"),
    ],
)
def test_grounded(spec: dict[str, Any], answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "grounded", **spec}, evidence(answer, prompt='{"k-77ab": "blue"}')) == expected


@pytest.mark.parametrize(
    ("answer", "prompt", "expected"),
    [
        pytest.param("x", "x" + " " * 262_143, (C, "grounded"), id="longest-prompt"),
        pytest.param("x", "x" + " " * 262_144, (U, "prompt_too_long"), id="prompt"),
        pytest.param("x" + " " * 65_535, "x", (C, "grounded"), id="longest-answer"),
        pytest.param("x" + " " * 65_536, "x", (U, "too_long"), id="answer"),
        pytest.param("x" + " " * 65_536, " " * 262_145, (U, "prompt_too_long"), id="both"),
    ],
)
def test_a_text_too_long_to_ground_cannot_tell(answer: str, prompt: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "grounded"}, evidence(answer, prompt=prompt)) == expected


@pytest.mark.parametrize(
    ("prompt", "answer", "place"),
    [
        pytest.param("Text: It is 5 m.", "5 m", Place.INLINE, id="short"),
        pytest.param("Text: " + "5 m, " * 20, "5 m", Place.THREAD, id="many-numbers"),
        pytest.param("word " * 300, "word", Place.THREAD, id="long"),
    ],
)
def test_only_what_is_over_at_once_runs_in_the_event_loop(prompt: str, answer: str, place: Place) -> None:
    assert SPEC.validate_python({"type": "grounded"}).place(evidence(answer, prompt=prompt)) is place
