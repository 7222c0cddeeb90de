"""Searching texts for patterns of strangers, with a bound on the work of one search.

RE2 searches. Its classes (words and their edges, digits, spaces) know ASCII alone, so a text beyond ASCII is also
searched by Rust's regex, which pydantic carries and whose classes are Unicode's.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deployments.contract.patterns import PatternError, compile_pattern
from deployments.verifier.text.normalise import compose

# RE2 needs time in proportion to program size times text when its automaton does not fit in memory
MAX_WORK = 256 << 20
# Rust's needs up to 6 ns for each, and holds the interpreter's lock meanwhile
MAX_UNICODE_WORK = 64 << 20

_CLASS = re.compile(r"\\[bBdDsSwW]")
_EDGE = re.compile(r"\\[bB]")
_RANGE_BYTES = 64
# what a longer text could turn from true to false
_LOOKS_AT_END = re.compile(r"\$|\\[Bz]")


class TooMuchWorkError(Exception):
    """Pattern and text are each allowed, but not together."""


def matches(compiled: Any, text: str, *, full: bool = False) -> bool:
    """Whether the pattern stands in the text (or is all of it); raise TooMuchWorkError when that could take long."""
    _bound(compiled, text, MAX_WORK)
    found = compiled.fullmatch(text) if full else compiled.search(text)
    return found is not None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern with Unicode's classes; raises PatternError."""

    source: str
    ignore_case: bool = False
    compiled: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", compile_pattern(self.source, ignore_case=self.ignore_case))

    @property
    def size(self) -> int:
        return int(self.compiled.programsize)

    def needs_unicode(self, text: str) -> bool:
        """Whether a class of the pattern has another meaning beyond ASCII than within it, and the text goes there."""
        return not text.isascii() and _CLASS.search(self.source) is not None

    def found(self, text: str, *, full: bool = False) -> bool | None:
        """Whether the pattern stands in the text, or is all of it.

        None where only its ASCII classes find it, or Rust's regex cannot read it. Raises TooMuchWorkError where it
        could take long.
        """
        if self.source == compose(self.source, "NFC"):
            text = compose(text, "NFC")
        by_ascii = matches(self.compiled, text, full=full)
        if not self.needs_unicode(text):
            return by_ascii
        unicode = _unicode_search(self.source, self.ignore_case, full)
        if unicode is None:
            return None
        _bound(self.compiled, text, MAX_UNICODE_WORK)
        return True if unicode.isinstance_python(text) else None if by_ascii else False

    def rules_out(self, beginning: str) -> bool:
        """Whether no text that begins so can be a full match; in ASCII, where all classes agree but edges of words."""
        # what follows may go with the last character, or leave only space to be taken off
        sure = beginning[:-1].rstrip()
        if not sure or not sure.isascii() or _EDGE.search(self.source):
            return False
        bounds = _range(self.source, self.ignore_case)
        if bounds is None:
            return False
        lowest, highest = bounds
        said = sure.encode()
        return said > highest or (said < lowest and not lowest.startswith(said))

    def found_before_end(self, text: str) -> bool:
        """Whether the pattern stands in the text whatever may follow it; False where that cannot be told."""
        words = re.match(r".*\s", text, re.DOTALL)
        return words is not None and not _LOOKS_AT_END.search(self.source) and self.found(words[0]) is True


@lru_cache(maxsize=64)
def _range(source: str, ignore_case: bool) -> tuple[bytes, bytes] | None:
    """What all full matches lie between, if RE2 can tell."""
    import re2

    try:
        whole = compile_pattern(rf"\A(?:{source})\z", ignore_case=ignore_case)
        lowest, highest = whole.possiblematchrange(_RANGE_BYTES)
    except (PatternError, re2.error):
        return None
    return bytes(lowest), bytes(highest)


@lru_cache(maxsize=64)
def _unicode_search(source: str, ignore_case: bool, full: bool) -> Any:
    """Rust's regex for a pattern that RE2 has taken; None where it reads another syntax or needs more memory."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    source = f"(?i:{source})" if ignore_case else source
    try:
        return SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{source})\z" if full else source, strict=True))
    except SchemaError:
        return None


def _bound(compiled: Any, text: str, max_work: int) -> None:
    size_bytes = len(text.encode("utf-8", "replace"))
    if size_bytes * compiled.programsize > max_work:
        raise TooMuchWorkError(f"{size_bytes} bytes of text for a pattern of {compiled.programsize} steps")
