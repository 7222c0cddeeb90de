from typing import Any

import numpy as np
import pytest

from deployments.router.page.chance_map import ChanceMap
from profiles.cell import Buckets, Cell
from profiles.chances.capability import Capability
from profiles.chances.online import Learner
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, Profile

LATENCY = Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0.01)
CELLS = (
    CellCounts(language="en", bucket=0, correct=9, tried=10),
    CellCounts(language="de", bucket=1, correct=1, tried=4),
    CellCounts(task="sums", language="en", bucket=0, correct=2, tried=3),
)
BUCKETS = Buckets((128,))


def profile() -> Profile:
    model = ModelProfile(latency=LATENCY, chars_per_token={"unknown": 4.0}, chars_per_symbol_token=4.0, cells=CELLS)
    return Profile.model_validate({**NO_PROFILE.model_dump(), "bucket_edges": (128,), "models": {"a": model}})


def cells(found: dict[str, Any], model: str) -> dict[tuple[str, int], dict[str, Any]]:
    (of_model,) = [entry["cells"] for entry in found["models"] if entry["model"] == model]
    return {(cell["language"], cell["bucket"]): cell for cell in of_model}


def test_map_has_every_cell_with_its_counts() -> None:
    found = ChanceMap(profile(), ("a", "new"), BUCKETS).of("default", Capability(profile()))
    assert (found["tasks"], found["languages"]) == (("default", "sums"), ("de", "en", "unknown"))
    assert ChanceMap(profile(), ("a",), BUCKETS).most_measured == "default"
    assert found["buckets"] == ["<=128", ">128"]
    assert len(cells(found, "a")) == 6
    assert (cells(found, "a")["en", 0]["correct"], cells(found, "a")["en", 0]["tried"]) == (9, 10)
    assert cells(found, "a")["en", 1]["tried"] == cells(found, "new")["en", 0]["tried"] == 0
    low, high = cells(found, "a")["en", 0]["interval"]
    assert low < cells(found, "a")["en", 0]["probability"] < high


def test_map_shows_what_was_learned() -> None:
    learner = Learner(Capability(profile()), ("a",))
    before = ChanceMap(profile(), ("a",), BUCKETS).of("default", learner)
    for _ in range(20):
        learner.observe("a", Cell("default", "en", 0), correct=False)
    after = ChanceMap(profile(), ("a",), BUCKETS).of("default", learner)
    assert cells(after, "a")["en", 0]["probability"] < cells(before, "a")["en", 0]["probability"] - 0.1


@pytest.mark.parametrize("language", ["en", "xx"])
def test_tables_of_a_learner_are_its_estimates(language: str) -> None:
    learner = Learner(Capability(profile()), ("a", "new"))
    learner.observe("a", Cell("sums", "en", 0), correct=True)
    tables = learner.tables(("new", "a"), task="sums", language=language)
    estimate = learner.estimate("a", Cell("sums", language, 1))
    found = np.array([tables.probability[1, 1], tables.low[1, 1], tables.high[1, 1]])
    assert found == pytest.approx([estimate.probability, estimate.low, estimate.high])
