"""`laar bench drift`: how soon routing and alarm notice that two models were swapped behind their names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deployments.contract.reply import Reply
from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.routing import Routing
from deployments.router.model import Model
from deployments.router.text.language import FastTextDetector
from profiles.chances.drift import Alarm
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from scripts.bench.requests import chat_request
from scripts.report import Bar, Report, median_and_spread

NAMES = ("alpha", "beta")
LANGUAGES = ("en", "de", "zh")
EDGES = (128, 512)
# characters of a prompt of 4 a token, for each bucket
LENGTHS = (200, 1000, 4000)
PROMPTS_PER_CELL = 20
# chances of the better and the worse model, a cell's drawn between these
BETTER, WORSE = (0.75, 0.95), (0.15, 0.45)
WARM_UP_VERDICTS = 500
WATCHED_VERDICTS = 600
# who gives the verdicts: more keys than can be told apart by a majority
NUM_KEYS = 8
# requests over which the share of right choices is counted
WINDOW = 50
RECOVERED_SHARE = 0.9
MOST_VERDICTS = 100
# what the traffic moves to that changes: mostly one language and one length
MOVED = (0.02, 0.08, 0.9)
# of the worlds; in a few chance makes the two models look alike in the profile or right after the swap
LEAST_SHARE = 0.95
NEVER = 10_000.0


@dataclass
class DriftWorld:
    """Two models with true chances by cell, behind the real routing, and what has happened so far."""

    rng: np.random.Generator
    truth: np.ndarray[Any, np.dtype[np.float64]]
    routing: Routing
    verdicts: int = 0
    choices: list[tuple[int, bool]] = field(default_factory=list)
    alarms: list[tuple[int, Alarm]] = field(default_factory=list)
    # what is asked from now on: shares of languages and of lengths
    languages: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    lengths: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)

    def ask(self) -> None:
        """One request: the choice of the first model counts; a wrong answer goes to the other one."""
        language = int(self.rng.choice(len(LANGUAGES), p=self.languages))
        bucket = int(self.rng.choice(len(LENGTHS), p=self.lengths))
        key = f"key-{self.rng.integers(NUM_KEYS)}"
        request = chat_request("a" * LENGTHS[bucket], max_tokens=16, language=LANGUAGES[language])
        features = self.routing.features(request)
        log = Tries(max_attempts=2, deadline_at_s=1e9, is_repeatable=True)
        demand = self.routing.demand(request, features)
        while decision := self.routing.decide(request, demand, log, turn=0, now_s=0.0, may_explore=True):
            row = NAMES.index(decision.chosen.model)
            if not log.attempts:
                best = int(self.truth[:, language, bucket].argmax())
                self.choices.append((self.verdicts, row == best))
            correct = bool(self.rng.random() < self.truth[row, language, bucket])
            self.verdicts += 1
            learner, cell = self.routing.chances.learner, features.cell(decision.chosen.bucket)
            assert learner is not None
            alarms = learner.observe(decision.chosen.model, cell, correct=correct, failed=log.failed_models, tenant=key)
            self.alarms += [(self.verdicts, alarm) for alarm in alarms]
            if correct:
                return
            log.add(_wrong(decision.chosen.model))

    def run(self, verdicts: int) -> None:
        until = self.verdicts + verdicts
        while self.verdicts < until:
            self.ask()


def run(*, runs: int, quiet_verdicts: int, seed: int) -> Report:
    """Swap in many worlds, and leave one alone for as long as `quiet_verdicts`."""
    swaps = [_swapped(seed + index) for index in range(runs)]
    quiet = _world(seed + runs)
    quiet.run(quiet_verdicts)
    moved = _world(seed + runs + 1)
    moved.run(WARM_UP_VERDICTS)
    moved.languages, moved.lengths = MOVED, MOVED
    moved.run(quiet_verdicts // 10)
    recovered = [swap["recovered_after"] for swap in swaps]
    alarmed = [swap["alarmed_after"] for swap in swaps]
    figures = {
        "recovered_after_verdicts": median_and_spread(recovered),
        "alarmed_after_verdicts": median_and_spread(alarmed),
        "right_before": median_and_spread([swap["right_before"] for swap in swaps]),
        "right_at_the_end": median_and_spread([swap["right_at_the_end"] for swap in swaps]),
        "quiet": {
            "verdicts": quiet.verdicts,
            "alarms": len(quiet.alarms),
            "right": float(np.mean([right for _, right in quiet.choices])),
        },
        "moved_traffic": {"verdicts": moved.verdicts, "alarms": len(moved.alarms)},
        "runs": swaps,
    }
    bars = [
        Bar(name="recovered_within_100_verdicts", value=_within(recovered), limit=LEAST_SHARE, kind="min"),
        Bar(name="alarmed_within_100_verdicts", value=_within(alarmed), limit=LEAST_SHARE, kind="min"),
        Bar(name="alarms_without_change", value=len(quiet.alarms), limit=0, kind="max"),
        Bar(name="alarms_where_traffic_moved", value=len(moved.alarms), limit=0, kind="max"),
        Bar(name="alarms_before_the_swap", value=sum(swap["alarms_before"] for swap in swaps), limit=0, kind="max"),
    ]
    parameters = {
        "runs": runs,
        "quiet_verdicts": quiet_verdicts,
        "seed": seed,
        "prompts_per_cell": PROMPTS_PER_CELL,
        "keys": NUM_KEYS,
        "better": list(BETTER),
        "worse": list(WORSE),
        "window_requests": WINDOW,
        "recovered_share": RECOVERED_SHARE,
        "policy": "laar",
    }
    return Report(bench="drift", parameters=parameters, figures=figures, bars=bars)


def _swapped(seed: int) -> dict[str, float]:
    """Verdicts from the swap to recovery and to the first alarm; NEVER where neither came while it was watched."""
    world = _world(seed)
    world.run(WARM_UP_VERDICTS)
    before = _share([right for _, right in world.choices])
    at, num_before, alarms_before = world.verdicts, len(world.choices), len(world.alarms)
    world.truth = world.truth[::-1]
    world.run(WATCHED_VERDICTS)
    after = world.choices[num_before:]
    late = world.alarms[alarms_before:]
    return {
        "right_before": before,
        "right_at_the_end": _share([right for _, right in after[-WINDOW:]]),
        "recovered_after": _recovered(after, at, RECOVERED_SHARE * before),
        "alarmed_after": float(late[0][0] - at) if late else NEVER,
        "alarms_before": float(alarms_before),
    }


def _recovered(choices: Sequence[tuple[int, bool]], at: int, share: float) -> float:
    """Verdicts until the first WINDOW requests in a row of which this share was right."""
    for start in range(len(choices) - WINDOW + 1):
        if _share([right for _, right in choices[start : start + WINDOW]]) >= share:
            return float(choices[start][0] - at)
    return NEVER


def _within(verdicts: Sequence[float]) -> float:
    return _share([count <= MOST_VERDICTS for count in verdicts])


def _share(values: Sequence[bool]) -> float:
    return float(np.mean(values))


def _world(seed: int) -> DriftWorld:
    rng = np.random.default_rng(seed)
    shape = (len(LANGUAGES), len(LENGTHS))
    truth = np.stack([rng.uniform(*BETTER, shape), rng.uniform(*WORSE, shape)])
    is_right = rng.random((*truth.shape, PROMPTS_PER_CELL)) < truth[..., None]
    profile = Profile(
        version=1,
        measured=NO_PROFILE.measured,
        bucket_edges=EDGES,
        models={name: _profile(is_right[row].sum(axis=-1)) for row, name in enumerate(NAMES)},
        pairs=tuple(_pairs(is_right)),
    )
    models = [Model(name=name, context_tokens=8192) for name in NAMES]
    routing = Routing(models=models, profile=profile, policy="laar", detector=FastTextDetector())
    return DriftWorld(rng=rng, truth=truth, routing=routing)


def _pairs(is_right: np.ndarray[Any, np.dtype[np.bool_]]) -> Iterator[PairCounts]:
    """How each model did where the other was wrong, as `laar profile` counts it of the same prompts."""
    for failed, model in ((0, 1), (1, 0)):
        for row, language in enumerate(LANGUAGES):
            for bucket in range(len(LENGTHS)):
                of_failed = is_right[model, row, bucket][~is_right[failed, row, bucket]]
                yield PairCounts(
                    failed=NAMES[failed],
                    model=NAMES[model],
                    language=language,
                    bucket=bucket,
                    correct=int(of_failed.sum()),
                    tried=len(of_failed),
                )


def _profile(correct: np.ndarray[Any, np.dtype[np.int64]]) -> ModelProfile:
    return ModelProfile(
        latency=Latency(overhead_s=1.0, prefill_s_per_token=0, decode_s_per_token=0),
        chars_per_token={"unknown": 4.0},
        chars_per_symbol_token=4.0,
        cells=tuple(
            CellCounts(language=language, bucket=bucket, correct=int(correct[row, bucket]), tried=PROMPTS_PER_CELL)
            for row, language in enumerate(LANGUAGES)
            for bucket in range(len(LENGTHS))
        ),
    )


def _wrong(model: str) -> Attempt:
    return Attempt(
        model=model, status=Status.WRONG, reason="", latency_s=1.0, probability=0.5, reply=Reply(200, b"{}", text="")
    )
