"""`auto`: the check follows from what the request says of the answer that it wants."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from deployments.contract.verdict import Evidence, Reason, Verdict, unknown
from deployments.verifier.checks.check import Asked, Check, Spec
from deployments.verifier.checks.structure.json_schema import JsonSchema
from deployments.verifier.checks.structure.tool_call import MAX_CALLS, ToolCalls
from deployments.verifier.checks.witnesses.agreement import Agreement
from deployments.verifier.text.choice import find_options


class Auto(Check):
    """The check that follows from `response_format`, `tools` or a list of options; without any, unknown."""

    reads_cut = True
    reads_calls = True

    type: Literal["auto"]

    def derived(self, asked: Callable[[], Asked]) -> Spec | None:
        """The check that follows, if there is one."""
        try:
            return _derived(asked())
        except ValidationError:
            # an engine may take a schema that we cannot check
            return None

    def check(self, evidence: Evidence) -> Verdict:
        del evidence
        return unknown(Reason.NOTHING_TO_CHECK)


def _derived(asked: Asked) -> Spec | None:
    wanted = _mapping(asked.response_format)
    has_format = wanted.get("type", "text") != "text"
    can_call = bool(asked.tools) and asked.tool_choice != "none"
    if has_format and can_call:
        return None  # either may come
    if has_format:
        return _of_format(wanted)
    if can_call:
        return _of_tools(asked.tools, asked.tool_choice)
    return Agreement(type="agreement", by="choice") if find_options(asked.prompt) else None


def _of_format(wanted: Mapping[str, Any]) -> Spec | None:
    schema = _mapping(wanted.get("json_schema")).get("schema") if wanted["type"] == "json_schema" else None
    if wanted["type"] == "json_object":
        schema = {"type": "object"}
    return JsonSchema(type="json_schema", schema=schema) if isinstance(schema, dict) else None


def _of_tools(tools: Sequence[Any], tool_choice: Any) -> Spec | None:
    functions = [_mapping(_mapping(tool).get("function")) for tool in tools[: MAX_CALLS + 1]]
    calls = [{"name": function.get("name"), "schema": function.get("parameters") or {}} for function in functions]
    if isinstance(tool_choice, dict):
        name = _mapping(tool_choice.get("function")).get("name")
        calls = [call for call in calls if call["name"] == name]
    elif tool_choice not in (None, "auto", "required"):
        return None
    required = tool_choice not in (None, "auto")
    return ToolCalls.model_validate({"type": "tool_call", "calls": calls, "mode": "any", "required": required})


def _mapping(value: Any) -> Mapping[str, Any]:
    """What the engine has not checked yet may be anything."""
    return value if isinstance(value, dict) else {}
