from decimal import Decimal
from fractions import Fraction

import pytest

from deployments.verifier.numbers.readings import readings


def _values(text: str, language: str) -> list[str]:
    """The first value of each number, `?` for one that is unclear."""
    return [str(reading.values[0]) if reading.is_clear else "?" for reading in readings(text, language)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("en", "1,234.5", ["2469/2"], id="en-both-marks"),
        pytest.param("en", "1,234", ["1234"], id="en-thousands"),
        pytest.param("en", "3.142", ["1571/500"], id="en-decimal"),
        pytest.param("en", "1,234,567", ["1234567"], id="en-millions"),
        pytest.param("de", "1.234,5", ["2469/2"], id="de-both-marks"),
        pytest.param("de", "1.234", ["1234"], id="de-thousands"),
        pytest.param("de", "0.123", ["123/1000"], id="de-no-group-begins-with-zero"),
        pytest.param("de", "1'234'567", ["1234567"], id="de-swiss"),
        pytest.param("fr", "1\u202f234\u202f567,5 €", ["2469135/2"], id="fr-narrow-space"),
        pytest.param("fr", "en 2023 150 personnes", ["2023", "150"], id="fr-year-is-no-group"),
        pytest.param("ru", "12 345 678", ["12345678"], id="ru-spaces"),
        pytest.param("en", "12 345", ["12345"], id="en-spaces"),
        pytest.param("en", "3 5", ["3", "5"], id="en-two-numbers"),
        pytest.param("zh", "共３，５００個", ["3500"], id="zh-full-width"),
        pytest.param("zh", "是-5", ["-5"], id="zh-minus-after-letter"),
        pytest.param("ar", "١٬٢٣٤٫٥", ["2469/2"], id="ar-digits-and-marks"),
        pytest.param("hi", "१२,३४,५६७", ["1234567"], id="hi-lakh"),
        pytest.param("th", "๔๒ คน", ["42"], id="th-digits"),
        pytest.param("en", "−5 and -$7", ["-5", "-7"], id="minus-variants"),
        pytest.param("en", "3-5", ["?", "?"], id="range"),
        pytest.param("en", "2024-05-01", ["?", "?", "?"], id="iso-date"),
        pytest.param("de", "12.05.2024", ["?"], id="dotted-date"),
        pytest.param("en", "10:30", ["?", "?"], id="time"),
        pytest.param("en", "1.5e3", ["1500"], id="exponent"),
        pytest.param("en", "6.02×10²³", ["602000000000000000000000"], id="times-power-of-ten"),
        pytest.param("en", "10⁻²", ["1/100"], id="power-of-ten"),
        pytest.param("en", "2^10", ["1024"], id="power"),
        pytest.param("en", "25 m²", ["25"], id="unit-with-power"),
        pytest.param("en", "H2O v2 abc12", [], id="inside-words"),
        pytest.param("en", "1,2,3", ["1", "2", "3"], id="list"),
        pytest.param("en", "none", ["?"], id="a-word-for-an-amount"),
        pytest.param("en", ".5", ["1/2"], id="leading-point"),
        pytest.param("de", "ist ,5", ["1/2"], id="leading-comma"),
        pytest.param("en", "3/4", ["3/4"], id="fraction"),
        pytest.param("en", "3 1/2", ["7/2"], id="mixed-number"),
        pytest.param("en", "1½", ["3/2"], id="vulgar-fraction"),
        pytest.param("en", r"\frac{3}{4}", ["3/4"], id="latex-fraction"),
        pytest.param("en", r"9{,}500", ["9500"], id="latex-separator"),
        pytest.param("en", "√16", ["4"], id="root"),
        pytest.param("en", "5!", ["?"], id="factorial"),
        pytest.param("en", "2 + 3", ["?", "?"], id="expression"),
        pytest.param("en", "5 million", ["5000000"], id="scale-word"),
        pytest.param("fr", "3 billions", ["3000000000000"], id="long-scale"),
        pytest.param("el", "3 billion", ["?"], id="disputed-scale"),
        pytest.param("ja", "1億2000万", ["120000000"], id="myriads"),
        pytest.param("zh", "三百二十", ["320"], id="chinese-numeral"),
        pytest.param("zh", "一般来说", [], id="chinese-word"),
        pytest.param("en", "minus 5", ["-5"], id="minus-in-words"),
        pytest.param("en", "not 5", ["?"], id="negation"),
        pytest.param("en", "at least 5", ["?"], id="bound"),
        pytest.param("en", "0x1F", ["31"], id="hexadecimal"),
        pytest.param("en", "There are 50 [1]", ["50"], id="citation"),
        pytest.param("en", "3 out of 5", ["?", "?"], id="ratio"),
        pytest.param("en", "5 ft 3 in", ["?", "?"], id="two-units"),
        pytest.param("en", "the 3rd", ["?"], id="ordinal"),
        pytest.param("en", "forty-two", ["42"], id="english-words"),
        pytest.param("de", "dreiundzwanzig", ["?"], id="german-words-are-seen"),
    ],
)
def test_a_number_is_read_whole_or_not_at_all(language: str, text: str, expected: list[str]) -> None:
    assert _values(text, language) == expected


def test_long_numbers_keep_every_digit() -> None:
    (reading,) = readings("0.12345678901234567890123456789012345678901234567890")
    assert reading.values == (Fraction(Decimal("0.12345678901234567890123456789012345678901234567890")),)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("en", "5%", id="behind"),
        pytest.param("fr", "5 %", id="behind-with-space"),
        pytest.param("ar", "٥٪", id="arabic"),
        pytest.param("ja", "５％", id="full-width"),
        pytest.param("tr", "%5", id="in-front"),
        pytest.param("de", "5 Prozent", id="word"),
        pytest.param("tr", "yüzde 5", id="word-in-front"),
        pytest.param("zh", "百分之5", id="chinese"),
    ],
)
def test_a_percentage_says_a_number_and_a_share(language: str, text: str) -> None:
    (reading,) = readings(text, language)
    assert (reading.values, reading.unit) == ((Fraction(5), Fraction(1, 20)), "%")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        pytest.param("5 km", "km", id="sign"),
        pytest.param("5 kilometers", "km", id="word"),
        pytest.param("$15", "USD", id="sign-in-front"),
        pytest.param("15 dollars", "USD", id="currency-in-words"),
        pytest.param("20 °C", "°C", id="degrees"),
        pytest.param("3 apples", "", id="no-measure"),
    ],
)
def test_the_unit_is_told(text: str, unit: str) -> None:
    (reading,) = readings(text, "en")
    assert reading.unit == unit
