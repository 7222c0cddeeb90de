"""What a measurement asks, of which models, and how many questions at once."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from profiles.workloads import Prompt, workload

BUCKET_EDGES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
# A third of the prompts are asked alone, so that the fit can tell a request's own time from its company's.
ALONE_SHARE = 3


class ProfileError(Exception):
    """The application cannot be measured, or not like this; the message says why."""


class PromptKind(NamedTuple):
    """Prompts of one kind: what a workload makes for one task, language and intended length."""

    task: str
    language: str
    target_tokens: int


class Key(NamedTuple):
    """Names one question: a model, a prompt and the thinking-token budget, if one is set."""

    model: str
    prompt_id: str
    thinking_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, to be asked with `concurrency` requests at the model."""

    model: str
    prompt: Prompt
    thinking_tokens: int | None
    concurrency: int

    @property
    def key(self) -> Key:
        return Key(self.model, self.prompt.id, self.thinking_tokens)

    @property
    def kind(self) -> PromptKind:
        return kind_of(self.prompt)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePlan:
    """What to ask; `max_answers` is what an adaptive measurement may spend, None asks all of the grid."""

    url: str
    workloads: tuple[str, ...]
    own_prompts: tuple[Prompt, ...] = field(default=(), repr=False)
    languages: tuple[str, ...]
    target_tokens: tuple[int, ...]
    prompts_per_cell: int
    concurrency: int
    capacities: Mapping[str, int] = field(default_factory=dict)
    are_models_together: bool = False
    max_answers: int | None = None
    budgets: tuple[int, ...] = ()
    seed: int
    command: str
    api_key: str | None = field(default=None, repr=False)

    def prompts(self) -> list[Prompt]:
        """All prompts there are to choose from, in a fixed order; ValueError says what cannot be had."""
        found = list(self.own_prompts)
        for name in self.workloads:
            found += workload(
                name,
                languages=self.languages,
                target_tokens=self.target_tokens,
                prompts_per_cell=self.prompts_per_cell,
                seed=self.seed,
            )
        if twice := [prompt_id for prompt_id, count in Counter(p.id for p in found).items() if count > 1]:
            raise ValueError(f"prompt ids must be unique; more than once: {twice[:5]}")
        return found

    def cases(self, model: str, prompts: Sequence[Prompt], *, thinks: bool) -> list[Case]:
        """Every question to one model; of all prompts each third is asked alone, with all of its budgets."""
        budgets: tuple[int | None, ...] = self.budgets if thinks else (None,)
        most = min(self.concurrency, self.capacities.get(model, self.concurrency))
        return [
            Case(model=model, prompt=prompt, thinking_tokens=budget, concurrency=most if index % ALONE_SHARE else 1)
            for index, prompt in enumerate(prompts)
            for budget in budgets
        ]

    def identity(self) -> dict[str, Any]:
        """What makes two measurements one and the same; for the journal.

        Neither the application's address nor what its engines can take at once: each record says how many were asked.
        """
        return {
            "workloads": list(self.workloads),
            "own_prompts": _digest(self.own_prompts) if self.own_prompts else None,
            "languages": list(self.languages),
            "tokens": list(self.target_tokens),
            "prompts": self.prompts_per_cell,
            "concurrency": self.concurrency,
            "models_together": self.are_models_together,
            "budget": self.max_answers,
            "budgets": list(self.budgets),
            "seed": self.seed,
        }


def kind_of(prompt: Prompt) -> PromptKind:
    return PromptKind(prompt.task, prompt.language, prompt.target_tokens)


def _digest(prompts: Sequence[Prompt]) -> str:
    told = json.dumps([asdict(prompt) for prompt in prompts], sort_keys=True)
    return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"
