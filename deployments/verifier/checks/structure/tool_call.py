"""`tool_call`: the answer calls the tools that it should, with the arguments that it should."""

from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from deployments.contract.verdict import Evidence, Reason, ToolCall, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import SPEC_CONFIG, Catalogue, Check, Place, Refusal
from deployments.verifier.checks.structure.json_schema import INLINE_JSON_CHARS, INLINE_STEPS
from deployments.verifier.checks.structure.json_text import UnreadableError, read_json
from deployments.verifier.checks.structure.schema import QUICK_STEPS, Schema, num_nodes

MAX_CALLS = 64
# of all calls together: their arguments and schemas
MAX_CALL_NODES = 2_000
# how models write calls that no parser of their engine has taken out of the text
_UNPARSED = ("<tool_call", "<function", "[TOOL_CALLS]", "<|python_tag|>", "<|tool_call")


class ExpectedCall(BaseModel):
    """A call of the tool `name`; its arguments equal `arguments` and meet `schema`, where these are given."""

    model_config = SPEC_CONFIG

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    arguments: dict[str, Any] | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")

    @cached_property
    def schemas(self) -> list[Schema]:
        equal = None if self.arguments is None else {"const": self.arguments}
        return [Schema(schema) for schema in (equal, self.schema_) if schema is not None]

    @model_validator(mode="after")
    def _is_usable(self) -> "ExpectedCall":
        assert self.schemas is not None
        return self

    def is_met_by(self, call: "_Call") -> bool:
        return call.name == self.name and all(schema.allows(call.arguments) for schema in self.schemas)


class ToolCalls(Check):
    """The calls of an answer are the expected ones.

    With `mode` `all` each expected call is made once, in any order, and no other; with `any` at least one is made, each
    of them an expected one. An answer without any call is wrong, or unknown where none is `required`.
    """

    reads_calls = True
    complaints = MappingProxyType(
        {
            Reason.NO_CALL: "You called no tool. Answer again with the calls that the task needs.",
            Reason.OTHER_CALL: "These are not the calls that the task needs. Make those that it needs.",
            Reason.ARGUMENTS_DIFFER: "The arguments are not those that the task needs. Call again with those.",
            Reason.NOT_JSON: "The arguments are not valid JSON. Call again with arguments that are.",
        }
    )

    type: Literal["tool_call"]
    calls: Annotated[tuple[ExpectedCall, ...], Field(min_length=1, max_length=MAX_CALLS, fail_fast=True)]
    mode: Literal["all", "any"] = "all"
    required: bool = True

    @field_validator("calls", mode="before")
    @classmethod
    def _is_bounded(cls, calls: Any) -> Any:
        is_list = isinstance(calls, list | tuple) and len(calls) <= MAX_CALLS
        if is_list and num_nodes(calls, MAX_CALL_NODES) > MAX_CALL_NODES:
            raise ValueError(f"more than {MAX_CALL_NODES} values in all arguments and schemas are not allowed")
        return calls

    @model_validator(mode="after")
    def _is_usable(self) -> "ToolCalls":
        if self.steps <= QUICK_STEPS:
            self.prepare_schemas()
        return self

    @property
    def steps(self) -> float:
        return sum(schema.steps for call in self.calls for schema in call.schemas)

    def prepare_schemas(self) -> None:
        for call in self.calls:
            for schema in call.schemas:
                schema.prepare()

    def refusal(self, catalogue: Catalogue) -> Refusal | None:
        return None if catalogue.has_tools else Refusal(field="calls", message="the request has no 'tools' to call")

    def check(self, evidence: Evidence) -> Verdict:
        said = ", ".join(f"{call.name}({call.arguments})" for call in evidence.tool_calls)
        if not said:
            is_told = self.required and not any(mark in evidence.answer for mark in _UNPARSED)
            return wrong(Reason.NO_CALL) if is_told else unknown(Reason.NO_CALL)
        if not self._names_fit([call.name for call in evidence.tool_calls]):
            return wrong(Reason.OTHER_CALL, said)
        try:
            self.prepare_schemas()
        except ValueError as error:
            return unknown(Reason.SPEC_REFUSED, str(error))
        try:
            calls = [_Call(call) for call in evidence.tool_calls]
            fits = self._fits(calls)
        except ValueError:
            return wrong(Reason.NOT_JSON, said)
        except UnreadableError:
            return unknown(Reason.AMBIGUOUS_JSON, said)
        return correct(Reason.MATCHED, said) if fits else wrong(Reason.ARGUMENTS_DIFFER, said)

    def is_refuted(self, begun: Evidence) -> bool:
        """By a name that is none of the expected, nor becomes one."""
        expected = [call.name for call in self.calls]
        return any(not any(name.startswith(call.name) for name in expected) for call in begun.tool_calls)

    def place(self, evidence: Evidence) -> Place:
        steps = self.steps
        size_chars = len(evidence.answer) + sum(len(call.arguments) for call in evidence.tool_calls)
        is_quick = size_chars <= INLINE_JSON_CHARS and steps <= QUICK_STEPS and steps * size_chars < INLINE_STEPS
        return Place.INLINE if is_quick else Place.PROCESS

    def _names_fit(self, names: list[str]) -> bool:
        expected = [call.name for call in self.calls]
        return sorted(names) == sorted(expected) if self.mode == "all" else set(names) <= set(expected)

    def _fits(self, calls: "list[_Call]") -> bool:
        if self.mode == "any":
            return all(any(expected.is_met_by(call) for expected in self.calls) for call in calls)
        return _all_paired([[i for i, call in enumerate(calls) if e.is_met_by(call)] for e in self.calls])


class _Call:
    """A call with its arguments read; ValueError if they are no JSON object. No text at all stands for no arguments."""

    def __init__(self, call: ToolCall) -> None:
        self.name = call.name
        self.arguments: Any = read_json(call.arguments) if call.arguments.strip() else {}
        if not isinstance(self.arguments, dict):
            raise ValueError("no object")


def _all_paired(choices: list[list[int]]) -> bool:
    """Whether each can have one of its choices for itself (augmenting paths, Kuhn 1955)."""
    owners: dict[int, int] = {}

    def place(one: int, seen: set[int]) -> bool:
        for choice in choices[one]:
            if choice not in seen:
                seen.add(choice)
                if choice not in owners or place(owners[choice], seen):
                    owners[choice] = one
                    return True
        return False

    return all(place(one, set()) for one in range(len(choices)))
