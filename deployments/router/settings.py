"""What the operator can set about the router; part of the application's config."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from deployments.log.settings import MAX_DAYS
from deployments.router.choice.objective import DEFAULT_NOTICE_S, DEFAULT_WORTH_S
from deployments.router.choice.overlap import OverlapMode
from deployments.router.choice.policy import PolicyName
from deployments.router.choice.repair import RepairMode
from deployments.router.tenants.fair_queue import Doors
from deployments.verifier.checks import NoVerify, VerifySpec
from profiles.chances.online import DEFAULT_HALF_LIFE_VERDICTS
from profiles.measures.goodput import Reader
from profiles.strict import Strict

# as browsers write it, so that it can be equal to theirs
Origin = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*|[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?)$", max_length=256
    ),
]


class Limits(Strict):
    """Bounds on what one request may take."""

    max_body_bytes: PositiveInt = Field(default=4 * 1024 * 1024, description="Larger bodies get a 413.")
    max_attempts: PositiveInt = Field(default=10, description="Most attempts a request may ask for.")
    deadline_s: PositiveFloat = Field(default=600.0, description="Longest deadline, and the one taken by default.")
    attempt_timeout_s: PositiveFloat = Field(
        default=300.0,
        description="Time for one attempt's answer, or for its first token when it streams through.",
    )
    body_timeout_s: PositiveFloat = Field(default=60.0, description="Time for a body to arrive; then it gets a 408.")
    max_concurrent_requests: PositiveInt = Field(
        default=1000, description="Requests under way at one router replica; further ones get a 429."
    )
    max_queued_per_key: NonNegativeInt = Field(
        default=16, description="Requests of one key that wait beyond its share; further ones get a 429 at once."
    )
    queue_timeout_s: PositiveFloat = Field(
        default=1.0,
        description="Beyond its share a key's requests wait only if their turn is expected in this time; else a 429.",
    )
    max_bodies_per_key: PositiveInt = Field(
        default=128, description="Bodies of one key that are not all here yet; further requests get a 429."
    )
    max_sequences: PositiveInt = Field(default=64, description="Most prompts times `n` of one request.")
    max_tokens: PositiveInt | None = Field(
        default=None, description="Most tokens of an answer, and what a request gets that names none."
    )
    max_logprobs: NonNegativeInt = Field(default=20, description="Most log probabilities per token.")
    max_media: NonNegativeInt = Field(default=32, description="Most images and other parts that are not text.")
    max_held_bytes: PositiveInt = Field(
        default=512 * 1024 * 1024,
        description="Bytes of all streams that one router replica holds until they are verified; beyond it is a 429.",
    )
    beam_search: bool = Field(default=False, description="Whether requests may use beam search.")

    @property
    def doors(self) -> Doors:
        return Doors(
            most=self.max_concurrent_requests,
            most_waiting=self.max_queued_per_key,
            wait_s=self.queue_timeout_s,
            most_reading=self.max_bodies_per_key,
            patience_s=self.deadline_s,
        )

    @model_validator(mode="after")
    def _attempt_within_deadline(self) -> Self:
        if self.attempt_timeout_s > self.deadline_s:
            raise ValueError(
                f"attempt_timeout_s ({self.attempt_timeout_s}) must not exceed deadline_s ({self.deadline_s})"
            )
        return self


class Learning(Strict):
    """How verdicts of live traffic and clients' feedback change what the profile says."""

    enabled: bool = True
    half_life_verdicts: PositiveFloat = Field(
        default=DEFAULT_HALF_LIFE_VERDICTS, description="Further verdicts after which one counts for half."
    )
    explore_share: float = Field(
        default=0.005,
        ge=0,
        le=0.1,
        description="Most of verified requests whose first model is chosen by chances drawn from what is believed, of "
        "models long not heard of from the profile; only with another attempt left, time for it, and at most three "
        "times the usual choice's latency.",
    )
    seed: NonNegativeInt = Field(default=0, description="Of the draws.")
    sync_period_s: PositiveFloat = Field(
        default=2.0, description="How often a router replica reads from the log what the others and clients found."
    )
    max_followed_per_s: PositiveInt = Field(
        default=1000,
        description="Of more verdicts a second in the log a router replica learns an even sample; clients' words all.",
    )
    replay_days: float = Field(
        default=30.0, gt=0, le=MAX_DAYS, description="Older verdicts are not learned again at a start."
    )
    replay_timeout_s: PositiveFloat = Field(
        default=20.0,
        description="A starting replica takes requests after this time, though verdicts are left to learn.",
    )


class Goodput(Strict):
    """The reader that smooth goodput measures for, as in `profiles.measures.goodput.Reader`."""

    pace_s: PositiveFloat = Field(default=0.2, description="Seconds in which the user reads a token.")
    alpha: NonNegativeFloat = Field(default=1.0, description="Tokens that a second of waiting costs.")
    bound_s: PositiveFloat = Field(default=10.0, description="Waiting longer costs no more.")

    @property
    def reader(self) -> Reader:
        return Reader(pace_s=self.pace_s, alpha=self.alpha, bound_s=self.bound_s)


class TracingSettings(Strict):
    """Where spans go for OpenTelemetry, either to a collector or into a file."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=1024)] | None = Field(
        default=None, description="Collector that takes OTLP over HTTP, such as `http://collector:4318/v1/traces`."
    )
    file: str | None = Field(default=None, min_length=1, description="File that gets each span as a line of JSON.")
    sample_share: float = Field(
        default=1.0, gt=0, le=1, description="Share of requests that are traced where the client does not say."
    )

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Self:
        if (self.endpoint is None) == (self.file is None):
            raise ValueError("tracing needs either endpoint or file")
        return self


class NamedOptions(Strict):
    """What an operator's name stands for, besides `auto`: the `laar.verify` of a request that has none."""

    verify: VerifySpec


class RouterSettings(Strict):
    policy: PolicyName = "laar"
    unverified: Literal["answer", "error"] = Field(
        default="answer",
        description="What a client gets when nothing could be verified: the best answer, marked, or a 422.",
    )
    verify: VerifySpec = Field(
        default=NoVerify(type="none"), description="The check of a request that names none, where it can be made."
    )
    repair: RepairMode = Field(
        default="never",
        description="Whether a model is given its wrong answer back once, to mend its form: `learned` where by the "
        "repairs that were right so far it is expected to pay.",
    )
    overlap: OverlapMode = Field(
        default="off",
        description="Whether the next model may start before the first has failed: `auto` where the time that a "
        "verified answer is expected to gain is worth the engine's, for two models at once at most.",
    )
    keep_alive_s: PositiveFloat = Field(default=5.0, description="Pace of SSE comments while tokens are held.")
    status_period_s: PositiveFloat = Field(default=10.0, description="How often replica counts are read.")
    load_period_s: PositiveFloat = Field(
        default=2.0, description="How often engines are asked what they have under way, whoever sent it."
    )
    give_up_below: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="After a wrong answer, stop when the chance that any model left is right is below; 0: never.",
    )
    worth_s: float = Field(
        default=DEFAULT_WORTH_S, ge=0, le=86400, description="Seconds of waiting that a correct answer is worth."
    )
    notice_s: float = Field(
        default=DEFAULT_NOTICE_S,
        ge=0,
        le=3600,
        description="Seconds in which a client that retries by itself sees that an answer is wrong.",
    )
    retry_within_s: float = Field(
        default=3600.0,
        gt=0,
        le=30 * 86400,
        description="A client's retry goes on with the time and the attempts of a first request that is no older.",
    )
    regenerate_s: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="The same request again within this time goes to another model, as far as there is one; 0: never.",
    )
    names: Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")], NamedOptions] = Field(
        default_factory=dict,
        max_length=64,
        description="Names beside `auto`, with the check that each brings to a request without one.",
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(), description="Origins whose pages in a browser may ask, such as `https://chat.example`; `*`: all."
    )
    learning: Learning = Learning()
    goodput: Goodput = Goodput()
    tracing: TracingSettings | None = Field(default=None, description="Traces for OpenTelemetry; none by default.")
    num_replicas: PositiveInt = 1
    num_cpus: float = Field(default=1.0, ge=0, description="Logical CPUs of one router replica.")
