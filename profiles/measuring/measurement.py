"""What one question to one model brought."""

from dataclasses import dataclass

from profiles.cell import Buckets, Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One model's answer to one prompt.

    `latency_s` is the router's, from sending it to its verdict, while the client had `concurrency` requests under way.

    `thinking_tokens` is the budget that was set, if any; how much of it was used is part of `output_tokens`.
    """

    prompt_id: str
    model: str
    task: str
    language: str
    correct: bool
    latency_s: float
    concurrency: int
    prompt_tokens: int
    output_tokens: int
    num_chars: int
    symbol_share: float
    thinking_tokens: int | None = None

    def cell(self, buckets: Buckets) -> Cell:
        return Cell(self.task, self.language, buckets.of(self.prompt_tokens))
