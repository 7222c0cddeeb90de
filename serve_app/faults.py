"""What pydantic found wrong with a file, in words for the person who wrote it."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from profiles.strict import what_is_wrong

_MOST_KNOWN = 12
_MOST_SHOWN_CHARS = 120
# an apostrophe within a word begins no quotation
_QUOTED = re.compile(r"(?<!\w)'([^']+)'")
# how a rule between several keys begins its message
_OF_KEY = re.compile(r"([a-z_]+(?:\.[a-z_0-9]+)+):? ")
_WITHOUT_INPUT = frozenset({"missing", "value_error", "extra_forbidden", "too_short"})
# what is wanted where pydantic speaks of its own types
_WANTED = {
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping"),
    **dict.fromkeys(("tuple_type", "list_type", "frozen_set_type", "set_type"), "a list"),
    "string_type": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with a file: the key, the value that stands there, what is wrong, and how to mend it.

    A `warning` can be served all the same. `value` never has the user or the password of a URL.
    """

    level: Literal["error", "warning"] = "error"
    key: str
    value: str | None = None
    message: str
    mend: str | None = None

    def __str__(self) -> str:
        value = f" ({self.value} given)" if self.value is not None else ""
        mend = f"; {self.mend}" if self.mend else ""
        return f"{self.key + ': ' if self.key else ''}{self.message}{value}{mend}"


def in_words(error: ValidationError, root: type[BaseModel] | None = None) -> str:
    """A line for each finding."""
    return "\n".join(map(str, findings_in(error, root)))


def findings_in(error: ValidationError, root: type[BaseModel] | None = None) -> list[Finding]:
    """What is wrong, without what only follows from it; `root` is the model that was to be read, for its keys."""
    errors = error.errors(include_url=False)
    places = [e["loc"] for e in errors]
    # a list whose only entry is wrong also counts as empty
    errors = [e for e in errors if not any(_is_below(place, e["loc"]) for place in places)]
    found = [(e, _finding(e, root)) for e in errors]
    # a misspelt key makes the right one missing
    meant = {(*e["loc"][:-1], nearest) for e, _ in found if (nearest := _meant_key(e, root)) is not None}
    return [finding for e, finding in found if e["type"] != "missing" or e["loc"] not in meant]


def unknown_keys(
    document: Any, root: type[BaseModel], place: tuple[int | str, ...] = ()
) -> Iterator[tuple[tuple[int | str, ...], set[str]]]:
    """Keys that the model does not have, however lenient it is: the place of each, and the keys that it has there."""
    if isinstance(document, list):
        for index, value in enumerate(document):
            yield from unknown_keys(value, root, (*place, index))
    elif isinstance(document, Mapping) and (known := _keys_at(root, place)):
        for key, value in document.items():
            if key in known:
                yield from unknown_keys(value, root, (*place, key))
            else:
                yield (*place, key), known


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The word that was probably meant."""
    lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def did_you_mean(word: str, known: Collection[str]) -> str:
    """How to mend a word that is none of the known ones."""
    if (found := nearest(word, known)) is not None:
        return f"did you mean '{found}'?"
    listed = sorted(known)
    more = f" and {len(listed) - _MOST_KNOWN} more" if len(listed) > _MOST_KNOWN else ""
    return f"known: {', '.join(listed[:_MOST_KNOWN])}{more}" if listed else "nothing is known here"


def nearest_in(message: str) -> str | None:
    """The mend of a message that says which word it saw, and then which are known or allowed."""
    seen, _, rest = re.sub("(known|allowed)[^:;]*:", "\0", message, count=1).partition("\0")
    words, known = _QUOTED.findall(seen), _QUOTED.findall(rest)
    found = nearest(words[-1].removeprefix("embedded:"), known) if words and known else None
    return f"did you mean '{found}'?" if found else None


def shown(value: Any) -> str:
    """A value as it may be printed: short, and of a URL neither user nor password nor what may be one of them."""
    text = value if isinstance(value, str) else repr(value)
    if "://" in text:
        scheme, _, rest = text.partition("://")
        rest = rest.rpartition("@")[2] if scheme.lower() in ("http", "https") else ""
        text = f"{scheme}://{rest or '…'}"
    elif "@" in text:
        # of a URL whose scheme was left out
        text = f"…@{text.rpartition('@')[2]}"
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= _MOST_SHOWN_CHARS else text[:_MOST_SHOWN_CHARS] + "…"


def _finding(error: ErrorDetails, root: type[BaseModel] | None) -> Finding:
    loc, kind = error["loc"], error["type"]
    key = ".".join(str(part) for part in loc)
    value = None if kind in _WITHOUT_INPUT else shown(error["input"])
    message, mend = what_is_wrong(error), None
    if kind == "extra_forbidden":
        message = "there is no such key"
        known = _keys_at(root, loc[:-1])
        mend = did_you_mean(str(loc[-1]), known) if known else None
    elif kind == "missing":
        message, mend = "missing", f"write {loc[-1]}: ...{_described(root, loc)}"
    elif kind == "literal_error":
        mend = did_you_mean(str(error["input"]), _QUOTED.findall(error["ctx"]["expected"]))
        message = f"not one of {error['ctx']['expected']}"
    elif kind == "url_parsing" and "relative URL" in message:
        message, mend = "a URL needs its scheme", _write("http://{}", error["input"])
    elif kind == "too_short":
        least = error["ctx"]["min_length"]
        message = "at least one is needed" if least == 1 else f"at least {least} are needed"
    elif kind in _WANTED:
        message = f"{_WANTED[kind]} is wanted"
        if kind == "tuple_type" and isinstance(error["input"], str):
            mend = _write("[{}]", error["input"])
    elif kind == "value_error":
        mend = nearest_in(message)
        if (named := _OF_KEY.match(message)) is not None:
            key, message = ".".join(filter(None, (key, named[1]))), message[named.end() :]
    return Finding(key=key, value=value, message=message, mend=mend)


def _write(form: str, given: str) -> str:
    """How the value should stand; one that may hold a password is left out."""
    return f"write {form.format('…' if '@' in given else given)}"


def _is_below(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _meant_key(error: ErrorDetails, root: type[BaseModel] | None) -> str | None:
    if error["type"] != "extra_forbidden":
        return None
    return nearest(str(error["loc"][-1]), _keys_at(root, error["loc"][:-1]))


def _described(root: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    for model in _models_at(root, loc[:-1]):
        if (field := model.model_fields.get(str(loc[-1]))) is not None and field.description:
            return f" ({field.description.rstrip('.')})"
    return ""


def _keys_at(root: type[BaseModel] | None, loc: tuple[int | str, ...]) -> set[str]:
    return {name for model in _models_at(root, loc) for name in model.model_fields}


def _models_at(root: type[BaseModel] | None, loc: tuple[int | str, ...]) -> Iterator[type[BaseModel]]:
    """The models that may stand at a place of a document."""
    kinds: list[Any] = [root] if root is not None else []
    for part in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def _inside(kind: Any, part: int | str) -> Iterator[Any]:
    """What a key or a number leads to; the word for an arm of a union leads to that arm itself."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if (field := kind.model_fields.get(str(part))) is not None:
            yield from _arms(field.annotation)
        elif (tag := kind.model_fields.get("type")) is not None and part in get_args(tag.annotation):
            yield kind
    elif get_origin(kind) is not None and (of := get_args(kind)):
        yield from _arms(of[-1] if issubclass(get_origin(kind), Mapping) else of[0])


def _arms(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _arms(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for arm in get_args(kind):
            yield from _arms(arm)
    else:
        yield kind
