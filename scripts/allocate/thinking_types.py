"""The task types that `laar allocate` reads, and the problem that they state."""

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from deployments.budgets.objective import MAX_ATTEMPTS, BudgetObjective
from deployments.budgets.problem import LARGEST, Problem
from deployments.budgets.servers import MAX_SLOTS, Batching, Server, SingleServer
from profiles.arrays import Floats
from profiles.strict import Strict
from profiles.yaml_text import read_yaml
from serve_app.faults import in_words


class TypesError(ValueError):
    """The file states no task types; the message names keys, the values seen and what is allowed."""


# Nothing that a table would take for mark-up or a plot for a formula; task, language and length bucket fit in.
NAME = r"^[^\W_][\w ./<>=-]{0,127}$"
Probability = Annotated[float, Field(ge=0, le=1)]


class TaskType(Strict):
    """`base_s + token_s * l` seconds alone on the server, correct with floor + gain * (1 - exp(-rate * l))."""

    name: Annotated[str, Field(pattern=NAME)]
    share: Probability
    base_s: NonNegativeFloat
    token_s: PositiveFloat
    gain: Probability
    rate: PositiveFloat
    floor: Probability
    max_tokens: int = Field(ge=0, le=int(LARGEST))


class BatchingSpec(Strict):
    growth: Probability
    slots: int = Field(ge=1, le=MAX_SLOTS)


class ThinkingTypes(Strict):
    """Task types, the traffic and the server that they share."""

    arrivals_per_s: PositiveFloat
    worth_s: NonNegativeFloat = Field(description="Seconds of waiting that a correct answer is worth.")
    max_attempts: int = Field(default=1, ge=1, le=MAX_ATTEMPTS)
    batching: BatchingSpec | None = None
    types: tuple[TaskType, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [kind.name for kind in self.types]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"types: {twice} named more than once; every name may stand once")
        return self

    def server(self) -> Server:
        if self.batching is None:
            return SingleServer()
        return Batching(growth=self.batching.growth, slots=self.batching.slots)

    def objective(self, arrivals_per_s: float) -> BudgetObjective:
        """Raises ProblemError."""
        server = self.server()
        problem = Problem(
            shares=self._column("share"),
            base_s=self._column("base_s"),
            token_s=self._column("token_s"),
            gain=self._column("gain"),
            rate=self._column("rate"),
            floor=self._column("floor"),
            max_tokens=self._column("max_tokens"),
            arrivals_per_s=arrivals_per_s,
            worth_s=self.worth_s,
            capacity=server.capacity,
        )
        return BudgetObjective(problem=problem, server=server, max_attempts=self.max_attempts)

    def _column(self, name: str) -> Floats:
        return np.array([getattr(kind, name) for kind in self.types], dtype=np.float64)


def read_types(path: Path) -> ThinkingTypes:
    """Read task types from a YAML file; raises TypesError."""
    try:
        stated = read_yaml(path.read_bytes())
    except OSError as err:
        raise TypesError(f"cannot be read: {err}") from err
    except ValueError as err:
        raise TypesError(str(err)) from err
    return types_of(stated)


def types_of(stated: object) -> ThinkingTypes:
    """What was stated, checked; raises TypesError."""
    try:
        return ThinkingTypes.model_validate(stated)
    except ValidationError as err:
        raise TypesError(in_words(err)) from err
