"""What LAAR loses when a part of it is taken out."""

from dataclasses import replace

import pytest

from profiles.profile import NO_PROFILE, CellCounts, Profile
from scripts.bench.simulated.ablation import ablate
from scripts.simulate.core.cluster import Cluster
from tests.unit.scripts.bench.simulated.test_replay import ENGINES, MIXED, world
from tests.unit.simulated import FAST, GOOD, profile, record


def test_ablation_sets_laar_to_nothing_lost_and_load_aware_to_all() -> None:
    found = world(*MIXED)
    rows = {r.name: r for r in ablate(profile(), found.records, found.cluster, clients=2, repeats=2)}
    assert rows["laar"].gain_share == 0.0
    assert rows["load-aware"].gain_share == pytest.approx(1.0)
    assert rows["laar"].solved == 1.0
    assert rows["without joint failures"].mean_s == rows["laar"].mean_s


def test_a_language_that_decides_is_missed_when_taken_out() -> None:
    """In English the fast model is always right, in German never; the good one always is."""
    cells = tuple(
        CellCounts(task="t", language=language, bucket=0, correct=right, tried=40)
        for language, right in (("en", 40), ("de", 0))
    )
    base = profile()
    models = {
        FAST: base.models[FAST].model_copy(update={"cells": cells}),
        GOOD: base.models[GOOD].model_copy(
            update={"cells": tuple(c.model_copy(update={"correct": 40}) for c in cells)}
        ),
    }
    known = Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models)
    records = [
        replace(record(f"{language}{i}", model, correct=language == "en" or model == GOOD), language=language)
        for i in range(10)
        for language in ("en", "de")
        for model in (FAST, GOOD)
    ]
    rows = {r.name: r for r in ablate(known, records, Cluster.of(ENGINES), clients=2, repeats=2)}
    assert rows["without language"].mean_s > 1.05 * rows["laar"].mean_s
