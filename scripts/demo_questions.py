"""The questions of the demo. Which model gets which one right was measured, not arranged; see docs/demo.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with the check that tells its right answer; `title` is what the table shows."""

    title: str
    text: str
    task: str
    verify: Mapping[str, Any]


QUESTIONS: tuple[Question, ...] = ()
