"""Regular expressions from strangers: RE2 alone compiles them, in linear time and within bounds on memory."""

from typing import Any

MAX_PATTERN_CHARS = 1024
MAX_MEMORY_BYTES = 2 << 20
MAX_PROGRAM_SIZE = 10_000


class PatternError(ValueError):
    """The pattern is refused; the message says why."""


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Any:
    """Compile with RE2 (which keeps the last 128), or raise a PatternError."""
    # here, since most requests have no pattern
    import re2

    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"pattern of {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed")
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.case_sensitive = not ignore_case
    options.never_capture = True
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise PatternError(_explain(error)) from None
    except UnicodeEncodeError:
        raise PatternError("pattern holds a lone surrogate; only valid Unicode is allowed") from None
    if compiled.programsize > MAX_PROGRAM_SIZE:
        raise PatternError(f"pattern compiles to {compiled.programsize} steps; at most {MAX_PROGRAM_SIZE} are allowed")
    return compiled


def _explain(error: Exception) -> str:
    cause = error.args[0] if error.args else b""
    text = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
    seen = text.rpartition(" ")[2]
    if "invalid perl operator" in text:
        return f"pattern uses '{seen}'; RE2 syntax is allowed, which has no look-around"
    if "invalid escape sequence" in text:
        return f"pattern uses '{seen}'; RE2 syntax is allowed, which has no back-references"
    if "too large" in text:
        return f"pattern needs more than {MAX_MEMORY_BYTES} bytes when compiled; use fewer or smaller repetitions"
    if "repetition size" in text:
        return f"pattern repeats {seen}; at most 1000 are allowed, nested repetitions multiplied"
    return f"pattern is not valid RE2 syntax: {text[:120]}"
