import asyncio
from collections.abc import Mapping, Sequence

import pytest

from deployments.engines.remote import CONNECT_TIMEOUT_S
from deployments.router.text.counted import sample_texts
from deployments.router.text.tokens import TokenRates
from deployments.router.upkeep.background import Background
from deployments.router.upkeep.replicas import (
    RECOUNT_S,
    count_each,
    count_once,
    keep_counting,
    keep_counting_tokens,
    keep_reading_load,
)

pytestmark = pytest.mark.virtual_time


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("cancelled")


async def breaks() -> None:
    raise RuntimeError("broken")


async def test_loops_run_until_the_block_is_left() -> None:
    ended: list[str] = []
    async with Background() as background:
        background.start("waits", forever(ended))
        await asyncio.sleep(0)
        background.check_health()
        assert ended == []
    assert ended == ["cancelled"]


async def test_loop_that_ended_is_named() -> None:
    async with Background() as background:
        background.start("follows the log", breaks())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="the router no longer follows the log"):
            background.check_health()


async def test_counts_are_asked_for_oftener_until_every_model_runs() -> None:
    now_s, asked = asyncio.get_running_loop().time, []
    seen: list[Mapping[str, int]] = []
    told = iter([{"a": 1, "b": 0}, None, {"a": 1, "b": 2}, {"a": 0, "b": 2}])

    async def count() -> Mapping[str, int]:
        asked.append(now_s())
        if (running := next(told, {"a": 1, "b": 1})) is None:
            raise KeyError("a")
        return running

    began_s = now_s()
    async with Background() as background:
        background.start("counts", keep_counting(count, seen.append, period_s=10.0))
        await asyncio.sleep(24)
        background.check_health()
    assert [round(at_s - began_s) for at_s in asked] == [0, 1, 2, 12, 13, 23]
    assert seen[:3] == [{"a": 1, "b": 0}, {"a": 1, "b": 2}, {"a": 0, "b": 2}]


@pytest.mark.parametrize(
    ("takes_s", "found"),
    [
        # its other servers have answered, and its own probe ends only then
        pytest.param(CONNECT_TIMEOUT_S, 1, id="one-silent-server"),
        pytest.param(10 * CONNECT_TIMEOUT_S, 0, id="never-done"),
    ],
)
async def test_model_that_is_long_to_count_leaves_the_numbers_of_others_told(takes_s: float, found: int) -> None:
    async def slow() -> int:
        await asyncio.sleep(takes_s)
        return 1

    async def breaks() -> int:
        raise RuntimeError("no session")

    async def quick() -> int:
        return 2

    seen: list[Mapping[str, int]] = []
    await count_once(lambda: count_each({"slow": slow, "broken": breaks, "quick": quick}), seen.append)
    assert seen == [{"slow": found, "broken": 0, "quick": 2}]


async def test_tokens_are_counted_of_each_model_and_of_one_that_is_away_until_it_tells() -> None:
    now_s, asked = asyncio.get_running_loop().time, []
    taken: dict[str, TokenRates] = {}

    async def count(model: str) -> Sequence[int] | None:
        asked.append((model, round(now_s() - began_s)))
        if model == "away" and len(asked) < 5:
            raise RuntimeError("no session")
        return None if model == "silent" else [len(text) for text in sample_texts()]

    began_s = now_s()
    async with Background() as background:
        counting = keep_counting_tokens(
            ["told", "silent", "away"], count, taken.__setitem__, runs=lambda _: True, period_s=10.0
        )
        background.start("counts", counting)
        await asyncio.sleep(25)
        assert asked == [("told", 0), ("silent", 0), ("away", 0), ("away", 10), ("away", 20)]
        assert taken.keys() == {"told", "away"}
        await asyncio.sleep(RECOUNT_S)
        assert [model for model, _ in asked[5:]] == ["told", "silent", "away"]


async def test_tokens_are_counted_again_although_another_model_stays_away() -> None:
    asked: list[str] = []

    async def count(model: str) -> None:
        asked.append(model)

    async with Background() as background:
        counting = keep_counting_tokens(
            ["up", "asleep"], count, lambda *_: None, runs=lambda model: model == "up", period_s=600.0
        )
        background.start("counts", counting)
        await asyncio.sleep(RECOUNT_S + 1)
    assert asked == ["up", "up"]


async def test_model_that_does_not_run_is_not_called_and_so_not_started() -> None:
    read: list[str] = []
    reports: list[tuple[str, float | None]] = []

    async def number(model: str) -> float:
        read.append(model)
        return 3.0

    async def count(model: str) -> None:
        read.append(model)

    def runs(model: str) -> bool:
        return model != "asleep"

    async with Background() as background:
        background.start(
            "reads",
            keep_reading_load(["up", "asleep"], number, lambda *told: reports.append(told), runs=runs, period_s=9),
        )
        background.start(
            "counts", keep_counting_tokens(["up", "asleep"], count, lambda *_: None, runs=runs, period_s=9)
        )
        await asyncio.sleep(5)
        background.check_health()
    assert read == ["up", "up"]
    assert sorted(reports) == [("asleep", None), ("up", 3.0)]
