"""What pydantic found wrong with a file, in words for the person who wrote it."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def in_words(error: ValidationError) -> str:
    """A line for each fault: the key, what is allowed, and what was given."""
    return "\n".join(_line(fault) for fault in error.errors(include_url=False))


def _line(fault: ErrorDetails) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    given = "" if fault["type"] in ("missing", "value_error") else f" ({fault['input']!r} given)"
    return f"{key}: {fault['msg']}{given}" if key else f"{fault['msg']}{given}"
