"""What laar adds to the answers of engines: its object, comments while a client waits, and errors that come late."""

import re

from msgspec.structs import replace

from deployments.contract.reply import Chunk

KEEP_ALIVE = Chunk(b": laar is still verifying\n\n")
DONE = Chunk(b"data: [DONE]\n\n", is_last=True)
_END = b"}\n\n"
# the beginning of an object, with the id that engines put first; an error has none
_OBJECT = rb'\{\s*(?:"id"\s*:\s*(?:"[^"\\]*"|null|\d+)\s*,\s*)?(?="(?!error"))'
_BODY, _EVENTS = re.compile(rb"\s*" + _OBJECT), re.compile(rb"^data: " + _OBJECT, re.MULTILINE)


def with_laar(chunk: Chunk, laar: bytes) -> Chunk:
    """The chunk with the `laar` object in its last event if that closes the choice, else as it is."""
    if chunk.finish_reason is None:
        return chunk
    return replace(chunk, events=chunk.events[: -len(_END)] + b',"laar":' + laar + _END)


def with_id(events: bytes, request_id: str) -> bytes:
    """The events with laar's id in the place of the engine's."""
    return _EVENTS.sub(b'data: {"id":"%b",' % request_id.encode(), events)


def error_chunk(body: bytes) -> Chunk:
    """An error that came after the stream had begun, and the end of the stream."""
    return Chunk(b"data: " + body + b"\n\ndata: [DONE]\n\n", is_last=True)


def json_with_laar(body: bytes, laar: bytes, request_id: str) -> bytes:
    """A JSON object's bytes with laar's id first and the `laar` object last, without reading the rest of it."""
    begun = _BODY.match(body)
    rest = body[begun.end() :] if begun else body[1:]
    return b'{"id":"%b",%b,"laar":%b}' % (request_id.encode(), rest.rstrip()[:-1], laar)
