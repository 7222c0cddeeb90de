import math
import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from deployments.contract.verdict import Reason, ToolCall
from deployments.verifier.checks import SPEC, Place, check
from deployments.verifier.checks.structure.schema import Schema
from tests.unit.deployments.verifier.asked import evidence


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def doubling(levels: int) -> dict[str, Any]:
    """Each level refers twice to the next."""
    defs = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "string"}}}


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
    ("answer", "expected"),
    [
        pytest.param({"name": "Zoë", "age": 3, "x-a": 1}, True, id="valid"),
        pytest.param({"age": 3}, False, id="missing"),
        pytest.param({"name": "a1"}, False, id="pattern"),
        pytest.param({"name": "a", "age": -1}, False, id="behind-a-reference"),
        pytest.param({"name": "a", "x-a": "b"}, False, id="pattern-property"),
        pytest.param({"name": "a", "other": 1}, False, id="additional-property"),
        pytest.param([], False, id="array"),
    ],
)
def test_a_value_meets_the_whole_schema_or_not(answer: Any, expected: bool) -> None:
    assert Schema(PERSON).allows(answer) is expected


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        pytest.param({"anyOf": [{"type": "null"}, {"minimum": 3}]}, 3, 2, id="anyOf"),
        pytest.param({"oneOf": [{"minimum": 3}, {"maximum": 5}]}, 7, 4, id="oneOf"),
        pytest.param({"allOf": [{"minimum": 3}, {"maximum": 5}]}, 4, 7, id="allOf"),
        pytest.param({"not": {"type": "null"}}, 1, None, id="not"),
        pytest.param({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], [1, Decimal("1.0")], id="uniqueItems"),
        pytest.param({"uniqueItems": True}, [{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 1}], id="uniqueItems-objects"),
        pytest.param({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 1}, id="additional-schema"),
        pytest.param({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 1}}}, 1, 2, id="escaped-pointer"),
        pytest.param({"properties": {"$id": {"const": 1}}}, {"$id": 1}, {"$id": 2}, id="property-named-as-keyword"),
        pytest.param(
            {"enum": [{"$ref": "http://x", "pattern": "("}]}, {"$ref": "http://x", "pattern": "("}, 1, id="data"
        ),
        pytest.param({"const": 9007199254740993}, 9007199254740993, 9007199254740992, id="beyond-floats"),
        pytest.param({"multipleOf": 2}, 10**20, 10**20 + 1, id="large-multiple"),
        pytest.param({"minimum": 0.1}, Decimal("0.1"), Decimal("0.09999999999999999999"), id="bound-in-decimals"),
        pytest.param({"type": "integer"}, Decimal("1.0"), Decimal("1.5"), id="whole-number-with-a-fraction"),
        pytest.param({"const": True}, True, 1, id="true-is-not-one"),
        pytest.param({"pattern": "^\\d+$"}, "12", "12\n", id="end-of-text"),
    ],
)
def test_keywords_mean_what_the_draft_says(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert Schema(schema).allows(good)
    assert not Schema(schema).allows(bad)


def test_a_schema_of_draft_7_is_taken_where_it_means_the_same() -> None:
    definitions = {"size": {"type": "integer", "exclusiveMinimum": 0}}
    properties = {"size": {"$ref": "#/definitions/size", "description": "in metres"}}
    schema = Schema(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": definitions,
            "properties": properties,
        }
    )
    assert schema.allows({"size": 1})
    assert not schema.allows({"size": 0})


@pytest.mark.parametrize("step", ["0.01", "0.1", "0.001", "0.0001"])
def test_every_multiple_of_a_decimal_is_one(step: str) -> None:
    schema = Schema({"multipleOf": float(step)})
    assert [n for n in range(1, 10_000) if not schema.allows(n * Decimal(step))] == []
    assert not schema.allows(Decimal(step) / 3)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        pytest.param("date", "2024-02-29", "2023-02-29", id="date"),
        pytest.param("date-time", "2024-05-12T10:30:00Z", "2024-05-12T25:00:00Z", id="date-time"),
        pytest.param("time", "10:30:00Z", "25:61:00Z", id="time"),
        pytest.param("email", "ann@example.org", "ann@", id="email"),
        pytest.param("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567", id="uuid"),
        pytest.param("uri", "https://example.org/a", "not a uri", id="uri"),
        pytest.param("ipv4", "192.0.2.1", "localhost", id="ipv4"),
    ],
)
def test_a_format_is_asserted(name: str, good: str, bad: str) -> None:
    assert Schema({"format": name}).allows(good)
    assert not Schema({"format": name}).allows(bad)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param({"type": "strng"}, "not of draft 2020-12 at type", id="unknown-type"),
        pytest.param({"format": "colour"}, "Unknown format: 'colour'", id="unknown-format"),
        pytest.param({"items": {"format": "regex"}}, "format 'regex' at #/items is not supported", id="format-regex"),
        pytest.param({"$ref": "https://example.com/a"}, r"only local ones \('#/\.\.\.'\)", id="remote-reference"),
        pytest.param({"$ref": "file:///etc/passwd"}, "leads to no schema", id="file-reference"),
        pytest.param({"$ref": "#/$defs/gone"}, "leads to no schema", id="dangling-reference"),
        pytest.param({"$ref": "#/enum/0", "enum": [{"pattern": "(a+)+$"}]}, "leads to no schema", id="into-data"),
        pytest.param({"$schema": "http://json-schema.org/draft-04/schema#"}, "only 'https://json", id="other-draft"),
        pytest.param(
            {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{}]},
            "draft 7 ignores 'prefixItems' at #; leave it or",
            id="newer-than-its-draft",
        ),
        pytest.param(
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"a": {}},
                "items": {"$ref": "#/definitions/a", "minimum": 1},
            },
            "draft 7 ignores 'minimum' at #/items",
            id="beside-a-reference-of-draft-7",
        ),
        pytest.param(
            {"items": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "(a+)+$"}},
            r"'\$schema' at #/items is not supported",
            id="other-draft-inside",
        ),
        pytest.param({"$id": "http://x/"}, r"'\$id' at # is not supported", id="id"),
        pytest.param({"$dynamicRef": "#a"}, r"'\$dynamicRef' at # is not supported", id="dynamic-reference"),
        pytest.param({"unevaluatedProperties": False}, "is not supported", id="unevaluated"),
        pytest.param({"pattern": "(a)\\1"}, "no look-around or back-references", id="back-reference"),
        pytest.param({"patternProperties": {"(?=a)": {}}}, "no look-around or back-references", id="look-around"),
        pytest.param(
            {"definitions": {"a": {"pattern": "("}}, "$ref": "#/definitions/a"},
            "not of draft 2020-12",
            id="pattern-in-definitions",
        ),
        pytest.param({"pattern": "((a{100}){100}){100}"}, "at most 262144 bytes compiled", id="pattern-bomb"),
        pytest.param({"pattern": "a{1000}" * 200}, "pattern of 1400 characters; at most 1024", id="long-pattern"),
        pytest.param(
            {"anyOf": [{"pattern": str(i)} for i in range(33)]}, "33 patterns; at most 32", id="many-patterns"
        ),
        pytest.param({"enum": list(range(1100))}, "more than the 1000 nodes", id="many-nodes"),
        pytest.param({"const": nested(40)}, "deeper than the 32 levels", id="deep"),
        pytest.param({"const": "x" * 40_000}, "bytes; at most 32768", id="big"),
        pytest.param({"properties": {"\ud800": {}}}, "surrogates not allowed|lone surrogate", id="surrogate"),
        pytest.param({"maximum": float("inf")}, "holds the number Infinity; only finite", id="infinite"),
    ],
)
def test_a_schema_out_of_bounds_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schema(schema).prepare()


@pytest.mark.parametrize(
    ("schema", "steps"),
    [
        pytest.param({"type": "string"}, 1, id="one-keyword"),
        pytest.param({"properties": {"a": {"type": "string"}, "b": True}}, 1 + 2 + 1 + 1, id="properties"),
        pytest.param({"enum": [1, 2, 3]}, 4, id="listed-values"),
        pytest.param({"pattern": "^a$"}, 1 + 4 * 3, id="pattern"),
        pytest.param({"pattern": "a{9}"}, math.inf, id="counted-repetition"),
        pytest.param({"items": {"$ref": "#"}}, math.inf, id="recursion"),
        pytest.param({"$ref": "#"}, math.inf, id="endless"),
    ],
)
def test_steps_count_what_one_value_meets(schema: dict[str, Any], steps: float) -> None:
    assert Schema(schema).steps == steps


def test_steps_count_a_reference_as_what_it_leads_to() -> None:
    assert Schema(doubling(10)).steps > 2**10
    assert Schema(doubling(60)).steps > 2**60


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"pattern": "^(a+)+$"}, "a" * 50_000 + "b", id="pattern"),
        pytest.param({"patternProperties": {"^(a+)+$": {}}}, {"a" * 50_000 + "b": 1}, id="property-pattern"),
        pytest.param(doubling(12), 1, id="doubling-references"),
        pytest.param(
            {"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]},
            nested(200),
            id="recursion-that-branches",
        ),
        pytest.param({"uniqueItems": True}, [{"a": i} for i in range(20_000)], id="unique-items"),
        pytest.param({"uniqueItems": True}, [i * (2**61 - 1) for i in range(20_000)], id="colliding-numbers"),
        pytest.param({"items": {"enum": [[1, i] for i in range(160)]}}, [[1, 159]] * 20_000, id="long-enum"),
        pytest.param({"multipleOf": 3}, Decimal("1e1000000"), id="exponent"),
        pytest.param({"$ref": "#"}, 1, id="endless-reference"),
    ],
)
def test_a_value_is_told_in_time_in_proportion_to_its_size(schema: dict[str, Any], value: Any) -> None:
    compiled = Schema(schema)
    begun_s = time.process_time()
    compiled.allows(value)
    assert time.process_time() - begun_s < 0.5


SLOW_PATTERN = {"pattern": r"[\u0100-\uffff]{1,60}"}


@pytest.mark.parametrize(
    ("schema", "is_compiled"),
    [
        pytest.param({"properties": {"a": {"type": "integer"}, "b": {"pattern": "^x"}}}, True, id="small"),
        pytest.param(SLOW_PATTERN, False, id="counted-repetition"),
        pytest.param({"pattern": r"\p{L}"}, False, id="class-of-unicode"),
        pytest.param({"properties": {f"k{n}": {"type": "string"} for n in range(300)}}, False, id="many-properties"),
    ],
)
def test_request_compiles_only_what_is_quick(
    schema: dict[str, Any], is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    monkeypatch.setattr("deployments.verifier.checks.structure.schema._compile", compiled.append)
    call = {"type": "tool_call", "calls": [{"name": "f", "schema": schema}]}
    for spec in ({"type": "json_schema", "schema": schema}, call):
        compiled.clear()
        found: Any = SPEC.validate_python(spec)
        assert bool(compiled) is is_compiled
        assert found.place(evidence("1")) is (Place.INLINE if is_compiled else Place.PROCESS)


def test_fault_that_compiling_alone_shows_is_an_unknown_verdict() -> None:
    broken = {"properties": {"a": SLOW_PATTERN, "b": {"type": "nothing"}}}
    for spec in (
        {"type": "json_schema", "schema": broken},
        {"type": "tool_call", "calls": [{"name": "f", "schema": broken}]},
    ):
        found: Any = SPEC.validate_python(spec)
        asked = replace(evidence("{}"), tool_calls=(ToolCall(name="f", arguments="{}"),))
        assert check(found, asked).reason is Reason.SPEC_REFUSED


def test_calls_have_a_bounded_number_of_values_in_all() -> None:
    calls = [{"name": "f", "arguments": {"a": [1] * 900}} for _ in range(3)]
    with pytest.raises(ValidationError, match="more than 2000 values"):
        SPEC.validate_python({"type": "tool_call", "calls": calls})
