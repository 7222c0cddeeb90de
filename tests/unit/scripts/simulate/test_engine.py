"""Continuous batching, with numbers that can be worked out by hand: reading 100 tokens takes 1 s, writing 10 too."""

from dataclasses import replace

import numpy as np
import pytest

from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from scripts.simulate.core.simulation import Results
from tests.unit.simulated import ask, engine, prompt, record

ONE = [prompt(1)]


def served(found: Engine, *, requests: int = 1, arrival_s: list[float] | None = None, output: float = 10) -> Results:
    prompts = [prompt(1, name=str(i), output_tokens=output) for i in range(requests)]
    right = [record(str(i), "m", correct=True) for i in range(requests)]
    arrivals = np.array(arrival_s) if arrival_s is not None else None
    return ask(Cluster.of({"m": found}), prompts, right, arrival_s=arrivals)


def test_request_alone_takes_overhead_reading_and_writing() -> None:
    assert served(engine(overhead_s=0.5)).elapsed_s.tolist() == pytest.approx([2.5])


def test_prompts_are_read_one_after_another_and_written_together() -> None:
    # both are read by 2 s, and both write from then on; the first got a token with the second's reading
    assert served(engine(), requests=2).elapsed_s.tolist() == pytest.approx([2.9, 3.0])


def test_each_further_request_slows_writing_by_the_growth() -> None:
    # read by 2 s; nine tokens at 0.15 s each, and the last one alone
    assert served(engine(growth=0.5), requests=2).elapsed_s.tolist() == pytest.approx([3.35, 3.45])


def test_what_is_left_is_written_faster_once_another_has_ended() -> None:
    found = ask(
        Cluster.of({"m": engine(prefill=0.0, growth=1.0)}),
        [prompt(1, name="short", output_tokens=5), prompt(1, name="long", output_tokens=10)],
        [record("short", "m", correct=True), record("long", "m", correct=True)],
    )
    # two share for 1 s, in which each writes five tokens; the other five take half a second
    assert found.elapsed_s.tolist() == pytest.approx([1.0, 1.5])


def test_running_request_writes_one_token_while_another_prompt_is_read() -> None:
    # the second comes at 1.5 s, when five tokens are written; one more until 2.5 s, four are left
    assert served(engine(), requests=2, arrival_s=[0.0, 1.5]).elapsed_s[0] == pytest.approx(2.9)


def test_where_nothing_overlaps_reading_for_another_holds_writing_up_as_long_as_it_takes() -> None:
    # the second is read from 1.5 s to 2.5 s; of the first five tokens were left
    alone = replace(engine(), overlap=0.0)
    assert served(alone, requests=2, arrival_s=[0.0, 1.5]).elapsed_s.tolist() == pytest.approx([3.0, 2.0])
    half = replace(engine(), overlap=0.5)
    assert served(half, requests=2, arrival_s=[0.0, 1.5]).elapsed_s[0] == pytest.approx(2.95)


def test_prompts_that_come_during_a_step_are_read_together_in_the_next() -> None:
    # both until 3 s, in one step in which the first writes one token
    found = served(engine(), requests=3, arrival_s=[0.0, 0.25, 0.5])
    assert found.elapsed_s.tolist() == pytest.approx([3.9, 3.75, 3.5])


def test_a_prompt_that_comes_during_the_next_step_waits_for_the_one_after() -> None:
    # read until 1 s, 2 s and 3 s; tokens for those before at each
    found = served(engine(), requests=3, arrival_s=[0.0, 0.5, 1.5])
    assert found.elapsed_s.tolist() == pytest.approx([3.8, 3.4, 2.5])


def test_the_router_sees_a_request_in_flight_until_its_overhead_is_over() -> None:
    cluster = Cluster.of({"a": engine(overhead_s=5.0), "b": engine()})
    prompts = [prompt(2, name="0"), prompt(2, name="1")]
    right = [record(p.id, m, correct=True) for p in prompts for m in ("a", "b")]
    found = ask(cluster, prompts, right, policy="load-aware", arrival_s=np.array([0.0, 2.5]))
    assert found.calls == [1, 1]


def test_a_long_prompt_is_read_in_several_steps_of_a_token_each() -> None:
    found = served(engine(chunk_tokens=50), requests=2, arrival_s=[0.0, 1.5])
    assert found.elapsed_s[0] == pytest.approx(2.8)


def test_requests_beyond_the_slots_wait_in_the_order_of_their_coming() -> None:
    assert served(engine(slots=1), requests=3).elapsed_s.tolist() == pytest.approx([2.0, 4.0, 6.0])


def test_first_token_comes_when_the_prompt_is_read() -> None:
    found = served(engine(), requests=2)
    assert found.first_token_s.tolist() == pytest.approx([1.0, 2.0])
    assert found.token_s[1] == pytest.approx(1.0 / 9)


@pytest.mark.parametrize(
    ("share", "expected_s"),
    [
        pytest.param(0.0, 2.0, id="own machines"),
        pytest.param(1.0, 4.0, id="half"),
        pytest.param(0.5, 3.0, id="two thirds"),
    ],
)
def test_replicas_that_share_a_machine_slow_each_other(share: float, expected_s: float) -> None:
    shared = replace(engine(), host_share=share)
    cluster = Cluster.of({"a": shared, "b": shared})
    prompts = [prompt(2, name="0"), prompt(2, name="1")]
    right = [record(p.id, m, correct=True) for p in prompts for m in ("a", "b")]
    found = ask(cluster, prompts, right, policy="round-robin")
    assert found.elapsed_s.tolist() == pytest.approx([expected_s, expected_s])


def test_a_replica_may_be_slowed_by_another_without_slowing_it() -> None:
    cluster = Cluster.of({"a": replace(engine(), host_share=1.0), "b": engine()})
    prompts = [prompt(2, name="0"), prompt(2, name="1")]
    right = [record(p.id, m, correct=True) for p in prompts for m in ("a", "b")]
    # of 2 s of work the first does 1 s meanwhile
    assert ask(cluster, prompts, right, policy="round-robin").elapsed_s.tolist() == pytest.approx([3.0, 2.0])


def test_a_machine_is_fast_again_once_the_other_replica_rests() -> None:
    shared = replace(engine(), host_share=1.0)
    cluster = Cluster.of({"a": shared, "b": shared})
    prompts = [prompt(2, name="0"), prompt(2, name="1", output_tokens=20)]
    right = [record(p.id, m, correct=True) for p in prompts for m in ("a", "b")]
    # 4 s together in which either does 2 s of work; the second has 1 s left
    assert ask(cluster, prompts, right, policy="round-robin").elapsed_s.tolist() == pytest.approx([4.0, 5.0])


@pytest.mark.parametrize(
    ("tokens", "left"),
    [pytest.param(100, 4, id="whole blocks are kept"), pytest.param(96, 16, id="a token at least is read")],
)
def test_read_prompt_is_read_again_only_behind_its_last_whole_block(tokens: int, left: int) -> None:
    assert engine().unread(tokens) == left


def test_busy_share_is_the_time_that_a_replica_worked() -> None:
    assert served(engine(), requests=2, arrival_s=[0.0, 8.0]).busy == pytest.approx([0.4])
