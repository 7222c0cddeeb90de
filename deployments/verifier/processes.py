"""Checks in processes of their own, which are killed when a check takes too long.

For what no step count can bound: a computer algebra system, or a library that cannot be interrupted.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

import msgspec

from deployments.contract.verdict import Evidence, Reason, Verdict, unknown

logger = logging.getLogger("ray.serve")

# to start an interpreter and load what a check needs, on a busy machine
START_TIMEOUT_S = 60.0
WORKER = (sys.executable, "-m", "deployments.verifier.worker")
_LENGTH_BYTES = 4
_VERDICT = msgspec.msgpack.Decoder(Verdict)


class CheckProcesses:
    """At most `count` processes, each started when it is first needed and kept until a check has to be killed."""

    def __init__(self, *, count: int, check_timeout_s: float, program: Sequence[str] = WORKER) -> None:
        self._check_timeout_s = check_timeout_s
        self._program = program
        self._free = asyncio.Semaphore(count)
        self._idle: list[asyncio.subprocess.Process] = []

    async def check(self, spec_json: bytes, evidence: Evidence) -> Verdict:
        """The verdict, `timed_out` if it takes longer than allowed, `check_failed` if the process dies."""
        async with self._free:
            process = self._idle.pop() if self._idle else await _start(self._program)
            try:
                verdict = await self._ask(process, msgspec.msgpack.encode((spec_json, evidence)))
            except TimeoutError:
                await _kill(process)
                return unknown(Reason.TIMED_OUT)
            except (asyncio.IncompleteReadError, ConnectionError):
                logger.warning("a check ended its process")
                await _kill(process)
                return unknown(Reason.CHECK_FAILED)
            except BaseException:
                # cancelled: what is still to come would be taken for the next answer
                await _kill(process)
                raise
            self._idle.append(process)
            return verdict

    async def close(self) -> None:
        """End all processes that wait for a check."""
        while self._idle:
            await _kill(self._idle.pop())

    async def _ask(self, process: asyncio.subprocess.Process, request: bytes) -> Verdict:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(request).to_bytes(_LENGTH_BYTES, "big") + request)
        async with asyncio.timeout(START_TIMEOUT_S):
            await process.stdin.drain()
            await _frame(process.stdout)
        async with asyncio.timeout(self._check_timeout_s):
            return _VERDICT.decode(await _frame(process.stdout))


async def _start(program: Sequence[str]) -> asyncio.subprocess.Process:
    # without the environment of the server, which may hold keys
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath, "OMP_NUM_THREADS": "1"}
    return await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )


async def _frame(stream: asyncio.StreamReader) -> bytes:
    return await stream.readexactly(int.from_bytes(await stream.readexactly(_LENGTH_BYTES), "big"))


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
