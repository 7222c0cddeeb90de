from typing import Any

import pytest
from pydantic import ValidationError

from deployments.contract.verdict import Evidence, Outcome
from deployments.verifier.checks import SPEC, Place, check, read_spec
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "language", "answer", "expected"),
    [
        pytest.param({"value": 1234.5}, "de", "Das sind 1.234,5 Meter.", (C, "matched"), id="de"),
        pytest.param({"value": 1234.5}, "en", "That is 1,234.5 m.", (C, "matched"), id="en"),
        pytest.param({"value": 1234.5}, "en", "That is 1234.6", (W, "out_of_tolerance"), id="en-off"),
        pytest.param({"value": 42}, "ar", "الجواب ٤٢", (C, "matched"), id="ar"),
        pytest.param({"value": 42}, "hi", "उत्तर ४२ है", (C, "matched"), id="hi"),
        pytest.param({"value": 42}, "ja", "答えは４２です", (C, "matched"), id="ja"),
        pytest.param({"value": 42}, "th", "๔๒", (C, "matched"), id="th"),
        pytest.param({"value": -7}, "en", "minus: −7", (C, "matched"), id="minus"),
        pytest.param({"value": 1.0, "tolerance": 0.1}, "en", "1.1", (C, "matched"), id="on-the-edge-in-decimals"),
        pytest.param({"value": 1.0, "tolerance": 0.1}, "en", "1.1001", (W, "out_of_tolerance"), id="past-the-edge"),
        pytest.param({"value": 200, "relative_tolerance": 0.01}, "en", "202", (C, "matched"), id="relative"),
        pytest.param(
            {"value": 200, "relative_tolerance": 0.01}, "en", "203", (W, "out_of_tolerance"), id="relative-off"
        ),
        pytest.param({"value": 1e-13}, "en", "0", (W, "out_of_tolerance"), id="small-values-count"),
        pytest.param({"value": 50}, "en", "50%", (C, "matched"), id="percent"),
        pytest.param({"value": 0.5}, "en", "50 %", (C, "matched"), id="percent-as-share"),
        pytest.param({"value": 5}, "en", "2 + 3 = 5", (C, "matched"), id="last"),
        pytest.param({"value": 2}, "en", "2 + 3 = 5", (W, "out_of_tolerance"), id="last-only"),
        pytest.param({"value": 2, "which": "first"}, "en", "2, for 5 - 3 is 2", (C, "matched"), id="first"),
        pytest.param({"value": 2, "which": "first"}, "en", "2 + 3 = 5", (U, "unclear_number"), id="first-of-a-sum"),
        pytest.param({"value": 3, "which": "any"}, "en", "2, 3 and 5", (C, "matched"), id="any"),
        pytest.param({"value": 4, "which": "any"}, "en", "2, 3 and 5", (W, "out_of_tolerance"), id="any-of-none"),
        pytest.param(
            {"value": 4, "which": "any"}, "en", "2, 1/2", (U, "unclear_number"), id="any-beside-an-unclear-one"
        ),
        pytest.param({"value": 3}, "en", "No idea.", (W, "no_number"), id="no-number"),
        pytest.param({"value": 3}, "de", "Keine Ahnung.", (U, "no_number"), id="no-number-but-perhaps-words"),
        pytest.param({"value": 3}, "en", "three", (C, "matched"), id="words"),
        pytest.param({"value": 0.1}, "en", "0.1", (C, "matched"), id="decimal-fraction"),
        pytest.param({"value": 9007199254740993}, "en", "9007199254740992", (W, "out_of_tolerance"), id="past-2-53"),
    ],
)
def test_numeric(spec: dict[str, Any], language: str, answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "numeric", **spec}, evidence(answer, language)) == expected


@pytest.mark.parametrize(
    ("answer", "finish_reason", "which", "value", "expected"),
    [
        pytest.param("It is 12", "length", "last", 12, (U, "cut_off"), id="may-go-on"),
        pytest.param("First, 4 + 6 = 10. Next,", "length", "last", 10, (U, "cut_off"), id="not-concluded"),
        pytest.param("12 of them. And", "length", "first", 12, (C, "matched"), id="first-is-whole"),
        pytest.param("12 and a", "length", "first", 12, (U, "cut_off"), id="first-may-go-on"),
        pytest.param("0.", "length", "first", 0, (U, "cut_off"), id="stop-or-point"),
        pytest.param("12. And then 5", "length", "any", 12, (C, "matched"), id="any-is-whole"),
        pytest.param("12. And then 5", "length", "any", 5, (U, "unclear_number"), id="any-may-go-on"),
        pytest.param("I think", "length", "last", 5, (U, "cut_off"), id="none-yet"),
    ],
)
def test_a_number_in_the_sentence_that_was_cut_may_go_on(
    answer: str, finish_reason: str, which: str, value: int, expected: tuple[Outcome, str]
) -> None:
    spec = {"type": "numeric", "value": value, "which": which}
    assert outcome(spec, evidence(answer, "en", finish_reason=finish_reason)) == expected


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("9007199254740993", "9007199254740993", id="past-2-53"),
        pytest.param("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827", id="long-decimal"),
        pytest.param("1e400", "1E+400", id="beyond-a-float"),
        pytest.param('"1.50"', "1.50", id="decimal-string"),
    ],
)
def test_the_value_is_the_number_as_it_is_written(written: str, kept: str) -> None:
    spec = read_spec(f'{{"type": "numeric", "value": {written}}}'.encode())
    again = SPEC.validate_json(spec.model_dump_json())
    assert (str(spec.value), str(again.value)) == (kept, kept)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("true", "a number is needed", id="bool"),
        pytest.param('"five"', "'five' is no decimal number", id="word"),
        pytest.param('"1_000"', "'1_000' is no decimal number", id="underscore"),
        pytest.param("1e401", "at most 400 digits", id="power"),
        pytest.param("9" * 401, "at most 400 digits", id="digits"),
        pytest.param("null", "Decimal input should be", id="null"),
    ],
)
def test_a_value_that_is_no_bounded_number_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_spec(f'{{"type": "numeric", "value": {written}}}'.encode())


@pytest.mark.parametrize(
    ("answer", "which", "place"),
    [
        pytest.param("It is 42.", "last", Place.INLINE, id="short"),
        pytest.param("12 " * 33, "last", Place.THREAD, id="many-numbers"),
        pytest.param("five. " * 33, "last", Place.THREAD, id="many-words"),
        pytest.param("a" * 5000 + " 42", "any", Place.THREAD, id="any-of-a-long-text"),
        pytest.param("a" * 20_000 + " 42", "last", Place.THREAD, id="long-text"),
    ],
)
def test_only_what_is_read_in_less_than_a_millisecond_runs_in_the_event_loop(
    answer: str, which: str, place: Place
) -> None:
    assert SPEC.validate_python({"type": "numeric", "value": 1, "which": which}).place(evidence(answer)) is place


@pytest.mark.parametrize("which", ["first", "last", "any"])
def test_number_of_a_million_digits_is_unknown(which: str) -> None:
    spec = SPEC.validate_python({"type": "numeric", "value": 1, "which": which})
    found = check(spec, Evidence(answer="1" * 1_000_001, prompt="", language="en", model="m"))
    assert found.outcome is Outcome.UNKNOWN
