"""Which records may be missing from the log after a worker was killed."""

import pytest

from scripts.bench.chaos.judged import FaultWindow
from scripts.bench.chaos.traffic import ToldAnswer
from scripts.bench.rehearsal.run import JOURNAL_S, KILLING_S, was_on_the_disk

KILLED_S = 10.0


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
    window = FaultWindow(
        name="w",
        quiet_from_s=0,
        broken_s=KILLED_S,
        all_broken_s=KILLED_S + KILLING_S,
        mended_s=20,
        back_s=20,
        ended_s=20,
        kills_a_router=kills_a_router,
    )
    answer = ToldAnswer(begun_s=ended_s - 1, took_s=1, tenant=0, status=200)
    assert was_on_the_disk(answer, window) is expected
