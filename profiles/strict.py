"""The kind of config and document that laar reads: what it does not know or cannot use stops the start."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails


def what_is_wrong(error: ErrorDetails) -> str:
    """Pydantic's message, without the name of an exception of Python that it puts before ours."""
    return error["msg"].removeprefix("Value error, ")


class Strict(BaseModel):
    """Refuses unknown keys, NaN and infinity, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Discreet(Strict):
    """Names what is wrong without its value, which may be a key or a password."""

    model_config = ConfigDict(hide_input_in_errors=True)
