import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from scripts.bench.goodput.arrivals import Arrival
from scripts.bench.goodput.streams import NOT_SENT, RefusalError, StreamedRequest, StreamLimits, play
from tests.unit.virtual_time import jump

LIMITS = StreamLimits(timeout_s=10.0, most_open=100)
pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def event(text: str | None = None, *, finish: str | None = None, completion: int | None = None) -> bytes:
    found: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    if completion is not None:
        found["usage"] = {"prompt_tokens": 7, "completion_tokens": completion}
    return b"data: " + json.dumps(found).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 6}}\n\n'
END = event("", finish="stop")


Step = float | bytes | Exception


class ScriptedServer:
    """Gives its steps one after another: seconds to wait, bytes to send, an error to raise."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.bodies: list[Mapping[str, Any]] = []

    @asynccontextmanager
    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        self.bodies.append(body)
        if isinstance(self._steps[0], RefusalError):
            raise self._steps[0]
        yield self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, bytes):
                yield step
            else:
                await asyncio.sleep(step)


def at(*times_s: float) -> list[Arrival]:
    return [Arrival(at_s=at_s, prompt_tokens=10, output_tokens=5) for at_s in times_s]


async def played(server: ScriptedServer, *times_s: float, limits: StreamLimits = LIMITS) -> list[StreamedRequest]:
    return await play(server, at(*times_s), lambda number, _arrival: {"number": number}, limits)


def seconds(found: StreamedRequest) -> list[float]:
    return [round(at_s, 3) for at_s in found.token_times_s]


async def test_requests_are_sent_when_due_and_not_when_others_have_ended() -> None:
    server = ScriptedServer(3.0, event("a"), 1.0, event("b"), END)
    found = await played(server, 0.5, 1.0, 1.5)
    assert [seconds(one) for one in found] == [[3.0, 4.0]] * 3
    assert [one.how for one in found] == ["complete"] * 3
    assert max(one.late_s for one in found) < 0.001
    assert [body["number"] for body in server.bodies] == [0, 1, 2]


async def test_a_client_that_was_held_up_counts_from_when_the_request_was_due() -> None:
    class HeldUpServer(ScriptedServer):
        @asynccontextmanager
        async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
            if not self.bodies:
                jump(2.0)
            async with super().stream(body) as pieces:
                yield pieces

    first, second = await played(HeldUpServer(1.0, event("a"), END), 0.0, 0.5)
    assert seconds(first) == [3.0]
    assert round(second.late_s, 3) == 1.5
    assert seconds(second) == [2.5]


async def test_more_requests_than_may_be_open_are_refused_and_count() -> None:
    limits = StreamLimits(timeout_s=10.0, most_open=1)
    found = await played(ScriptedServer(1.0, event("a"), END), 0.0, 0.5, 2.0, limits=limits)
    assert [(one.how, one.reason) for one in found] == [("complete", ""), ("refused", NOT_SENT), ("complete", "")]
    assert found[1].delivery.token_times_s == ()


async def test_an_answer_that_takes_too_long_is_cut_off_and_keeps_its_tokens() -> None:
    limits = StreamLimits(timeout_s=2.5, most_open=9)
    (found,) = await played(ScriptedServer(1.0, event("a"), 1.0, event("b"), 1.0, event("c"), END), 0.0, limits=limits)
    assert (found.how, found.reason, seconds(found)) == ("cut off", "timeout", [1.0, 2.0])
    assert not found.delivery.is_complete


FAILED = event("a") + b'data: {"error": {"message": "engine died", "code": 500}}\n\n'


@pytest.mark.parametrize(
    ("steps", "how", "reason"),
    [
        pytest.param([RefusalError(503)], "refused", "status 503", id="not ready"),
        pytest.param([RefusalError(429)], "refused", "status 429", id="full"),
        pytest.param([RefusalError(500)], "error", "status 500", id="failed"),
        pytest.param([event("a"), ClientPayloadError()], "error", "ClientPayloadError", id="connection broke"),
        pytest.param([event("a")], "error", "no end", id="ended without an end"),
        pytest.param([FAILED], "error", "status 500 in the stream", id="error in the stream"),
        pytest.param([b"data: {\n\n"], "error", "EngineError", id="no JSON"),
        pytest.param([event("a"), END, ClientPayloadError()], "complete", "", id="broke behind the answer"),
    ],
)
async def test_every_end_has_its_name(steps: list[Step], how: str, reason: str) -> None:
    (found,) = await played(ScriptedServer(*steps), 0.0)
    assert (found.how, found.reason) == (how, reason)


async def test_tokens_that_the_usage_counts_beyond_the_events_are_spread_over_these() -> None:
    (found,) = await played(ScriptedServer(1.0, event("ab"), 1.0, event("cd"), END, USAGE), 0.0)
    assert seconds(found) == [1.0] * 3 + [2.0] * 3
    assert (found.prompt_tokens, found.num_events, found.is_counted) == (7, 2, True)


async def test_a_usage_in_each_event_tells_how_many_tokens_came_with_it() -> None:
    steps: list[Step] = [1.0, event("a", completion=1), 1.0, event("bcdef", completion=6), END, USAGE]
    (found,) = await played(ScriptedServer(*steps), 0.0)
    assert seconds(found) == [1.0] + [2.0] * 5


async def test_without_a_usage_an_event_counts_as_a_token() -> None:
    steps: list[Step] = [event(""), 1.0, event("a") + event("b"), 1.0, event("c"), END]
    (found,) = await played(ScriptedServer(*steps), 0.0)
    assert seconds(found) == [1.0, 1.0, 2.0]
    assert not found.is_counted
