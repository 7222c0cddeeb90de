import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("by", "language", "answer", "others", "expected"),
    [
        pytest.param("text", "en", "Paris", {}, (U, "needs_another_answer"), id="first"),
        pytest.param("text", "en", "Paris", {"small": "Paris"}, (U, "needs_another_answer"), id="same-model"),
        pytest.param("text", "en", "Paris", {"large": " **paris**"}, (C, "agrees"), id="text"),
        pytest.param("text", "en", "Paris", {"large": "Rome"}, (U, "disagrees"), id="text-differs"),
        pytest.param("text", "en", "Paris", {"large": "Rome", "third": "paris"}, (C, "agrees"), id="one-of-two"),
        pytest.param("text", "en", "Paris", {"large": "\u200b"}, (U, "needs_another_answer"), id="blank-other"),
        pytest.param("numeric", "de", "1.234,5 m", {"large": "also 1234,5"}, (C, "agrees"), id="numeric"),
        pytest.param("numeric", "en", "4", {"large": "5"}, (U, "disagrees"), id="numeric-differs"),
        pytest.param("numeric", "en", "four", {"large": "4"}, (W, "no_number"), id="numeric-none"),
        pytest.param("numeric", "en", "4", {"large": "four"}, (U, "needs_another_answer"), id="numeric-other-none"),
        pytest.param(
            "numeric", "en", "9" * 40, {"large": "9" * 39 + "8"}, (U, "disagrees"), id="numeric-in-the-fortieth-digit"
        ),
        pytest.param("choice", "zh", "答案是B", {"large": "B. 北京"}, (C, "agrees"), id="choice"),
        pytest.param("choice", "en", "A", {"large": "(B)"}, (U, "disagrees"), id="choice-differs"),
        pytest.param("choice", "en", "Paris", {"large": "B"}, (W, "no_choice"), id="choice-none"),
    ],
)
def test_agreement(by: str, language: str, answer: str, others: dict[str, str], expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "agreement", "by": by}, evidence(answer, language, others=others)) == expected
