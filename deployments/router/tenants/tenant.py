"""Who asks, and what the operator lets them do."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field, PositiveFloat, PositiveInt

from profiles.strict import Strict

ALL_MODELS: frozenset[str] | None = None


class Role(StrEnum):
    """What a key may do: ask models, give feedback on its own requests, see what the router knows."""

    ASK = "ask"
    FEEDBACK = "feedback"
    ADMIN = "admin"


class KeyLimits(Strict):
    """What one tenant may take, on all router replicas together; None is without a limit."""

    concurrent_requests: PositiveInt | None = Field(default=None, description="Requests under way at once.")
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = Field(
        default=None, description="Tokens read and written by models, all attempts counted."
    )
    spend_per_day: PositiveFloat | None = Field(
        default=None, description="In the currency of the models' prices, all attempts counted."
    )


NO_LIMITS = KeyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The holder of one or several keys. `id` stands for it in the log, and is empty where no key is asked for.

    `former_ids` are made with the secrets before the one that marks now.
    """

    id: str
    name: str
    former_ids: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset(Role)
    models: frozenset[str] | None = ALL_MODELS
    limits: KeyLimits = NO_LIMITS

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that its earlier requests may have, the present one first."""
        return (self.id, *self.former_ids)

    def of(self, models: Collection[str]) -> tuple[str, ...]:
        """Those of the models that it may use, in their order."""
        return tuple(model for model in models if self.models is None or model in self.models)


ANYBODY = Tenant(id="", name="anybody")
