"""What the attempt log holds of a request, and how it is framed in a journal."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import msgspec

from profiles.measuring.logged_attempt import LoggedAttempt

# length and CRC-32 of the JSON that follows
_HEADER = struct.Struct("<II")
HEADER_BYTES = _HEADER.size


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="request"):
    """A request that has ended, with all its attempts in order: both go into the log together or not at all.

    `answer_index` is the attempt whose answer the client got; `arrived_at_s` counts from 1970 in UTC. `policy` is
    the one that chose, whether the request named it or not; None where the request named a model. `tried` are the
    models whose answers to earlier requests were no good, once for each answer.
    """

    request_id: str
    arrived_at_s: float
    duration_s: float
    status: int
    verified: bool | None
    ttca_s: float | None = None
    answer_index: int | None = None
    endpoint: str
    is_stream: bool
    model: str
    task: str
    language: str
    bucket: str
    prompt_chars: int
    body_bytes: int
    prompt_hash: str
    api_key_hash: str
    replica: str
    retry_of: str | None = None
    policy: str | None = None
    tried: tuple[str, ...] = ()
    trace_id: str | None = None
    prompt_text: str | None = None
    attempts: tuple[LoggedAttempt, ...] = ()


class FeedbackRecord(msgspec.Struct, frozen=True, kw_only=True, tag="feedback"):
    """What a client found of the answer it got; the latest counts."""

    request_id: str
    correct: bool
    at_s: float


LogRecord = RequestRecord | FeedbackRecord
_RECORD = msgspec.json.Decoder(LogRecord)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The records of a journal; `num_unreadable` are frames that are damaged or hold no record this version knows."""

    records: tuple[LogRecord, ...]
    num_unreadable: int
    torn_bytes: int


def frame(record: LogRecord) -> bytes:
    payload = _ENCODER.encode(record)
    return _HEADER.pack(len(payload), crc32(payload)) + payload


def read_frames(data: bytes) -> Frames:
    """All records up to the first frame that is cut short, which ends a journal; a damaged one is passed over."""
    records: list[LogRecord] = []
    num_unreadable = num_bytes = 0
    for frame_bytes, payload in _payloads(data):
        num_bytes += frame_bytes
        try:
            records.append(_RECORD.decode(payload))
        except msgspec.MsgspecError:
            num_unreadable += 1
    return Frames(records=tuple(records), num_unreadable=num_unreadable, torn_bytes=len(data) - num_bytes)


def storable(text: str) -> str:
    """A text that every database takes: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The size of each whole frame and what it holds: nothing where that is damaged."""
    start = 0
    while start + HEADER_BYTES <= len(data):
        length, checksum = _HEADER.unpack_from(data, start)
        payload = data[start + HEADER_BYTES : start + HEADER_BYTES + length]
        if len(payload) < length:
            return
        yield HEADER_BYTES + length, payload if crc32(payload) == checksum else b""
        start += HEADER_BYTES + length
