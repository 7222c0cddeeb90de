"""Attempts that overlap: the next model starts before the first has failed, and one verified answer ends all."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deployments.contract.errors import EngineRefusalError
from deployments.contract.reply import Reply
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.choice.overlap import MAX_UNDER_WAY
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, Profile
from tests.unit.deployments.router.attempt.test_runner import (
    RIGHT,
    Behaviour,
    Bench,
    Slow,
    hangs,
    refuses,
    takes,
)

pytestmark = pytest.mark.virtual_time

LATE_S = 15.0


def late(text: str, seconds: float = LATE_S) -> Behaviour:
    return lambda: Slow(seconds, text)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def told(attempts: Sequence[Attempt]) -> list[tuple[str, str, str]]:
    return [(attempt.model, attempt.status.value, attempt.reason) for attempt in attempts]


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="held")])
@pytest.mark.parametrize(
    ("behaviours", "expected", "most_s"),
    [
        pytest.param(
            {"a": takes(LATE_S), "b": takes(1.0), "c": hangs},
            [("a", "cancelled", "overtaken"), ("b", "correct", "matched")],
            8.0,
            id="the next one overtakes",
        ),
        pytest.param(
            {"a": takes(8.0), "b": takes(LATE_S), "c": hangs},
            [("b", "cancelled", "overtaken"), ("a", "correct", "matched")],
            9.0,
            id="the first one is right after all",
        ),
        pytest.param(
            {"a": late("no", 4.0), "b": takes(6.0), "c": takes(LATE_S)},
            [("a", "wrong", "missing"), ("c", "cancelled", "overtaken"), ("b", "correct", "matched")],
            20.0,
            id="the first one is wrong while the next is at work",
        ),
        pytest.param(
            {"a": takes(LATE_S), "b": late("no", 1.0), "c": takes(1.0)},
            [("b", "wrong", "missing"), ("a", "cancelled", "overtaken"), ("c", "correct", "matched")],
            12.0,
            id="the next one is wrong and a third starts",
        ),
    ],
)
async def test_first_verified_answer_ends_all_attempts(
    behaviours: Mapping[str, Any], expected: list[tuple[str, str, str]], most_s: float, stream: bool
) -> None:
    bench = Bench(overlap="auto", **behaviours)
    served, began_s = bench.served(RIGHT, stream=stream), now_s()
    answer = await bench.runner.answer(served)
    assert (answer.status, now_s() - began_s < most_s * (1 + stream)) == (Status.CORRECT, True)
    assert told(served.log.attempts) == expected
    assert bench.seen.attempts == served.log.attempts
    assert len(set(bench.backend.request_ids)) == len(bench.backend.request_ids)
    assert served.log.under_way == []
    bench.assert_nothing_left()


@pytest.mark.parametrize(
    ("overlap", "laar", "fields"),
    [
        pytest.param("off", RIGHT, {}, id="off"),
        pytest.param("auto", {}, {}, id="no check"),
        pytest.param("auto", RIGHT, {"model": "a"}, id="a named model"),
        pytest.param("auto", RIGHT | {"max_attempts": 1}, {}, id="one attempt"),
    ],
)
async def test_some_requests_are_never_asked_of_two_models_at_once(
    overlap: str, laar: dict[str, object], fields: dict[str, Any]
) -> None:
    bench = Bench(overlap=overlap, a=takes(9.0), b=takes(1.0))
    await bench.runner.answer(bench.served(laar, **fields))
    assert bench.backend.asked == ["a"]


async def test_no_more_than_two_models_are_at_work_and_no_more_than_all_attempts_are_made() -> None:
    most = 0

    class Watched(Bench):
        def note(self) -> object:
            nonlocal most
            most = max(most, self.backend.open)
            return Slow(LATE_S, "no")

    bench = Watched(overlap="auto", a=takes(0), b=takes(0), c=takes(0), d=takes(0))
    bench.backend.behaviours = dict.fromkeys("abcd", bench.note)
    served = bench.served(RIGHT | {"max_attempts": 3})
    await bench.runner.answer(served)
    assert (most, len(bench.backend.asked)) == (MAX_UNDER_WAY, 3)
    assert [attempt.status for attempt in served.log.attempts] == [Status.WRONG] * 3


async def test_model_that_others_wait_for_is_not_asked_beside_another() -> None:
    asked = []
    for num_others in (0, 20):
        bench = Bench(overlap="auto", token_s=0.001, a=takes(1.0), b=takes(0.5))
        for _ in range(num_others):
            bench.routing.load.start("b", 100)
        await bench.runner.answer(bench.served(RIGHT))
        asked.append(bench.backend.asked)
    assert asked == [["a", "b"], ["a"]]


async def test_model_that_hangs_although_it_was_nearly_certain_is_not_waited_for() -> None:
    """By all that was expected it would have ended; before that, no time to gain was worth another engine's."""
    latency = Latency(overhead_s=1.0, prefill_s_per_token=0, decode_s_per_token=0.01, decode_growth=0)
    models = {
        name: ModelProfile(
            latency=latency,
            chars_per_token={"unknown": 4.0},
            chars_per_symbol_token=2.0,
            cells=(CellCounts(language="en", bucket=0, correct=correct, tried=1000),),
        )
        for name, correct in (("a", 999), ("b", 950))
    }
    profile = Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models)
    bench = Bench(overlap="auto", profile=profile, a=hangs, b=takes(1.0))
    served, began_s = bench.served(RIGHT), now_s()
    await bench.runner.answer(served)
    assert told(served.log.attempts) == [("a", "cancelled", "overtaken"), ("b", "correct", "matched")]
    # twice what its longest answer should take is 20 s
    assert 3.0 < now_s() - began_s < 10.0


async def test_client_that_leaves_ends_both() -> None:
    bench = Bench(overlap="auto", a=hangs, b=hangs)
    served = bench.served(RIGHT)
    running = asyncio.create_task(bench.runner.answer(served))
    await asyncio.sleep(10)
    assert bench.backend.open == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert told(served.log.attempts) == [("a", "cancelled", "cancelled"), ("b", "cancelled", "cancelled")]
    bench.assert_nothing_left()


async def test_client_that_leaves_when_attempts_have_just_ended_takes_none_from_the_log() -> None:
    def leaves() -> Reply:
        running.cancel()
        return Reply(200, b"{}", text="no")

    bench = Bench(overlap="auto", a=leaves, b=hangs)
    bench.backend.verifier_is_needed = False
    served = bench.served(RIGHT)
    running = asyncio.create_task(bench.runner.answer(served))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert told(served.log.attempts) == [("b", "cancelled", "cancelled"), ("a", "wrong", "missing")]
    assert served.log.under_way == []
    bench.assert_nothing_left()


async def test_request_that_no_model_would_take_ends_both() -> None:
    bench = Bench(overlap="auto", a=hangs, b=refuses(400, invalid=True))
    served = bench.served(RIGHT)
    with pytest.raises(EngineRefusalError, match="refused the request with status 400"):
        await bench.runner.answer(served)
    assert told(served.log.attempts) == [("a", "cancelled", "overtaken"), ("b", "error", "engine_400")]
    bench.assert_nothing_left()


async def test_model_that_is_overtaken_is_not_taken_for_quicker_or_worse() -> None:
    """Its attempts take 9 s, the profile says 1, and each is cut before it is over."""
    bench = Bench(overlap="auto", a=takes(9.0), b=takes(1.0))
    for _ in range(12):
        await bench.runner.answer(bench.served(RIGHT))
    a, _ = bench.routing.builder.candidates(bench.served(RIGHT).demand, None, now_s())
    assert a.latency_s > 1.2
    assert a.probability == pytest.approx(0.5, abs=0.01)
