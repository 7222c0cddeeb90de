from contextlib import suppress
from typing import Any

import pytest

from deployments.verifier import schema_check
from deployments.verifier.schema_check import SchemaCheck, StepsExceededError, parse_answer


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def doubling(keyword: str) -> dict[str, Any]:
    """Each of 13 levels refers twice to the next: 8192 paths in some 60 nodes."""
    levels = {f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(13)}
    return {"$ref": "#/$defs/d0", "$defs": {**levels, "d13": {"type": "string"}}}


def steps(schema: dict[str, Any], answer: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Validate and return how many steps were counted."""
    made: list[Any] = []

    class Watched(schema_check._Budget):
        def __init__(self, answer: Any) -> None:
            super().__init__(answer)
            made.append(self)

    monkeypatch.setattr(schema_check, "_Budget", Watched)
    with suppress(StepsExceededError):
        SchemaCheck(schema).violation(answer)
    return int(made[0].spent)


PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "pattern": "^\\p{L}+$"}, "age": {"$ref": "#/$defs/age"}},
    "patternProperties": {"^x-": {"type": "integer"}},
    "additionalProperties": False,
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("answer", "violated"),
    [
        pytest.param({"name": "Zoë", "age": 3, "x-a": 1}, None, id="valid"),
        pytest.param({"age": 3}, "required", id="missing"),
        pytest.param({"name": "a1"}, "pattern", id="pattern-by-re2-syntax"),
        pytest.param({"name": "a", "age": -1}, "minimum", id="behind-a-reference"),
        pytest.param({"name": "a", "x-a": "b"}, "type", id="pattern-property"),
        pytest.param({"name": "a", "other": 1}, "None", id="additional-property"),
        pytest.param([], "type", id="array"),
    ],
)
def test_the_first_violation_is_named(answer: Any, violated: str | None) -> None:
    assert SchemaCheck(PERSON).violation(answer) == violated


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        pytest.param({"anyOf": [{"type": "null"}, {"minimum": 3}]}, 3, 2, id="anyOf"),
        pytest.param({"oneOf": [{"minimum": 3}, {"maximum": 5}]}, 7, 4, id="oneOf"),
        pytest.param({"allOf": [{"minimum": 3}, {"maximum": 5}]}, 4, 7, id="allOf"),
        pytest.param({"not": {"type": "null"}}, 1, None, id="not"),
        pytest.param({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], [1, 1.0], id="uniqueItems"),
        pytest.param({"uniqueItems": True}, [{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 1}], id="uniqueItems-objects"),
        pytest.param({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 1}, id="additional-schema"),
        pytest.param({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 1}}}, 1, 2, id="escaped-pointer"),
        pytest.param({"properties": {"$id": {"const": 1}}}, {"$id": 1}, {"$id": 2}, id="property-named-as-keyword"),
        pytest.param(
            {"enum": [{"$ref": "http://x", "pattern": "("}]}, {"$ref": "http://x", "pattern": "("}, 1, id="data"
        ),
    ],
)
def test_keywords_mean_what_the_draft_says(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert SchemaCheck(schema).violation(good) is None
    assert SchemaCheck(schema).violation(bad) is not None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param({"type": "strng"}, "not of draft 2020-12 at type", id="unknown-type"),
        pytest.param({"$ref": "https://example.com/a"}, r"only local ones \('#/\.\.\.'\)", id="remote-reference"),
        pytest.param({"$ref": "file:///etc/passwd"}, "leads to no schema", id="file-reference"),
        pytest.param({"$ref": "#/$defs/gone"}, "leads to no schema", id="dangling-reference"),
        pytest.param({"$ref": "#/enum/0", "enum": [{"pattern": "(a+)+$"}]}, "leads to no schema", id="into-data"),
        pytest.param({"$schema": "http://json-schema.org/draft-07/schema#"}, "only 'https://json", id="other-draft"),
        pytest.param(
            {"items": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "(a+)+$"}},
            r"'\$schema' at #/items is not supported",
            id="other-draft-inside",
        ),
        pytest.param({"$id": "http://x/"}, r"'\$id' at # is not supported", id="id"),
        pytest.param({"$dynamicRef": "#a"}, r"'\$dynamicRef' at # is not supported", id="dynamic-reference"),
        pytest.param({"unevaluatedProperties": False}, "is not supported", id="unevaluated"),
        pytest.param({"pattern": "(a)\\1"}, "no back-references", id="back-reference"),
        pytest.param({"patternProperties": {"(?=a)": {}}}, "no look-around", id="look-around"),
        pytest.param({"definitions": {"a": {"pattern": "("}}}, "not valid RE2", id="pattern-in-definitions"),
        pytest.param({"pattern": "a{1000}" * 200}, "pattern of 1400 characters; at most 1024", id="long-pattern"),
        pytest.param(
            {"anyOf": [{"pattern": str(i)} for i in range(33)]}, "33 patterns; at most 32", id="many-patterns"
        ),
        pytest.param({"enum": list(range(600))}, "more than the 500 nodes", id="many-nodes"),
        pytest.param({"const": nested(20)}, "deeper than the 16 levels", id="deep"),
        pytest.param({"const": "x" * 40_000}, "bytes; at most 32768", id="big"),
    ],
)
def test_a_schema_out_of_bounds_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SchemaCheck(schema)


@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "oneOf"])
def test_doubling_references_stop_at_the_budget(keyword: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = 1 if keyword != "allOf" else "text"
    monkeypatch.setattr(schema_check, "MAX_STEPS", 5_000)
    with pytest.raises(StepsExceededError, match=r"^$"):
        SchemaCheck(doubling(keyword)).violation(answer)
    assert steps(doubling(keyword), answer, monkeypatch) == 5_001


def test_endless_references_stop() -> None:
    with pytest.raises(StepsExceededError, match=r"^$"):
        SchemaCheck({"$ref": "#"}).violation(1)


def test_a_recursive_schema_follows_the_answer_to_its_depth() -> None:
    tree = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}]}
    assert SchemaCheck(tree).violation(nested(64)) is None
    with pytest.raises(StepsExceededError, match=r"^$"):
        SchemaCheck(tree).violation(nested(65))


def test_a_keyword_on_a_large_value_counts_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert steps({"minItems": 1}, [0] * 16, monkeypatch) == 2
    assert steps({"minItems": 1}, [0] * 16_000, monkeypatch) == 1001
    assert steps({"maxLength": 1}, "x" * 64 * 16 * 10, monkeypatch) == 11


class _CountingObject(dict[str, int]):
    """An object that counts how often its size is asked for, as each comparison with another does."""

    comparisons = 0

    def __len__(self) -> int:
        _CountingObject.comparisons += 1
        return super().__len__()


def test_items_are_not_compared_each_with_each() -> None:
    _CountingObject.comparisons = 0
    assert SchemaCheck({"uniqueItems": True}).violation([_CountingObject(a=i) for i in range(300)]) is None
    assert _CountingObject.comparisons <= 3 * 300


def test_an_honest_schema_needs_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": "Ann", "age": i} for i in range(100)]
    schema = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "age": {"minimum": 0}},
        },
    }
    # two for the array, three for each row, two for its fields, and what their size adds
    assert 502 <= steps(schema, rows, monkeypatch) <= 600


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"pattern": "(a+)+$"}, id="pattern"),
        pytest.param({"items": {"pattern": "(a+)+$"}, "type": "string"}, id="beside"),
    ],
)
def test_patterns_run_in_linear_time(schema: dict[str, Any]) -> None:
    # Python's own engine would not come back from this
    assert SchemaCheck({"pattern": "^(a+)+$"}).violation("a" * 5_000 + "b") == "pattern"
    assert SchemaCheck(schema).violation("a" * 5_000) is None


def test_property_patterns_run_in_linear_time() -> None:
    schema = {"patternProperties": {"^(a+)+$": {"type": "null"}}, "additionalProperties": {"type": "integer"}}
    assert SchemaCheck(schema).violation({"a" * 5_000 + "b": 1}) is None
    assert SchemaCheck(schema).violation({"a" * 5_000: 1}) == "type"


def test_a_pattern_too_large_for_a_text_stops() -> None:
    with pytest.raises(StepsExceededError, match=r"^$"):
        SchemaCheck({"pattern": "(.{1,100}){1,9}$"}).violation("x" * 100_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="bare"),
        pytest.param('\n```json\n{"a": 1}\n```\n', {"a": 1}, id="fence-with-language"),
        pytest.param("```\n[1]\n```", [1], id="fence"),
        pytest.param('"北京"', "北京", id="string"),
        pytest.param("12345678901234567890123", 12345678901234567890123, id="big-integer"),
    ],
)
def test_an_answer_may_be_fenced(text: str, value: Any) -> None:
    assert parse_answer(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("the answer is 5", id="prose"),
        pytest.param('Here: ```json\n{"a": 1}\n```', id="prose-before-the-fence"),
        pytest.param("{'a': 1}", id="single-quotes"),
        pytest.param("NaN", id="nan"),
        pytest.param("Infinity", id="infinity"),
        pytest.param("1e999", id="beyond-floats"),
        pytest.param("9" * 10_000, id="endless-integer"),
        pytest.param('"\\ud800"', id="lone-surrogate"),
        pytest.param('"\ud800"', id="raw-surrogate"),
        pytest.param("```", id="half-a-fence"),
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        parse_answer(text)


def test_json_nested_beyond_the_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_answer("[" * 100_000)
