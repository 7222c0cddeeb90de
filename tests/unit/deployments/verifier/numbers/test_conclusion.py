from fractions import Fraction

import pytest

from deployments.verifier.numbers.conclusion import agree, is_value, last_number
from deployments.verifier.numbers.readings import readings


def _concluded(text: str, language: str = "en") -> str:
    reading = last_number(text, language)
    if reading is None:
        return "none"
    return str(reading.values[0]) if reading.is_clear else "?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("We add 10 and 15. The answer is 25.", "25", id="last"),
        pytest.param("The answer is 12. I hope that helps, see [1] or call 24/7.", "12", id="announced"),
        pytest.param("The answer is 42 (see section 3.2).", "42", id="remark-in-brackets"),
        pytest.param(r"We get $\boxed{840}$ from 3 steps.", "840", id="boxed"),
        pytest.param("#### 72", "72", id="hashes"),
        pytest.param("The answer is 5 + 7 = 12", "12", id="chain"),
        pytest.param("**42**\n\nThere were 3 steps.", "?", id="bold-and-another-last"),
        pytest.param("The answer is 12. Wait, it is 13.", "?", id="taken-back"),
        pytest.param("The answer is 12. Or rather, the answer is 13.", "?", id="two-answers"),
        pytest.param("It is either 10 or 12.", "?", id="choice"),
        pytest.param("Is it 12?", "?", id="question"),
        pytest.param("I can't answer question 7.", "?", id="refusal"),
        pytest.param("17 guests came at 10:30.", "?", id="unclear-thing-in-the-last-place"),
        pytest.param("1. Add them up.\n2. Divide by two.\nThe answer is 18.", "18", id="markers-of-a-list"),
        pytest.param("It takes 5 miles (8 km).", "?", id="two-units"),
        pytest.param("No idea.", "none", id="none"),
    ],
)
def test_the_number_concluded_on(text: str, expected: str) -> None:
    assert _concluded(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("5 km", "5 km", True, id="same"),
        pytest.param("5 km", "5 m", False, id="other-unit"),
        pytest.param("$15", "15 dollars", True, id="currency-in-words"),
        pytest.param("5 km", "5", True, id="unit-left-out"),
        pytest.param("½", "0.5", True, id="fraction"),
        pytest.param("√2", "√2", None, id="irrational"),
        pytest.param("5!", "5!", None, id="unclear"),
        pytest.param("3/4", "4", None, id="not-sure"),
        pytest.param("5%", "0.05", True, id="share"),
        pytest.param("5%", "5", None, id="percent-or-number"),
        pytest.param("3 million", "3 billion", False, id="scale"),
    ],
)
def test_agreement_of_two_numbers(one: str, other: str, expected: bool | None) -> None:
    assert agree(readings(one, "en")[0], readings(other, "en")[0]) is expected


@pytest.mark.parametrize(
    ("text", "value", "allowed", "expected"),
    [
        pytest.param("5", "5", "0", True, id="equal"),
        pytest.param("5", "6", "0", False, id="differs"),
        pytest.param("1.1", "1", "0.1", True, id="edge-of-the-tolerance"),
        pytest.param("about 5", "5", "0", None, id="approximation-is-not-equal"),
        pytest.param("about 5", "5", "0.1", True, id="approximation-within-the-tolerance"),
        pytest.param("9/10", "9", "0", None, id="nine-of-ten"),
        pytest.param("1.234", "1234", "0", None, id="other-reading"),
        pytest.param("0.5%", "0.5", "0", None, id="small-percentage"),
        pytest.param("50%", "0.5", "0", True, id="share"),
    ],
)
def test_a_value_is_met_or_missed_or_untold(text: str, value: str, allowed: str, expected: bool | None) -> None:
    (reading,) = readings(text, "en")
    assert is_value(reading, Fraction(value), Fraction(allowed)) is expected
