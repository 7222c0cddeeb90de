import pytest

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, Place
from tests.unit.deployments.verifier.asked import C, U, evidence, outcome


@pytest.mark.parametrize(
    ("by", "language", "answer", "others", "expected"),
    [
        pytest.param("text", "en", "Paris", {}, (U, "needs_another_answer"), id="first"),
        pytest.param("text", "en", "Paris", {"small": "Paris"}, (U, "needs_another_answer"), id="same-model"),
        pytest.param("text", "en", "Paris", {"large": " **paris**"}, (C, "agrees"), id="text"),
        pytest.param("text", "en", "Paris", {"large": "Rome"}, (U, "disagrees"), id="text-differs"),
        pytest.param("text", "en", "Paris", {"large": "Rome", "third": "paris"}, (C, "agrees"), id="one-of-two"),
        pytest.param("text", "en", "Paris", {"large": "\u200b"}, (U, "needs_another_answer"), id="blank-other"),
        pytest.param("numeric", "de", "1.234,5 m", {"large": "also 1234,5 m"}, (C, "agrees"), id="numeric"),
        pytest.param("numeric", "en", "4", {"large": "5"}, (U, "disagrees"), id="numeric-differs"),
        pytest.param("numeric", "en", "some", {"large": "4"}, (U, "no_number"), id="numeric-none"),
        pytest.param("numeric", "en", "4", {"large": "some"}, (U, "needs_another_answer"), id="numeric-other-none"),
        pytest.param(
            "numeric", "en", "9" * 40, {"large": "9" * 39 + "8"}, (U, "disagrees"), id="numeric-in-the-fortieth-digit"
        ),
        pytest.param("numeric", "en", "5 km", {"large": "5 m"}, (U, "disagrees"), id="numeric-other-unit"),
        pytest.param("numeric", "en", "5 km", {"large": "5"}, (U, "disagrees"), id="numeric-without-a-unit"),
        pytest.param("numeric", "en", "5%", {"large": "5"}, (U, "disagrees"), id="numeric-percentage"),
        pytest.param("numeric", "en", "5 or 6", {"large": "5 or 6"}, (U, "no_number"), id="numeric-not-settled"),
        pytest.param("numeric", "en", "100 Mb/s", {"large": "100 MB/s"}, (U, "disagrees"), id="bits-and-bytes"),
        pytest.param("numeric", "en", "5 mW", {"large": "5 MW"}, (U, "disagrees"), id="milli-and-mega"),
        pytest.param("numeric", "en", "20 percentage points", {"large": "20 %"}, (U, "disagrees"), id="points"),
        pytest.param("numeric", "en", "A$20", {"large": "US$20"}, (U, "disagrees"), id="other-dollars"),
        pytest.param("numeric", "en", "$5/hour", {"large": "$5 per day"}, (U, "disagrees"), id="other-rate"),
        pytest.param("numeric", "en", "$5/hour", {"large": "$5 per hour"}, (C, "agrees"), id="same-rate"),
        pytest.param("numeric", "en", "101₂", {"large": "101"}, (U, "no_number"), id="another-base"),
        pytest.param("numeric", "sw", "takriban 5", {"large": "5"}, (U, "no_number"), id="about"),
        pytest.param("text", "en", "Paris or Rome", {"large": "Paris or Rome"}, (U, "empty_answer"), id="text-or"),
        pytest.param("text", "es", "París o Roma", {"large": "París o Roma"}, (U, "empty_answer"), id="text-or-es"),
        pytest.param("text", "ja", "東京か大阪", {"large": "東京か大阪"}, (U, "empty_answer"), id="text-or-ja"),
        pytest.param("text", "pt", "O Brasil", {"large": "o Brasil"}, (C, "agrees"), id="text-no-or"),
        pytest.param("text", "en", "Which one?", {"large": "Which one?"}, (U, "empty_answer"), id="text-question"),
        pytest.param("text", "en", "I don't know.", {"large": "I don't know"}, (U, "refused"), id="refusals"),
        pytest.param("text", "en", "Paris", {"large": "I don't know"}, (U, "needs_another_answer"), id="other-refuses"),
        pytest.param("choice", "zh", "答案是B", {"large": "B. 北京"}, (C, "agrees"), id="choice"),
        pytest.param("choice", "en", "A", {"large": "(B)"}, (U, "disagrees"), id="choice-differs"),
        pytest.param("choice", "en", "Paris", {"large": "B"}, (U, "no_choice"), id="choice-none"),
    ],
)
def test_agreement(by: str, language: str, answer: str, others: dict[str, str], expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "agreement", "by": by}, evidence(answer, language, others=others)) == expected


@pytest.mark.parametrize(
    ("letter", "expected"),
    [pytest.param("E", U, id="not-listed"), pytest.param("D", C, id="listed")],
)
def test_only_a_letter_that_the_prompt_lists_is_a_choice_to_agree_on(letter: str, expected: Outcome) -> None:
    prompt = "Which one?\nA) first\nB) second\nC) third\nD) fourth"
    found = evidence(letter, prompt=prompt, others={"large": letter})
    assert outcome({"type": "agreement", "by": "choice"}, found)[0] is expected


@pytest.mark.parametrize(
    ("by", "answer", "others", "place"),
    [
        pytest.param("numeric", "It is 42.", {"large": "42"}, Place.INLINE, id="short"),
        pytest.param("numeric", "1 " * 20, {"large": "42"}, Place.THREAD, id="many-numbers"),
        pytest.param("text", "1 " * 20, {"large": "42"}, Place.INLINE, id="numbers-that-are-not-read"),
        pytest.param("text", "a" * 3000, {"large": "a"}, Place.THREAD, id="long"),
        pytest.param("text", "a", dict.fromkeys("abcdef", "a"), Place.THREAD, id="many-others"),
    ],
)
def test_only_what_is_over_at_once_runs_in_the_event_loop(
    by: str, answer: str, others: dict[str, str], place: Place
) -> None:
    spec = SPEC.validate_python({"type": "agreement", "by": by})
    assert spec.place(evidence(answer, others=others)) is place
