"""Which records may be missing from the log after a worker was killed."""

import pytest

from scripts.bench.chaos.judged import FaultWindow, bars, figures
from scripts.bench.chaos.traffic import ToldAnswer
from scripts.bench.rehearsal.run import JOURNAL_S, KILLING_S, log_of, was_on_the_disk

KILLED_S = 10.0


def killing(*, kills_a_router: bool = True) -> FaultWindow:
    return FaultWindow(
        name="killed",
        quiet_from_s=0,
        broken_s=KILLED_S,
        all_broken_s=KILLED_S + KILLING_S,
        mended_s=20,
        back_s=20,
        ended_s=20,
        kills_a_router=kills_a_router,
    )


def answer(ended_s: float, request_id: str = "r") -> ToldAnswer:
    attempts = (("first", "correct"),)
    return ToldAnswer(
        begun_s=ended_s - 1,
        took_s=1,
        tenant=0,
        status=200,
        is_right=True,
        is_verified=True,
        request_id=request_id,
        attempts=attempts,
    )


@pytest.mark.parametrize(
    ("ended_s", "kills_a_router", "expected"),
    [
        pytest.param(KILLED_S - JOURNAL_S - 0.1, True, False, id="long-in-the-database"),
        pytest.param(KILLED_S - 0.1, True, True, id="told-just-before"),
        pytest.param(KILLED_S + KILLING_S - 0.1, True, True, id="told-by-a-process-that-died-last"),
        pytest.param(KILLED_S + KILLING_S + 0.1, True, False, id="told-by-another-router"),
        pytest.param(KILLED_S - 0.1, False, False, id="no-router-died"),
    ],
)
def test_only_what_a_killed_router_told_last_may_be_lost(ended_s: float, kills_a_router: bool, expected: bool) -> None:
    assert was_on_the_disk(answer(ended_s), killing(kills_a_router=kills_a_router)) is expected


def test_what_the_log_lacks_is_excused_by_the_lost_disk_alone() -> None:
    answers = [answer(KILLED_S + 0.1, "lost"), answer(KILLED_S + 5, "absent"), answer(KILLED_S + 6, "logged")]
    found = log_of(answers, {"logged": [("first", "correct")]}, [killing()], "killed")
    assert (found["answers_lost_with_the_worker"], found["answers_not_in_the_log"]) == (1, 1)
    told = figures(answers, killing(), 10) | found
    assert [bar.name for bar in bars({"killed": told}, [killing()]) if not bar.ok] == [
        "killed: answers not in the log as told"
    ]
