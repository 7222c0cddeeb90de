"""What a person says of a cluster and its traffic, in YAML; everything else stands in the profile."""

from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from deployments.router.choice.policy import POLICIES
from profiles.profile import DEFAULT_TASK, Profile
from profiles.strict import Strict
from profiles.yaml_text import read_yaml
from scripts.simulate.core.cluster import MAX_REPLICAS
from scripts.simulate.core.router import Loop
from serve_app.faults import in_words

PACKAGED = Path(__file__).parent
MAX_REQUESTS = 10_000_000
_MAX_TOKENS = 10_000_000
_MAX_KINDS = 10_000
_MOST = 1e9
# A prompt of the lowest and of the highest bucket, which have no other end, is so far from the edge.
_HALF = 0.5
_BEYOND = 1.5


class SettingsError(ValueError):
    """What cannot be simulated, and why."""


class TrafficKind(Strict):
    """A kind of prompt, and how often it comes beside the others."""

    task: str = DEFAULT_TASK
    language: str
    prompt_tokens: PositiveInt = Field(le=_MAX_TOKENS)
    share: PositiveFloat = Field(default=1.0, le=_MOST)


class Faults(Strict):
    """Replicas that fail: their requests are lost, which is seen after `detect_s`."""

    mtbf_s: PositiveFloat = Field(ge=1, le=_MOST, description="Mean time of a replica until it fails.")
    mttr_s: PositiveFloat = Field(default=60.0, le=_MOST, description="Mean time until it is back.")
    detect_s: NonNegativeFloat = Field(default=1.0, le=_MOST)


class SimulationSettings(Strict):
    """A cluster, its traffic and the policies to compare on it."""

    profile: str = Field(description="A path, or the name of one that ships with laar.")
    replicas: Mapping[str, PositiveInt] = Field(
        default_factory=dict, description="By model; empty: one of each model of the profile."
    )
    slots: PositiveInt = Field(
        default=256, le=4096, description="Requests that a replica serves at once (max_num_seqs)."
    )
    chunk_tokens: PositiveInt = Field(
        default=2048, le=_MAX_TOKENS, description="Prompt tokens that an engine reads in a step."
    )
    block_tokens: PositiveInt = Field(default=16, le=_MAX_TOKENS, description="Tokens of a block of the prefix cache.")
    prefix_cache: bool = True
    host_share: float = Field(
        default=0.0, ge=0, le=4, description="If all replicas share one machine: slowing by each other that works."
    )
    overlap: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Of the time of a token, how much passes while others are read: 1 on GPUs, 0 on CPUs.",
    )
    faults: Faults | None = None
    workload: tuple[TrafficKind, ...] = Field(
        default=(),
        max_length=_MAX_KINDS,
        description="Empty: every task, language and length of the profile, equally often.",
    )
    requests: PositiveInt = Field(
        default=20_000, le=MAX_REQUESTS, description="Of a trace it is the number of its arrival times."
    )
    rate_per_s: PositiveFloat | None = Field(default=None, ge=1 / _MOST, le=_MOST, description="Poisson arrivals.")
    concurrency: PositiveInt | None = Field(
        default=None, le=MAX_REQUESTS, description="Clients that wait for their answers."
    )
    trace: Path | None = Field(default=None, description="A file of arrival times in seconds, ascending, one a line.")
    policies: tuple[str, ...] = ("laar", "load-aware", "session-affinity", "round-robin", "fastest", "most-accurate")
    loops: Mapping[str, Loop] = Field(
        default_factory=dict, description="By policy, who retries; else laar itself, and behind the others the client."
    )
    sessions: PositiveInt | None = Field(
        default=None, le=MAX_REQUESTS, description="Conversations; else every request is its own."
    )
    cap: PositiveInt = Field(default=10, le=100, description="Most attempts of a request.")
    verify_s: NonNegativeFloat = Field(default=0.0, le=_MOST, description="Seconds that a verdict takes.")
    learning: bool = Field(default=False, description="Whether verdicts change what the router believes.")
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _comes_in_one_way(self) -> Self:
        given = [n for n in ("rate_per_s", "concurrency", "trace") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(f"one of rate_per_s, concurrency and trace is wanted; given: {given or 'none'}")
        return self

    @model_validator(mode="after")
    def _names_policies(self) -> Self:
        named = {*self.policies, *self.loops}
        if unknown := sorted(named - set(POLICIES)):
            raise ValueError(f"unknown policies {unknown}; known: {sorted(POLICIES)}")
        if not self.policies:
            raise ValueError("policies: at least one is wanted")
        if len(set(self.policies)) < len(self.policies):
            raise ValueError(f"policies: {list(self.policies)}; each once is wanted")
        return self

    @model_validator(mode="after")
    def _counts_replicas(self) -> Self:
        if (total := sum(self.replicas.values())) > MAX_REPLICAS:
            raise ValueError(f"replicas: {total} in all; at most {MAX_REPLICAS}")
        return self

    def chosen(self, profile: Profile) -> dict[str, int]:
        """Replicas by model; raises SettingsError for models that the profile does not know."""
        if unknown := sorted(self.replicas.keys() - profile.models.keys()):
            raise SettingsError(f"replicas: unknown models {unknown}; known: {sorted(profile.models)}")
        return dict(self.replicas) or dict.fromkeys(profile.models, 1)

    def kinds(self, profile: Profile) -> tuple[TrafficKind, ...]:
        """What is asked; raises SettingsError where neither the settings nor the profile say."""
        if self.workload:
            known = {DEFAULT_TASK} | {cell.task for model in profile.models.values() for cell in model.cells}
            if unknown := sorted({kind.task for kind in self.workload} - known):
                raise SettingsError(f"workload: the profile has no task {unknown}; it has {sorted(known)}")
            return self.workload
        places = sorted({(c.task, c.language, c.bucket) for m in profile.models.values() for c in m.cells if c.tried})
        if not places:
            raise SettingsError(
                "workload: the profile has no cells to take it from; name task, language and prompt_tokens"
            )
        return tuple(
            TrafficKind(task=task, language=language, prompt_tokens=_middle(bucket, profile.bucket_edges))
            for task, language, bucket in places
        )


def load_settings(
    path: Path, changes: Mapping[str, object], *, defaults: Mapping[str, object] | None = None
) -> SimulationSettings:
    """The settings in a file, with those changed that are not None; raises SettingsError."""
    try:
        content = read_yaml(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: a mapping is wanted, {type(content).__name__} found")
    return settings_of(content, changes, defaults=defaults)


def settings_of(
    content: Mapping[str, object], changes: Mapping[str, object], *, defaults: Mapping[str, object] | None = None
) -> SimulationSettings:
    """The same from values; one way for requests to come takes the place of another. Raises SettingsError.

    With a trace `requests` is the number of its arrival times: another number is refused, but one that stands in the
    content for another way to come does not count.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    ways = {"rate_per_s", "concurrency", "trace"}
    replaced = ways if given.keys() & ways else set()
    if "trace" in given:
        replaced = replaced | {"requests"}
    said = {**{name: value for name, value in content.items() if name not in replaced}, **given}
    try:
        found = SimulationSettings.model_validate({**(defaults or {}), **said})
        if found.trace is None:
            return found
        return SimulationSettings.model_validate({**said, "requests": _arrivals(found.trace, said.get("requests"))})
    except ValidationError as error:
        raise SettingsError(in_words(error)) from error


def _arrivals(trace: Path, requests: object) -> int:
    """How many arrival times a trace has; blank lines and comments are none, as NumPy reads it."""
    try:
        with trace.open() as file:
            lengths = [len(words) for line in file if (words := line.partition("#")[0].split())]
    except (OSError, ValueError) as error:
        raise SettingsError(f"trace: {trace}: {error}") from error
    if any(length > 1 for length in lengths) or not lengths:
        raise SettingsError(f"trace: {trace}: times from 0 up are wanted, ascending, one a line")
    if requests is not None and requests != len(lengths):
        raise SettingsError(f"requests: {requests}, but {trace} has {len(lengths)} arrival times; leave requests out")
    return len(lengths)


def _middle(bucket: int, edges: tuple[int, ...]) -> int:
    """A length in the middle of a bucket, as lengths are compared by their ratio."""
    if bucket == len(edges):
        return round(edges[-1] * _BEYOND)
    low = edges[bucket - 1] if bucket else edges[0] * _HALF
    return max(1, round(sqrt(low * edges[bucket])))
