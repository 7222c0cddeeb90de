"""`json_schema`: the answer is JSON of a given shape."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place

if TYPE_CHECKING:
    from deployments.verifier.schema_check import SchemaCheck


class JsonSchema(Check):
    """The answer is JSON that meets a schema (draft 2020-12, local references only)."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    @cached_property
    def compiled(self) -> "SchemaCheck":
        return _compile(self.schema_)

    @field_validator("schema_")
    @classmethod
    def _is_usable(cls, schema: dict[str, Any]) -> dict[str, Any]:
        _compile(schema)
        return schema

    def check(self, evidence: Evidence) -> Verdict:
        from deployments.verifier.schema_check import StepsExceededError, parse_answer

        try:
            value = parse_answer(evidence.answer)
        except ValueError:
            return wrong(Reason.NOT_JSON)
        try:
            violation = self.compiled.violation(value)
        except StepsExceededError:
            return unknown(Reason.TOO_COMPLEX)
        return correct(Reason.MATCHED) if violation is None else wrong(Reason.SCHEMA_VIOLATION)

    def place(self, evidence: Evidence) -> Place:
        """A client's schema may take a second on a short answer."""
        del evidence
        return Place.THREAD


def _compile(schema: dict[str, Any]) -> "SchemaCheck":
    # here, since whoever only reads requests without a schema should not load a validator
    from deployments.verifier.schema_check import SchemaCheck

    return SchemaCheck(schema)
