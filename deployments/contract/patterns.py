"""Regular expressions from strangers: RE2 alone compiles them, in linear time and within bounds on memory."""

import re
from typing import Any

MAX_PATTERN_CHARS = 1024
MAX_MEMORY_BYTES = 2 << 20
MAX_PROGRAM_SIZE = 10_000
# Within these a pattern is compiled in a millisecond. To read a class such as \p{L} takes RE2 up to 0.1 ms.
QUICK_CLASSES, QUICK_MEMORY_BYTES = 4, 48 << 10
# what is escaped, and whether it is a class
_ESCAPED = re.compile(r"\\(?:([pP](?:\{[^}]*\}|\w))|.)", re.DOTALL)


class PatternError(ValueError):
    """The pattern is refused; the message says why."""


class LargePatternError(PatternError):
    """It is one of RE2's, but needs too much memory when compiled."""


def is_quick(pattern: str, *, ignore_case: bool = False) -> bool:
    """Whether it is compiled in about a millisecond; to tell takes no longer.

    Raises a PatternError. Where there are many classes their names are not looked at.
    """
    has_few = sum(map(bool, _ESCAPED.findall(pattern))) <= QUICK_CLASSES
    # a class of digits stands where the others do
    read = pattern if has_few else _ESCAPED.sub(lambda found: r"\d" if found[1] else found[0], pattern)
    try:
        compile_pattern(read, ignore_case=ignore_case, max_memory_bytes=QUICK_MEMORY_BYTES)
    except LargePatternError:
        return False
    return has_few


def compile_pattern(pattern: str, *, ignore_case: bool = False, max_memory_bytes: int = MAX_MEMORY_BYTES) -> Any:
    """Compile with RE2 (which keeps the last 128), or raise a PatternError."""
    # here, since most requests have no pattern
    import re2

    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"pattern of {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed")
    options = re2.Options()
    options.max_mem = max_memory_bytes
    options.case_sensitive = not ignore_case
    options.never_capture = True
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise _refusal(error, max_memory_bytes) from None
    except UnicodeEncodeError:
        raise PatternError("pattern holds a lone surrogate; only valid Unicode is allowed") from None
    if compiled.programsize > MAX_PROGRAM_SIZE:
        steps = f"pattern compiles to {compiled.programsize} steps; at most {MAX_PROGRAM_SIZE} are allowed"
        raise LargePatternError(steps)
    return compiled


def _refusal(error: Exception, max_memory_bytes: int) -> PatternError:
    cause = error.args[0] if error.args else b""
    text = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
    seen = text.rpartition(" ")[2]
    if "invalid perl operator" in text:
        return PatternError(f"pattern uses '{seen}'; RE2 syntax is allowed, which has no look-around")
    if "invalid escape sequence" in text:
        return PatternError(f"pattern uses '{seen}'; RE2 syntax is allowed, which has no back-references")
    if "too large" in text:
        return LargePatternError(
            f"pattern needs more than {max_memory_bytes} bytes when compiled; use fewer or smaller repetitions"
        )
    if "repetition size" in text:
        return PatternError(f"pattern repeats {seen}; at most 1000 are allowed, nested repetitions multiplied")
    return PatternError(f"pattern is not valid RE2 syntax: {text[:120]}")
