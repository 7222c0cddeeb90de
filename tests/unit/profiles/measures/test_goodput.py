from dataclasses import replace
from random import Random

import pytest

from profiles.measures.goodput import (
    Delivery,
    Meter,
    Reader,
    ServiceLimits,
    goodput,
    meets,
    metered,
    smooth_goodput,
    tbt_s,
    tpot_s,
    ttft_s,
)

PACE_S = 0.2
READER = Reader(pace_s=PACE_S, alpha=0.25, bound_s=10.0)
NOTHING = Delivery(is_complete=False)

# the same twenty tokens: as they were made, and held back so that they come evenly
AS_MADE = Delivery(
    token_times_s=tuple(0.1 * i if i <= 10 else 2.0 + 0.1 * (i - 10) for i in range(1, 21)),
)
HELD_BACK = Delivery(token_times_s=tuple(0.1 + 0.2 * (i - 1) for i in range(1, 21)))
# a hundred tokens that begin late and then come fast, and the same ended after its first
FINISHED = Delivery(token_times_s=tuple(3.0 + 0.05 * i for i in range(100)))
ENDED = Delivery(token_times_s=(3.0,))


def random_delivery(rng: Random) -> Delivery:
    now_s, times = 0.0, []
    for _ in range(rng.randint(1, 40)):
        now_s += rng.lognormvariate(-2.0, 2.0)
        times.append(now_s)
    return Delivery(token_times_s=tuple(times))


def random_reader(rng: Random) -> Reader:
    return Reader(pace_s=rng.uniform(0.01, 0.5), alpha=rng.uniform(0.0, 20.0), bound_s=rng.uniform(0.1, 20.0))


def benefit(delivery: Delivery, reader: Reader = READER) -> float:
    return metered(delivery, reader.pace_s).benefit(reader)


# -- one request --------------------------------------------------------------------------------------------------


def test_times_of_three_tokens() -> None:
    delivery = Delivery(token_times_s=(0.5, 0.75, 1.5))
    assert (ttft_s(delivery), tpot_s(delivery), tbt_s(delivery)) == (0.5, 0.5, [0.25, 0.75])


def test_one_token_has_no_time_per_further_token() -> None:
    assert (ttft_s(ENDED), tpot_s(ENDED), tbt_s(ENDED)) == (3.0, None, [])


def test_no_token_has_no_times() -> None:
    assert (ttft_s(NOTHING), tpot_s(NOTHING), tbt_s(NOTHING)) == (None, None, [])


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        pytest.param(Delivery(token_times_s=(0.5, 1.0)), True, id="within all limits"),
        pytest.param(Delivery(token_times_s=(1.1, 1.2)), False, id="first token late"),
        pytest.param(Delivery(token_times_s=(0.5, 1.3)), False, id="gap too long"),
        pytest.param(Delivery(token_times_s=(0.1, 0.75, 1.4)), False, id="tokens too slow"),
        pytest.param(Delivery(token_times_s=(0.5, 1.0), is_complete=False), False, id="cut off"),
        pytest.param(NOTHING, False, id="got nothing"),
    ],
)
def test_objective_is_met_by_a_whole_answer_in_time(delivery: Delivery, expected: bool) -> None:
    assert meets(delivery, ServiceLimits(ttft_s=1.0, tpot_s=0.6, tbt_s=0.7)) is expected


@pytest.mark.parametrize(
    ("num_tokens", "idle", "is_complete", "expected"),
    [
        pytest.param(20, -0.1, True, 20.0, id="never waited"),
        pytest.param(20, 4.0, True, 19.0, id="waited 4 s"),
        pytest.param(20, 400.0, True, 17.5, id="waited beyond the bound"),
        pytest.param(20, -0.1, False, 17.5, id="cut off"),
        pytest.param(2, 400.0, True, 0.0, id="never below 0"),
    ],
)
def test_benefit_is_tokens_less_a_bounded_price_of_waiting(
    num_tokens: int, idle: float, is_complete: bool, expected: float
) -> None:
    assert READER.benefit(num_tokens, idle, is_complete=is_complete) == expected


def test_meter_takes_tokens_that_come_together_as_one_after_another_at_that_moment() -> None:
    together, singly = Meter(PACE_S), Meter(PACE_S)
    for at_s, num_tokens in ((1.0, 3), (1.5, 1), (4.0, 2)):
        together.add(at_s, num_tokens)
        for _ in range(num_tokens):
            singly.add(at_s)
    # tokens 1, 4 and 5 are the first of each: 1 - 0.2, 1.5 - 0.8, 4 - 1
    assert together == singly
    assert (together.idle_s, together.ttft_s, together.tpot_s) == pytest.approx((3.0, 1.0, 0.6))


def test_piece_without_a_token_is_no_delivery() -> None:
    meter = Meter(PACE_S)
    meter.add(1.0, 0)
    assert (meter.ttft_s, meter.benefit(READER)) == (None, 0.0)


# -- all that arrived ---------------------------------------------------------------------------------------------


def test_every_arrival_counts_in_every_measure() -> None:
    arrivals = [AS_MADE, NOTHING, FINISHED, NOTHING]
    objective = ServiceLimits(ttft_s=1.0)
    assert goodput(arrivals, objective, window_s=10.0) == 0.1
    # 20 tokens, and 100 less a quarter of 2.8
    assert smooth_goodput(arrivals, READER, window_s=10.0) == pytest.approx(11.93)


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("inf"), float("nan")])
def test_window_must_be_fixed(window_s: float) -> None:
    with pytest.raises(ValueError, match="a fixed number of seconds above 0"):
        smooth_goodput([AS_MADE], READER, window_s=window_s)


# -- the two paradoxes --------------------------------------------------------------------------------------------


def test_delaying_tokens_improves_goodput_under_a_limit_between_tokens() -> None:
    assert max(tbt_s(AS_MADE)) == pytest.approx(1.1)
    limit = ServiceLimits(tbt_s=0.2)
    assert [goodput([d], limit, window_s=1.0) for d in (AS_MADE, HELD_BACK)] == [0.0, 1.0]


def test_delaying_tokens_does_not_improve_smooth_goodput() -> None:
    assert [metered(d, PACE_S).idle_s for d in (AS_MADE, HELD_BACK)] == pytest.approx([-0.1, -0.1])
    assert [smooth_goodput([d], READER, window_s=1.0) for d in (AS_MADE, HELD_BACK)] == [20.0, 20.0]


def test_abandoning_a_late_request_costs_no_goodput() -> None:
    limit = ServiceLimits(ttft_s=1.0)
    assert [goodput([d], limit, window_s=1.0) for d in (FINISHED, ENDED, NOTHING)] == [0.0, 0.0, 0.0]


def test_smooth_goodput_prefers_finishing_a_late_request_by_its_99_tokens() -> None:
    assert benefit(FINISHED) - benefit(ENDED) == pytest.approx(99.0)


def test_smooth_goodput_prefers_finishing_still_more_where_it_is_known_what_was_cut_off() -> None:
    # the one token is not worth the bound, 2.5 tokens
    assert benefit(replace(ENDED, is_complete=False)) == 0.0
    assert benefit(FINISHED) == pytest.approx(99.3)


@pytest.mark.parametrize("seed", range(200))
def test_neither_delaying_nor_cutting_off_nor_dropping_ever_gains(seed: int) -> None:
    rng = Random(seed)
    whole, reader = random_delivery(rng), random_reader(rng)
    times = whole.token_times_s
    held_s = rng.uniform(0.0, 2 * times[-1])
    delayed = replace(whole, token_times_s=tuple(max(t, held_s) for t in times))
    cut = Delivery(token_times_s=times[: rng.randint(0, len(times) - 1)], is_complete=False)
    for worse in (delayed, cut, NOTHING):
        assert benefit(worse, reader) <= benefit(whole, reader)


# -- where the immunity would break -------------------------------------------------------------------------------


def from_first_token(delivery: Delivery) -> Delivery:
    first_s = delivery.token_times_s[0]
    return replace(delivery, token_times_s=tuple(t - first_s for t in delivery.token_times_s))


def test_anchored_at_the_first_token_withholding_it_would_gain() -> None:
    slow = Delivery(token_times_s=tuple(1.0 + 0.5 * i for i in range(10)))
    withheld = Delivery(token_times_s=(5.5,) * 10)
    # from the first token: 4.5 - 2.0 s late against not at all; from arrival: 5.5 - 2.0 s against 5.5 - 0.2 s
    assert benefit(from_first_token(withheld)) > benefit(from_first_token(slow))
    assert benefit(withheld) < benefit(slow)


def test_with_an_unbounded_price_and_no_floor_killing_a_late_request_would_gain() -> None:
    alpha = 40.0
    naive = {d: len(d.token_times_s) - alpha * max(0.0, metered(d, PACE_S).idle_s) for d in (FINISHED, ENDED)}
    # 100 - 112 against nothing delivered, which costs nothing
    assert naive[FINISHED] == pytest.approx(-12.0)
    assert benefit(FINISHED, replace(READER, alpha=alpha)) == 0.0 == benefit(NOTHING)
    assert benefit(FINISHED, Reader(pace_s=PACE_S, alpha=alpha, bound_s=1.0)) == 60.0


def test_bound_alone_would_let_killing_a_short_late_answer_gain() -> None:
    short = Delivery(token_times_s=(30.0, 30.1))
    assert len(short.token_times_s) - READER.alpha * READER.bound_s == -0.5
    assert benefit(short) == 0.0


def test_if_a_cut_answer_counted_as_whole_ending_before_a_stall_would_gain() -> None:
    stalled = Delivery(token_times_s=(0.1, 0.2, 0.3, 0.4, 9.0))
    cut = replace(stalled, token_times_s=stalled.token_times_s[:4])
    assert (benefit(cut), benefit(stalled)) == pytest.approx((4.0, 3.0))
    assert benefit(replace(cut, is_complete=False)) == 1.5


def test_in_a_window_that_ends_with_the_last_answer_dropping_a_slow_one_would_gain() -> None:
    slow = Delivery(token_times_s=tuple(10.0 + 0.2 * i for i in range(20)))
    both, dropped = [AS_MADE, slow], [AS_MADE, NOTHING]

    def until_the_last(arrivals: list[Delivery]) -> float:
        last_s = max(t for d in arrivals for t in d.token_times_s)
        return smooth_goodput(arrivals, READER, window_s=last_s)

    assert until_the_last(dropped) > until_the_last(both)
    assert smooth_goodput(dropped, READER, window_s=20.0) < smooth_goodput(both, READER, window_s=20.0)


def test_if_only_answered_requests_counted_dropping_a_late_one_would_gain() -> None:
    late = Delivery(token_times_s=(8.0, 8.1, 8.2))
    kept = [benefit(AS_MADE), benefit(late)]
    assert sum(kept[:1]) / 1 > sum(kept) / 2
    assert smooth_goodput([AS_MADE, NOTHING], READER, window_s=10.0) < smooth_goodput(
        [AS_MADE, late], READER, window_s=10.0
    )
