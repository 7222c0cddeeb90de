"""What is published of simulations of a real run: its engines, LAAR taken apart, and goodput by load."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scripts.bench.publish.report import ABLATION, GOODPUT
from scripts.bench.simulated.ablation import ablate
from scripts.bench.simulated.goodput import OBJECTIVE, READER, by_load
from scripts.bench.simulated.run import ENGINES, Engines, Study
from scripts.report import Bar

LOADS_PER_S = (0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.2)
POLICIES = ("laar", "most-accurate", "load-aware", "session-affinity", "round-robin")
REQUESTS, SEED = 400, 0
REPEATS = 4
# Relative; what another build of the linear algebra may change.
ROUNDING = 1e-6
# What two digits still show.
_LEAST_SPREAD = 0.005


def publish(folder: Path, study: Study, engines: Engines) -> None:
    """Write what `compared` computes again."""
    for name, content in {ENGINES: dictionary(engines), **found(study, engines)}.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def compared(folder: Path, study: Study, engines: Engines) -> list[Bar]:
    """Whether the published rows are those that the published engines bring."""
    return [
        Bar(name=f"{Path(name).stem}_differs", value=_difference(folder / name, content), limit=ROUNDING, kind="max")
        for name, content in found(study, engines).items()
    ]


def found(study: Study, engines: Engines) -> dict[str, dict[str, Any]]:
    """The content of each file of simulations by its name."""
    return {ABLATION: ablation(study, engines), GOODPUT: goodput(study, engines)}


def dictionary(engines: Engines) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    return {
        serving: {fold: {model: asdict(engine) for model, engine in mine.items()} for fold, mine in folds.items()}
        for serving, folds in engines.items()
    }


def ablation(study: Study, engines: Engines) -> dict[str, Any]:
    """Every variant of LAAR on all prompts of the run, in a closed loop as in the run."""
    world = study.world(study.published, engines)
    rows = ablate(
        world.profile,
        world.records,
        world.cluster,
        clients=world.clients,
        cap=world.cap,
        repeats=REPEATS,
        seed=SEED,
    )
    return {
        "simulated": True,
        "rows": [
            {
                "policy": row.name,
                "TTCA (i), s": row.mean_s,
                "standard error of the difference to laar, s": row.error_s,
                "share of the gain over load-aware that is lost": row.gain_share,
                "solved, of the answerable": row.solved,
            }
            for row in rows
        ],
    }


def goodput(study: Study, engines: Engines) -> dict[str, Any]:
    """The format of `laar bench ttca`'s plot, and what else decides the figures."""
    found = by_load(
        replace(study.world(study.published, engines), clients=0),
        POLICIES,
        LOADS_PER_S,
        requests=REQUESTS,
        sessions=study.published.sessions,
        seed=SEED,
    )
    return {
        "simulated": True,
        "load_unit": "requests/s",
        "goodput_unit": "tokens/s",
        "requests": REQUESTS,
        "reader": {"pace_s": READER.pace_s, "alpha": READER.alpha, "bound_s": READER.bound_s},
        "series": {n: [[p.load_per_s, p.smooth_tokens_per_s] for p in points] for n, points in found.items()},
        "in_time": {
            "limit_s": OBJECTIVE.ttft_s,
            "series": {n: [[p.load_per_s, p.in_time_per_s] for p in points] for n, points in found.items()},
        },
    }


def _difference(path: Path, content: Any) -> float:
    return difference(json.loads(path.read_bytes()), json.loads(json.dumps(content))) if path.exists() else math.nan


def difference(one: Any, other: Any) -> float:
    """The largest relative difference between the numbers of two JSON values; NaN where anything else differs."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) / max(abs(one), abs(other), 1.0)
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return _worst([difference(one[key], other[key]) for key in one])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return _worst([difference(mine, its) for mine, its in zip(one, other, strict=True)])
    return 0.0 if one == other else math.nan


def _worst(values: list[float]) -> float:
    return math.nan if any(math.isnan(value) for value in values) else max(values, default=0.0)
