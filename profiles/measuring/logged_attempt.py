"""An attempt as the attempt log has it; laar writes it and profiles are counted from it."""

import msgspec

from profiles.measuring.measurement import Record


class LoggedAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the log keeps of an attempt; `prompt_tokens` are the engine's count, else the router's estimate.

    `check` names the check that gave the verdict, where it is one that may err. With `is_repair` the model was given
    its own wrong answer.
    """

    model: str
    bucket: str
    verdict: str
    reason: str
    latency_s: float
    probability: float
    prompt_tokens: int
    output_tokens: int | None = None
    answer_text: str | None = None
    check: str | None = None
    is_repair: bool | None = None


class JudgedAttempt(LoggedAttempt, frozen=True, kw_only=True):
    """A logged attempt with its request and with what is thought of its answer: None if no one judged it.

    `num_before` attempts of the same request came before it; `is_retry` if the client had asked before and was not
    content. `output_tokens` is known if the engine counted tokens, and `prompt_tokens` is its count only then.
    """

    request_id: str
    num_before: int
    is_retry: bool
    began_s: float
    task: str
    language: str
    correct: bool | None
    num_chars: int

    def record(self, *, concurrency: int = 1) -> Record:
        """As the fits take it; only for attempts whose missing figures they do not look at."""
        return Record(
            prompt_id=self.request_id,
            model=self.model,
            task=self.task,
            language=self.language,
            correct=bool(self.correct),
            latency_s=self.latency_s,
            concurrency=concurrency,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens or 0,
            num_chars=self.num_chars,
            symbol_share=0.0,
        )
