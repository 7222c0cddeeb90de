from typing import Any

import pytest

from deployments.verifier.checks import SPEC, Asked, check
from tests.unit.deployments.verifier.asked import U, evidence

AUTO = SPEC.validate_python({"type": "auto"})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
FIND = {"type": "function", "function": {"name": "find", "parameters": SCHEMA}}
STOP = {"type": "function", "function": {"name": "stop"}}
CHOICES = "Which one?\nA) red\nB) green\nC) blue"


def derived(**asked: Any) -> dict[str, Any] | None:
    spec = AUTO.derived(lambda: Asked(**{"prompt": "Hello", **asked}))
    return None if spec is None else spec.model_dump(by_alias=True, exclude_defaults=True)


def calls(*named: tuple[str, dict[str, Any]], required: bool = False) -> dict[str, Any]:
    found = {"type": "tool_call", "calls": tuple({"name": n, "schema": s} for n, s in named), "mode": "any"}
    return found if required else found | {"required": False}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"response_format": FORMAT}, {"type": "json_schema", "schema": SCHEMA}, id="json-schema"),
        pytest.param(
            {"response_format": {"type": "json_object"}},
            {"type": "json_schema", "schema": {"type": "object"}},
            id="json-object",
        ),
        pytest.param({"tools": [FIND, STOP]}, calls(("find", SCHEMA), ("stop", {})), id="tools"),
        pytest.param(
            {"tools": [FIND], "tool_choice": "required"},
            calls(("find", SCHEMA), required=True),
            id="required",
        ),
        pytest.param(
            {"tools": [FIND, STOP], "tool_choice": {"type": "function", "function": {"name": "stop"}}},
            calls(("stop", {}), required=True),
            id="one-named-tool",
        ),
        pytest.param({"prompt": CHOICES}, {"type": "agreement", "by": "choice"}, id="list-of-options"),
        pytest.param(
            {"response_format": {"type": "text"}, "prompt": CHOICES}, {"type": "agreement", "by": "choice"}, id="text"
        ),
        pytest.param(
            {"tools": [FIND], "tool_choice": "none", "prompt": CHOICES},
            {"type": "agreement", "by": "choice"},
            id="no-call-is-allowed",
        ),
    ],
)
def test_the_check_follows_from_what_the_request_says(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    assert derived(**asked) == expected


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="a-plain-question"),
        pytest.param({"response_format": FORMAT, "tools": [FIND]}, id="format-or-call"),
        pytest.param({"response_format": {"type": "grammar"}}, id="unknown-format"),
        pytest.param({"response_format": {"type": "json_schema", "json_schema": {}}}, id="no-schema"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"pattern": "(?=a)"}}}},
            id="schema-that-we-cannot-check",
        ),
        pytest.param({"tools": [FIND], "tool_choice": {"function": {"name": "gone"}}}, id="unknown-tool"),
        pytest.param({"tools": [FIND], "tool_choice": "sometimes"}, id="unknown-choice"),
        pytest.param({"tools": [{"type": "function"}]}, id="tool-without-a-name"),
        pytest.param({"tools": [FIND] * 65}, id="too-many-tools"),
        pytest.param({"tools": [FIND], "tool_choice": {"function": None}}, id="odd-choice"),
        pytest.param({"tools": ["find"]}, id="odd-tool"),
        pytest.param({"response_format": "json"}, id="odd-format"),
    ],
)
def test_where_nothing_follows_there_is_nothing_to_check(asked: dict[str, Any]) -> None:
    assert derived(**asked) is None


def test_a_request_that_leads_to_no_check_is_unknown() -> None:
    verdict = check(AUTO, evidence("Hello"))
    assert (verdict.outcome, verdict.reason.value) == (U, "nothing_to_check")
