from typing import Any

import pytest
from pydantic import ValidationError

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, Place
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "answer", "expected"),
    [
        pytest.param({"pattern": "\\d{3}"}, "is 123 then", (C, "matched"), id="part"),
        pytest.param({"pattern": "\\d{3}", "full_match": True}, " 123\n", (C, "matched"), id="full-but-for-space"),
        pytest.param({"pattern": "\\d{3}", "full_match": True}, "is 123", (W, "differs"), id="not-full"),
        pytest.param({"pattern": "ja", "ignore_case": True}, "JA", (C, "matched"), id="case"),
        pytest.param({"pattern": "\\d"}, "a\ud800b", (W, "differs"), id="lone-surrogate"),
        pytest.param({"pattern": "^(a+)+$"}, "a" * 50_000 + "b", (W, "differs"), id="exponential-elsewhere"),
        pytest.param({"pattern": "(.{1,100}){1,9}$"}, "x" * 100_000, (U, "too_complex"), id="too-much-work"),
        pytest.param({"pattern": "\\p{Lu}{6}: \\d"}, "is ÜBUNGS: 5", (C, "matched"), id="compiled-when-first-asked"),
        pytest.param(
            {"pattern": "(C:\\\\p|D:\\\\p|E:\\\\p|F:\\\\p|G:\\\\p)"}, "E:\\p", (C, "matched"), id="no-classes"
        ),
        pytest.param({"pattern": "(\\\\\\pL)(\\pL)(\\pN)[\\pS](\\pP)"}, "\\ab1+!", (C, "matched"), id="many-classes"),
        pytest.param({"pattern": "\\p{L}{100}"}, "is 5", (U, "spec_refused"), id="found-too-large-then"),
    ],
)
def test_regex(spec: dict[str, Any], answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "regex", **spec}, evidence(answer)) == expected


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        pytest.param("\\d{3}", Place.INLINE, id="small"),
        pytest.param("\\p{Lu}", Place.INLINE, id="class"),
        pytest.param("\\p{Lu}\\p{Ll}+ \\p{Lu}\\p{Ll}+", Place.THREAD, id="large"),
        pytest.param("\\p{L}{100}", Place.PROCESS, id="class-repeated"),
        pytest.param("[\\p{Han}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Tibetan}]", Place.PROCESS, id="many-classes"),
        pytest.param("\\W", Place.INLINE, id="not-a-word"),
        pytest.param("\\w{9}", Place.PROCESS, id="words-in-unicode"),
    ],
)
def test_what_takes_long_to_compile_is_left_to_the_verifier(pattern: str, place: Place) -> None:
    assert SPEC.validate_python({"type": "regex", "pattern": pattern}).place(evidence("né")) is place


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("\\p{L}\\pL\\pN\\PL\\pS(", id="not-closed"),
        pytest.param("[\\pL\\pN\\pS\\pP\\pZ", id="class-not-closed"),
        pytest.param("(?=\\pL\\pL\\pL\\pL\\pL)", id="look-around"),
    ],
)
def test_what_is_no_pattern_is_refused_also_where_it_is_not_compiled(pattern: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        SPEC.validate_python({"type": "regex", "pattern": pattern})


@pytest.mark.parametrize(
    ("spec", "is_trivial"),
    [
        pytest.param({"pattern": ".*"}, True, id="anything"),
        pytest.param({"pattern": "x?"}, True, id="perhaps-nothing"),
        pytest.param({"pattern": "\\S"}, True, id="something-visible"),
        pytest.param({"pattern": "(?s).+", "full_match": True}, True, id="all-of-anything"),
        pytest.param({"pattern": "(?s).{1,60}", "full_match": True}, False, id="short"),
        pytest.param({"pattern": "(?s).{1,900}", "full_match": True}, False, id="not-too-long"),
        pytest.param({"pattern": ".+", "full_match": True}, False, id="one-line"),
        pytest.param({"pattern": "[^<]*", "full_match": True}, False, id="no-markup"),
        pytest.param({"pattern": "\\w"}, False, id="a-word"),
        pytest.param({"pattern": "x|Paris"}, False, id="a-value"),
        pytest.param({"pattern": "\\p{L}{100}|.*"}, False, id="not-compiled-here"),
    ],
)
def test_a_pattern_that_every_answer_meets_is_told_from_others(spec: dict[str, Any], is_trivial: bool) -> None:
    assert SPEC.validate_python({"type": "regex", **spec}).fallible_name == ("trivial:regex" if is_trivial else None)
