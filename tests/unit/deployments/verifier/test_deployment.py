import asyncio
import json
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from ray.exceptions import RayActorError

from deployments.contract.reply import Reply
from deployments.engines.engine_configs import RemotePlan, RemoteSettings
from deployments.verifier import deployment
from deployments.verifier.checks import Evidence, Outcome, Reason, Verdict
from deployments.verifier.checks.check import Judging
from deployments.verifier.deployment import Verifier
from deployments.verifier.settings import JudgeSettings

GATE = threading.Event()


def waits(_: Evidence) -> bool:
    return GATE.wait(5)


def raises(_: Evidence) -> bool:
    raise KeyError("four")


def says_yes(_: Evidence) -> bool:
    return True


class FakeResponse:
    """What a handle gives: awaitable once, and able to be cancelled."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.is_cancelled = False

    def __await__(self) -> Generator[Any, None, Reply]:
        return self._run().__await__()

    async def _run(self) -> Reply:
        result = self._answer()
        reply: Reply = await result if asyncio.iscoroutine(result) else result
        return reply

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeHandle:
    """A model deployment's handle whose `generate` records what it was asked."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.bodies: list[dict[str, Any]] = []
        self.responses: list[FakeResponse] = []
        self.was_asked = asyncio.Event()

    @property
    def generate(self) -> "FakeHandle":
        return self

    def remote(self, endpoint: str, body: bytes, overrides: dict[str, Any]) -> FakeResponse:
        # an engine may have several models
        assert (endpoint, [*overrides]) == ("chat", ["model"])
        self.bodies.append(json.loads(body))
        self.responses.append(FakeResponse(self._answer))
        self.was_asked.set()
        return self.responses[-1]


def says(text: str, status: int = 200) -> FakeHandle:
    return FakeHandle(lambda: Reply(status=status, body=b"", text=text))


def never() -> FakeHandle:
    return FakeHandle(lambda: asyncio.Event().wait())


def dies(error: Exception) -> FakeHandle:
    def fail() -> None:
        raise error

    return FakeHandle(fail)


def verifier(
    judges: dict[str, FakeHandle] | None = None, *, default: str | None = None, timeout_s: float = 5.0
) -> Verifier:
    custom = {name: f"{__name__}:{name}" for name in ("waits", "raises", "says_yes")}
    return Verifier(judges=judges or {}, default_judge=default, custom_checks=custom, judge_timeout_s=timeout_s)


async def verdict(target: Verifier, spec: dict[str, Any], answer: str = "four", *, model: str = "small") -> Verdict:
    evidence = Evidence(answer=answer, prompt="2+2?", language="en", model=model)
    return await target.check(json.dumps(spec).encode(), evidence)


@pytest.mark.parametrize(
    ("spec", "answer", "reason"),
    [
        pytest.param({"type": "exact", "value": "Four."}, "four", Reason.MATCHED, id="inline"),
        pytest.param({"type": "exact", "value": "five"}, "four", Reason.DIFFERS, id="wrong"),
        pytest.param({"type": "regex", "pattern": "^f"}, "four", Reason.MATCHED, id="pattern-in-a-thread"),
        pytest.param({"type": "json_schema", "schema": {"type": "string"}}, '"a"', Reason.MATCHED, id="schema"),
        pytest.param({"type": "contains", "value": "x"}, "a" * 30_000, Reason.MISSING, id="long-in-a-thread"),
        pytest.param({"type": "custom", "name": "says_yes"}, "four", Reason.CHECK_PASSED, id="custom"),
        pytest.param({"type": "custom", "name": "raises"}, "four", Reason.CHECK_FAILED, id="custom-that-raises"),
        pytest.param({"type": "custom", "name": "gone"}, "four", Reason.NO_CHECK, id="unknown-custom"),
        pytest.param({"type": "judge"}, "four", Reason.NO_JUDGE, id="no-judge"),
        pytest.param({"type": "judge"}, " ", Reason.EMPTY_ANSWER, id="empty-is-not-judged"),
        pytest.param({"type": "none"}, "four", Reason.NOT_REQUESTED, id="none"),
    ],
)
async def test_every_kind_of_check_comes_back_with_its_reason(
    spec: dict[str, Any], answer: str, reason: Reason
) -> None:
    assert (await verdict(verifier(), spec, answer)).reason is reason


@pytest.mark.parametrize(
    ("judge", "expected"),
    [
        pytest.param(says("CORRECT"), (Outcome.CORRECT, Reason.JUDGED_CORRECT), id="correct"),
        pytest.param(says("WRONG"), (Outcome.WRONG, Reason.JUDGED_WRONG), id="wrong"),
        pytest.param(says("perhaps"), (Outcome.UNKNOWN, Reason.JUDGE_UNCLEAR), id="unclear"),
        pytest.param(says("CORRECT", status=500), (Outcome.UNKNOWN, Reason.JUDGE_FAILED), id="error"),
        pytest.param(dies(RayActorError()), (Outcome.UNKNOWN, Reason.JUDGE_FAILED), id="dead-replica"),
        pytest.param(dies(RuntimeError("engine")), (Outcome.UNKNOWN, Reason.JUDGE_FAILED), id="its-own-error"),
    ],
)
async def test_the_judge_decides_or_cannot_tell(judge: FakeHandle, expected: tuple[Outcome, Reason]) -> None:
    found = await verdict(verifier({"large": judge}, default="large"), {"type": "judge"})
    assert (found.outcome, found.reason) == expected
    assert "four" in judge.bodies[0]["messages"][1]["content"]


async def test_a_judge_may_be_served_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def __init__(self, plan: RemotePlan) -> None:
            self.name = plan.name

        async def generate(self, endpoint: str, body: bytes, overrides: dict[str, Any]) -> Reply:
            assert (self.name, endpoint, overrides) == ("away", "chat", {})
            return Reply(200, b"", text="CORRECT" if b"four" in body else "WRONG")

    monkeypatch.setattr(deployment, "RemoteModel", Away)
    settings = RemoteSettings.model_validate({"model_id": "away", "urls": ["http://h/v1"], "max_model_len": 9})
    target = Verifier(
        judges={},
        remote_judges=[RemotePlan(name="away", settings=settings)],
        default_judge="away",
        custom_checks={},
        judge_timeout_s=5,
    )
    assert (await verdict(target, {"type": "judge"})).reason is Reason.JUDGED_CORRECT


async def test_a_model_does_not_judge_its_own_answer() -> None:
    large, small = says("CORRECT"), says("WRONG")
    found = await verdict(verifier({"large": large, "small": small}, default="large"), {"type": "judge"}, model="large")
    assert found.reason is Reason.JUDGED_WRONG
    assert large.bodies == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        pytest.param("small", Reason.JUDGE_ANSWERED, id="judge-gave-the-answer"),
        pytest.param("medium", Reason.NO_JUDGE, id="judge-unknown"),
    ],
)
async def test_no_other_model_stands_in_for_the_judge_asked_for(wanted: str, reason: Reason) -> None:
    judges = {"large": says("CORRECT"), "small": says("CORRECT")}
    found = await verdict(verifier(judges, default="large"), {"type": "judge", "model": wanted})
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, reason)


async def test_a_judge_that_hangs_is_cancelled_and_cannot_tell() -> None:
    judge = never()
    found = await verdict(verifier({"large": judge}, default="large", timeout_s=0.01), {"type": "judge"})
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, Reason.TIMED_OUT)
    assert judge.responses[0].is_cancelled


async def test_judges_that_replied_are_told_where_another_one_hangs() -> None:
    reply = Reply(200, b"", text="CORRECT", prompt_tokens=90, output_tokens=2, finish_reason="stop")
    quick, judging = FakeHandle(lambda: reply), Judging(settings=JudgeSettings(panel=("quick", "hangs")))
    target = Verifier(
        judges={"quick": quick, "hangs": never()},
        default_judge=None,
        custom_checks={},
        judge_timeout_s=0.2,
        judging=judging,
    )
    found = await verdict(target, {"type": "judge"})
    assert (found.reason, found.judges) == (Reason.TIMED_OUT, (("quick", 90, 2),))


async def test_cancelling_a_check_cancels_its_judge() -> None:
    judge = never()
    running = asyncio.create_task(verdict(verifier({"large": judge}, default="large"), {"type": "judge"}))
    await judge.was_asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await running
    assert judge.responses[0].is_cancelled


async def test_custom_checks_that_hang_do_not_stop_the_others() -> None:
    GATE.clear()
    target = verifier(timeout_s=0.02)
    try:
        # more than the threads that asyncio keeps for everybody
        stuck = [verdict(target, {"type": "custom", "name": "waits"}) for _ in range(40)]
        assert {found.reason for found in await asyncio.gather(*stuck)} == {Reason.TIMED_OUT}
        async with asyncio.timeout(3):
            found = await verdict(target, {"type": "regex", "pattern": "four"})
        assert found.reason is Reason.MATCHED
    finally:
        GATE.set()


async def test_a_spec_is_compiled_once() -> None:
    deployment._parse.cache_clear()
    target = verifier()
    for _ in range(3):
        await verdict(target, {"type": "regex", "pattern": "fo+ur"})
    assert deployment._parse.cache_info()[:2] == (2, 1)


async def test_health_is_a_real_check(monkeypatch: pytest.MonkeyPatch) -> None:
    await verifier().check_health()
    broken = Verdict(outcome=Outcome.WRONG, reason=Reason.DIFFERS)
    monkeypatch.setattr(deployment, "check", lambda _spec, _evidence: broken)
    with pytest.raises(RuntimeError, match="a right answer was found wrong"):
        await verifier().check_health()
