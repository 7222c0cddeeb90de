"""`laar replay`: the router's estimates, policies and objective on what models really answered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deployments.router.choice.overlap import IDLE_PRICE, TimedAttempt
from scripts.replay.beliefs import CellMap, FittedBeliefs, fit_beliefs
from scripts.replay.compared.contenders import LAAR, PoolView, orders
from scripts.replay.compared.rivals import Rivals, fit_rivals
from scripts.replay.overlapping import OverlapPlan, Wait, play_overlapped, timer_s
from scripts.replay.picks import pick_figures
from scripts.replay.play import Answers, PlayedPrompts, play
from scripts.replay.recorded.outcomes import (
    Bools,
    Ints,
    RecordedError,
    RecordedOutcomes,
    at_most,
    read_outcomes,
    split_by_question,
)
from scripts.replay.recorded.pools import PoolRules, draw_pools
from scripts.replay.recorded.seconds import with_seconds

OVERLAPPED, TIMED = "laar, overlapped", "laar, next after 0.7 of L"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Of a replay: `judge` None cuts `fit` into two halves, another way with each seed."""

    fit: Path
    judge: Path | None = None
    pools: int = 200
    seeds: int = 2
    most_prompts: int = 1500
    fit_prompts: int | None = None
    has_overlap: bool = False
    price: float = IDLE_PRICE
    rules: PoolRules = field(default_factory=PoolRules)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlayedPool:
    """One pool: what each contender brought on the `asked` prompts of its half, all of whose models had answered."""

    models: tuple[str, ...]
    asked: Ints
    played: Mapping[str, PlayedPrompts]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlayedSeed:
    """One cut of the recording with its pools; `in_pools` are the models that any of them has."""

    judged: RecordedOutcomes
    beliefs: FittedBeliefs
    rivals: Rivals
    in_pools: Ints
    pools: Sequence[PlayedPool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlayedRecording:
    name: str
    seeds: Sequence[PlayedSeed]
    assumed_seconds: str | None
    notes: tuple[str, ...]


def play_recording(options: ReplayOptions) -> PlayedRecording:
    """All contenders on all pools; RecordedError where the recording cannot carry it."""
    read, other = _read(options)
    fitted, assumed = with_seconds(read, seed=0)
    judged = None if other is None else with_seconds(other, seed=1)[0]
    notes = list(fitted.notes)
    seeds = []
    share = -(-options.pools // options.seeds)
    for seed in range(options.seeds):
        halves = split_by_question(fitted, seed) if judged is None else (fitted, judged)
        # pools go by the whole half, so that they are the same however little is fitted to
        pools, relaxed = draw_pools(halves[0], share, options.rules, np.random.default_rng(seed))
        notes += relaxed
        known = halves[0] if options.fit_prompts is None else at_most(halves[0], options.fit_prompts, seed)
        seeds.append(_seed(known, at_most(halves[1], options.most_prompts, seed), pools, options, seed))
    return PlayedRecording(name=fitted.name, seeds=seeds, assumed_seconds=assumed, notes=tuple(dict.fromkeys(notes)))


def picks_of(options: ReplayOptions) -> dict[str, Any]:
    """How often the model with the highest chance is right, by estimates from few prompts; seconds do not count."""
    fitted, judged = _read(options)
    return pick_figures(fitted, judged, most_prompts=options.most_prompts)


def _read(options: ReplayOptions) -> tuple[RecordedOutcomes, RecordedOutcomes | None]:
    """What is fitted to and what is judged, of the models that both have; None where one recording is cut in two."""
    fitted = read_outcomes(options.fit)
    if options.judge is None or options.judge.resolve() == options.fit.resolve():
        return fitted, None
    judged = read_outcomes(options.judge)
    shared = [name for name in fitted.models if name in judged.models]
    if len(shared) < 2:
        raise RecordedError(f"{options.judge}: {len(shared)} of the models of {options.fit}; at least 2 are needed")
    return fitted.of_models(shared), judged.of_models(shared)


def _seed(
    fitted: RecordedOutcomes, judged: RecordedOutcomes, pools: Sequence[Ints], options: ReplayOptions, seed: int
) -> PlayedSeed:
    beliefs = fit_beliefs(fitted, CellMap.of(fitted, judged))
    rivals = fit_rivals(fitted, judged, beliefs)
    views = (
        PoolView(
            names=tuple(fitted.models[row] for row in rows),
            rows=rows,
            fitted=fitted,
            judged=judged,
            beliefs=beliefs,
            rivals=rivals,
            seed=1000 * seed + number,
        )
        for number, rows in enumerate(pools)
    )
    return PlayedSeed(
        judged=judged,
        beliefs=beliefs,
        rivals=rivals,
        in_pools=np.unique(np.concatenate(pools)),
        pools=list(_pools(views, options)),
    )


def _pools(views: Iterator[PoolView], options: ReplayOptions) -> Iterator[PlayedPool]:
    for view in views:
        correct = view.judged.correct[view.rows]
        asked: Bools = np.asarray(np.isfinite(correct).all(axis=0))
        if not asked.any():
            continue
        answers = Answers(
            correct=correct[:, asked],
            seconds=view.judged.latency_s[view.rows][:, asked],
            usd=view.judged.cost_usd[view.rows][:, asked],
        )
        ranked = orders(view)
        played = {name: play(order[:, asked], answers) for name, order in ranked.items()}
        if options.has_overlap:
            order = ranked[LAAR][:, asked]
            for name, waits in _waits(view, order, view.cells[asked], options.price).items():
                played[name] = play_overlapped(order, answers, waits)
        yield PlayedPool(models=view.names, asked=np.flatnonzero(asked), played=played)


def _waits(view: PoolView, order: Ints, cells: Ints, price: float) -> dict[str, list[Wait]]:
    """By the rule's name what each prompt goes by, which is the same for all of a cell."""
    seconds = view.beliefs.seconds
    of_cell: dict[int, tuple[Wait, Wait]] = {}
    for column, cell in enumerate(cells.tolist()):
        if cell not in of_cell:
            attempts = [
                TimedAttempt(
                    median_s=float(seconds.median_s[row, cell]),
                    spread=float(seconds.spread[row, cell]),
                    probability=float(view.beliefs.chances[row, cell]),
                    price=price,
                )
                for row in view.rows[order[:, column]]
            ]
            of_cell[cell] = OverlapPlan(attempts=attempts).wait_s, timer_s(attempts)
    chosen = [of_cell[cell] for cell in cells.tolist()]
    return {OVERLAPPED: [rule for rule, _ in chosen], TIMED: [timer for _, timer in chosen]}
