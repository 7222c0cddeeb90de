"""Which beginnings of answers rule the answer out, and that none does which a right answer has."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deployments.contract.verdict import Evidence, Outcome, ToolCall
from deployments.verifier.checks import SPEC, check, is_refuted
from deployments.verifier.text.normalise import loosen, normalise, without_accents
from tests.unit.deployments.verifier.asked import evidence

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "age": {"type": "integer"},
        "kind": {"enum": ["cat", "dog"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "price": {"enum": [0.1, 0.25]},
        "home": {"const": {"city": "Rome", "zip": 1}},
    },
    "required": ["name"],
    "additionalProperties": False,
}
EXACT = {"type": "exact", "value": ["Paris", "the 4th"]}
JSON = {"type": "json_schema", "schema": PERSON}
REGEX = {"type": "regex", "full_match": True}
CALL = {"type": "tool_call", "calls": [{"name": "get_weather"}]}


def refuted(spec: dict[str, Any], beginning: str, language: str = "en") -> bool:
    return is_refuted(SPEC.validate_python(spec), evidence(beginning, language))


@pytest.mark.parametrize(
    ("spec", "beginning"),
    [
        pytest.param(EXACT, "The capital", id="exact-other-words"),
        pytest.param(EXACT, "Paris is the", id="exact-goes-on"),
        pytest.param(EXACT, "**Lyon", id="exact-emphasis"),
        pytest.param(EXACT, "[simulated] Paris", id="exact-brackets"),
        pytest.param(EXACT, "# > {Lyon", id="exact-marks-of-a-line"),
        pytest.param(JSON, "Sure", id="json-prose"),
        pytest.param(JSON, "```json\n[1", id="json-fenced-array"),
        pytest.param(JSON, '"Sure', id="json-string"),
        pytest.param(JSON, '{"name": 5, ', id="json-type-of-a-property"),
        pytest.param(JSON, '{"kind": "cow"', id="json-enum"),
        pytest.param(JSON, '{"name": "Methuselah"', id="json-too-long"),
        pytest.param(JSON, '{"nmae": "Al"', id="json-unknown-key"),
        pytest.param(JSON, '{"tags": ["a", 1, ', id="json-item"),
        pytest.param(JSON, '{"name": "Al"} That is', id="json-trailing-prose"),
        pytest.param(JSON, '{"name": yes', id="json-no-value"),
        pytest.param(REGEX | {"pattern": r"\d{4}"}, "Sure, it", id="regex-letter-for-digit"),
        pytest.param(REGEX | {"pattern": "(yes|no)"}, "maybe", id="regex-before-all-matches"),
        pytest.param(REGEX | {"pattern": "(yes|no)"}, "yes, I", id="regex-goes-on"),
    ],
)
def test_beginning_that_no_continuation_mends_is_refuted(spec: dict[str, Any], beginning: str) -> None:
    assert refuted(spec, beginning)


@pytest.mark.parametrize(
    ("spec", "beginning"),
    [
        pytest.param(EXACT, "", id="empty"),
        pytest.param(EXACT, "Pari", id="exact-part"),
        pytest.param(EXACT, "<b>Lyon", id="exact-tag"),
        pytest.param(EXACT, "```text\nLyon", id="exact-fence"),
        pytest.param(EXACT, "\\boxed{Lyon", id="exact-command"),
        pytest.param(EXACT, "**", id="exact-marks-alone"),
        pytest.param(EXACT, "[TH", id="exact-mark-of-thinking"),
        pytest.param(EXACT, "<think>Lyon", id="thinking"),
        pytest.param({"type": "exact", "value": "diyar", "ignore_case": True}, "DIY", id="exact-upper-case"),
        pytest.param({"type": "exact", "value": "1000"}, "1,0", id="exact-grouped-is-unclear"),
        pytest.param({"type": "exact", "value": "Ärger"}, "ARG", id="exact-accents-are-unclear"),
        pytest.param({"type": "contains", "value": "Paris"}, "The capital", id="contains"),
        pytest.param({"type": "numeric", "value": 5}, "First", id="numeric"),
        pytest.param(JSON, "```jso", id="json-fence"),
        pytest.param(JSON, "\n {", id="json-space"),
        pytest.param(JSON, '{"kind": "co', id="json-string-not-ended"),
        pytest.param({"type": "json_schema", "schema": {"items": {"enum": [12]}}}, "[1", id="json-number-not-ended"),
        pytest.param(JSON, '{"home": {"city": "Rome"', id="json-object-that-grows"),
        pytest.param(JSON, '{"price": 0.1, ', id="json-fraction"),
        pytest.param(JSON, "[THINK]", id="json-thinking"),
        pytest.param(JSON | {"extract": "embedded"}, "Sure", id="json-amid-prose"),
        pytest.param(REGEX | {"pattern": r"\w+\b!"}, "-", id="regex-edge-of-a-word"),
        pytest.param(REGEX | {"pattern": "(yes|no)"}, "yes \n", id="regex-space-at-the-end"),
        pytest.param(REGEX | {"pattern": "é"}, "e", id="regex-accent-that-may-follow"),
        pytest.param({"type": "regex", "pattern": r"\d{4}"}, "Sure, it", id="regex-that-may-stand-anywhere"),
    ],
)
def test_beginning_that_may_still_become_right_is_not_refuted(spec: dict[str, Any], beginning: str) -> None:
    assert not refuted(spec, beginning)


@pytest.mark.parametrize(
    ("name", "is_out"),
    [
        pytest.param("get_", False, id="part-of-the-name"),
        pytest.param("get_weather", False, id="the-name"),
        pytest.param("get_time", True, id="another-name"),
    ],
)
def test_call_of_another_tool_is_refuted(name: str, is_out: bool) -> None:
    begun = Evidence(answer="", prompt="", language="en", model="m", tool_calls=(ToolCall(name=name, arguments='{"a'),))
    assert is_refuted(SPEC.validate_python(CALL), begun) is is_out


def test_reference_into_what_a_longer_value_may_mend_leaves_the_syntax_to_refute_by() -> None:
    spec = {"type": "json_schema", "schema": {"not": {"type": "string"}, "$ref": "#/not"}}
    assert not refuted(spec, "[1, ")
    assert refuted(spec, "Sure")


def test_long_values_are_not_normalised_while_an_answer_is_written() -> None:
    assert not refuted({"type": "exact", "value": "x" * 201}, "Sure, here")
    assert refuted({"type": "exact", "value": "x" * 200}, "Sure, here")


# -- no right answer has a beginning that is refuted ------------------------------------------------------------------

SCHEMAS: list[dict[str, Any]] = [
    PERSON,
    {},
    {"type": ["array", "null"], "prefixItems": [{"type": "integer"}], "items": {"enum": [1, "1", None]}},
    {"oneOf": [{"type": "integer"}, {"type": "object", "patternProperties": {"^a": {"type": "number"}}}]},
    {"type": "array", "uniqueItems": True, "contains": {"type": "object"}, "items": {"$ref": "#/$defs/x"},
     "$defs": {"x": {"anyOf": [{"type": "object", "minProperties": 1}, {"const": 2}, {"maximum": 0.1}]}}},
    {"not": {"const": {}}, "enum": [{"a": [1]}, {}, 0.1, "x"]},
]  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([1, 2, 0.1, 0.25, 1.0, "1", "x", "cat", "Al", 2**60])
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "age", "kind", "tags", "price", "home", "a", "ab"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
WRAPPINGS = st.sampled_from(
    ["{}", " \n{}\n", "```json\n{}\n```", "```\n{}\n```", "~~~{}~~~", "\ufeff{}",
     "<think>No.</think>{}", "{}<|im_end|>",
     "<answer>{}</answer>", "**{}**", '"{}"', "{}.", "`{}`", "# {}", "{}!", "[{}]", "_({})_", "> * {}",
     "\\boxed{{{}}}", "{} "]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["Paris", "the 4th", "1000", "ǆemal", "Ärger", "5½", "e\u0301te", "x y", "İstanbul", "Ελλάδα", "yes"]
)
PATTERNS = st.sampled_from(
    [
        r"\d{4}",
        "(yes|no)!?",
        r"[A-Z][a-z]*",
        r"(?i)k\w+",
        r".*\d",
        r"a*b+",
        r"\w+\s\S+",
        r"\QParis\E",
        "é|e.?t.",
        r"\D+\b",
    ]
)
LANGUAGES = st.sampled_from(["en", "de", "tr", "zh", "el", "unknown"])


def assert_no_beginning_is_refuted(spec: dict[str, Any], answer: str, language: str) -> None:
    found = SPEC.validate_python(spec)
    if check(found, evidence(answer, language)).outcome is Outcome.CORRECT:
        out = [answer[:end] for end in range(len(answer)) if is_refuted(found, evidence(answer[:end], language))]
        assert not out


@settings(max_examples=300)
@given(schema=st.sampled_from(SCHEMAS), value=VALUES, wrapping=WRAPPINGS, is_ascii=st.booleans())
@example(schema={"const": 9007199254740993}, value=9007199254740993, wrapping="{}.0", is_ascii=True)
@example(schema={"type": "number"}, value=1, wrapping="{}e400", is_ascii=True)
def test_no_beginning_of_right_json_is_refuted(
    schema: dict[str, Any], value: Any, wrapping: str, is_ascii: bool
) -> None:
    answer = wrapping.format(json.dumps(value, ensure_ascii=is_ascii))
    assert_no_beginning_is_refuted({"type": "json_schema", "schema": schema}, answer, "en")


@settings(max_examples=300)
@given(
    value=TEXTS | st.text(min_size=1, max_size=6).filter(normalise),
    change=st.sampled_from([str, str.upper, str.lower, str.title, loosen, without_accents]),
    wrapping=WRAPPINGS,
    ignore_case=st.booleans(),
    language=LANGUAGES,
)
def test_no_beginning_of_a_right_text_is_refuted(
    value: str, change: Any, wrapping: str, ignore_case: bool, language: str
) -> None:
    spec = {"type": "exact", "value": value, "ignore_case": ignore_case}
    assert_no_beginning_is_refuted(spec, wrapping.format(change(value)), language)


def test_sign_that_goes_with_the_letter_before_does_not_refute_it() -> None:
    assert_no_beginning_is_refuted({"type": "exact", "value": "café"}, "cafe \u0301", "zh")


@settings(max_examples=300)
@given(pattern=PATTERNS, data=st.data(), wrapping=WRAPPINGS, ignore_case=st.booleans())
def test_no_beginning_of_a_full_match_is_refuted(
    pattern: str, data: st.DataObject, wrapping: str, ignore_case: bool
) -> None:
    answer = wrapping.format(data.draw(st.from_regex(pattern.replace(r"\Q", "").replace(r"\E", ""), fullmatch=True)))
    spec = {"type": "regex", "pattern": pattern, "full_match": True, "ignore_case": ignore_case}
    assert_no_beginning_is_refuted(spec, answer, "en")
