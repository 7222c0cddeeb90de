"""`laar bench ttca`: one policy after another, block by block, on a running application.

First every prompt is put to every model; then each policy serves the same blocks of prompts, at the same times
or with as many clients. What was measured is kept block by block, and the same command goes on with it.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from profiles.measures.trial import Trial
from scripts.bench.cost.peer_processes import GROUP, served_by
from scripts.bench.ttca.clients import Client, LaarClient, PeerClient
from scripts.bench.ttca.data import OUTCOMES, TRIALS
from scripts.bench.ttca.file import OutcomeFile, TrialFile
from scripts.bench.ttca.outcomes import Budget, ask_every_model
from scripts.bench.ttca.peers import litellm, ray_ingress
from scripts.bench.ttca.plan import CONTENDERS, SendingMode, TtcaPlan, as_parameters, blocks_of, order_of, prompts_of
from scripts.environment import environment
from scripts.profile.measuring.asking import model_names

TIMEOUT_S = 1800
BEAT_S = 0.02
VERSION = 1


async def run(
    plan: TtcaPlan,
    *,
    url: str,
    folder: Path,
    budget_s: float | None,
    api_key: str | None,
    only: Sequence[str] = (),
    asks_every_model: bool = True,
) -> list[str]:
    """Ask what is still missing in `folder`, of `only` some policies if any are given; what is left undone, in words.

    What each model would have answered can be left out; then nothing but the trials can be compared.

    Raises ValueError where the folder holds another plan's trials, or the plan asks for what there is not.
    """
    clock, console = time.perf_counter, Console(stderr=True)
    budget = Budget(budget_s, clock)
    prompts = prompts_of(plan)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    async with _http(url, headers) as http:
        models = await model_names(http)
        undone = []
        if asks_every_model:
            with OutcomeFile(folder / OUTCOMES) as outcomes:
                undone = await ask_every_model(http, prompts, models, outcomes, plan.concurrency, budget, console)
        head = {"laar_ttca": VERSION, "parameters": _parameters(plan, models), "environment": environment()}
        with TrialFile(folder / TRIALS, head) as file:
            runner = _Blocks(plan, url=url, http=http, models=models, file=file, clock=clock, console=console)
            return undone + await runner.run(blocks_of(plan, prompts), only or plan.policies, budget)


def _parameters(plan: TtcaPlan, models: Sequence[str]) -> dict[str, Any]:
    contenders = {name: asdict(contender) for name, contender in CONTENDERS.items() if name in plan.policies}
    return as_parameters(plan) | {"models": list(models), "policies": contenders}


class _Blocks:
    """Serves blocks; the trials of a block are kept when all of it is done."""

    def __init__(
        self,
        plan: TtcaPlan,
        *,
        url: str,
        http: httpx.AsyncClient,
        models: Sequence[str],
        file: TrialFile,
        clock: Callable[[], float],
        console: Console,
    ) -> None:
        self._plan, self._url, self._http, self._models = plan, url, http, models
        self._file, self._clock, self._console = file, clock, console
        # a run of the same plan before this one may have left the prompts in the engines' prefix caches
        self._run_id = uuid.uuid4().hex

    async def run(self, blocks: Sequence[Sequence[SendingMode]], policies: Sequence[str], budget: Budget) -> list[str]:
        wanted = [
            (number, policy)
            for number in range(len(blocks))
            for policy in order_of(self._plan, number)
            if policy in policies and not self._file.has(policy, number)
        ]
        undone = []
        async with AsyncExitStack() as stack:
            clients = {policy: await self._client(policy, stack) for policy in {policy for _, policy in wanted}}
            for number, policy in wanted:
                if budget.is_spent:
                    undone.append(f"block {number} of {policy}")
                else:
                    await self._serve_block(clients[policy], policy, number, blocks[number])
        return undone

    async def _serve_block(self, client: Client, policy: str, number: int, block: Sequence[SendingMode]) -> None:
        begun_s = self._clock()
        salt = f"{self._run_id}-{policy}-{number}"
        trials = await serve_block(
            client,
            block,
            policy=policy,
            number=number,
            salt=salt,
            cap=self._plan.cap,
            clients=self._plan.concurrency if self._plan.mode == "closed" else None,
            clock=self._clock,
        )
        self._file.add(trials)
        solved, seconds = sum(t.is_solved for t in trials), self._clock() - begun_s
        self._console.print(f"block {number}, {policy}: {solved} of {len(trials)} right, in {seconds:.0f} s")

    async def _client(self, policy: str, stack: AsyncExitStack) -> Client:
        contender = CONTENDERS[policy]
        if contender.target == "laar":
            return LaarClient(http=self._http, contender=contender, clock=self._clock)
        if contender.target == "ray":
            assert self._plan.single_model is not None
            return await self._peer(
                stack.enter_context(ray_ingress(self._url, self._models)), self._plan.single_model, stack
            )
        return await self._peer(stack.enter_context(litellm(self._url, self._models)), GROUP, stack)

    async def _peer(self, base: str, model: str, stack: AsyncExitStack) -> PeerClient:
        http = await stack.enter_async_context(_http(base, {}))
        return PeerClient(http=http, model=model, served_by=served_by, clock=self._clock)


async def serve_block(
    client: Client,
    block: Sequence[SendingMode],
    *,
    policy: str,
    number: int,
    salt: str,
    cap: int,
    clients: int | None,
    clock: Callable[[], float],
) -> list[Trial]:
    """All trials of a block, in its order: each when it is due, or in a closed loop when one of `clients` is free."""
    begun_s = clock()
    trials: dict[str, Trial] = {}
    pulse = Pulse(clock)

    async def serve(sending: SendingMode) -> None:
        sent_s = clock() - begun_s if sending.due_s is None else sending.due_s
        before = pulse.beats, pulse.late_s
        served = await client.serve(sending, salt=salt, cap=cap)
        prompt = sending.prompt
        trials[prompt.id] = Trial(
            policy=policy,
            block=number,
            prompt_id=prompt.id,
            task=prompt.task,
            language=prompt.language,
            target_tokens=prompt.target_tokens,
            session=sending.session,
            sent_s=sent_s,
            elapsed_s=clock() - begun_s - sent_s,
            tries=served.tries,
            error=served.error,
            client_late_s=pulse.mean_since(*before),
        )

    async def when_due(sending: SendingMode) -> None:
        assert sending.due_s is not None
        await asyncio.sleep(max(0.0, begun_s + sending.due_s - clock()))
        await serve(sending)

    async def in_turn(left: Iterable[SendingMode]) -> None:
        for sending in left:
            await serve(sending)

    beating = asyncio.create_task(pulse.beat())
    try:
        if clients is not None:
            left = iter(block)
            await asyncio.gather(*(in_turn(left) for _ in range(clients)))
        else:
            await asyncio.gather(*map(when_due, block))
    finally:
        beating.cancel()
    return [trials[sending.prompt.id] for sending in block]


class Pulse:
    """A timer due every BEAT_S that tells how late it fires, and what became due while its loop was held up too."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self.beats, self.late_s = clock, 0, 0.0

    async def beat(self) -> None:
        due_s = self._clock()
        while True:
            due_s += BEAT_S
            await asyncio.sleep(max(0.0, due_s - self._clock()))
            self.beats += 1
            self.late_s += max(0.0, self._clock() - due_s)

    def mean_since(self, beats: int, late_s: float) -> float | None:
        """Seconds late on average since those counts were taken, None where it did not fire."""
        return (self.late_s - late_s) / (self.beats - beats) if self.beats > beats else None


def _http(base: str, headers: Mapping[str, str]) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=base, headers=dict(headers), timeout=TIMEOUT_S, limits=limits)
