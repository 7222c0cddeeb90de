"""Workloads: seeded generators of prompts whose right answer is known."""

from collections.abc import Sequence

from profiles.workloads.instruct import instruct
from profiles.workloads.kv_lookup import kv_lookup, kv_needles
from profiles.workloads.prompt import Prompt
from profiles.workloads.prose import prose
from profiles.workloads.wording import LANGUAGE_CODES

__all__ = ["LANGUAGES", "SHORT_TOKENS", "SHORT_WORKLOADS", "Prompt", "workload"]

_WORKLOADS = {"instruct": instruct, "lookup": kv_lookup, "needles": kv_needles, "prose": prose}
LANGUAGES = dict.fromkeys(_WORKLOADS, LANGUAGE_CODES)
# each seed owns this many prompts of a cell, so that two seeds never share one
SEED_STRIDE = 1000
# whose prompts have one length, whatever is asked for
SHORT_WORKLOADS = frozenset({"instruct"})
# about the only length that short instructions come in, whatever lengths are asked for
SHORT_TOKENS = 32


def workload(
    name: str, *, languages: Sequence[str], target_tokens: Sequence[int], prompts_per_cell: int, seed: int
) -> list[Prompt]:
    """All prompts of a grid of languages and lengths, in a fixed order; ValueError names what is unknown."""
    if name not in LANGUAGES:
        raise ValueError(f"unknown workload '{name}'; known: {sorted(LANGUAGES)}")
    missing = sorted(set(languages) - set(LANGUAGES[name]))
    if missing:
        raise ValueError(f"workload '{name}' has no wording in {missing}; it has {sorted(LANGUAGES[name])}")
    if not 1 <= prompts_per_cell <= SEED_STRIDE:
        raise ValueError(f"prompts_per_cell is {prompts_per_cell}; allowed: 1 to {SEED_STRIDE}, a seed's share")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must not be negative")
    make = _WORKLOADS[name]
    lengths = [SHORT_TOKENS] if name in SHORT_WORKLOADS else target_tokens
    seeds = range(seed * SEED_STRIDE, (seed + 1) * SEED_STRIDE)[:prompts_per_cell]
    return [make(language, tokens, seed=s) for language in languages for tokens in lengths for s in seeds]
