import asyncio
import io
import sys
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import psutil
import pytest

from deployments.contract.verdict import Evidence, Outcome, Reason, Verdict
from deployments.verifier import worker
from deployments.verifier.processes import CheckProcesses

FOUR = b'{"type": "exact", "value": "four"}'
READY = "import sys; sys.stdout.buffer.write(bytes(4)); sys.stdout.buffer.flush(); "


def evidence(answer: str) -> Evidence:
    return Evidence(answer=answer, prompt="", language="en", model="m")


async def verdict(target: CheckProcesses, answer: str = "four") -> Verdict:
    return await target.check(FOUR, evidence(answer))


def python(program: str) -> Sequence[str]:
    return (sys.executable, "-c", program)


def running(program: str) -> list[int]:
    """The processes that run it now."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if program in child.cmdline():
                found.append(child.pid)
    return found


async def test_one_process_makes_check_after_check() -> None:
    target = CheckProcesses(count=1, check_timeout_s=30)
    try:
        found = [await verdict(target), await verdict(target, "five"), await verdict(target)]
        assert [v.outcome for v in found] == [Outcome.CORRECT, Outcome.WRONG, Outcome.CORRECT]
    finally:
        await target.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param(READY + "sys.stdin.read()", Reason.TIMED_OUT, id="does-not-come-back"),
        pytest.param(READY + "sys.exit(1)", Reason.CHECK_FAILED, id="dies"),
        pytest.param("raise SystemExit(1)", Reason.CHECK_FAILED, id="dies-at-the-start"),
    ],
)
async def test_a_check_that_hangs_or_dies_is_unknown_and_its_process_gone(program: str, reason: Reason) -> None:
    target = CheckProcesses(count=1, check_timeout_s=0.2, program=python(program))
    # twice: the first must have given its place back
    for _ in range(2):
        found = await verdict(target)
        assert (found.outcome, found.reason) == (Outcome.UNKNOWN, reason)
    assert running(program) == []


async def test_a_cancelled_check_leaves_no_answer_behind_for_the_next() -> None:
    program = READY + "sys.stdin.read()  # cancelled"
    target = CheckProcesses(count=1, check_timeout_s=30, program=python(program))
    check = asyncio.create_task(verdict(target))
    async with asyncio.timeout(30):
        # a process tells nothing of its start
        while True:
            if running(program):
                break
            await asyncio.sleep(0.01)
    check.cancel()
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await check
    assert running(program) == []


def test_the_worker_says_when_it_is_ready_and_then_the_verdict() -> None:
    request = msgspec.msgpack.encode((FOUR, evidence("four")))
    out = io.BytesIO()
    worker.serve(io.BytesIO(len(request).to_bytes(4, "big") + request), out)
    said = out.getvalue()
    assert said[:4] == bytes(4)
    assert msgspec.msgpack.decode(said[8:]) == {"outcome": "correct", "reason": "matched", "read": None, "judges": []}
