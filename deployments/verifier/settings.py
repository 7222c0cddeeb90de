"""What the operator can set about the verifier's judges; part of the application's config."""

from typing import Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from profiles.strict import Strict


class JudgeSettings(Strict):
    """How models judge."""

    panel: tuple[str, ...] = Field(
        default=(), max_length=9, description="Judges that are all asked where a request names none; else judge_model."
    )
    votes: int = Field(default=1, ge=1, le=9, description="How often each judge is asked for one verdict.")
    temperature: float = Field(default=0.7, gt=0, le=2, description="Of judges asked more than once; else it is 0.")
    max_tokens: PositiveInt = Field(default=16, le=65536, description="Of a judge's reply, without its thinking.")
    thinking_tokens: NonNegativeInt = Field(
        default=1024, le=65536, description="Budget of a judge whose thinking its engine can limit."
    )

    @model_validator(mode="after")
    def _asks_each_judge_once(self) -> Self:
        if len(set(self.panel)) < len(self.panel):
            raise ValueError(f"panel {list(self.panel)} names a judge twice; `votes` asks each more than once")
        return self
