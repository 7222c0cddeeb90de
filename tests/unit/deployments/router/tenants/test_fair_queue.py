"""What holds of a fair queue, whoever comes and goes, and in whatever order."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deployments.router.tenants.fair_queue import Doors, FairQueue, Stays, Turn, Waiter

MOST, MOST_WAITING, WAIT_S = 8, 3, 1.0
DOORS = Doors(most=MOST, most_waiting=MOST_WAITING, wait_s=WAIT_S, most_reading=1, patience_s=60.0)
JOIN, LEAVE = "join", "leave"
# who comes with how many sequences, or which of those that are here leaves, and how much later
STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just(JOIN), st.sampled_from("abcd"), st.sampled_from([1, 1, 1, 2, 5, 20])),
            st.tuples(st.just(LEAVE), st.integers(0, 100), st.just(0)),
        ),
        st.sampled_from([0.0, 0.1, 0.7, 3.0]),
    ),
    max_size=80,
)


@dataclass
class Watched:
    """A queue, all that is in it, and what was refused by its latest step."""

    queue: FairQueue = field(default_factory=lambda: FairQueue(DOORS))
    here: list[Waiter] = field(default_factory=list)
    now_s: float = 0.0

    def join(self, tenant: str, weight: int) -> list[Waiter]:
        """Those that were refused when it came."""
        joined = self.queue.join(tenant, weight, self.now_s)
        self.here.append(joined)
        refused = [waiter for waiter in self.here if waiter.turn is Turn.REFUSED]
        for waiter in refused:
            self.here.remove(waiter)
            self.queue.leave(waiter, self.now_s)
        return refused

    def leave(self, number: int) -> None:
        if self.here:
            self.queue.leave(self.here.pop(number % len(self.here)), self.now_s)

    def weight(self, turn: Turn, tenant: str | None = None) -> int:
        return sum(w.weight for w in self.here if w.turn is turn and tenant in (None, w.tenant))

    def wants(self) -> dict[str, int]:
        return {
            tenant: self.weight(Turn.CAME, tenant) + self.weight(Turn.WAITING, tenant)
            for tenant in {w.tenant for w in self.here}
        }

    def waiting(self, tenant: str) -> int:
        return sum(w.turn is Turn.WAITING and w.tenant == tenant for w in self.here)


@settings(max_examples=60)
@example([((JOIN, "a", 1), 0.0)] * 12 + [((JOIN, "b", 1), 0.0)] * 6 + [((LEAVE, 0, 0), 0.7)] * 4)
@given(STEPS)
def test_whoever_comes_and_goes(steps: Sequence[tuple[tuple[str, object, int], float]]) -> None:
    watched = Watched()
    for (kind, what, weight), later_s in steps:
        watched.now_s += later_s
        before = watched.wants()
        if kind == LEAVE:
            assert isinstance(what, int)
            watched.leave(what)
            # refusals come with a request
            assert all(waiter.turn is not Turn.REFUSED for waiter in watched.here)
        else:
            tenant = str(what)
            before[tenant] = before.get(tenant, 0) + min(weight, MOST)
            refused = watched.join(tenant, weight)
            share = max(1.0, MOST / len(before))
            for waiter in refused:
                # what its tenant wanted, it included, was more than its share
                assert before[waiter.tenant] > share
                # and if not for its own queue, nobody who wants more than it did, and than the share, still waits
                if not waiter.refusal.endswith("full"):
                    waits = [n for t, n in watched.wants().items() if watched.waiting(t) and n > share]
                    assert before[waiter.tenant] >= max(waits, default=0)
        wants = watched.wants()
        share = max(1.0, MOST / max(1, len(wants)))
        assert watched.weight(Turn.CAME) <= MOST
        assert {t: watched.queue.wanted(t) for t in "abcd"} == {t: wants.get(t, 0) for t in "abcd"}
        # a queue is bounded by the largest share that its tenant may have had
        assert all(watched.waiting(t) <= max(MOST_WAITING, MOST) for t in wants)
        # of those below their share nobody waits while there is room, unless a large request is next
        if all(w.weight == 1 for w in watched.here):
            below = [w for w in watched.here if w.turn is Turn.WAITING and wants[w.tenant] <= share]
            assert not below or watched.weight(Turn.CAME) == MOST
    while watched.here:
        watched.leave(next(i for i, w in enumerate(watched.here) if w.turn is Turn.CAME))
    assert not any(map(watched.queue.wanted, "abcd"))


def filled(*, by: str = "a", served_s: float, age_s: float) -> Watched:
    """A queue whose requests all take `served_s`, filled by one tenant this long ago."""
    watched = Watched()
    for _ in range(20):
        watched.join("z", 1)
        watched.now_s += served_s
        watched.leave(0)
    for _ in range(MOST):
        watched.join(by, 1)
    watched.now_s += age_s
    return watched


@pytest.mark.parametrize(
    ("served_s", "age_s", "taken"),
    [
        pytest.param(2.0, 0.5, 0, id="nothing ends in time"),
        pytest.param(2.0, 1.5, MOST_WAITING, id="all end in time, and the queue is bounded"),
        pytest.param(2.0, 60.0, 0, id="all hang"),
        pytest.param(0.2, 0.0, MOST_WAITING, id="short requests"),
    ],
)
def test_greedy_tenant_is_refused_when_it_comes_by_what_is_expected_of_those_inside(
    served_s: float, age_s: float, taken: int
) -> None:
    watched = filled(served_s=served_s, age_s=age_s)
    refused = [len(watched.join("a", 1)) for _ in range(MOST_WAITING + 2)]
    assert refused == [0] * taken + [1] * (MOST_WAITING + 2 - taken)
    # the other one waits in any case, as far as its share goes, and then is held to the same
    refused = [len(watched.join("b", 1)) for _ in range(MOST // 2)]
    assert watched.waiting("b") == MOST // 2
    assert watched.join("b", 1) != []


def test_newest_request_of_who_wants_most_makes_way() -> None:
    watched = filled(served_s=2.0, age_s=1.5)
    waiting = [watched.queue.join("a", 1, watched.now_s) for _ in range(3)]
    watched.here += waiting
    # five get free in time and two of the other's requests are one too many
    for waiter in [w for w in watched.here if w.turn is Turn.CAME][:3]:
        waiter.began_s = watched.now_s
    assert watched.join("b", 1) == []
    watched.join("b", 1)
    assert watched.join("b", 1) == [waiting[2]]
    assert waiting[2].refusal == "8 requests are under way, and a turn would come too late"


def test_who_wants_less_stays_though_it_came_later() -> None:
    watched = Watched()
    for tenant in "zzzzzz" + "aaaaaa" + "bb":
        watched.join(tenant, 1)
        if tenant == "z":
            watched.now_s += 2.0
            watched.leave(0)
    watched.now_s += 1.0
    watched.queue.doors = replace(DOORS, most_waiting=9)
    # between seven and eight places are expected to get free in the next second
    assert [len(watched.join(tenant, 1)) for tenant in "aaaabbb"] == [0] * 7
    assert [waiter.tenant for waiter in watched.join("b", 1)] == ["a"]


def test_place_is_kept_for_each_tenant_below_its_share_up_to_a_sixteenth() -> None:
    queue = FairQueue(Doors(most=32, most_waiting=8, wait_s=1.0, most_reading=1, patience_s=60.0))
    for tenant in "bcd":
        queue.join(tenant, 1, 0.0)
    for _ in range(32):
        queue.join("a", 1, 0.0)
    assert sum(waiter.turn is Turn.CAME for waiter in (queue.join(tenant, 1, 0.0) for tenant in "bcd")) == 2


@pytest.mark.parametrize(
    ("seen_s", "ages_s", "within_s", "leaving"),
    [
        pytest.param([], [0.0], 1.0, 1.0, id="nothing is known of one that has just come"),
        pytest.param([], [9.0], 1.0, 0.1, id="nothing is known but that it is here for long"),
        pytest.param([2.0] * 99, [0.5], 1.0, (1 / 1.5) / 100, id="too early for its kind"),
        pytest.param([2.0] * 99, [1.5], 1.0, (99 + 1 / 2.5) / 100, id="about to leave"),
        pytest.param([1.0] * 90 + [9.0] * 9, [5.0], 1.0, (1 / 6) / 10, id="of the long ones"),
        pytest.param([1.0] * 300, [0.0, 0.5], 0.5, (1 + 256.5) / 257, id="the latest are kept"),
    ],
)
def test_expectation_of_those_that_leave(
    seen_s: Sequence[float], ages_s: Sequence[float], within_s: float, leaving: float
) -> None:
    stays = Stays()
    for seconds in seen_s:
        stays.add(seconds)
    found = stays.leaving(np.array(ages_s), np.ones(len(ages_s)), within_s)
    assert found == pytest.approx(leaving)


def test_large_request_that_gives_up_leaves_its_turn_to_no_other_one() -> None:
    queue = FairQueue(replace(DOORS, most=4, wait_s=1000.0))
    inside = [queue.join(tenant, 1, 0.0) for tenant in "abbb"]
    large = queue.join("a", 4, 0.0)
    for ended in inside[1:3]:
        passing = queue.join("b", 1, 0.0)
        queue.leave(ended, 1.0)
        assert passing.turn is Turn.CAME
    queue.leave(large, 1.0)
    again, least = queue.join("a", 1, 1.0), queue.join("c", 1, 1.0)
    queue.leave(inside[3], 2.0)
    assert (again.turn, least.turn) == (Turn.WAITING, Turn.CAME)


def calls_of_one_end(tenants: int) -> int:
    """How many calls it takes to let the next one in where each tenant has one under way and one that waits."""
    queue = FairQueue(replace(DOORS, most=tenants))
    inside = [queue.join(str(number % tenants), 1, 0.0) for number in range(2 * tenants)][:tenants]
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        queue.leave(inside[0], 1.0)
    finally:
        sys.setprofile(None)
    return calls


def test_work_of_one_turn_grows_no_faster_than_the_number_of_tenants() -> None:
    assert calls_of_one_end(200) < 6 * calls_of_one_end(50)
