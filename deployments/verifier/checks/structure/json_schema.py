"""`json_schema`: the answer is JSON of a given shape."""

from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.checks.structure.beginning import NotJsonError, begins_another, opened, so_far, weakened
from deployments.verifier.checks.structure.json_text import Extract, UnreadableError, read_json
from deployments.verifier.checks.structure.schema import Schema
from deployments.verifier.text.thinking import before_marks

# steps of the schema times characters of the answer, and characters, that take less than a millisecond
INLINE_STEPS = 50_000
INLINE_JSON_CHARS = 8_000


class JsonSchema(Check):
    """The answer is JSON that meets a schema (draft 2020-12, local references only, formats asserted)."""

    complaints = MappingProxyType(
        {
            Reason.NOT_JSON: "Your answer is not valid JSON. Answer again with the JSON that was asked for.",
            Reason.SCHEMA_VIOLATION: "Your JSON has not the form that was asked for. Answer again with JSON that has.",
        }
    )

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")
    extract: Extract = "whole"

    @cached_property
    def compiled(self) -> Schema:
        return Schema(self.schema_)

    @cached_property
    def lasting(self) -> Schema | None:
        """What is violated for good once it is; None where a reference leads into the rest."""
        try:
            return Schema(weakened(self.schema_))
        except ValueError:
            return None

    @field_validator("schema_")
    @classmethod
    def _is_usable(cls, schema: dict[str, Any]) -> dict[str, Any]:
        found = Schema(schema)
        if found.is_quick:
            found.prepare()
        return schema

    def check(self, evidence: Evidence) -> Verdict:
        try:
            self.compiled.prepare()
        except ValueError as error:
            return unknown(Reason.SPEC_REFUSED, str(error))
        try:
            is_right = self.compiled.allows(read_json(evidence.answer, self.extract))
        except ValueError:
            return wrong(Reason.NOT_JSON)
        except UnreadableError:
            return unknown(Reason.AMBIGUOUS_JSON)
        return correct(Reason.MATCHED) if is_right else wrong(Reason.SCHEMA_VIOLATION)

    def is_refuted(self, begun: Evidence) -> bool:
        text = opened(before_marks(begun.answer))
        try:
            found = so_far(text)
            if found is None:
                return begins_another(text, self.schema_.get("type"))
            return self.lasting is not None and not self.lasting.allows(found)
        except NotJsonError:
            return True
        except ValueError:
            # no text of Unicode, or a number beyond all floats
            return False

    def place(self, evidence: Evidence) -> Place:
        is_short = len(evidence.answer) <= INLINE_JSON_CHARS and self.extract == "whole" and self.compiled.is_quick
        is_quick = is_short and self.compiled.steps * len(evidence.answer) < INLINE_STEPS
        return Place.INLINE if is_quick else Place.PROCESS
