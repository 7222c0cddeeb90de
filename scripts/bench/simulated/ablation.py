"""What each part of LAAR brings: recorded outcomes replayed with one part taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deployments.router.settings import Learning
from profiles.arrays import Floats
from profiles.measures.ttca import answerable
from profiles.measuring.measurement import Record
from profiles.profile import UNKNOWN_LANGUAGE, CellCounts, PairCounts, Profile
from scripts.bench.simulated.replay import ReplayedRequest, ReplayWorld, Side, play_policy, sides, trials_of
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.router import FROZEN, Ablation, Loop

# One bucket for all lengths: longer prompts do not exist.
_ONE_BUCKET = (10_000_000,)
FULL, PEER = "laar", "load-aware"


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """`mean_s` is TTCA over prompts that some model answers, the unsolved charged all attempts.

    `error_s` is the standard error of its difference to LAAR's, over the repeats. `gain_share` is how much of LAAR's
    gain over load-aware is lost: 0 for LAAR, 1 for load-aware, below 0 for what does better than LAAR.
    """

    name: str
    mean_s: float
    error_s: float
    gain_share: float
    solved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    name: str
    policy: str = FULL
    loop: Loop = "server"
    profile: Profile
    learning: Learning = FROZEN
    ablation: Ablation | None = None


def ablate(
    profile: Profile,
    records: Sequence[Record],
    cluster: Cluster,
    *,
    plan: Sequence[ReplayedRequest] = (),
    clients: int = 8,
    cap: int = 10,
    repeats: int = 8,
    seed: int = 0,
) -> list[AblationRow]:
    """LAAR, LAAR with one part less, and the policies beside it, in a closed loop on recorded outcomes.

    Without a plan every recorded prompt is asked once. Each repeat is another order of the plan, the same for all.
    """
    world = ReplayWorld(profile=profile, records=records, cluster=cluster, clients=clients, cap=cap, seed=seed)
    asked = list(plan) or [ReplayedRequest(prompt_id=key, session=key) for key in world.prompts]
    rng = np.random.default_rng(seed)
    orders = [asked, *([asked[i] for i in rng.permutation(len(asked))] for _ in range(repeats - 1))]
    played = [_sides_of(world, _variants(profile), order) for order in orders]
    means = {name: np.array([one[name].mean_s for one in played]) for name in played[0]}
    solved = {name: float(np.mean([one[name].solved for one in played])) for name in played[0]}
    gain_s = float((means[PEER] - means[FULL]).mean())
    return [_row(name, found, means[FULL], gain_s, solved[name]) for name, found in means.items()]


def without_language(profile: Profile) -> Profile:
    """The same counts with all languages taken together."""
    return _merged(profile, languages=True, buckets=False)


def without_length(profile: Profile) -> Profile:
    """The same counts with all lengths taken together."""
    return _merged(profile, languages=False, buckets=True)


def coarse(profile: Profile) -> Profile:
    """Only how good each model is on each task."""
    return _merged(profile, languages=True, buckets=True)


def _variants(profile: Profile) -> list[_Variant]:
    learning, rough = Learning(), coarse(profile)
    blind = Ablation(no_language=True)
    return [
        _Variant(name=FULL, profile=profile),
        _Variant(name="without language", profile=without_language(profile), ablation=blind),
        _Variant(name="without length", profile=without_length(profile)),
        _Variant(name="without language and length", profile=rough, ablation=blind),
        _Variant(name="without joint failures", profile=profile.model_copy(update={"pairs": ()})),
        _Variant(name="without the load term", profile=profile, ablation=Ablation(no_load=True)),
        _Variant(name="asked again by the client", profile=profile, loop="client"),
        _Variant(name="with online learning", profile=profile, learning=learning),
        _Variant(name="coarse profile, with online learning", profile=_unmeasured(profile), learning=learning),
        _Variant(name="coarse profile, without it", profile=_unmeasured(profile)),
        _Variant(name="load-aware with laar's retries", policy=PEER, profile=profile),
        _Variant(name=PEER, policy=PEER, loop="client", profile=profile),
        _Variant(name="session-affinity", policy="session-affinity", loop="client", profile=profile),
    ]


def _unmeasured(profile: Profile) -> Profile:
    """A coarse profile whose languages and lengths are still told apart, so that they can be learned."""
    rough = coarse(profile)
    middle = len(profile.bucket_edges) // 2
    models = {
        name: model.model_copy(update={"cells": tuple(c.model_copy(update={"bucket": middle}) for c in model.cells)})
        for name, model in rough.models.items()
    }
    return rough.model_copy(update={"models": models, "pairs": (), "bucket_edges": profile.bucket_edges})


def _sides_of(world: ReplayWorld, variants: Sequence[_Variant], order: Sequence[ReplayedRequest]) -> dict[str, Side]:
    """Every variant on the requests in this order."""
    right = answerable(world.records)
    found = {}
    for variant in variants:
        outcome = play_policy(
            world,
            order,
            variant.policy,
            loop=variant.loop,
            learning=variant.learning,
            ablation=variant.ablation,
            profile=variant.profile,
        )
        trials = trials_of(outcome, order, world, name=variant.name)
        found[variant.name] = [trial for trial in trials if trial.prompt_id in right]
    return sides(found, world.cap)


def _row(name: str, means: Floats, full: Floats, gain_s: float, solved: float) -> AblationRow:
    lost = means - full
    error = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else float("nan")
    share = float(lost.mean() / gain_s) if gain_s else float("nan")
    return AblationRow(name=name, mean_s=float(means.mean()), error_s=error, gain_share=share, solved=solved)


def _merged(profile: Profile, *, languages: bool, buckets: bool) -> Profile:
    def cell(found: CellCounts) -> CellCounts:
        place = {"language": UNKNOWN_LANGUAGE} if languages else {}
        return found.model_copy(update=place | ({"bucket": 0} if buckets else {}))

    models = {
        name: model.model_copy(update={"cells": _added([cell(c) for c in model.cells])})
        for name, model in profile.models.items()
    }
    pairs = _added([cell(pair) for pair in profile.pairs])
    edges = _ONE_BUCKET if buckets else profile.bucket_edges
    return profile.model_copy(update={"models": models, "pairs": pairs, "bucket_edges": edges})


def _added(cells: Sequence[CellCounts]) -> tuple[CellCounts, ...]:
    """Cells of the same place made one."""
    found: dict[tuple[str, ...], CellCounts] = {}
    for cell in cells:
        ends = (cell.failed, cell.model) if isinstance(cell, PairCounts) else ()
        key = (cell.task, cell.language, str(cell.bucket), *ends)
        seen = found.get(key)
        counts = {} if seen is None else {"correct": seen.correct + cell.correct, "tried": seen.tried + cell.tried}
        found[key] = cell.model_copy(update=counts)
    return tuple(found.values())
