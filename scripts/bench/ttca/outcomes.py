"""The full table of outcomes: every prompt put to every model, which no policy could do."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import httpx
from rich.console import Console

from deployments.router.text.language import FastTextDetector
from profiles.workloads import Prompt
from scripts.bench.ttca.file import OutcomeFile
from scripts.profile.measuring.asking import NoAnswerError, ask
from scripts.profile.measuring.plan import Case


class Budget:
    """Time for a run; nothing begins when it is spent."""

    def __init__(self, budget_s: float | None, clock: Callable[[], float]) -> None:
        self._until_s = None if budget_s is None else clock() + budget_s
        self._clock = clock

    @property
    def is_spent(self) -> bool:
        return self._until_s is not None and self._clock() >= self._until_s


async def ask_every_model(
    http: httpx.AsyncClient,
    prompts: Sequence[Prompt],
    models: Sequence[str],
    file: OutcomeFile,
    concurrency: int,
    budget: Budget,
    console: Console,
) -> list[str]:
    """Ask all models at once what is not in the file yet; what is missing then, in words."""
    detector = FastTextDetector()

    async def in_turn(cases: Iterable[Case]) -> None:
        for case in cases:
            if budget.is_spent:
                return
            try:
                outcome = await ask(http, case, detector=detector)
            except NoAnswerError as error:
                console.print(f"{case.prompt.id} got no answer from {case.model}: {error}")
                continue
            if outcome.record is not None:
                file.add(outcome.record)

    async def of_model(model: str) -> None:
        left = [prompt for prompt in prompts if not file.has(model, prompt.id)]
        console.print(f"outcomes of {model}: {len(left)} of {len(prompts)} to ask")
        cases = iter([Case(model=model, prompt=p, thinking_tokens=None, concurrency=concurrency) for p in left])
        await asyncio.gather(*(in_turn(cases) for _ in range(concurrency)))

    await asyncio.gather(*map(of_model, models))
    missing = [(model, prompt.id) for model in models for prompt in prompts if not file.has(model, prompt.id)]
    return [f"{len(missing)} outcomes, the first of {missing[0]}"] if missing else []
