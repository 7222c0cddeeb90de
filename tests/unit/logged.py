"""Records for the tests of the attempt log."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployments.log.writing.log_records import FeedbackRecord, RequestRecord
from profiles.measuring.logged_attempt import LoggedAttempt

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()


def kill(writer: str, spool: Path) -> None:
    """Close the journals of a writer, as the kernel does it for a killed process: nothing is written or removed."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if entry.readlink().is_relative_to(spool) and entry.readlink().name.startswith(f"{writer}-"):
                os.close(int(entry.name))


def request_id(number: int) -> str:
    return f"laar-{number:032x}"


def tried(model: str = "a", verdict: str = "correct", **fields: Any) -> LoggedAttempt:
    standard: dict[str, Any] = {
        "bucket": "<=128",
        "reason": "matched",
        "latency_s": 0.5,
        "probability": 0.7,
        "prompt_tokens": 9,
    }
    return LoggedAttempt(model=model, verdict=verdict, **{**standard, **fields})


def asked(number: int, *attempts: LoggedAttempt, at_s: float = 0.0, **fields: Any) -> RequestRecord:
    """A request that arrived so many seconds after noon; the client got the answer of the last attempt."""
    attempts = attempts or (tried(),)
    standard: dict[str, Any] = {
        "duration_s": 1.0,
        "status": 200,
        "verified": attempts[-1].verdict == "correct",
        "answer_index": len(attempts) - 1,
        "endpoint": "chat",
        "is_stream": False,
        "model": "auto",
        "task": "default",
        "language": "en",
        "bucket": "<=128",
        "prompt_chars": 40,
        "body_bytes": 100,
        "prompt_hash": "0" * 64,
        "api_key_hash": "key",
        "replica": "r1",
    }
    return RequestRecord(
        request_id=request_id(number), arrived_at_s=NOON_S + at_s, attempts=attempts, **{**standard, **fields}
    )


def said(number: int, correct: bool, at_s: float = 10.0) -> FeedbackRecord:
    """What the client of a request said of its answer, so many seconds after noon."""
    return FeedbackRecord(request_id=request_id(number), correct=correct, at_s=NOON_S + at_s)
