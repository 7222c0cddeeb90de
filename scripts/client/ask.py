"""`laar ask` and `laar explain`: the body of a request from options, and an answer with its attempts on a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.client.connection import ApplicationError, Connection
from scripts.tables import Column, print_json, print_table

# the exit status of an answer that was to be verified and was not
NOT_VERIFIED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCheck:
    """How an answer is to be verified, by the options of `laar ask`; at most one of them may be given."""

    contains: str | None = None
    regex: str | None = None
    numeric: float | None = None
    schema: Path | None = None
    verify: str | None = None

    def as_verify(self) -> dict[str, Any] | None:
        """The value of `laar.verify`; ValueError names the option at fault."""
        given = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        if len(given) > 1:
            raise ValueError(f"--{', --'.join(given)}: only one check can be given")
        if self.contains is not None:
            return {"type": "contains", "value": self.contains}
        if self.regex is not None:
            return {"type": "regex", "pattern": self.regex}
        if self.numeric is not None:
            return {"type": "numeric", "value": self.numeric, "which": "last"}
        if self.schema is not None:
            return {"type": "json_schema", "schema": _json("--schema", _text(self.schema))}
        return _json("--verify", self.verify) if self.verify is not None else None


@dataclass(slots=True)
class StreamedAnswer:
    """What came of a stream: the text so far, the `laar` object and who wrote it."""

    text: str = ""
    laar: dict[str, Any] = field(default_factory=dict)
    model: str | None = None

    def add(self, event: Mapping[str, Any]) -> str:
        """Take an event in; the text that it brings."""
        if "error" in event:
            raise ApplicationError(f"the stream broke off: {event['error'].get('message')}")
        self.model = event.get("model") or self.model
        self.laar = event.get("laar") or self.laar
        pieces = [choice.get("delta", {}).get("content") or "" for choice in event.get("choices", [])]
        self.text += (added := "".join(pieces))
        return added


def ask(connection: Connection, body: Mapping[str, Any], *, as_json: bool) -> int:
    """Print the answer as it comes, and its attempts to stderr; the exit status."""
    answer = StreamedAnswer()
    with connection.events("chat/completions", {**body, "stream": True}) as events:
        for event in _parsed(events):
            piece = answer.add(event)
            if not as_json:
                print(piece, end="", flush=True)
    if as_json:
        print_json({"answer": answer.text, "model": answer.model, "laar": answer.laar})
    else:
        print()
        for line in summary(answer.laar):
            print(line, file=sys.stderr)
    return NOT_VERIFIED if answer.laar.get("verified") is False else 0


def summary(laar: Mapping[str, Any]) -> list[str]:
    """What an answer's `laar` object says, a line for each attempt."""
    lines = [_attempt_line(number, attempt) for number, attempt in enumerate(laar.get("attempts", []), start=1)]
    ttca = f" after {laar['ttca_s']:.2f} s" if laar.get("ttca_s") is not None else ""
    verified: dict[Any, str] = {True: f"verified{ttca}", False: "NOT verified: no attempt was found correct"}
    head = verified.get(laar.get("verified"), "not verified, as no check was asked for")
    return [*lines, f"{head}; {laar.get('language')}, {laar.get('bucket')} tokens; {laar.get('request_id')}"]


def explain(connection: Connection, body: Mapping[str, Any], *, as_json: bool) -> None:
    found = connection.post("laar/explain", body)
    if as_json:
        print_json(found)
        return
    print_table(candidate_columns(found["candidates"], found["order"]))
    features = found["features"]
    print(f"\nasked first: {found['chosen'] or 'none'} ({found['reason'] or 'no model may be asked'})", file=sys.stderr)
    print(f"language {features['language']}, task {features['task']}", file=sys.stderr)


def candidate_columns(candidates: Sequence[Mapping[str, Any]], order: Sequence[str]) -> list[Column]:
    """The models in the order in which they would be asked, then those that would not."""
    place = {model: number for number, model in enumerate(order, start=1)}
    rows = sorted(candidates, key=lambda c: (place.get(c["model"], len(place) + 1), c["model"]))

    def column(title: str, rank: int, cells: Iterable[str], *, is_number: bool = True) -> Column:
        return Column(title=title, rank=rank, cells=list(cells), is_number=is_number)

    return [
        column("asked", 0, (f"{place[c['model']]}." if c["model"] in place else "-" for c in rows)),
        column("model", 0, (c["model"] for c in rows), is_number=False),
        column("Q", 1, (f"{c['probability']:.2f}" for c in rows)),
        column("95 % interval", 5, ("{:.2f} to {:.2f}".format(*c["interval"]) for c in rows)),
        column("L", 2, (f"{c['expected_latency_s']:.2f} s" for c in rows)),
        column("L/Q", 3, (f"{c['score_s']:.2f} s" for c in rows)),
        column("tokens", 8, (str(c["prompt_tokens"]) for c in rows)),
        column("bucket", 7, (c["bucket"] for c in rows), is_number=False),
        column("in flight", 6, (str(c["in_flight"]) for c in rows)),
        column("excluded", 4, (c["exclusion"] or "" for c in rows), is_number=False),
    ]


def _attempt_line(number: int, attempt: Mapping[str, Any]) -> str:
    read = f", read as {attempt['read']!r}" if attempt.get("read") is not None else ""
    what = f"{attempt['verdict']} ({attempt['reason']}{read})" if attempt.get("reason") else attempt["verdict"]
    return f"{number}. {attempt['model']}  {attempt['latency_s']:.2f} s  {what}"


def _parsed(events: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    for event in events:
        if event == "[DONE]":
            return
        yield json.loads(event)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--schema: {path} cannot be read: {error}") from error


def _json(option: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{option}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{option}: a JSON object is wanted")
    return found
