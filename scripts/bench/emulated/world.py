"""A pool of emulated models from recorded outcomes: their engines, what the router knows of them, their capacity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.router.latency.expected import Speeds
from profiles.arrays import Floats
from profiles.profile import NO_PROFILE, Latency, Profile
from profiles.workloads import Prompt
from scripts.bench.emulated.server import RIGHT, EmulatedAnswer, EmulatedModel, marked
from scripts.bench.simulated.load import FluidBound
from scripts.replay.beliefs import CellMap, count_profile
from scripts.replay.recorded.outcomes import RecordedError, RecordedOutcomes, split_by_question
from scripts.replay.recorded.pools import PoolRules, draw_pools
from scripts.replay.recorded.seconds import with_seconds
from scripts.simulate.core.engine import Engine

# Assumed: no recording says how an engine shares its time between requests.
SLOTS, DECODE_GROWTH, PREFILL_S_PER_TOKEN = 8, 0.1, 1e-4
# A token of an emulated answer is this share of the model's median answer.
TOKENS_OF_MEDIAN = 100.0
# Longer calls are taken to have waited for the provider.
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmulatedWorld:
    """Everything that one run needs. Recorded seconds were multiplied by `time_scale`; a rate is of real seconds."""

    models: Sequence[EmulatedModel]
    profile: Profile
    prompts: Sequence[Prompt]
    answerable: frozenset[str]
    bound: FluidBound
    time_scale: float
    assumed_seconds: str | None
    notes: Sequence[str]


def build(recorded: RecordedOutcomes, *, size: int, seed: int, capacity_per_s: float) -> EmulatedWorld:
    """A random pool, known by one half of the questions and asked the other half; RecordedError where there is none.

    Time is scaled so that the pool can answer `capacity_per_s` requests a second by the best choice.
    """
    timed, assumed = with_seconds(recorded, seed)
    if not any(timed.texts):
        raise RecordedError(f"{recorded.name}: it has no texts, and a router reads language and length from them")
    fitted, judged = split_by_question(timed, seed)
    (rows, *_), notes = draw_pools(fitted, 1, PoolRules(size=size), np.random.default_rng(seed))
    names = [fitted.models[row] for row in rows]
    fitted, judged = (_whole(half.of_models(names)) for half in (fitted, judged))
    tokens = [_tokens(half, fitted) for half in (fitted, judged)]
    latencies = _latencies(fitted)
    bound = _bound(judged, tokens[1], latencies)
    scale = bound.capacity_per_s / capacity_per_s
    latencies = [_scaled(latency, scale) for latency in latencies]
    served = [f"emulated-{name}" for name in names]
    return EmulatedWorld(
        models=[
            EmulatedModel(
                name=f"m{row}",
                engine=Engine.of(latencies[row], slots=SLOTS, overlap=0.0),
                answers={
                    prompt: EmulatedAnswer(
                        bool(judged.correct[row, i]), float(judged.prompt_tokens[i]), float(tokens[1][row, i])
                    )
                    for i, prompt in enumerate(judged.prompts)
                },
            )
            for row in range(len(names))
        ],
        profile=_profile(fitted, judged, tokens[0], latencies, served),
        prompts=[_prompt(judged, i) for i in range(len(judged.prompts))],
        answerable=frozenset(judged.prompts[i] for i in np.flatnonzero(judged.correct.any(axis=0))),
        bound=_bound(judged, tokens[1], latencies),
        time_scale=scale,
        assumed_seconds=assumed,
        notes=[*timed.notes, *notes],
    )


def _whole(recorded: RecordedOutcomes) -> RecordedOutcomes:
    """The prompts that all models answered and that have a text."""
    is_whole = np.isfinite(recorded.correct).all(axis=0) & np.array([bool(text) for text in recorded.texts])
    return recorded.of_prompts(np.flatnonzero(is_whole))


def _latencies(fitted: RecordedOutcomes) -> list[Latency]:
    return [
        Latency(
            overhead_s=0.0,
            prefill_s_per_token=PREFILL_S_PER_TOKEN,
            decode_s_per_token=median_s / TOKENS_OF_MEDIAN,
            decode_growth=DECODE_GROWTH,
        )
        for median_s in np.median(fitted.latency_s, axis=1).tolist()
    ]


def _scaled(latency: Latency, scale: float) -> Latency:
    return latency.model_copy(
        update={
            "prefill_s_per_token": latency.prefill_s_per_token * scale,
            "decode_s_per_token": latency.decode_s_per_token * scale,
        }
    )


def _tokens(recorded: RecordedOutcomes, fitted: RecordedOutcomes) -> Floats:
    """Tokens that make each answer last as long as it was recorded on an idle engine, shape (models, prompts)."""
    seconds = np.minimum(recorded.latency_s, LONGEST_S) - PREFILL_S_PER_TOKEN * recorded.prompt_tokens
    token_s = np.median(fitted.latency_s, axis=1) / TOKENS_OF_MEDIAN
    found: Floats = np.maximum(seconds / token_s[:, None], 1.0)
    return found


def _bound(judged: RecordedOutcomes, tokens: Floats, latencies: Sequence[Latency]) -> FluidBound:
    """With the prompts of a task alike."""
    speeds = Speeds.of(latencies)
    full_s = speeds.full_s(np.full(len(latencies), float(SLOTS)))
    tasks = np.unique(judged.tasks, return_inverse=True)[1]
    groups = [np.flatnonzero(tasks == task) for task in range(tasks.max() + 1)]
    reads_s = np.array([speeds.prefill_s_per_token * judged.prompt_tokens[group].mean() for group in groups])
    writes = np.array([tokens[:, group].mean(axis=1) for group in groups])
    return FluidBound(
        wrong=np.array([_wrong(judged.correct[:, group] == 1) for group in groups]),
        share=np.array([len(group) for group in groups]) / len(tasks),
        work_s=reads_s + full_s * writes,
        idle_s=reads_s + speeds.decode_s_per_token * writes,
        replicas=np.ones(len(latencies)),
    )


def _wrong(right: Any) -> Floats:
    """The share of wrong answers of each model (columns) after each set of failures (rows); 1 where it has failed."""
    models = len(right)
    found = np.ones((1 << models, models))
    for failed in range(1 << models):
        among = ~right[[m for m in range(models) if failed >> m & 1]].any(axis=0)
        if among.any():
            found[failed] = 1 - right[:, among].mean(axis=1)
    return found


def _profile(
    fitted: RecordedOutcomes,
    judged: RecordedOutcomes,
    tokens: Floats,
    latencies: Sequence[Latency],
    served: Sequence[str],
) -> Profile:
    """What `laar profile` would have measured on the fitting half."""
    counted = count_profile(fitted, CellMap.of(fitted, judged))
    name_of = dict(zip(fitted.models, served, strict=True))
    chars = sum(map(len, fitted.texts)) / float(fitted.prompt_tokens.sum())
    tasks = np.array(fitted.tasks)
    models = {
        name_of[name]: counted.models[name].model_copy(
            update={
                "latency": latencies[row],
                "chars_per_token": {"unknown": chars},
                "chars_per_symbol_token": chars,
                "output_tokens": {task: float(tokens[row, tasks == task].mean()) for task in sorted(set(fitted.tasks))},
            }
        )
        for row, name in enumerate(fitted.models)
    }
    pairs = [
        pair.model_copy(update={"failed": name_of[pair.failed], "model": name_of[pair.model]}) for pair in counted.pairs
    ]
    note = "emulated: recorded outcomes, engines with assumed slots, growth and prefill"
    measured = NO_PROFILE.measured.model_copy(update={"note": note})
    return counted.model_copy(update={"measured": measured, "models": models, "pairs": tuple(pairs)})


def _prompt(judged: RecordedOutcomes, index: int) -> Prompt:
    verify: Mapping[str, Any] = {"type": "contains", "value": RIGHT}
    return Prompt(
        id=judged.prompts[index],
        language=judged.languages[index],
        task=judged.tasks[index],
        target_tokens=round(float(judged.prompt_tokens[index])),
        text=marked(judged.prompts[index], judged.texts[index]),
        answer=RIGHT,
        verify=verify,
        max_tokens=1024,
    )
