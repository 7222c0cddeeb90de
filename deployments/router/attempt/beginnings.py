"""Answers that are watched while they are written, so that one whose beginning rules it out is not waited for."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from deployments.contract.reply import CallPart, Chunk, joined_calls
from deployments.contract.verdict import Evidence
from deployments.verifier.checks import Spec, is_refuted
from deployments.verifier.text.thinking import has_mark

# whole answers in a row without a mark of thinking, after which a model is taken not to think in its text
PLAIN_ANSWERS = 8
# characters at which an answer is looked at first; then whenever it has become twice as long
_FIRST_LOOK = 8


class PlainSpeakers:
    """Which models do not think in their text, by their whole answers.

    A model whose template opens its thinking begins its text with thoughts, and only a closing mark tells that they
    were some. Such a beginning refutes nothing.
    """

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}

    def heard(self, model: str, answer: str) -> None:
        self._in_a_row[model] = 0 if has_mark(answer) else self._in_a_row.get(model, 0) + 1

    def has(self, model: str) -> bool:
        return self._in_a_row.get(model, 0) >= PLAIN_ANSWERS


@dataclass(slots=True, kw_only=True)
class Beginning:
    """One answer so far; its text is looked at a few times only, as the looks take time of the event loop."""

    spec: Spec
    language: str
    model: str
    reads_text: bool
    num_tokens: int = 0
    _texts: list[str] = field(default_factory=list)
    _num_chars: int = 0
    _next_look: int = _FIRST_LOOK
    _calls: list[CallPart] = field(default_factory=list)

    def is_refuted_with(self, chunk: Chunk) -> bool:
        """Whether the answer that goes on by the chunk can no longer be right."""
        self.num_tokens += chunk.num_tokens
        if chunk.finish_reason is not None:
            # the whole answer is there, so the check itself can be made
            self.reads_text = False
            return False
        self._texts.append(chunk.text)
        self._num_chars += len(chunk.text)
        names = [part for part in chunk.calls if part.name]
        if names:
            self._calls += names
            if is_refuted(self.spec, replace(self._evidence(""), tool_calls=joined_calls(self._calls))):
                return True
        if not self.reads_text or self._num_chars < self._next_look:
            return False
        self._next_look = 2 * self._num_chars
        return is_refuted(self.spec, self._evidence("".join(self._texts)))

    def _evidence(self, answer: str) -> Evidence:
        return Evidence(answer=answer, prompt="", language=self.language, model=self.model)
