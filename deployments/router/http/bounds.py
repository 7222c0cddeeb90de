"""What a body may hold, found by counting bytes before anything in it is decoded.

Decoding takes time by the number of things in a body, not by its bytes: four megabytes of text are read in two
milliseconds, four megabytes of empty lists take a third of a second, in which the router does nothing else.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from deployments.contract.errors import ClientError

# Objects in `messages`: the messages, their parts, the calls of tools.
MAX_OBJECTS = 16_384
# Long texts may stand in these; they are bounded by the body alone.
_LONG = frozenset({"messages", "prompt", "suffix", "documents", "input", "instructions", "system"})
MAX_FIELD_BYTES = 64 * 1024
# `laar`: the values of a check have 65,536 characters; the others: what an engine may compile into a grammar.
MAX_BYTES = {
    "laar": 256 * 1024,
    "response_format": 32 * 1024,
    "structured_outputs": 32 * 1024,
    "tools": 256 * 1024,
}
_IDS = b"[], \t\r\n0123456789"


def refuse_large_fields(fields: Mapping[str, msgspec.Raw]) -> None:
    """Raise a ClientError for a field that has more bytes than it may."""
    for name, raw in fields.items():
        limit = MAX_BYTES.get(name, MAX_FIELD_BYTES)
        if name not in _LONG and (size := len(memoryview(raw))) > limit:
            raise ClientError(f"{name}: {size} bytes; at most {limit} are allowed", param=name)


def refuse_many_objects(raw: msgspec.Raw, field: str) -> None:
    """Raise a ClientError for a field that holds more objects than it may."""
    data = bytes(raw)
    if data.count(b"{") > MAX_OBJECTS and _num_objects(data) > MAX_OBJECTS:
        raise ClientError(f"{field}: more than the {MAX_OBJECTS} objects allowed, parts and calls counted", param=field)


def _num_objects(data: bytes) -> int:
    """How many objects JSON holds, empty ones too; a brace in a text is none. The time is that of its bytes alone."""
    without_escapes = data.replace(rb"\\", b"").replace(rb"\"", b"")
    signs = np.frombuffer(without_escapes, np.uint8)
    is_in_text = np.bitwise_xor.accumulate(signs == ord('"'))
    return int(np.count_nonzero((signs == ord("{")) & ~is_in_text))


def num_ids(raw: msgspec.Raw) -> int | None:
    """How many token ids a prompt has that is made of them alone, in one list or in several; None for any other."""
    data = bytes(raw)
    return data.count(b",") + 1 if data[:1] == b"[" and not data.translate(None, _IDS) else None


def most_texts(raw: msgspec.Raw) -> int:
    """The largest number of texts that a list can hold, never more than twice what it does hold."""
    data = bytes(raw)
    # every text has a quote before it that nothing escapes
    return data.count(b'"') - data.count(b'\\"')
