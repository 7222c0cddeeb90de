"""What `laar bench ttca` asks: prompts, policies, and when each request is sent."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from deployments.router.choice.policy import PolicyName
from profiles.strict import Strict
from profiles.workloads import Prompt, workload
from profiles.yaml_text import read_yaml
from serve_app.faults import in_words

Mode = Literal["closed", "poisson", "trace"]
Loop = Literal["server", "client"]
Target = Literal["laar", "ray", "litellm"]
# ends the name of a contender that is a policy of laar's with laar's own retries
RETRIED = "+retries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Who chooses the model, and who asks again after a wrong answer: laar itself, or a client that only sends anew.

    `policy` is laar's, for the target laar; the other targets choose by themselves.
    """

    loop: Loop
    target: Target
    policy: PolicyName | None = None


CONTENDERS: Mapping[str, Contender] = {
    "laar": Contender(loop="server", target="laar", policy="laar"),
    "load-aware": Contender(loop="client", target="laar", policy="load-aware"),
    "session-affinity": Contender(loop="client", target="laar", policy="session-affinity"),
    "round-robin": Contender(loop="client", target="laar", policy="round-robin"),
    "fastest": Contender(loop="client", target="laar", policy="fastest"),
    "most-accurate": Contender(loop="client", target="laar", policy="most-accurate"),
    # one threshold on the difference in quality between two models is what RouteLLM's routers come down to
    "threshold": Contender(loop="client", target="laar", policy="threshold"),
    # the small model first, and the next only when a check finds it wrong
    "cascade": Contender(loop="server", target="laar", policy="fastest"),
    "ray": Contender(loop="client", target="ray"),
    "litellm": Contender(loop="client", target="litellm"),
    # the same retries for all: the router verifies, and asks no model again that would repeat itself
    **{
        f"{policy}{RETRIED}": Contender(loop="server", target="laar", policy=policy)
        for policy in get_args(PolicyName)
        if policy != "laar"
    },
}


class Part(Strict):
    """Prompts of one workload; short instructions come in one length only."""

    workload: str
    languages: tuple[str, ...] = Field(min_length=1)
    tokens: tuple[PositiveInt, ...] = ()
    prompts: PositiveInt


class TtcaPlan(Strict):
    """Everything that decides what is asked, and when; two runs of one plan ask the same."""

    parts: tuple[Part, ...] = Field(min_length=1)
    seed: NonNegativeInt
    policies: tuple[str, ...] = Field(min_length=1, description="In no order: it is drawn anew for each block.")
    blocks: PositiveInt = Field(default=3, description="Number of blocks that the prompts are dealt into.")
    cap: Annotated[int, Field(ge=1, le=100)] = Field(default=10, description="Most attempts at one prompt.")
    sessions: PositiveInt = Field(default=24, description="Number of users that the prompts are dealt to.")
    single_model: str | None = Field(default=None, description="The one model that the contender ray asks.")
    mode: Mode = "closed"
    concurrency: PositiveInt = Field(default=8, description="Clients of the closed loop, each with one prompt at once.")
    rate_per_s: PositiveFloat | None = Field(default=None, description="Of Poisson arrivals.")
    trace: Path | None = Field(default=None, description="Seconds of arrival, one number a line, ascending.")

    @model_validator(mode="after")
    def _policies_exist(self) -> Self:
        if unknown := sorted(set(self.policies) - set(CONTENDERS)):
            raise ValueError(f"policies: unknown {unknown}; known: {list(CONTENDERS)}")
        if len(set(self.policies)) != len(self.policies):
            raise ValueError(f"policies: {list(self.policies)} names one twice")
        return self

    @model_validator(mode="after")
    def _ray_has_a_model(self) -> Self:
        if "ray" in self.policies and self.single_model is None:
            raise ValueError("single_model is missing; the policy 'ray' asks one model only")
        return self

    @model_validator(mode="after")
    def _arrivals_fit_the_mode(self) -> Self:
        if (self.rate_per_s is not None) != (self.mode == "poisson"):
            raise ValueError(f"rate_per_s ({self.rate_per_s}) goes with mode poisson; mode is {self.mode}")
        if (self.trace is not None) != (self.mode == "trace"):
            raise ValueError(f"trace ({self.trace}) goes with mode trace; mode is {self.mode}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingMode:
    """One prompt of one block; `due_s` counts from the block's start, None in a closed loop: when a client is free."""

    prompt: Prompt
    session: str
    due_s: float | None = None


def read_plan(path: Path) -> TtcaPlan:
    """Raises ValueError, with the key that is wrong, and OSError."""
    try:
        return TtcaPlan.model_validate(read_yaml(path.read_bytes()))
    except ValidationError as error:
        raise ValueError(f"{path}: {in_words(error)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def prompts_of(plan: TtcaPlan) -> list[Prompt]:
    """All prompts, each once; ValueError for a workload or language that there is not, or a prompt in two parts."""
    found = [
        prompt
        for part in plan.parts
        for prompt in workload(
            part.workload,
            languages=part.languages,
            target_tokens=part.tokens,
            prompts_per_cell=part.prompts,
            seed=plan.seed,
        )
    ]
    ids = [prompt.id for prompt in found]
    if twice := {prompt_id for prompt_id in ids if ids.count(prompt_id) > 1}:
        raise ValueError(f"prompts that two parts share: {sorted(twice)[:3]}")
    if not found:
        raise ValueError("the parts have no prompt; lengths may be missing: tokens")
    return found


def blocks_of(plan: TtcaPlan, prompts: Sequence[Prompt]) -> list[list[SendingMode]]:
    """The prompts, shuffled and dealt into blocks with sessions and times: the same for every policy."""
    rng = np.random.default_rng([plan.seed, 0])
    order = rng.permutation(len(prompts))
    sessions = rng.integers(plan.sessions, size=len(prompts))
    dealt = [order[block :: plan.blocks] for block in range(plan.blocks)]
    starts = np.cumsum([0, *map(len, dealt)]).tolist()
    due = [_due_s(plan, len(members), block, starts[block]) for block, members in enumerate(dealt)]
    return [
        [
            SendingMode(prompt=prompts[i], session=f"user-{sessions[i]}", due_s=at)
            for i, at in zip(members, times, strict=True)
        ]
        for members, times in zip(dealt, due, strict=True)
    ]


def order_of(plan: TtcaPlan, block: int) -> list[str]:
    """The policies in the random order of this block; leaving some out does not change that of the others."""

    def draw(policy: str) -> bytes:
        return hashlib.blake2b(f"{plan.seed}|{block}|{policy}".encode()).digest()

    return sorted(plan.policies, key=draw)


def as_parameters(plan: TtcaPlan) -> dict[str, Any]:
    return plan.model_dump(mode="json", exclude={"policies"})


def _due_s(plan: TtcaPlan, count: int, block: int, start: int) -> list[float | None]:
    if plan.mode == "closed":
        return [None] * count
    if plan.rate_per_s is not None:
        gaps = np.random.default_rng([plan.seed, 1, block]).exponential(1 / plan.rate_per_s, size=count)
        return [float(at) for at in np.cumsum(gaps)]
    assert plan.trace is not None
    return _trace_s(plan.trace, count, start)


def _trace_s(path: Path, count: int, start: int) -> list[float | None]:
    """As many times of a trace as a block has prompts, from where the block before ended."""
    try:
        times = [float(line) for line in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise ValueError(f"trace {path}: {error}") from error
    mine = times[start : start + count]
    if len(mine) < count or times != sorted(times) or not all(np.isfinite(mine)):
        raise ValueError(
            f"trace {path}: {len(times)} times; {count} more are wanted from number {start} on, ascending and finite"
        )
    return [at - mine[0] for at in mine]
