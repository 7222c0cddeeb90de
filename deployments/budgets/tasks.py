"""The task of a request that names none, by the operator's rules."""

from collections.abc import Sequence

from deployments.budgets.settings import TaskRule
from deployments.contract.patterns import compile_pattern


class TaskRules:
    """Patterns compiled once, tried in their order on the last `chars` characters of a request's last text."""

    def __init__(self, rules: Sequence[TaskRule] = (), *, chars: int = 500) -> None:
        self._rules = [(rule.task, compile_pattern(rule.pattern)) for rule in rules]
        self._chars = chars

    def task_of(self, texts: Sequence[str]) -> str | None:
        """The task of the first rule that matches, or None."""
        if not self._rules or not texts:
            return None
        tail = texts[-1][-self._chars :]
        return next((task for task, pattern in self._rules if pattern.search(tail) is not None), None)
