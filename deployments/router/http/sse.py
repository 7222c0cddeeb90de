"""What laar adds to the answers of engines: its object, comments while a client waits, and errors that come late."""

from msgspec.structs import replace

from deployments.contract.reply import Chunk

KEEP_ALIVE = Chunk(b": laar is still verifying\n\n")
DONE = Chunk(b"data: [DONE]\n\n", is_last=True)
_END = b"}\n\n"


def with_laar(chunk: Chunk, laar: bytes) -> Chunk:
    """The chunk with the `laar` object in its last event if that closes the choice, else as it is."""
    if chunk.finish_reason is None:
        return chunk
    return replace(chunk, events=chunk.events[: -len(_END)] + b',"laar":' + laar + _END)


def error_chunk(body: bytes) -> Chunk:
    """An error that came after the stream had begun, and the end of the stream."""
    return Chunk(b"data: " + body + b"\n\ndata: [DONE]\n\n", is_last=True)


def json_with_laar(body: bytes, laar: bytes) -> bytes:
    """Append the `laar` object to a JSON object's bytes without reading the rest of it."""
    return body.rstrip()[:-1] + b',"laar":' + laar + b"}"
