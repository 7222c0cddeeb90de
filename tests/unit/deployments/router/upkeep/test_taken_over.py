"""Limits and profiles that a running router takes over."""

from unittest.mock import MagicMock

import numpy as np
import pytest

from deployments.router.choice.chances import Chances, HeardVerdict
from deployments.router.choice.routing import Routing
from deployments.router.model import Model
from deployments.router.settings import Limits
from deployments.router.text.counted import counted_rates, sample_texts
from deployments.router.text.features import extract
from deployments.router.upkeep.taken_over import limits_in, profile_in, rest_on
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.profile import Profile
from tests.unit.profiles.chances.test_capability import cell, profile

CONFIGURED = Limits(deadline_s=60, attempt_timeout_s=30, max_attempts=4)
CELL = Cell("default", "en", 0)
FIRST = profile({"a": [cell("en", 0, 80, 100)], "b": [cell("en", 0, 50, 100)]})
SECOND = profile({"a": [cell("en", 0, 20, 100)], "b": [cell("en", 0, 50, 100)]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("max_attempts: 2\n", CONFIGURED.model_copy(update={"max_attempts": 2}), id="yaml"),
        pytest.param('{"deadline_s": 40}', CONFIGURED.model_copy(update={"deadline_s": 40.0}), id="json"),
        pytest.param("", CONFIGURED, id="nothing"),
    ],
)
def test_a_file_of_limits_changes_those_that_it_names(text: str, expected: Limits) -> None:
    assert limits_in(text.encode(), CONFIGURED) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("max_attempts: [", "^no YAML, line ", id="no-yaml"),
        pytest.param("max_attempts: 3\nmax_attempts: 9", "^line 2: key 'max_attempts' stands in line 1", id="twice"),
        pytest.param("- 1", "is no mapping", id="list"),
        pytest.param("max_atempts: 2", "max_atempts: Extra inputs", id="unknown-name"),
        pytest.param("max_attempts: 0", "max_attempts: Input should be greater than 0", id="bound"),
        pytest.param("deadline_s: 20", "must not exceed deadline_s", id="one-against-another"),
        pytest.param("deadline_s: 61", "longer than limits.deadline_s of the config", id="longer-than-replicas-wait"),
    ],
)
def test_limits_that_cannot_be_are_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        limits_in(text.encode(), CONFIGURED)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b'{"version": 1}', "models: Field required", id="no-profile"),
        pytest.param(b"version: 1", "^Invalid JSON", id="no-json"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_in_one_line(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refusal:
        profile_in(content)
    assert "\n" not in str(refusal.value)


def routing(of: Profile) -> Routing:
    models = [Model(name=name, context_tokens=4096) for name in ("a", "b")]
    return Routing(models=models, profile=of, policy="laar", detector=MagicMock())


def teach(student: Routing, count: int, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        student.observe(HeardVerdict(str(rng.choice(["a", "b"])), CELL, bool(rng.random() < 0.6)))


async def test_another_profile_counts_with_every_verdict_learned_before() -> None:
    changed, fresh = routing(FIRST), routing(SECOND)
    teach(changed, 200)
    await rest_on(changed, SECOND, lambda: None)
    teach(fresh, 200)
    estimates = [[each.chances.source.estimate(m, CELL) for m in ("a", "b")] for each in (changed, fresh)]
    assert estimates[0] == estimates[1]
    # and it moved: by the profile alone a would be right in a fifth
    assert estimates[0][0].probability > Capability(SECOND).estimate("a", CELL).probability + 0.1
    assert changed.profile is SECOND


async def test_verdicts_that_come_meanwhile_are_learned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    changed, fresh = routing(FIRST), routing(SECOND)
    teach(changed, 60)
    learn_again, late = Chances.learn_again, iter([7, 3])

    def with_late_ones(self: Chances, former: Chances, most: int) -> bool:
        teach(changed, next(late, 0), seed=2)
        return learn_again(self, former, most)

    monkeypatch.setattr(Chances, "learn_again", with_late_ones)
    await rest_on(changed, SECOND, lambda: None)
    teach(fresh, 60)
    teach(fresh, 7, seed=2)
    teach(fresh, 3, seed=2)
    assert changed.chances.source.estimate("a", CELL) == fresh.chances.source.estimate("a", CELL)


async def test_only_the_latest_verdicts_are_kept_to_be_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.router.choice.chances.MAX_REPLAYED", 10)
    changed, fresh = routing(FIRST), routing(SECOND)
    teach(changed, 30)
    for _ in range(10):
        for student in (changed, fresh):
            student.observe(HeardVerdict("a", CELL, False))
    await rest_on(changed, SECOND, lambda: None)
    assert changed.chances.source.estimate("a", CELL) == fresh.chances.source.estimate("a", CELL)


async def test_a_profile_of_other_lengths_is_refused_and_changes_nothing() -> None:
    kept = routing(FIRST)
    with pytest.raises(ValueError, match=r"bucket_edges: \[64\]; a running router keeps \[128, 512\]"):
        await rest_on(kept, SECOND.model_copy(update={"bucket_edges": (64,)}), lambda: None)
    assert kept.profile is FIRST


async def test_another_profile_leaves_what_the_models_own_tokenizers_have_shown() -> None:
    found = routing(FIRST)
    features = extract(["Wie lange dauert es? " * 20], detector=MagicMock(), language="de")
    rates = counted_rates([3 * len(text) for text in sample_texts()])
    found.take_rates("a", rates)
    shown = found.tokens.estimate(features)
    found.tokens.learn("a", "de", estimated=1000, counted=1500)
    found.take_rates("a", rates)
    assert found.tokens.estimate(features)[0] > shown[0], "the same again undoes nothing that requests taught"
    await rest_on(found, SECOND, lambda: None)
    assert found.tokens.estimate(features).tolist() == shown.tolist()
    assert shown[0] > 2 * shown[1]
