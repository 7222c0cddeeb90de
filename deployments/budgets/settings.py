"""What the operator can set about thinking budgets; part of the application's config."""

from typing import Annotated, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from deployments.budgets.problem import LARGEST
from deployments.contract.patterns import PatternError, compile_pattern
from profiles.strict import Strict

MAX_RULES = 32
MAX_RULE_CHARS = 256


class TaskRule(Strict):
    """Requests whose last message has `pattern` (RE2) near its end are of this task."""

    task: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_RULE_CHARS)]

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise ValueError(str(error)) from None
        return pattern


class ThinkingSettings(Strict):
    period_s: float = Field(default=10.0, ge=0.1, description="Seconds between two looks at the budgets.")
    window_s: PositiveFloat = Field(default=120.0, description="Seconds back to which arrivals count.")
    worth_s: float = Field(
        default=30.0, gt=0, le=LARGEST, description="Seconds of waiting that a correct answer is worth."
    )
    min_tokens: NonNegativeInt = Field(default=0, description="No budget is smaller, not even in an overload.")
    max_tokens: PositiveInt = Field(default=32768, description="No budget is larger, nor than what was measured.")
    default_tokens: NonNegativeInt | None = Field(
        default=None, description="Budget where a model has no curve for a request; none is set by default."
    )
    hysteresis: float = Field(
        default=0.001,
        ge=0,
        lt=1,
        description="New budgets are taken if they gain more than this share of worth_s for each request.",
    )
    max_attempts: int = Field(
        default=1, ge=1, le=10, description="Tries on the same model that the objective reckons with."
    )
    task_rules: tuple[TaskRule, ...] = Field(
        default=(), max_length=MAX_RULES, description="The task where a request names none; the first match counts."
    )
    rule_chars: PositiveInt = Field(
        default=500, le=4096, description="How many of the last message's last characters rules look at."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens ({self.min_tokens}) must not exceed max_tokens ({self.max_tokens})")
        default = self.default_tokens
        if default is not None and not self.min_tokens <= default <= self.max_tokens:
            raise ValueError(
                f"default_tokens ({default}) must lie within min_tokens ({self.min_tokens}) "
                f"and max_tokens ({self.max_tokens})"
            )
        if self.period_s > self.window_s:
            raise ValueError(f"period_s ({self.period_s}) must not exceed window_s ({self.window_s})")
        return self
