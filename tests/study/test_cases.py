"""What verdicts, few prompts and other tenants do to estimates: the cases of docs/policy.md, with its figures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from deployments.router.choice.chances import Chances, HeardVerdict
from deployments.router.settings import Learning
from deployments.router.text.features import Features
from deployments.router.text.tokens import TokenEstimator
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.chances.online import Learner
from profiles.profile import CellCounts, load_profile
from tests.study.test_learning import CELL, TRUTH, agreement, believed, known
from tests.unit.profiles.chances.test_capability import profile
from tests.unit.profiles.chances.test_online import MODELS, measured

PAGE = Path(__file__).parents[2] / "docs/policy.md"
LANGUAGES = ("en", "de", "fr", "es")
# models, tasks, languages, lengths
SHAPE = (5, 2, len(LANGUAGES), 6)
EDGES = (128, 256, 512, 1024, 2048)
# what differs, in log-odds, by these axes together
SCALES = {(0,): 1.0, (1,): 0.5, (2,): 0.7, (0, 2): 0.3, (0, 1, 2, 3): 0.2}
LOOKUP = Cell("lookup", "en", 0)


def agreed() -> str:
    return ", ".join(f"{chance:.2f}" for chance in believed(TRUTH, agreement, tried=300, seed=0).values())


def after_failures() -> str:
    """Of a model that is right at 0.6, and at 0.1 (0.35) on what others fail on; no pair was measured."""
    told = []
    for chance in (0.1, 0.35):
        rng, chances = np.random.default_rng(0), Chances(known({"a": 0.5, "b": 0.6}, 300), ("a", "b"), Learning())
        for _ in range(2000):
            chances.observe(HeardVerdict("b", CELL, bool(rng.random() < chance), failed=("a",)))
        assert not chances.drifting
        told.append(chances.source.estimate("b", CELL).probability)
    return f"{told[0]:.2f} ({told[1]:.2f}), no alarm"


def shorter() -> str:
    """Mean error, and how many intervals hold the truth, where only longer prompts were measured."""
    found = np.array([one for seed in range(20) for one in _shorter_in_a_world(np.random.default_rng(seed))])
    return f"{found[:, 0].mean():+.3f}; {found[:, 1].mean():.2f}"


def _shorter_in_a_world(rng: np.random.Generator) -> Iterator[tuple[float, bool]]:
    log_odds = -0.4 * np.arange(SHAPE[3]) + np.zeros(SHAPE)
    for axes, scale in SCALES.items():
        log_odds += rng.normal(0, scale, [size if axis in axes else 1 for axis, size in enumerate(SHAPE)])
    truth = expit(log_odds)
    tried = rng.integers(5, 21, SHAPE) * (rng.random(SHAPE) > 0.3)
    correct = rng.binomial(tried, truth)
    cells: dict[str, list[CellCounts]] = {f"m{number}": [] for number in range(SHAPE[0])}
    for (model, task, language, bucket), count in np.ndenumerate(tried):
        if count:
            counts = {"correct": int(correct[model, task, language, bucket]), "tried": int(count)}
            cell = CellCounts(task=f"t{task}", language=LANGUAGES[language], bucket=bucket, **counts)
            cells[f"m{model}"].append(cell)
    capability = Capability(profile(cells, edges=EDGES))
    for task, language in np.ndindex(SHAPE[1:3]):
        tables = capability.tables(tuple(cells), task=f"t{task}", language=LANGUAGES[language])
        for model in range(SHAPE[0]):
            for bucket in range(int(np.argmax(tried[model, task, language] > 0))):
                true = truth[model, task, language, bucket]
                is_held = tables.low[model, bucket] <= true <= tables.high[model, bucket]
                yield tables.probability[model, bucket] - true, bool(is_held)


def lone_key() -> str:
    """The best model on look-ups by the profile `embedded`, after 1, 5 and 10 false verdicts: what others go by."""
    return _called_wrong(others=0, counts=(1, 5, 10))


def beside_ten() -> str:
    """The same beside ten keys that teach 20 verdicts each by what the profile says, and 1,000 false ones."""
    return _called_wrong(others=10, counts=(1, 5, 10, 1000))


def _called_wrong(*, others: int, counts: tuple[int, ...]) -> str:
    found, rng = load_profile("embedded"), np.random.default_rng(0)
    chances = Chances(found, tuple(found.models), Learning())
    truth = {model: chances.source.estimate(model, LOOKUP).probability for model in chances.models}
    best = max(truth, key=lambda model: truth[model])

    def seen() -> str:
        buckets = np.zeros(len(chances.models), dtype=np.intp)
        told = chances.probabilities(LOOKUP.task, LOOKUP.language, buckets, tenant="another")
        return f"{told[chances.models.index(best)]:.2f}"

    for number in range(20 * others):
        for model, chance in truth.items():
            chances.observe(HeardVerdict(model, LOOKUP, bool(rng.random() < chance), tenant=f"{number % others}"))
    told = [seen()]
    for number in range(1, max(counts) + 1):
        chances.observe(HeardVerdict(best, LOOKUP, correct=False, tenant="liar"))
        told += [seen()] if number in counts else []
    return ", ".join(told)


def japanese_beside_french() -> str:
    """Tokens of a French prompt of another key, before and after 16 Japanese ones that had four times the estimate."""
    found = load_profile("embedded")
    names = tuple(found.models)
    tokens = TokenEstimator(names, [found.models[name] for name in names])
    french = Features(language="fr", language_confidence=1.0, num_chars=700, symbol_share=0.0, task="default")
    before = tokens.estimate(french, "another").tolist()
    for _ in range(16):
        tokens.learn(names[0], "ja", estimated=386, counted=1545, tenant="one")
    return f"{tokens.estimate(french, 'another').tolist()[0] / before[0]:.2f} times"


@pytest.mark.parametrize(
    ("case", "now"),
    [
        pytest.param("agreement", agreed, id="agreement"),
        pytest.param("after others' failures", after_failures, id="after-failures"),
        pytest.param("shorter than measured", shorter, id="shorter"),
        pytest.param("a lone key", lone_key, id="lone-key"),
        pytest.param("the same key", beside_ten, id="beside-ten"),
        pytest.param("16 Japanese prompts", japanese_beside_french, id="tokens"),
    ],
)
def test_page_has_the_figures_of_now(case: str, now: Callable[[], str]) -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {case}")]
    assert row.strip("|").split("|")[-1].strip() == now()


@pytest.mark.parametrize("check", [pytest.param(None, id="check"), pytest.param("feedback", id="feedback")])
@pytest.mark.parametrize("lies", [pytest.param(when, id=f"{when}-others") for when in ("before", "among", "after")])
def test_key_that_lies_a_thousand_times_among_ten_honest_ones_changes_no_first_choice(
    lies: str, check: str | None
) -> None:
    rng, found, cell = (
        np.random.default_rng(3),
        Learner(Capability(measured(tried=40)), MODELS),
        Cell("default", "en", 0),
    )

    def lie(times: int) -> None:
        for _ in range(times):
            found.observe("m", cell, correct=False, tenant="liar", check=check)
            found.observe("n", cell, correct=True, tenant="liar", check=check)
        assert first_choices() == {"m"}

    def first_choices() -> set[str]:
        believed = found.table(task="default", language="en")[:, 0]
        where, buckets = {"task": "default", "language": "en"}, np.zeros(2, dtype=np.intp)
        seen = (found.bounded(believed, f"honest-{number}", buckets=buckets, **where) for number in range(10))
        return {MODELS[int(chances.argmax())] for chances in seen}

    lie(1000 if lies == "before" else 0)
    for _ in range(50):
        for number in range(10):
            for model, share in (("m", 0.9), ("n", 0.3)):
                found.observe(model, cell, correct=bool(rng.random() < share), tenant=f"honest-{number}")
        lie(20 if lies == "among" else 0)
    lie(1000 if lies == "after" else 0)
