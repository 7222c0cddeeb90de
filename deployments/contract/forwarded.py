"""Headers of a request that go on to the servers which answer it: its id, and the trace that it belongs to."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
# of the attempt that is made in this task
FORWARDED: ContextVar[Mapping[str, str]] = ContextVar("FORWARDED", default=NOTHING)
# version, trace, parent and flags, as W3C's Trace Context has them
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")


def trace_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The trace context that a client sent; nothing where it is none."""
    parent, state = headers.get("traceparent", ""), headers.get("tracestate", "")
    if not _TRACEPARENT.fullmatch(parent):
        return NOTHING
    return {"traceparent": parent} | ({"tracestate": state} if _TRACESTATE.fullmatch(state) else {})


def trace_id_in(headers: Mapping[str, str]) -> str | None:
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return found[1] if found else None
