"""Emulated engines held against two live ones: the blocks of a real run that the engines were not fitted to.

The same requests are sent in the same closed loop, to the real router before emulated engines. Beside each error stands
that of a predictor without any engine: a policy's own mean and 95th percentile in the other blocks of that serving.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from profiles.measures.trial import Trial
from profiles.measures.ttca import answerable
from profiles.profile import Latency, Profile
from profiles.workloads import Prompt
from scripts.bench.emulated.processes import ready, served
from scripts.bench.emulated.run import undisturbed
from scripts.bench.emulated.server import RIGHT, EmulatedAnswer, EmulatedModel, marked
from scripts.bench.simulated.replay import Side, is_whole, sides
from scripts.bench.simulated.run import WAYS, Split, Study, load_study, read_engines
from scripts.bench.ttca.clients import LaarClient
from scripts.bench.ttca.plan import CONTENDERS, SendingMode, prompts_of, read_plan
from scripts.bench.ttca.run import serve_block
from scripts.report import Report

DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutTrials:
    """The trials of one fold by policy: real, emulated (in the seconds of the real run), and of the other blocks."""

    real: Mapping[str, Sequence[Trial]]
    emulated: Mapping[str, Sequence[Trial]]
    others: Mapping[str, Sequence[Trial]]


def run(folder: Path, *, scale: float, policies: Sequence[str]) -> Report:
    """Every fold of the first serving; real seconds times `scale` is what an emulated engine takes."""
    study = load_study(folder)
    engines = read_engines(folder, study.splits)
    serving = study.facts.runs[0]
    prompts = {prompt.id: prompt for prompt in prompts_of(read_plan(folder / serving / "plan.yaml"))}
    folds = [split for split in study.splits if split.serving == serving and split.held_out]
    found, again = [], 0
    for split in folds:
        world = study.world(study.timed, engines, split)
        names = list(world.cluster.models)
        models = [
            EmulatedModel(
                name=f"m{row}",
                engine=_scaled(world.cluster.engines[row], scale),
                answers=_answers(study, names, row),
                has_prefix_cache=True,
            )
            for row in range(len(names))
        ]
        with served(models, names, _profile(study.profile, scale), deadline_s=DEADLINE_S) as url:
            played, more = asyncio.run(_play(url, split, prompts, study.timed.clients, study.timed.cap, policies))
        again += more
        found.append(_held_out(study, split, [_in_real_seconds(trial, scale) for trial in played], policies))
    rows = _rows(found, study.timed.cap)
    parameters = {"study": folder.name, "serving": serving, "scale": scale, "policies": list(policies)}
    return Report(
        bench="emulated",
        parameters=parameters,
        figures={"validation": rows, "mean_error": _errors(rows), "played_again": again},
    )


def _answers(study: Study, names: Sequence[str], row: int) -> dict[str, EmulatedAnswer]:
    return {
        record.prompt_id: EmulatedAnswer(record.correct, float(record.prompt_tokens), float(record.output_tokens))
        for record in study.timed.outcomes
        if record.model == names[row]
    }


def _scaled(engine: Any, scale: float) -> Any:
    return replace(
        engine,
        overhead_s=engine.overhead_s * scale,
        prefill_s_per_token=engine.prefill_s_per_token * scale,
        decode_s_per_token=engine.decode_s_per_token * scale,
    )


def _profile(profile: Profile, scale: float) -> Profile:
    """What the router of the real run knew, its seconds scaled."""

    def scaled(latency: Latency) -> Latency:
        seconds = ("overhead_s", "prefill_s_per_token", "decode_s_per_token")
        return latency.model_copy(update={name: getattr(latency, name) * scale for name in seconds})

    models = {
        name: model.model_copy(update={"latency": scaled(model.latency)}) for name, model in profile.models.items()
    }
    return profile.model_copy(update={"models": models})


async def _play(
    url: str, split: Split, prompts: Mapping[str, Prompt], clients: int, cap: int, policies: Sequence[str]
) -> tuple[list[Trial], int]:
    """All blocks of the fold under each policy, and how many had to be played again."""
    played: list[Trial] = []
    again = 0
    async with ready(url, timeout_s=4 * DEADLINE_S) as http:
        for block in sorted({trial.block for trial in split.held_out}):
            for policy in policies:
                mine = [t for t in split.held_out if t.block == block and t.policy == policy]
                sendings = [
                    SendingMode(prompt=_marked(prompts[t.prompt_id]), session=t.session)
                    for t in sorted(mine, key=lambda t: t.sent_s)
                ]
                client = LaarClient(http=http, contender=CONTENDERS[policy], clock=time.perf_counter)
                # what a play has left in the prefix caches must be of no use to the next one
                salts = (f"{policy}-{block}-{number}" for number in count())
                trials, plays = await undisturbed(partial(_block, client, sendings, policy, block, salts, cap, clients))
                print(f"fold {split.fold}, block {block}, {policy}: played {plays} times", flush=True)
                played += trials
                again += plays - 1
    return played, again


async def _block(
    client: LaarClient,
    sendings: Sequence[SendingMode],
    policy: str,
    number: int,
    salts: Iterator[str],
    cap: int,
    clients: int,
) -> list[Trial]:
    return await serve_block(
        client,
        sendings,
        policy=policy,
        number=number,
        salt=next(salts),
        cap=cap,
        clients=clients,
        clock=time.perf_counter,
    )


def _marked(prompt: Prompt) -> Prompt:
    return replace(prompt, text=marked(prompt.id, prompt.text), verify={"type": "contains", "value": RIGHT})


def _in_real_seconds(trial: Trial, scale: float) -> Trial:
    tries = tuple(
        replace(made, started_s=made.started_s / scale, latency_s=made.latency_s / scale) for made in trial.tries
    )
    return replace(trial, sent_s=trial.sent_s / scale, elapsed_s=trial.elapsed_s / scale, tries=tries)


def _held_out(study: Study, split: Split, played: Sequence[Trial], policies: Sequence[str]) -> HeldOutTrials:
    right = answerable(study.timed.outcomes)

    def kept(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
        return {
            policy: [t for t in trials if t.policy == policy and t.prompt_id in right and is_whole(t)]
            for policy in policies
        }

    return HeldOutTrials(real=kept(split.held_out), emulated=kept(played), others=kept(split.to_fit))


def _rows(folds: Sequence[HeldOutTrials], cap: int) -> list[dict[str, Any]]:
    """Of each policy: the real run, and the ratios to it of the emulated one and of the predictor without engines."""
    policies = list(folds[0].real)
    real, emulated = (
        sides({policy: [t for fold in folds for t in getattr(fold, name)[policy]] for policy in policies}, cap)
        for name in ("real", "emulated")
    )
    null = [sides(fold.others, cap) for fold in folds]
    return [
        {
            "policy": policy,
            "requests": sum(len(fold.real[policy]) for fold in folds),
            "mean_s": real[policy].mean_s,
            "p95_s": real[policy].p95_s,
            "attempts": [emulated[policy].attempts, real[policy].attempts],
            "mean_ratio": emulated[policy].mean_s / real[policy].mean_s,
            "p95_ratio": emulated[policy].p95_s / real[policy].p95_s,
            "null_mean_ratio": _weighed(folds, null, policy, "mean_s") / real[policy].mean_s,
            "null_p95_ratio": _weighed(folds, null, policy, "p95_s") / real[policy].p95_s,
        }
        for policy in policies
    ]


def _weighed(folds: Sequence[HeldOutTrials], null: Sequence[Mapping[str, Side]], policy: str, what: str) -> float:
    """By how many requests a fold has."""
    weights = [len(fold.real[policy]) for fold in folds]
    return float(np.average([getattr(side[policy], what) for side in null], weights=weights))


def _errors(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean distance of each kind of ratio from one."""
    kinds = ("mean_ratio", "p95_ratio", "null_mean_ratio", "null_p95_ratio")
    return {kind: fmean(abs(row[kind] - 1) for row in rows) for kind in kinds}


def played_policies() -> list[str]:
    """Those of the real run that laar plays."""
    return list(WAYS)


def show(figures: Mapping[str, Any]) -> None:
    """A line for each policy on the terminal."""
    for row in figures["validation"]:
        ratios = (
            "mean {mean_ratio:.2f}, p95 {p95_ratio:.2f}; without engines {null_mean_ratio:.2f}, {null_p95_ratio:.2f}"
        )
        print(f"{row['policy']}, {row['requests']} requests, over the real run: {ratios.format(**row)}")
    told = ", ".join(f"{kind.removesuffix('_ratio')} {error:.3f}" for kind, error in figures["mean_error"].items())
    print(f"mean distance from the real run: {told}")
