"""Answers that hold the value and say something else by it, as found with a table that was not built from the code."""

from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import evidence

FIVE, B, PARIS = (
    {"type": "numeric", "value": 5},
    {"type": "choice", "value": "B", "options": ["Rome", "Paris", "Oslo"]},
    {"type": "contains", "value": "Paris"},
)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ROWS: dict[str, tuple[dict[str, Any], str, str]] = {
    "dozens-ru": (FIVE, "5 дюжин", "ru"),
    "dozens-pl": (FIVE, "5 tuzinów", "pl"),
    "dozens-sv": (FIVE, "5 dussin", "sv"),
    "thousand-am": (FIVE, "5 ሺህ", "am"),
    "crore": (FIVE, "5 cr", "en"),
    "raised-minus": (FIVE, "⁻5", "en"),
    "lowered-minus": (FIVE, "₋5", "en"),
    "doubled": (FIVE, "5 doubled", "en"),
    "times-pi": (FIVE, "5 pi", "en"),
    "modulo": ({"type": "numeric", "value": 3}, "5 mod 3", "en"),
    "negative-ko": (FIVE, "음수 5", "ko"),
    "negative-mr": (FIVE, "उणे 5", "mr"),
    "negative-gu": (FIVE, "માઈનસ 5", "gu"),
    "negative-si": (FIVE, "ඍණ 5", "si"),
    "negative-am": (FIVE, "አሉታዊ 5", "am"),
    "everyone-but": (B, "Everyone but B is right", "en"),
    "anything-but": (PARIS, "anything but Paris", "en"),
    "asked-and-denied": (PARIS, "Paris? No.", "en"),
    "asked-and-denied-de": (PARIS, "Paris? Nein.", "de"),
    "larger-family": ({"type": "contains", "value": FAMILY}, FAMILY + "\u200d\U0001f466", "en"),
}
REFUSALS = {
    "fi": "Valitettavasti en voi auttaa siinä.",
    "sk": "Prepáčte, s tým nemôžem pomôcť.",
    "lt": "Atsiprašau, negaliu su tuo padėti.",
    "lv": "Atvainojiet, es nevaru ar to palīdzēt.",
    "et": "Vabandust, ma ei saa sellega aidata.",
    "is": "Því miður get ég ekki hjálpað með það.",
    "sq": "Më vjen keq, nuk mund të ndihmoj me këtë.",
}


@pytest.mark.parametrize(("spec", "answer", "language"), ROWS.values(), ids=ROWS.keys())
def test_answer_that_says_otherwise_is_not_correct(spec: dict[str, Any], answer: str, language: str) -> None:
    assert check(SPEC.validate_python(spec), evidence(answer, language)).outcome is not Outcome.CORRECT


@pytest.mark.parametrize(("language", "refusal"), REFUSALS.items(), ids=REFUSALS.keys())
def test_two_refusals_agree_on_nothing(language: str, refusal: str) -> None:
    both = evidence(refusal, language, others={"o": refusal})
    assert check(SPEC.validate_python({"type": "agreement"}), both).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        pytest.param(PARIS, "Paris? Yes.", id="asked-and-affirmed"),
        pytest.param(PARIS, "Not Rome but Paris", id="instead"),
        pytest.param({"type": "contains", "value": "\U0001f44d"}, "Great! \U0001f44d", id="emoji"),
        pytest.param(B, "Not A but B", id="letter-instead"),
        pytest.param(FIVE, "5 pieces", id="word-that-begins-alike"),
    ],
)
def test_words_alike_deny_nothing(spec: dict[str, Any], answer: str) -> None:
    assert check(SPEC.validate_python(spec), evidence(answer, "en")).outcome is Outcome.CORRECT
