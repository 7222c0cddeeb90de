"""A user's own prompts with known answers, one JSON object a line, so that a team profiles on its own traffic."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE
from profiles.strict import Strict, what_is_wrong
from profiles.workloads.prompt import Prompt

MAX_LINES = 20_000
MAX_LINE_BYTES = 8 << 20
MAX_PROMPT_CHARS = 1 << 20
MAX_FILE_BYTES = 256 << 20
SHOWN_CHARS = 64
# Errors name only the size of these texts: a long text hides the fault, and users' texts are private.
_PRIVATE = frozenset({"prompt", "answer"})


class OwnPromptsError(ValueError):
    """The file cannot be used; the message names the line, the key, the value and what is allowed."""


class _Line(Strict):
    """`answer` alone stands for a verification that it is contained; a given `verify` takes its place."""

    model_config = ConfigDict(strict=True)

    prompt: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT_CHARS)]
    answer: Annotated[str, StringConstraints(min_length=1, max_length=16_384)] | None = None
    verify: Mapping[str, Any] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$|^unknown$")] = UNKNOWN_LANGUAGE
    task: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = DEFAULT_TASK
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] = 256
    id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None

    @model_validator(mode="after")
    def _can_be_verified(self) -> Self:
        if self.answer is None and self.verify is None:
            raise ValueError("neither 'answer' nor 'verify' is given; one of them must tell a right answer")
        return self

    def as_prompt(self, number: int) -> Prompt:
        return Prompt(
            id=self.id or f"own-{number}",
            language=self.language,
            task=self.task,
            target_tokens=0,
            text=self.prompt,
            answer=self.answer or "",
            verify=self.verify or {"type": "contains", "value": self.answer},
            max_tokens=self.max_tokens,
            states_language=self.language != UNKNOWN_LANGUAGE,
        )


def load_prompts(path: Path, *, check_verify: Callable[[Mapping[str, Any]], object]) -> list[Prompt]:
    """The file's prompts in order, `target_tokens` 0 since no length was intended; OwnPromptsError at the first fault.

    `check_verify` raises ValueError for a verification that the application will refuse. A line without an id
    is named by its number. An answer that the prompt holds is found in a recital of it too: bring a stricter
    `verify`, or a small `max_tokens`.
    """
    prompts: dict[str, Prompt] = {}
    for number, line in _lines(path):
        prompt = _read(line, number, f"{path}, line {number}", check_verify)
        if prompt.id in prompts:
            raise OwnPromptsError(f"{path}, line {number}: id {_shown(prompt.id)} was used before; ids must be unique")
        prompts[prompt.id] = prompt
    if not prompts:
        raise OwnPromptsError(f"{path} holds no prompt; at least one line is wanted")
    return list(prompts.values())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers, read one at a time."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise OwnPromptsError(f"{path} has {size_bytes} bytes; at most {MAX_FILE_BYTES} are allowed")
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if number > MAX_LINES:
                    raise OwnPromptsError(f"{path} has more than the {MAX_LINES} lines that are allowed")
                if len(line) > MAX_LINE_BYTES:
                    raise OwnPromptsError(f"{path}, line {number} has more than the {MAX_LINE_BYTES} bytes allowed")
                if line.strip():
                    yield number, line
    except OSError as error:
        raise OwnPromptsError(f"{path} cannot be read: {error.strerror}") from error


def _read(line: bytes, number: int, where: str, check_verify: Callable[[Mapping[str, Any]], object]) -> Prompt:
    try:
        decoded = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise OwnPromptsError(f"{where}: not JSON in UTF-8: {_reason(error)}") from None
    if not isinstance(decoded, dict):
        raise OwnPromptsError(f"{where}: {_shown(decoded)} is no JSON object")
    try:
        prompt = _Line.model_validate(decoded).as_prompt(number)
    except ValidationError as error:
        raise OwnPromptsError(f"{where}: {_fault(error, _Line.model_fields)}") from None
    try:
        check_verify(prompt.verify)
    except ValidationError as error:
        raise OwnPromptsError(f"{where}: verify: {_fault(error)}") from None
    except ValueError as error:
        raise OwnPromptsError(f"{where}: verify: {error}") from None
    return prompt


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _reason(error: Exception) -> str:
    """Without the text that a decoding error carries."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error)


def _fault(error: ValidationError, known: Collection[str] = ()) -> str:
    """The first fault: key, value and what is allowed."""
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden" and known:
        return f"unknown key {_shown(key)}; known: {sorted(known)}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    message = what_is_wrong(first)
    if not key:
        return message
    value = first["input"]
    shown = _size(value) if key in _PRIVATE else _shown(value)
    return f"{key} is {shown}; {message}"


def _size(value: object) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
