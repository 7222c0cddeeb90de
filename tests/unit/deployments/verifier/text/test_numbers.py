from decimal import Decimal

import pytest

from deployments.verifier.text.numbers import Number, find_numbers


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("en", "1,234.5", ["1234.5"], id="en-both-marks"),
        pytest.param("en", "1,234", ["1234"], id="en-thousands"),
        pytest.param("en", "3.142", ["3.142"], id="en-decimal"),
        pytest.param("en", "1,234,567", ["1234567"], id="en-millions"),
        pytest.param("de", "1.234,5", ["1234.5"], id="de-both-marks"),
        pytest.param("de", "1.234", ["1234"], id="de-thousands"),
        pytest.param("de", "3.14", ["3.14"], id="de-decimal-point-by-its-digits"),
        pytest.param("de", "0.123", ["0.123"], id="de-no-group-begins-with-zero"),
        pytest.param("de", "12.05.2024", ["12", "5", "2024"], id="de-date"),
        pytest.param("de", "1'234'567", ["1234567"], id="de-swiss"),
        pytest.param("fr", "1\u202f234\u202f567,5 €", ["1234567.5"], id="fr-narrow-space"),
        pytest.param("fr", "en 2023 150 personnes", ["2023", "150"], id="fr-year-is-no-group"),
        pytest.param("es", "1.234.567,89", ["1234567.89"], id="es"),
        pytest.param("ru", "12 345 678", ["12345678"], id="ru-spaces"),
        pytest.param("en", "12 345", ["12", "345"], id="en-space-parts-numbers"),
        pytest.param("zh", "共３，５００個", ["3500"], id="zh-full-width"),
        pytest.param("zh", "是-5", ["-5"], id="zh-minus-after-letter"),
        pytest.param("ja", "１２３．５円", ["123.5"], id="ja-full-width"),
        pytest.param("ar", "١٬٢٣٤٫٥", ["1234.5"], id="ar-digits-and-marks"),
        pytest.param("fa", "۴۲", ["42"], id="fa-digits"),
        pytest.param("hi", "१२,३४,५६७", ["1234567"], id="hi-lakh"),
        pytest.param("th", "๔๒ คน", ["42"], id="th-digits"),
        pytest.param("en", "−5 and -$7", ["-5", "-7"], id="minus-variants"),
        pytest.param("en", "3-5", ["3", "5"], id="range"),
        pytest.param("en", "2024-05-01", ["2024", "5", "1"], id="iso-date"),
        pytest.param("en", "1.5e3", ["1500"], id="exponent"),
        pytest.param("en", "6.02×10²³", ["6.02e23"], id="times-power-of-ten"),
        pytest.param("en", "10⁻²", ["0.01"], id="power-of-ten"),
        pytest.param("en", "25 m²", ["25"], id="unit-with-power"),
        pytest.param("en", "H2O v2 abc12", [], id="inside-words"),
        pytest.param("en", "1,2,3", ["1", "2", "3"], id="list"),
        pytest.param("en", "It is 42.", ["42"], id="full-stop"),
        pytest.param("en", "none", [], id="none"),
    ],
)
def test_numbers_are_read_as_the_language_writes_them(language: str, text: str, expected: list[str]) -> None:
    assert [number.value for number in find_numbers(text, language)] == [Decimal(value) for value in expected]


def test_long_numbers_keep_every_digit() -> None:
    assert [str(n.value) for n in find_numbers("123456789012345678901234567890123")] == [
        "123456789012345678901234567890123"
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("en", "5%", id="behind"),
        pytest.param("fr", "5 %", id="behind-with-space"),
        pytest.param("ar", "٥٪", id="arabic"),
        pytest.param("ja", "５％", id="full-width"),
        pytest.param("tr", "%5", id="in-front"),
    ],
)
def test_percent_signs_are_seen(language: str, text: str) -> None:
    assert list(find_numbers(text, language)) == [Number(Decimal(5), is_percent=True)]
