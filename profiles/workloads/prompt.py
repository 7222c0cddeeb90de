"""A prompt with a known answer, as all workloads give it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_TOKENS = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """`verify` is the verification that tells a correct answer; `target_tokens` names the intended length.

    With `states_language` the request names the language itself, instead of leaving it to the router.
    `max_tokens` leaves room for the answer in a sentence, and none for reciting the prompt.
    """

    id: str
    language: str
    task: str
    target_tokens: int
    text: str
    answer: str
    verify: Mapping[str, Any]
    max_tokens: int = 24
    states_language: bool = False


def check_bounds(*, target_tokens: int, depth: float | None) -> None:
    """ValueError for a length or depth that no workload can give."""
    if not 1 <= target_tokens <= MAX_TOKENS:
        raise ValueError(f"target_tokens is {target_tokens}; allowed: 1 to {MAX_TOKENS}")
    if depth is not None and not 0 <= depth <= 1:
        raise ValueError(f"depth is {depth}; it must lie between 0 (early) and 1 (last)")


def generator(task: str, language: str, target_tokens: int, seed: int) -> random.Random:
    """The same draws in every process for the same prompt."""
    return random.Random(f"{task}|{language}|{target_tokens}|{seed}")  # noqa: S311 (a workload, not a secret)


def place_of(depth: float, count: int, width: int = 1) -> int:
    """Where `width` neighbours out of `count` begin; never 0.

    Something always stands before what is asked for, so that an answer that recites the prompt starts wrong.
    """
    return 1 + round(depth * (count - 1 - width))
