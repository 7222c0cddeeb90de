"""The questions of the demo. Which model gets which right was measured on both beforehand, and nothing is arranged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with the check that tells its right answer; `title` is what the table shows."""

    title: str
    text: str
    verify: Mapping[str, Any]
    task: str = "default"


QUESTIONS = (
    Question(
        title="What is the opposite of happy?",
        text="What is the opposite of happy?",
        verify={"type": "contains", "value": "sad"},
    ),
    Question(
        title="Was ist die Hauptstadt von Österreich?",
        text="Was ist die Hauptstadt von Österreich?",
        verify={"type": "contains", "value": "Wien"},
    ),
    Question(
        title="请计算：3 + 6",
        text="请计算：3 + 6",
        verify={"type": "numeric", "value": 9, "which": "last"},
    ),
    Question(
        title="Welche Durchwahl hat Schmidt? (in a list)",
        text="Müller: 7230\nSchmidt: 2134\nWeber: 9050\nFischer: 2100\n\nWelche Durchwahl hat Schmidt?\nSchmidt:",
        verify={"type": "numeric", "value": 2134, "which": "first"},
        task="lookup",
    ),
    Question(
        title="李娜的分机号是多少？ (in a list)",
        text="王伟: 9977\n李娜: 4883\n张敏: 2594\n刘洋: 4484\n\n李娜的分机号是多少？\n李娜:",
        verify={"type": "numeric", "value": 4883, "which": "first"},
        task="lookup",
    ),
    Question(
        title="Is this review positive or negative?",
        text="Is the sentiment of this review positive or negative? Review: I loved this film, it was wonderful!",
        verify={"type": "regex", "pattern": r"(?i)\bis (a )?positive"},
        task="instruct",
    ),
)
