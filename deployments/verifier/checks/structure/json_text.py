"""The JSON value in an answer: numbers as they are written, and only one that every reader would find."""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn, TypeVar

Extract = Literal["whole", "fence", "embedded"]
# a start that leads nowhere is read up to its fault; an honest answer has few
MAX_STARTS = 100
MAX_DIGITS = 4000
# of ten, of numbers that a double holds; what is beyond, some readers take for infinity or for 0
_EXPONENTS = range(-323, 309)
_OPENING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*")
_START = re.compile(r"[{\[]")
_T = TypeVar("_T")


class UnreadableError(Exception):
    """There may be JSON, but not one value that is sure, so it cannot be told whether the answer is right."""


def read_json(text: str, extract: Extract = "whole") -> Any:
    """The value of an answer that is JSON as a whole, be it in a code fence.

    With `fence` it may also stand in the only fence among prose, with `embedded` be the only object or array there.
    Raises ValueError where there is none; UnreadableError where several differ, where a key stands twice with different
    values, and where it is nested too deeply or has a number that no double holds or of thousands of digits.
    """
    text = text.strip().removeprefix("\ufeff").strip()
    try:
        return _readable(_DECODER.decode, _unfenced(text))
    except ValueError:
        if extract == "whole":
            raise
    values = list(_fenced(text) if extract == "fence" else _embedded(text))
    if not values:
        raise ValueError("no JSON")
    if any(not _is_same(value, values[0]) for value in values[1:]):
        raise UnreadableError
    return values[0]


def _unfenced(text: str) -> str:
    """What stands in a fence that is all of a text."""
    mark = text[:1]
    if mark not in ("`", "~"):
        return text
    width = len(text) - len(text.lstrip(mark))
    if width < 3 or len(text) < 2 * width or not text.endswith(mark * width):
        return text
    inner = text[width:-width].strip()
    return inner[4:] if inner[:4].lower() == "json" else inner


def _fenced(text: str) -> Iterator[Any]:
    """The values of all fences that say json, or nothing, and hold JSON.

    Where only fences of other names do, such as `python`, it is not sure that they are meant: UnreadableError.
    """
    is_elsewhere = is_found = False
    for info, body in _fences(text):
        try:
            value = _readable(_DECODER.decode, body.strip())
        except ValueError:
            continue
        if info.lower() in ("json", ""):
            is_found = True
            yield value
        else:
            is_elsewhere = True
    if is_elsewhere and not is_found:
        raise UnreadableError


def _fences(text: str) -> Iterator[tuple[str, str]]:
    """What each fence says it holds, and what it holds; one that is never closed is none."""
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        if opening is None:
            opening, lines = _OPENING.fullmatch(line.rstrip()), []
        elif _closes(line, opening[1]):
            yield opening[2], "\n".join(lines)
            opening = None
        else:
            lines.append(line)


def _closes(line: str, mark: str) -> bool:
    return line.strip().startswith(mark) and not line.strip().strip(mark[0])


def _embedded(text: str) -> Iterator[Any]:
    """All objects and arrays among prose, none of them inside another."""
    position = starts = 0
    while found := _START.search(text, position):
        starts += 1
        if starts > MAX_STARTS:
            raise UnreadableError
        try:
            value, position = _readable(_decode_at(found.start()), text)
        except ValueError:
            position = found.end()
        else:
            yield value


def _decode_at(start: int) -> Callable[[str], tuple[Any, int]]:
    return lambda text: _DECODER.raw_decode(text, start)


def _readable(decode: Callable[[str], _T], text: str) -> _T:
    try:
        return decode(text)
    except (RecursionError, InvalidOperation, _AmbiguousError):
        # of the second kind are exponents of more than 18 digits
        raise UnreadableError from None


class _AmbiguousError(Exception):
    """Not a ValueError, so that it comes through a decoder."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values of one key counts differs from reader to reader."""
    found = dict(pairs)
    if len(found) < len(pairs) and any(not _is_same(found[key], value) for key, value in pairs):
        raise _AmbiguousError
    return found


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return repr(one) == repr(other)


def _integer(digits: str) -> int:
    return int(_fraction(digits))


def _fraction(digits: str) -> Decimal:
    number = Decimal(digits) if len(digits) <= MAX_DIGITS else None
    if number is None or (number and number.adjusted() not in _EXPONENTS):
        raise _AmbiguousError
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_refuse
)
