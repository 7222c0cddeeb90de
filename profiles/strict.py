"""The kind of config and document that laar reads: what it does not know or cannot use stops the start."""

import hashlib

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails


def what_is_wrong(error: ErrorDetails) -> str:
    """Pydantic's message, without the name of an exception of Python that it puts before ours."""
    return error["msg"].removeprefix("Value error, ")


def told_of(error: ValidationError, most: int = 5) -> str:
    """What is wrong with a document and where, in one line that shows none of its values."""
    found = error.errors(include_input=False, include_url=False)[:most]
    return "; ".join(": ".join(filter(None, (".".join(map(str, one["loc"])), what_is_wrong(one)))) for one in found)


def version_of(document: BaseModel) -> str:
    """Tells one document from another, whatever file it comes from and however that is laid out."""
    return hashlib.sha256(document.model_dump_json().encode()).hexdigest()[:12]


class Strict(BaseModel):
    """Refuses unknown keys, NaN and infinity, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Discreet(Strict):
    """Names what is wrong without its value, which may be a key or a password."""

    model_config = ConfigDict(hide_input_in_errors=True)
