"""`laar bench log`: what it costs a request that the attempt log has it before its answer leaves."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from deployments.contract.reply import Reply
from deployments.contract.secret import NO_SECRET
from deployments.log.writing.journal import Journal
from deployments.log.writing.log_records import RequestRecord, frame
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.candidates import Demand
from deployments.router.text.features import Features
from deployments.router.upkeep.request_logger import RequestLogger
from scripts.bench.requests import chat_request
from scripts.report import Bar, Report, median_and_spread, quantile

TOKENS = (100, 1_000, 8_000, 64_000)
CHARS_PER_TOKEN = 4
NUM_ATTEMPTS = 2
# the hash of a longer prompt takes longer, and so does everything else about it
BAR_TOKENS, BAR_US = 1_000, 50


def run(*, rounds: int) -> Report:
    """Time the recording of requests of every length in turn, in a folder of the system's own for such."""
    times_us: dict[int, list[float]] = {tokens: [] for tokens in TOKENS}
    with tempfile.TemporaryDirectory(prefix="laar-bench-") as folder:
        journal = Journal(Path(folder), writer="bench", max_bytes=2**40, wall=time.time)
        sizes_bytes: list[int] = []
        recorder = _recorder(journal, sizes_bytes)
        for number in range(rounds):
            for tokens in TOKENS:
                times_us[tokens].append(_time_us(recorder, _job(tokens, number)))
        journal.close()
    figures: dict[str, Any] = {
        f"{tokens}_tokens": {"p50_us": quantile(v, 0.5), "p99_us": quantile(v, 0.99), "samples": len(v)}
        for tokens, v in times_us.items()
    }
    figures["record_bytes"] = median_and_spread(sizes_bytes)
    bars = [
        Bar(name=f"p50_us_{tokens}_tokens", value=quantile(times_us[tokens], 0.5), limit=BAR_US, kind="max")
        for tokens in TOKENS
        if tokens <= BAR_TOKENS
    ]
    return Report(
        bench="log",
        parameters={"rounds": rounds, "tokens": TOKENS, "attempts": NUM_ATTEMPTS},
        figures=figures,
        bars=bars,
    )


def _time_us(recorder: RequestLogger, job: ServedRequest) -> float:
    answer = job.log.attempts[-1]
    started_ns = time.perf_counter_ns()
    recorder.answer_ready(job, answer)
    recorder.request_ended(job, 200)
    return (time.perf_counter_ns() - started_ns) / 1000


def _recorder(journal: Journal, sizes_bytes: list[int]) -> RequestLogger:
    def record(found: RequestRecord) -> None:
        if not journal.is_full:
            data = frame(found)
            journal.append(data)
            sizes_bytes.append(len(data))

    return RequestLogger(
        record=record,
        replica="bench",
        policy="laar",
        stores_prompts=False,
        secrets=NO_SECRET,
        clock=time.monotonic,
        wall=time.time,
    )


def _job(tokens: int, number: int) -> ServedRequest:
    text = "x" * (tokens * CHARS_PER_TOKEN)
    request = chat_request(text, max_tokens=256)
    features = Features(language="en", language_confidence=1.0, num_chars=len(text), symbol_share=0.0, task="default")
    log = Tries(max_attempts=10, deadline_at_s=1e9, is_repeatable=True, attempts=list(_attempts()))
    return ServedRequest(
        request_id=f"laar-{number:032x}",
        request=request,
        features=features,
        demand=Demand(
            task="default",
            language="en",
            prompt_tokens=np.zeros(0),
            buckets=np.zeros(0, np.intp),
            output_tokens=np.zeros(0),
            idle_s=np.zeros(0),
        ),
        log=log,
        turn=0,
        arrived_s=time.monotonic(),
    )


def _attempts() -> Any:
    for index, status in zip(range(NUM_ATTEMPTS), (Status.WRONG, Status.CORRECT), strict=True):
        yield Attempt(
            model=f"model-{index}",
            status=status,
            reason="matched",
            latency_s=1.234567,
            probability=0.87654321,
            prompt_tokens=100,
            bucket="<=128",
            reply=Reply(200, b"{}", text="an answer", prompt_tokens=100, output_tokens=20),
        )
