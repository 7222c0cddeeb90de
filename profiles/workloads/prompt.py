"""A prompt with a known answer, as all workloads give it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """`verify` is the verification that tells a correct answer; `target_tokens` names the intended length."""

    id: str
    language: str
    task: str
    target_tokens: int
    text: str
    answer: str
    verify: Mapping[str, Any]
    max_tokens: int = 24
    labels: Mapping[str, str] = field(default_factory=dict)
