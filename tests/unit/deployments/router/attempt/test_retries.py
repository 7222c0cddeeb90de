"""Clients that ask again, as the retry loop meets them; two benches stand for two router replicas."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from deployments.contract.errors import DeadlineError, ForgedRetryError, NothingNewError
from deployments.contract.secret import Secrets
from deployments.router.attempt.earlier import MAX_STATE_BYTES, MAX_TRIED, Earlier, RetryState, unpacked
from deployments.router.attempt.retries import MAX_OF_A_KEY, RecentRequests, Seal
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.choice.policy import Exclusion
from deployments.router.http.answers import laar_object, tried_header
from tests.unit.deployments.router.attempt.test_runner import (
    ID,
    RIGHT,
    Bench,
    breaks,
    outcome,
    refuses,
    says,
    streams,
    takes,
)

pytestmark = pytest.mark.virtual_time


def state(*tried: tuple[str, int], sampling: str = "greedy") -> RetryState:
    return RetryState(
        first_at_s=1_700_000_000.125,
        num_attempts=3,
        sampling=sampling,
        wrong=dict(tried),
        repeating=frozenset(model for model, _ in tried),
    )


def three() -> Bench:
    return Bench(a=says("no"), b=says("no"), c=says("right"))


async def answered(
    bench: Bench, laar: Mapping[str, object] | None = None, key: str = "", **fields: Any
) -> ServedRequest:
    served = bench.served(laar, key=key, **fields)
    await bench.runner.answer(served)
    return served


async def retried(
    bench: Bench, earlier: ServedRequest, laar: Mapping[str, object] | None = None, **fields: Any
) -> ServedRequest:
    return await answered(bench, {"retry_of": earlier.told_id, **(laar or {})}, **fields)


# -- the id ---------------------------------------------------------------------------------------------------


def test_what_an_id_says_comes_back() -> None:
    said = state(("a", 0), ("b", 2))
    assert unpacked(said.packed(), ("b", "a", "c"), "greedy") == said


def test_models_that_are_no_longer_there_are_left_out() -> None:
    found = unpacked(state(("a", 1), ("gone", 1)).packed(), ("a",), "greedy")
    assert found is not None
    assert found.wrong == {"a": 1}


@pytest.mark.parametrize(
    ("before", "now", "repeats"),
    [
        pytest.param("greedy", "greedy", True, id="greedy"),
        pytest.param("7 0.5 None", "7 0.5 None", True, id="same-seed"),
        pytest.param("7 0.5 None", "8 0.5 None", False, id="other-seed"),
        pytest.param("greedy", "", False, id="now-by-chance"),
        pytest.param("", "", False, id="by-chance"),
    ],
)
def test_a_model_repeats_itself_only_if_it_is_asked_for_the_same_draw(before: str, now: str, repeats: bool) -> None:
    found = unpacked(state(("a", 1), sampling=before).packed(), ("a",), now)
    assert found is not None
    assert found.repeating == ({"a"} if repeats else set())


def test_an_id_stays_small_and_forgets_what_was_tried_first() -> None:
    names = [f"m{index}" for index in range(MAX_TRIED + 1)]
    packed = state(*((name, 500) for name in names)).packed()
    assert len(packed) == MAX_STATE_BYTES
    assert len(Seal(Secrets(b"s")).sealed(packed, ID, "")) <= 480
    found = unpacked(packed, names, "greedy")
    assert found is not None
    assert list(found.wrong.items()) == [(name, 63) for name in names[1:]]


def test_only_one_of_the_secrets_opens_a_seal() -> None:
    sealed = Seal(Secrets(b"old")).sealed(b"state", ID, "key")
    assert Seal(Secrets(b"new", b"old")).opened(sealed, ID, ["key"]) == b"state"
    assert Seal(Secrets(b"new")).opened(sealed, ID, ["key"]) is None


def test_a_seal_opens_for_every_id_that_its_tenant_has_had_and_for_no_other() -> None:
    seal = Seal(Secrets(b"new", b"old"))
    sealed = Seal(Secrets(b"old")).sealed(b"state", ID, "former")
    assert seal.opened(sealed, ID, ["present", "former"]) == b"state"
    assert seal.opened(sealed, ID, ["present", "another"]) is None
    assert seal.opened(sealed, "another", ["former"]) is None


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_seal_does_not_open_with_any_sign_changed(at: int) -> None:
    sealed = Seal(Secrets(b"s")).sealed(state(("a", 1)).packed(), ID, "key")
    forged = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
    assert Seal(Secrets(b"s")).opened(forged, ID, ["key"]) is None


# -- the loop -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(1, 80))
def test_what_is_no_seal_opens_for_no_one(count: int) -> None:
    assert Seal(Secrets(b"s")).opened("A" * count, ID, [""]) is None


async def test_retry_at_another_replica_asks_no_model_twice() -> None:
    here, there = three(), three()
    first = await answered(here)
    second = await retried(there, first)
    third = await retried(here, second)
    assert [served.log.attempts[0].model for served in (first, second, third)] == ["a", "b", "c"]
    assert third.tried == ("a", "b", "c")
    assert tried_header(third.tried) == {"x-laar-tried": "a,b,c"}
    assert laar_object(third, 0.0)["tried"] == ("a", "b", "c")


async def test_models_that_were_wrong_in_the_router_are_not_asked_again_either() -> None:
    first = await answered(three(), RIGHT | {"max_attempts": 2})
    assert outcome(await retried(three(), first, RIGHT)) == [("c", "correct")]


@pytest.mark.parametrize("laar", [pytest.param({}, id="passed-on"), pytest.param(RIGHT, id="held")])
async def test_streams_say_what_was_tried(laar: dict[str, object]) -> None:
    bench = three()
    first = await answered(bench, {"max_attempts": 1} | laar, stream=True)
    served = bench.served({"retry_of": first.told_id}, stream=True)
    model, chunks = await bench.runner.pass_through(served)
    told_id = served.told_id
    async for _ in chunks:
        pass
    assert (model, served.tried, served.told_id) == ("b", ("a", "b"), told_id)
    assert outcome(await retried(bench, served)) == [("c", "unverified")]


async def test_a_stream_that_comes_in_one_piece_has_the_id_in_its_last_chunk() -> None:
    whole = b'data: {"id":"x","choices":[{"delta":{"content":"no"},"finish_reason":"stop"}]}\n\n'
    bench = Bench(a=streams(whole))
    served = bench.served(stream=True)
    _, chunks = await bench.runner.pass_through(served)
    got = [chunk.events async for chunk in chunks]
    assert served.told_id != served.request_id
    assert served.told_id.encode() in got[0]


async def test_a_model_that_gave_no_answer_may_be_asked_again() -> None:
    first = await answered(Bench(a=breaks, b=says("no")))
    assert first.tried == ("b",)
    assert outcome(await retried(Bench(a=says("no"), b=says("no")), first)) == [("a", "unverified")]


async def test_named_models_are_left_out() -> None:
    served = await answered(three(), {"tried": ["a", "b"]})
    assert outcome(served) == [("c", "unverified")]
    assert served.tried == ("a", "b", "c")


async def test_retry_with_other_sampling_may_meet_the_same_model_again() -> None:
    bench = Bench(a=says("no"))
    first = await answered(bench)
    second = bench.served({"retry_of": first.told_id}, temperature=0.7)
    assert second.log.exclusion("a") is Exclusion.WAS_WRONG
    assert outcome(await retried(bench, first, temperature=0.7)) == [("a", "unverified")]


async def test_clients_word_conditions_the_chances_once_for_each_wrong_answer() -> None:
    bench = Bench(a=says("no"), b=says("no"))
    first = await answered(bench, temperature=0.7)
    second = await retried(bench, first, {"tried": ["a"]}, temperature=0.7)
    third = bench.served({"retry_of": second.told_id}, temperature=0.7)
    assert sorted(third.log.failed_models) == ["a", "b"]


async def test_an_answer_that_was_found_wrong_counts_once() -> None:
    first = await answered(three(), RIGHT | {"max_attempts": 1})
    again = three().served({"retry_of": first.told_id})
    assert again.log.earlier.wrong == {"a": 1}


async def test_time_and_attempts_of_the_client_go_on() -> None:
    bench = Bench(a=takes(1.0), b=takes(1.0), c=says("right"))
    limits: dict[str, object] = {"max_attempts": 2, "deadline_s": 10.0}
    first = await answered(bench, limits)
    await asyncio.sleep(3.0)
    second = bench.served({"retry_of": first.told_id} | limits | RIGHT)
    assert second.log.max_attempts == 1
    assert second.log.deadline_at_s - second.arrived_s == pytest.approx(6.0, abs=0.01)
    aimed = bench.served({"retry_of": first.told_id, "target": {"probability": 0.9, "by_s": 5}})
    assert aimed.log.target_at_s - aimed.arrived_s == pytest.approx(1.0, abs=0.01)
    await bench.runner.answer(second)
    now_s = asyncio.get_running_loop().time()
    assert laar_object(second, now_s)["ttca_s"] == pytest.approx(5.0, abs=0.01)
    with pytest.raises(NothingNewError, match="models that have answered: 'a', 'b'; stopped by max_attempts"):
        await retried(bench, second, limits)
    await asyncio.sleep(6.0)
    with pytest.raises(DeadlineError, match="no answer in time; attempts: 0"):
        await retried(bench, second, {"deadline_s": 10.0})


async def test_operators_limits_are_for_each_request() -> None:
    bench = three()
    first = await answered(bench)
    await asyncio.sleep(50.0)
    second = bench.served({"retry_of": first.told_id})
    assert (second.log.max_attempts, second.log.deadline_at_s - second.arrived_s) == (10, 600.0)


async def test_late_retry_begins_anew_but_for_the_models() -> None:
    bench = three()
    first = await answered(bench)
    await asyncio.sleep(101.0)
    earlier = bench.served({"retry_of": first.told_id}).log.earlier
    assert earlier == Earlier(wrong={"a": 1}, repeating=frozenset({"a"}), judged=frozenset({"a"}))


async def test_retry_when_all_models_would_say_the_same_is_an_error_that_says_so() -> None:
    bench = Bench(a=says("no"))
    first = await answered(bench)
    for stream in (False, True):
        served = bench.served({"retry_of": first.told_id}, stream=stream)
        with pytest.raises(NothingNewError, match="models that have answered: 'a'; stopped by no_model_left") as found:
            await (bench.runner.pass_through(served) if stream else bench.runner.answer(served))
        assert found.value.headers == {"x-should-retry": "false"}


async def test_error_says_what_was_tried() -> None:
    bench = Bench(unverified="error", a=says("no"), b=says("right"))
    served = bench.served(RIGHT | {"max_attempts": 1})
    with pytest.raises(Exception, match="none of 1 attempts could be verified"):
        await bench.runner.answer(served)
    assert outcome(await retried(bench, served)) == [("b", "unverified")]


async def test_request_that_no_model_was_asked_for_keeps_its_plain_id() -> None:
    bench = Bench(a=refuses(429))
    served = bench.served({"deadline_s": 1e-9})
    await asyncio.sleep(1.0)
    with pytest.raises(DeadlineError, match="no answer in time"):
        await bench.runner.answer(served)
    assert served.told_id == served.request_id


async def test_retry_that_fails_before_any_attempt_keeps_what_was_tried() -> None:
    bench = three()
    first = await answered(bench)
    late = bench.served({"retry_of": first.told_id, "deadline_s": 1.5})
    await asyncio.sleep(2.0)
    with pytest.raises(DeadlineError, match="no answer in time"):
        await bench.runner.answer(late)
    assert outcome(await retried(bench, late)) == [("b", "unverified")]


@pytest.mark.parametrize(
    ("laar", "is_named", "judged"),
    [
        pytest.param({}, False, ["a"], id="no-verdict-but-the-clients"),
        pytest.param(RIGHT, False, ["a"], id="found-wrong"),
        pytest.param({"verify": {"type": "exact", "value": "no"}}, False, [], id="found-correct"),
        pytest.param({}, True, [], id="named-by-the-client"),
    ],
)
async def test_only_verdicts_condition_what_is_learned(
    laar: Mapping[str, object], is_named: bool, judged: list[str]
) -> None:
    bench = Bench(a=says("no"), b=says("no"))
    first = await answered(bench, {"max_attempts": 1, **laar})
    second = bench.served({"tried": ["a"]} if is_named else {"retry_of": first.told_id})
    assert second.log.failed_models == ("a",)
    assert list(second.log.judged_models) == judged


async def test_a_guess_conditions_nothing_that_is_learned() -> None:
    bench = Bench(regenerate_s=10.0, a=says("no"), b=says("no"))
    await answered(bench, user="same")
    again = bench.served(user="same")
    assert (again.log.failed_models, again.log.judged_models) == (("a",), ())


async def test_id_of_another_key_is_refused() -> None:
    bench = three()
    first = await answered(bench, key="mine")
    assert outcome(await retried(bench, first, key="mine")) == [("b", "unverified")]
    with pytest.raises(ForgedRetryError, match=r"^laar\.retry_of: this application did not give this id"):
        bench.served({"retry_of": first.told_id}, key="yours")


async def test_state_of_another_request_is_refused() -> None:
    bench = three()
    first = await answered(bench)
    _, _, sealed = first.told_id.partition(".")
    with pytest.raises(ForgedRetryError, match="did not give this id"):
        bench.served({"retry_of": f"laar-{'1' * 32}.{sealed}"})


async def test_id_without_what_was_tried_says_only_that_it_is_a_retry() -> None:
    bench = three()
    first = await answered(bench)
    served = bench.served({"retry_of": first.request_id})
    assert served.log.earlier == Earlier()


def test_a_header_that_would_be_too_long_names_the_latest_models() -> None:
    told = tried_header([f"{index:03d}" + "x" * 297 for index in range(9)])["x-laar-tried"]
    assert [name[:3] for name in told.split(",")] == ["006", "007", "008"]


# -- the same request again -----------------------------------------------------------------------------------


async def models_of(bench: Bench, number: int, laar: Mapping[str, object] | None = None, **fields: Any) -> list[str]:
    return [(await answered(bench, laar, **{"user": "same", **fields})).log.attempts[-1].model for _ in range(number)]


async def test_same_request_again_goes_to_another_model_and_begins_anew_after_the_last() -> None:
    bench = Bench(regenerate_s=30.0, a=says("no"), b=says("no"))
    assert await models_of(bench, 3) == ["a", "b", "a"]
    assert await models_of(bench, 2, key="another") == ["a", "b"]
    assert await models_of(bench, 1, user="another") == ["a"]


async def test_same_request_is_an_ordinary_one_after_the_window_or_if_its_answer_was_verified_or_by_default() -> None:
    bench = Bench(regenerate_s=30.0, a=says("right"), b=says("right"))
    assert await models_of(bench, 2, RIGHT) == ["a", "a"]
    assert await models_of(bench, 1) == ["a"]
    await asyncio.sleep(31.0)
    assert await models_of(bench, 1) == ["a"]
    assert await models_of(Bench(a=says("no"), b=says("no")), 2) == ["a", "a"]


async def test_same_stream_again_goes_to_another_model() -> None:
    bench = Bench(regenerate_s=30.0, a=says("no"), b=says("no"))
    found = []
    for _ in range(2):
        served = bench.served(stream=True, user="same")
        model, chunks = await bench.runner.pass_through(served)
        found.append(model)
        async for _chunk in chunks:
            pass
    assert found == ["a", "b"]


async def test_same_request_again_is_never_refused_for_that() -> None:
    bench = Bench(regenerate_s=30.0, give_up_below=0.99, a=says("no"), b=says("no"))
    assert await models_of(bench, 2) == ["a", "b"]
    assert await models_of(bench, 1) == ["a"]
    served = bench.served(user="same")
    assert served.log.earlier.is_guess
    served.log.earlier = replace(served.log.earlier, wrong={"a": 1, "b": 1}, repeating=frozenset({"a", "b"}))
    await bench.runner.answer(served)
    assert outcome(served) == [("a", "unverified")]


def test_recent_requests_of_a_key_are_bounded() -> None:
    recent = RecentRequests(b"s", window_s=1.0, clock=lambda: 0.0)
    for number in range(MAX_OF_A_KEY + 1):
        recent.remember(b"%d" % number, "key", Earlier(num_attempts=number))
    assert recent.found(b"0", "key") is None
    assert recent.found(b"1", "key") == Earlier(num_attempts=1)
    assert recent.found(b"1", "other") is None
