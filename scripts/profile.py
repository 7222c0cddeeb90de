"""`laar profile`: ask every model of a running application prompts with known answers, and fit a profile."""

import asyncio
import itertools
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deployments.router.features import bucket_label, extract
from deployments.router.language import FastTextDetector
from deployments.router.request import AUTO
from profiles.fitting import Record, fit_profile
from profiles.schema import Measured, Profile
from profiles.workloads import Prompt, workload
from scripts.bench.report import environment

# What models are asked, of all workloads that there are.
WORKLOADS = ("instruct", "lookup")
BUCKET_EDGES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
# A third of the prompts are asked alone, so that the fit can tell a request's own time from its company's.
ALONE_SHARE = 3
# Above this share of failed prompts something is wrong with the application, and the rest is no fair sample.
MAX_LEFT_OUT_SHARE = 0.1
KEY_HELP = "help: --api-key-env names the environment variable with an API key that the application accepts"


class ProfileError(Exception):
    """The application cannot be measured; the message says what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePlan:
    """What to ask, of whom, and how many at once."""

    url: str
    languages: tuple[str, ...]
    target_tokens: tuple[int, ...]
    prompts_per_cell: int
    concurrency: int
    seed: int
    command: str
    api_key: str | None = field(default=None, repr=False)

    def prompts(self) -> list[Prompt]:
        return [
            prompt
            for name in WORKLOADS
            for prompt in workload(
                name,
                languages=self.languages,
                target_tokens=self.target_tokens,
                prompts_per_cell=self.prompts_per_cell,
                seed=self.seed,
            )
        ]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """How the prompts of one model went: a prompt that failed is left out and is no wrong answer."""

    model: str
    num_prompts: int
    answered: int = 0
    left_out: int = 0

    @property
    def is_untried(self) -> bool:
        return self.answered == self.left_out == 0

    def leave_out(self, problem: str) -> None:
        self.left_out += 1
        if self.left_out > MAX_LEFT_OUT_SHARE * self.num_prompts:
            raise ProfileError(f"{self}, more than {MAX_LEFT_OUT_SHARE:.0%}; the last one: {problem}")

    def __str__(self) -> str:
        return f"{self.model}: {self.left_out} of {self.num_prompts} prompts failed twice"


def run_profile(plan: ProfilePlan, out: Path, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Measure every model of the application and write the profile; 1 where it could not be measured."""
    prompts = plan.prompts()
    try:
        records, tallies = asyncio.run(_measure(plan, prompts, transport))
    except ProfileError as error:
        print(f"laar profile: {error}", file=sys.stderr)
        return 1
    profile = fit_profile(records, bucket_edges=BUCKET_EDGES, measured=_measured(plan))
    out.write_text(profile.model_dump_json(indent=1) + "\n")
    console = Console()
    console.print(_table(profile))
    for tally in tallies:
        if tally.left_out:
            print(f"{tally} and were left out")
    console.print(f"{len(records)} answers to {len(prompts)} prompts; profile written to {out}")
    return 0


async def _measure(
    plan: ProfilePlan, prompts: Sequence[Prompt], transport: httpx.AsyncBaseTransport | None
) -> tuple[list[Record], list[_Tally]]:
    """One model after the other, so that none takes the other's processor."""
    console = Console(stderr=True)
    records: list[Record] = []
    tallies: list[_Tally] = []
    headers = {"Authorization": f"Bearer {plan.api_key}"} if plan.api_key else {}
    async with httpx.AsyncClient(base_url=plan.url, headers=headers, timeout=600, transport=transport) as client:
        models = await _models(client)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as progress:
            for model in (name for name in models if name != AUTO):
                advance = _progress_of(progress, model, len(prompts))
                tallies.append(_Tally(model=model, num_prompts=len(prompts)))
                records += await _ask_all(client, tallies[-1], prompts, plan, advance)
    return records, tallies


async def _models(client: httpx.AsyncClient) -> list[str]:
    try:
        response = await client.get("/v1/models")
    except httpx.HTTPError as error:
        raise ProfileError(f"{client.base_url} cannot be reached: {_named(error)}") from error
    if response.status_code != 200:
        raise _refusal(response)
    return [card["id"] for card in response.json()["data"]]


def _refusal(response: httpx.Response) -> ProfileError:
    hint = f"; {KEY_HELP}" if response.status_code == 401 else ""
    return ProfileError(f"{response.url} answered {_shown(response)}{hint}")


def _shown(response: httpx.Response) -> str:
    return f"{response.status_code}: {response.text[:300]}"


def _named(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}"


def _progress_of(progress: Progress, model: str, total: int) -> Callable[[], None]:
    """Counts one prompt more; where nobody watches a terminal, a line for every tenth part."""
    bar = progress.add_task(model, total=total)

    def advance() -> None:
        progress.advance(bar)
        done = int(progress.tasks[bar].completed)
        if not progress.console.is_terminal and done % max(1, total // 10) == 0:
            progress.console.print(f"{model}: {done} of {total}")

    return advance


async def _ask_all(
    client: httpx.AsyncClient, tally: _Tally, prompts: Sequence[Prompt], plan: ProfilePlan, done: Callable[[], None]
) -> list[Record]:
    # every third prompt alone, the rest in company, so that both parts cover all lengths
    alone = prompts[::ALONE_SHARE]
    together = [p for index, p in enumerate(prompts) if index % ALONE_SHARE]
    detector = FastTextDetector()
    records = []
    for part, concurrency in ((alone, 1), (together, plan.concurrency)):
        left = iter(part)

        async def ask_in_turn(left: Any = left, concurrency: int = concurrency) -> list[Record]:
            found = []
            for prompt in left:
                found.append(await _ask(client, tally, prompt, concurrency, detector))
                done()
            return [record for record in found if record is not None]

        results = await asyncio.gather(*(ask_in_turn() for _ in range(concurrency)))
        records += list(itertools.chain.from_iterable(results))
    return records


async def _ask(
    client: httpx.AsyncClient, tally: _Tally, prompt: Prompt, concurrency: int, detector: FastTextDetector
) -> Record | None:
    body = {
        "model": tally.model,
        "messages": [{"role": "user", "content": prompt.text}],
        "temperature": 0,
        "max_tokens": prompt.max_tokens,
        "laar": {"verify": dict(prompt.verify), "max_attempts": 1, "task": prompt.task},
    }
    timed = await _timed_answer(client, tally, body)
    if timed is None:
        return None
    answer, latency_s = timed
    usage = answer["usage"]
    features = extract([prompt.text], detector=detector, task=prompt.task)
    return Record(
        prompt_id=prompt.id,
        model=tally.model,
        task=prompt.task,
        # the language the router will see, which is what it looks figures up by
        language=features.language,
        correct=_verdict(answer) == "correct",
        latency_s=latency_s,
        concurrency=concurrency,
        prompt_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        num_chars=features.num_chars,
        symbol_share=features.symbol_share,
    )


async def _timed_answer(client: httpx.AsyncClient, tally: _Tally, body: Any) -> tuple[Any, float] | None:
    """The answer and its latency in seconds; a prompt that brings none is sent once more, then left out.

    An answer on which the verifier could not tell says nothing of the model, and counts as none.
    """
    problem = ""
    for _ in range(2):
        sent_s = time.perf_counter()
        try:
            response = await client.post("/v1/chat/completions", json=body)
        except httpx.HTTPError as error:
            problem = _named(error)
            continue
        latency_s = time.perf_counter() - sent_s
        if response.status_code == 200 and _verdict(response.json()) in ("correct", "wrong"):
            tally.answered += 1
            return response.json(), latency_s
        if response.status_code in (401, 404) and tally.is_untried:
            raise _refusal(response)
        problem = _shown(response)
    tally.leave_out(problem)
    return None


def _verdict(answer: Any) -> str:
    verdict: str = answer["laar"]["attempts"][-1]["verdict"]
    return verdict


def _measured(plan: ProfilePlan) -> Measured:
    where = environment()
    return Measured(
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        hardware=f"{where['processor']}, {where['cores']} logical cores, {platform.machine()}",
        software=where["packages"],
        command=plan.command,
        workloads=WORKLOADS,
        seed=plan.seed,
        temperature=0,
        prompts_per_cell=plan.prompts_per_cell,
    )


def _table(profile: Profile) -> Table:
    models = list(profile.models)
    table = Table("task", "language", "tokens", *models, title="correct / tried")
    keys = sorted({(c.task, c.language, c.bucket) for m in profile.models.values() for c in m.cells})
    for key in keys:
        task, language, bucket = key
        found = [
            next(
                (c for c in profile.models[m].cells if (c.task, c.language, c.bucket) == (task, language, bucket)), None
            )
            for m in models
        ]
        cells = [f"{c.correct}/{c.tried}" if c else "-" for c in found]
        table.add_row(task, language, bucket_label(bucket, profile.bucket_edges), *cells)
    return table
