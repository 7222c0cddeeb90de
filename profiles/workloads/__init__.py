"""Workloads: seeded generators of prompts whose right answer is known."""

from collections.abc import Sequence

from profiles.workloads.instruct import SUMS, instruct
from profiles.workloads.kv_lookup import QUESTIONS, kv_lookup
from profiles.workloads.prompt import Prompt

__all__ = ["LANGUAGES", "SHORT_TOKENS", "Prompt", "workload"]

LANGUAGES = {"lookup": tuple(QUESTIONS), "instruct": tuple(SUMS)}
# each seed owns this many prompts of a cell, so that two seeds never share one
SEED_STRIDE = 1000
# the only length that short instructions come in, whatever lengths are asked for
SHORT_TOKENS = 40


def workload(
    name: str, *, languages: Sequence[str], target_tokens: Sequence[int], prompts_per_cell: int, seed: int
) -> list[Prompt]:
    """All prompts of a grid of languages and lengths, in a fixed order; ValueError names what is unknown."""
    if name not in LANGUAGES:
        raise ValueError(f"unknown workload '{name}'; known: {sorted(LANGUAGES)}")
    missing = sorted(set(languages) - set(LANGUAGES[name]))
    if missing:
        raise ValueError(f"workload '{name}' has no wording in {missing}; it has {sorted(LANGUAGES[name])}")
    if prompts_per_cell > SEED_STRIDE:
        raise ValueError(f"prompts_per_cell is {prompts_per_cell}; at most {SEED_STRIDE}, where the next seed's begin")
    seeds = range(seed * SEED_STRIDE, seed * SEED_STRIDE + prompts_per_cell)
    if name == "instruct":
        return [instruct(language, SHORT_TOKENS, seed=s) for language in languages for s in seeds]
    return [kv_lookup(lang, tokens, seed=s) for lang in languages for tokens in target_tokens for s in seeds]
