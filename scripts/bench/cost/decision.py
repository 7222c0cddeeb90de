"""`laar bench decision`: what features and decision cost per request, over prompt lengths and languages.

A verdict comes between any two decisions, so that the chances have always changed.
"""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from deployments.router.attempt.tries import Tries
from deployments.router.choice.routing import Routing
from deployments.router.http.request import RoutedRequest
from deployments.router.model import Model
from deployments.router.text.language import FastTextDetector
from profiles.cell import Cell
from profiles.profile import DEFAULT_TASK, NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from scripts.bench.requests import chat_request
from scripts.report import Bar, Report, quantile

PROSE = {
    "en": "The ferry leaves the harbour at half past seven and reaches the island before noon. ",
    "de": "Die Fähre verlässt den Hafen um halb acht und erreicht die Insel noch vor dem Mittag. ",
    "es": "El barco sale del puerto a las siete y media y llega a la isla antes del mediodía. ",
    "zh": "渡轮七点半离开港口，中午之前到达岛上。今天的风不大，海面很平静。",
    "ar": "تغادر العبارة الميناء في السابعة والنصف وتصل إلى الجزيرة قبل الظهر. ",
    "hi": "नाव साढ़े सात बजे बंदरगाह से निकलती है और दोपहर से पहले द्वीप पर पहुँचती है। ",
}
CHARS_PER_TOKEN = {"en": 4.4, "de": 3.6, "es": 4.0, "zh": 1.5, "ar": 2.6, "hi": 2.3}
EDGES = (128, 512, 2048, 8192, 32768)
TOKENS = (100, 1_000, 8_000, 64_000)


def run(*, rounds: int, seed: int) -> Report:
    """Time every (models, language, length) in turn, round after round, in shuffled order."""
    rng = random.Random(seed)  # noqa: S311 (order of measurements)
    figures: dict[str, Any] = {}
    bars: list[Bar] = []
    for num_models in (5, 50):
        routing = _routing(num_models)
        cases = [(language, tokens, _request(language, tokens)) for language in PROSE for tokens in TOKENS]
        times: dict[tuple[str, int], list[float]] = {(language, tokens): [] for language, tokens, _ in cases}
        for _ in range(rounds):
            rng.shuffle(cases)
            for language, tokens, request in cases:
                times[language, tokens].append(_time_us(routing, request))
        figures[f"{num_models}_models"] = _summary(times)
        every = [value for values in times.values() for value in values]
        bars += [
            Bar(name=f"p50_us_{num_models}_models", value=quantile(every, 0.5), limit=200, kind="max"),
            Bar(name=f"p99_us_{num_models}_models", value=quantile(every, 0.99), limit=1000, kind="max"),
            Bar(name=f"growth_100_to_64k_{num_models}_models", value=_growth(times), limit=1.5, kind="max"),
        ]
    parameters = {"rounds": rounds, "seed": seed, "languages": list(PROSE), "tokens": list(TOKENS)}
    return Report(bench="decision", parameters=parameters, figures=figures, bars=bars)


def _time_us(routing: Routing, request: RoutedRequest) -> float:
    log = Tries(max_attempts=10, deadline_at_s=1e9, is_repeatable=True)
    learner, model = routing.chances.learner, next(iter(routing.models))
    assert learner is not None
    learner.observe(model, Cell(DEFAULT_TASK, "en", 1), correct=True)
    # of this thread's processor, so that what else the machine does is not counted; a decision waits for nothing
    started_ns = time.thread_time_ns()
    features = routing.features(request)
    demand = routing.demand(request, features)
    decision = routing.decide(request, demand, log, turn=0, now_s=0.0)
    ended_ns = time.thread_time_ns()
    assert decision is not None
    return (ended_ns - started_ns) / 1000


def _summary(times: dict[tuple[str, int], list[float]]) -> dict[str, dict[str, float]]:
    return {
        f"{language}_{tokens}": {"p50_us": quantile(v, 0.5), "p99_us": quantile(v, 0.99), "samples": len(v)}
        for (language, tokens), v in times.items()
    }


def _growth(times: dict[tuple[str, int], list[float]]) -> float:
    """The cost at the longest prompts over that at the shortest, as medians over all languages."""
    at = {tokens: [x for (_, t), v in times.items() if t == tokens for x in v] for tokens in (TOKENS[0], TOKENS[-1])}
    return quantile(at[TOKENS[-1]], 0.5) / quantile(at[TOKENS[0]], 0.5)


def _request(language: str, tokens: int) -> RoutedRequest:
    chars = round(tokens * CHARS_PER_TOKEN[language])
    text = (PROSE[language] * (chars // len(PROSE[language]) + 1))[:chars]
    return chat_request(text, max_tokens=256)


def _routing(num_models: int) -> Routing:
    names = [f"model-{index:02d}" for index in range(num_models)]
    profile = Profile(
        version=1,
        measured=NO_PROFILE.measured,
        bucket_edges=EDGES,
        models={name: _profile(index) for index, name in enumerate(names)},
        pairs=tuple(_pairs(names)),
    )
    models = [Model(name=name, context_tokens=131072) for name in names]
    return Routing(models=models, profile=profile, policy="laar", detector=FastTextDetector())


def _pairs(names: Sequence[str]) -> Iterator[PairCounts]:
    """Neighbours fail together, so that the order of attempts is worked out and not only L/Q."""
    for failed, model in pairwise(names):
        for language in PROSE:
            yield PairCounts(failed=failed, model=model, language=language, bucket=0, correct=1, tried=20)


def _profile(index: int) -> ModelProfile:
    return ModelProfile(
        latency=Latency(overhead_s=0.02, prefill_s_per_token=1e-4, decode_s_per_token=0.01 + index / 1000),
        chars_per_token={**CHARS_PER_TOKEN, "unknown": 3.0},
        chars_per_symbol_token=2.0,
        cells=tuple(_cells(index)),
    )


def _cells(index: int) -> Iterator[CellCounts]:
    for language in PROSE:
        for bucket in range(len(EDGES) + 1):
            yield CellCounts(language=language, bucket=bucket, correct=(index + bucket) % 20, tried=20)
