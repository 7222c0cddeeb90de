"""What a request may ask to be verified: one strict type per kind of check, bounded in every direction."""

from collections.abc import Collection
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)

from deployments.verifier.schema_check import SchemaCheck
from deployments.verifier.text.normalise import normalise
from deployments.verifier.text.patterns import MAX_PATTERN_CHARS, compile_pattern

MAX_VALUES = 64
MAX_VALUES_CHARS = 65536

Text = Annotated[str, StringConstraints(min_length=1, max_length=16384)]
Values = Text | Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_VALUES)]


class _Spec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        ignored_types=(cached_property,),
        populate_by_name=True,
        serialize_by_alias=True,
    )


class _WithValues(_Spec):
    value: Values
    ignore_case: bool = True

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value,) if isinstance(self.value, str) else self.value

    @field_validator("value")
    @classmethod
    def _can_be_found(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        values = (value,) if isinstance(value, str) else value
        blank = [index for index, text in enumerate(values) if not normalise(text)]
        if blank:
            raise ValueError(f"value {blank[0]} has no visible character; every answer would contain it")
        size_chars = sum(map(len, values))
        if size_chars > MAX_VALUES_CHARS:
            raise ValueError(f"{size_chars} characters in all; at most {MAX_VALUES_CHARS} are allowed")
        return value


class NoVerify(_Spec):
    """The answer is taken as it comes."""

    type: Literal["none"]


class Exact(_WithValues):
    """The normalised answer equals one of the values."""

    type: Literal["exact"]


class Contains(_WithValues):
    """The normalised answer contains `any` or `all` of the values."""

    type: Literal["contains"]
    mode: Literal["any", "all"] = "any"


class Regex(_Spec):
    """An RE2 pattern is found in the answer, or with `full_match` is the whole of it."""

    type: Literal["regex"]
    # before the pattern, which is checked as it will be compiled: ignoring case can make it five times larger
    ignore_case: bool = False
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_CHARS)]
    full_match: bool = False

    @cached_property
    def compiled(self) -> Any:
        return compile_pattern(self.pattern, ignore_case=self.ignore_case)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str, info: ValidationInfo) -> str:
        compile_pattern(pattern, ignore_case=info.data.get("ignore_case", False))
        return pattern


class Numeric(_Spec):
    """A number in the answer lies within the tolerance of the value."""

    type: Literal["numeric"]
    value: float
    tolerance: NonNegativeFloat = 0.0
    relative_tolerance: NonNegativeFloat = 0.0
    which: Literal["last", "first", "any"] = "last"


class JsonSchema(_Spec):
    """The answer is JSON that meets a schema (draft 2020-12, local references only)."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    @cached_property
    def check(self) -> SchemaCheck:
        return SchemaCheck(self.schema_)

    @field_validator("schema_")
    @classmethod
    def _is_usable(cls, schema: dict[str, Any]) -> dict[str, Any]:
        SchemaCheck(schema)
        return schema


class Grounded(_Spec):
    """At least `min_share` of the answer's spans (quotations, numbers, identifiers, names) stand in the prompt."""

    type: Literal["grounded"]
    min_share: float = Field(default=1.0, gt=0, le=1)


class Agreement(_Spec):
    """The answer agrees with one that another model gave to the same request."""

    type: Literal["agreement"]
    by: Literal["text", "numeric", "choice"] = "text"


class Judge(_Spec):
    """Another deployed model says whether the answer is right."""

    type: Literal["judge"]
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    criteria: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None


class Custom(_Spec):
    """A check that the operator has configured under this name."""

    type: Literal["custom"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


VerifySpec = Annotated[
    NoVerify | Exact | Contains | Regex | Numeric | JsonSchema | Grounded | Agreement | Judge | Custom,
    Field(discriminator="type"),
]
SPEC: TypeAdapter[Any] = TypeAdapter(VerifySpec)


def refusal(
    spec: _Spec, *, models: Collection[str], answering: Collection[str], custom_checks: Collection[str]
) -> str | None:
    """Why this application cannot make the check that a request asks for, naming what it could.

    `answering` are the models that may answer the request, out of all `models`.
    """
    if isinstance(spec, Judge) and spec.model is not None and spec.model not in models:
        return f"model: unknown judge '{spec.model[:64]}'; known: {sorted(models)}"
    if isinstance(spec, Judge) and len(models) < 2:
        return f"model: no model can judge, as none judges its own answer; known: {sorted(models)}"
    if isinstance(spec, Judge) and set(answering) == {spec.model}:
        return f"model: '{spec.model}' cannot judge, as only it may answer; known: {sorted(models)}"
    if isinstance(spec, Agreement) and len(answering) < 2:
        return f"by: two models must answer, but only {sorted(answering)} may"
    if isinstance(spec, Custom) and spec.name not in custom_checks:
        return f"name: unknown check '{spec.name}'; known: {sorted(custom_checks)}"
    return None
