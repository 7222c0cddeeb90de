from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome

PROMPT = "Which one is right?\nA) first\nB) second\nC) third"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("**(B)**", (C, "matched"), id="wrapped"),
        pytest.param("A is too small, so the answer is B.", (C, "matched"), id="conclusion"),
        pytest.param("second", (C, "matched"), id="text-of-the-option"),
        pytest.param("C. third", (W, "differs"), id="another-option"),
        pytest.param("first", (W, "differs"), id="text-of-another-option"),
        pytest.param("A or B", (U, "no_choice"), id="two-options"),
        pytest.param("B. subtilis", (U, "no_choice"), id="letter-of-a-word"),
        pytest.param("I do not know.", (U, "no_choice"), id="none"),
    ],
)
def test_choice(answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "choice", "value": "B"}, evidence(answer, prompt=PROMPT)) == expected
    options = ["first", "second", "third"]
    assert outcome({"type": "choice", "value": "B", "options": options}, evidence(answer)) == expected


def test_a_verdict_says_which_letter_was_read() -> None:
    assert check(SPEC.validate_python({"type": "choice", "value": "B"}), evidence("It is (c).")).read == "C"


def test_a_cut_answer_may_yet_conclude_otherwise() -> None:
    cut = replace(evidence("The answer is B. But"), finish_reason="length")
    assert outcome({"type": "choice", "value": "B"}, cut) == (U, "cut_off")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"value": "K"}, "should match pattern", id="letter"),
        pytest.param({"value": "b"}, "should match pattern", id="small-letter"),
        pytest.param({"value": "C", "options": ["x", "y"]}, "value 'C' is none of the 2 options", id="beyond-options"),
        pytest.param({"value": "A", "options": ["x"]}, "at least 2 items", id="one-option"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SPEC.validate_python({"type": "choice", **spec})
