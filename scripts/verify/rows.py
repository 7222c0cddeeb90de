"""Answers to be verified, one JSON object a line, read strictly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from deployments.contract.verdict import Evidence, OtherAnswer, ToolCall

MAX_LINE_BYTES = 4 << 20
Word = Literal["correct", "wrong", "unknown"]


class RowError(ValueError):
    """A line that cannot be read; the message names it."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`verify` is as `laar.verify` in a request; `allowed` are the verdicts that are right, `class` sorts the table.

    `judge_reply` is what the judge said of the answer, `model` who gave it.
    """

    verify: msgspec.Raw
    answer: str
    prompt: str = ""
    language: str = "unknown"
    model: str = "model-a"
    others: tuple[OtherAnswer, ...] = ()
    judge_reply: str | None = None
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    class_: str | None = msgspec.field(name="class", default=None)
    allowed: tuple[Word, ...] = ()

    def evidence(self) -> Evidence:
        return Evidence(
            answer=self.answer,
            prompt=self.prompt,
            language=self.language,
            model=self.model,
            others=self.others,
            finish_reason=self.finish_reason,
            tool_calls=self.tool_calls,
            refusal=self.refusal,
        )


# read by nothing here, but good to have beside an answer
_NOTES = frozenset({"id", "why", "source"})
_KNOWN = _NOTES | {field.encode_name for field in msgspec.structs.fields(Row)}
_ROW = msgspec.json.Decoder(Row)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file in order; RowError at the first line that is none. Blank lines are left out."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
            if len(line) > MAX_LINE_BYTES:
                raise RowError(f"{path}, line {number}: more than the {MAX_LINE_BYTES} bytes allowed")
            if line.strip():
                yield _row(line, f"{path}, line {number}")


def _row(line: bytes, where: str) -> Row:
    try:
        unknown = sorted(_FIELDS.decode(line).keys() - _KNOWN)
        if unknown:
            raise RowError(f"{where}: unknown column '{unknown[0][:64]}'; known: {', '.join(sorted(_KNOWN))}")
        return _ROW.decode(line)
    except msgspec.ValidationError as error:
        raise RowError(f"{where}: {error}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RowError(f"{where}: no JSON: {error}") from None
