"""How a value that was found sits in its text."""

from enum import IntEnum


class Fit(IntEnum):
    """In rising order of what it says for the value.

    `PART`: only as a part of another word or number. `UNCLEAR`: beside something that may make it another one, or
    denied. `WHOLE`: as a word or number of its own.
    """

    NONE = 0
    PART = 1
    UNCLEAR = 2
    WHOLE = 3
