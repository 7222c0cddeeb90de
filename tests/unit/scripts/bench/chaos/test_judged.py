"""What clients were told, against what must hold under faults."""

import json
from typing import Any

import pytest

from scripts.bench.chaos import judged, overload, soak
from scripts.bench.chaos.judged import FaultWindow, bars, compared, ends_rightly, figures
from scripts.bench.chaos.traffic import ToldAnswer, read_answer

TRIED = (("first", "wrong"), ("second", "correct"))


def window(**fields: Any) -> FaultWindow:
    return FaultWindow(
        name="f", quiet_from_s=0, broken_s=10, all_broken_s=10.1, mended_s=15, back_s=16, ended_s=18, **fields
    )


def answer(begun_s: float, took_s: float = 0.5, **fields: Any) -> ToldAnswer:
    usual: dict[str, Any] = {
        "tenant": 0,
        "status": 200,
        "is_verified": True,
        "is_right": True,
        "request_id": "r",
        "attempts": TRIED,
    }
    return ToldAnswer(begun_s=begun_s, took_s=took_s, **(usual | fields))


def error(begun_s: float, status: int = 503, code: str = "models_failed", **fields: Any) -> ToldAnswer:
    return answer(begun_s, status=status, code=code, is_verified=False, is_right=False, attempts=(), **fields)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(answer(0), True, id="right"),
        pytest.param(answer(0, is_right=False), False, id="wrong, but verified"),
        pytest.param(answer(0, is_right=False, is_verified=False), True, id="not verified"),
        pytest.param(error(0), True, id="OpenAI's error"),
        pytest.param(error(0, code=""), False, id="error of another shape"),
        pytest.param(error(0, status=500), False, id="nobody's fault"),
        pytest.param(error(0, status=0, code=""), False, id="connection broken"),
        pytest.param(error(0, status=200, code="stream_broken"), False, id="error within a stream"),
    ],
)
def test_endings(one: ToldAnswer, expected: bool) -> None:
    assert ends_rightly(one) is expected


def test_only_what_was_under_way_at_the_killed_router_is_excused() -> None:
    answers = [answer(5), error(9.8, took_s=0.4), error(10.2), answer(11)]
    of = figures(answers, window(kills_a_router=True), 10)
    assert (of["requests"], of["failed"], of["on_the_killed_router"]) == (3, 1, 1)
    assert figures(answers, window(), 10)["failed"] == 2


def test_disturbance_ends_with_the_last_slow_or_unverified_answer() -> None:
    quiet = [answer(t / 10) for t in range(90)]
    of = figures([*quiet, answer(10.5, 3.0), answer(12, is_verified=False), answer(14)], window(), 10)
    assert (of["disturbed_for_s"], of["unverified"], of["usual_p99_s"]) == (3.5, 1, 0.5)


@pytest.mark.parametrize(
    ("last", "falls_short"),
    [
        pytest.param(answer(11), [], id="answered"),
        pytest.param(error(11), ["f: succeeded"], id="failed"),
        pytest.param(error(11, status=500), ["f: wrong endings", "f: succeeded"], id="wrongly"),
        pytest.param(answer(11, 11.5), ["f: later than its deadline by, s"], id="late"),
        pytest.param(answer(11, is_verified=False), ["f: unverified"], id="unverified"),
    ],
)
def test_bars_of_a_fault(last: ToldAnswer, falls_short: list[str]) -> None:
    answers = [answer(5), answer(10.1), last]
    found = {"f": figures(answers, window(), 10) | compared(answers, {"r": TRIED})}
    assert [bar.name for bar in bars(found, [window()]) if not bar.ok] == falls_short


ALL_LOGGED: dict[str, tuple[tuple[str, str], ...]] = {"early": TRIED, "late": TRIED}


@pytest.mark.parametrize(
    ("rows", "of_window", "falls_short"),
    [
        pytest.param(ALL_LOGGED, {}, [], id="all is in the log"),
        pytest.param({"early": TRIED}, {}, ["answers not in the log as told"], id="a request is not"),
        pytest.param(ALL_LOGGED | {"late": TRIED[:1]}, {}, ["answers not in the log as told"], id="an attempt is not"),
        pytest.param(ALL_LOGGED | {"late": TRIED[::-1]}, {}, ["answers not in the log as told"], id="order"),
        pytest.param({"early": TRIED}, {"fills_the_disk": True, "lost": 1}, [], id="lost and counted"),
        pytest.param(
            {"early": TRIED},
            {"fills_the_disk": True},
            ["lost, not counted", "records counted as lost"],
            id="lost and not counted",
        ),
        pytest.param(
            {"late": TRIED},
            {"fills_the_disk": True, "lost": 1},
            ["answers not in the log as told"],
            id="lost before the disk was full",
        ),
    ],
)
def test_log_has_what_clients_were_told_except_what_a_full_disk_lost_and_was_counted(
    rows: Any, of_window: dict[str, Any], falls_short: list[str]
) -> None:
    answers, fault = [answer(5, request_id="early"), answer(11, request_id="late")], window(**of_window)
    found = {"f": figures(answers, fault, 10) | compared(answers, rows, fault)}
    assert [bar.name for bar in bars(found, [fault]) if not bar.ok] == [f"f: {name}" for name in falls_short]


def test_log_that_was_compared_with_nothing_shows_nothing() -> None:
    assert [bar.ok for bar in judged.log_bars("f", compared([error(11)], {}))] == [False, True]


LAAR: dict[str, Any] = {"request_id": "laar-1.x", "verified": True, "attempts": [{"model": "m", "verdict": "correct"}]}
TOLD = {"request_id": "laar-1", "is_verified": True, "is_right": True, "attempts": (("m", "correct"),)}
STREAM: list[dict[str, Any]] = [
    {"choices": [{"delta": {"content": "at "}}]},
    {"choices": [{"delta": {"content": "home"}}], "laar": LAAR},
]
LATE_ERROR = {"error": {"message": "broke off", "code": "stream_broken"}}


def events(*pieces: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        pytest.param(
            json.dumps({"laar": LAAR, "choices": [{"message": {"content": "at home"}}]}), 200, TOLD, id="whole"
        ),
        pytest.param(events(*STREAM) + "data: [DONE]\n\n", 200, TOLD, id="stream"),
        pytest.param(events(STREAM[0], LATE_ERROR), 200, {"code": "stream_broken"}, id="late error"),
        pytest.param(events(STREAM[0]), 200, {"code": "no_answer"}, id="stream without an end"),
        pytest.param('{"error": {"message": "m", "code": "no_router"}}', 503, {"code": "no_router"}, id="error"),
        pytest.param("<html>", 503, {}, id="no error of OpenAI's"),
        pytest.param("", 200, {"code": "no_answer"}, id="nothing"),
    ],
)
def test_what_is_read_of_an_answer(text: str, status: int, expected: dict[str, Any]) -> None:
    assert read_answer(text, status) == expected


def test_overload_is_fair_if_the_other_key_notices_little_and_refusals_come_at_once() -> None:
    alone = [answer(0)] * 10
    refused = [error(0, status=429, code="overloaded", tenant=1, took_s=0.01)] * 40
    good = overload.figures(alone, [answer(0, 0.6), answer(0, 0.9, tenant=1), *refused], 1)
    assert [bar.name for bar in overload.bars(good) if not bar.ok] == []
    late = [error(0, status=429, code="overloaded", tenant=1, took_s=1)] * 40
    bad = overload.figures(alone, [answer(0, 0.8), answer(0, 1.1, tenant=1), error(0, tenant=1), *late], 1)
    assert [bar.ok for bar in overload.bars(bad)] == [False, True, False, False, False]


def test_growth_of_a_process_that_has_gone_is_infinite() -> None:
    assert soak.growth({"a": 100, "b": 100}, {"a": 101}) == {"a": pytest.approx(0.01), "b": float("inf")}
