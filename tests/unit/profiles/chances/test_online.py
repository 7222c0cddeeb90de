import numpy as np
import pytest

from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.chances.drift import Direction
from profiles.chances.online import Learner
from profiles.chances.trust import Trusts
from profiles.profile import CellCounts, CheckCounts, PairCounts, Profile, VerdictTally
from tests.unit.profiles.chances.test_capability import profile

MODELS = ("m", "n")


def measured(*, tried: int = 100, pairs: tuple[PairCounts, ...] = ()) -> Profile:
    """`m` is right at 0.9, `n` at 0.3, in two languages, at two lengths and on two tasks."""
    tasks = ("default", "sums")
    return profile(
        {
            name: [
                CellCounts(task=task, language=language, bucket=bucket, correct=round(share * tried), tried=tried)
                for task in tasks
                for language in ("en", "de")
                for bucket in (0, 1)
            ]
            for name, share in (("m", 0.9), ("n", 0.3))
        },
        pairs,
    )


def learner(*, half_life_verdicts: float = 1000.0, found: Profile | None = None) -> Learner:
    return Learner(Capability(found or measured()), MODELS, half_life_verdicts=half_life_verdicts)


def chance(found: Learner, model: str = "m", *, task: str = "default", language: str = "en", bucket: int = 0) -> float:
    return float(found.table(task=task, language=language)[MODELS.index(model), bucket])


def feed(
    found: Learner,
    verdicts: int,
    share: float,
    *,
    model: str = "m",
    language: str = "en",
    task: str = "default",
    seed: int = 1,
) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(verdicts):
        found.observe(model, Cell(task, language, 0), correct=bool(rng.random() < share))


def test_without_verdicts_it_says_what_the_profile_says() -> None:
    found, offline = learner(), Capability(measured())
    where = {"task": "default", "language": "en"}
    assert found.table(**where) == pytest.approx(offline.tables(MODELS, **where).probability)


def test_wrong_answer_lowers_the_chance_and_a_right_one_raises_it() -> None:
    found = learner()
    before = chance(found)
    found.observe("m", Cell("default", "en", 0), correct=False)
    lower = chance(found)
    found.observe("m", Cell("default", "en", 0), correct=True)
    assert lower < before
    assert lower < chance(found)


def test_other_models_are_left_alone() -> None:
    found = learner()
    before = chance(found, "n")
    feed(found, 50, 0.0)
    assert chance(found, "n") == before


def test_verdicts_tell_most_of_their_own_cell_and_something_of_the_models_others() -> None:
    found = learner()
    before = {
        (task, lang): chance(found, task=task, language=lang) for task in ("default", "sums") for lang in ("en", "de")
    }
    feed(found, 30, 0.0)
    falls = {key: value - chance(found, task=key[0], language=key[1]) for key, value in before.items()}
    assert falls["default", "en"] > falls["default", "de"] > falls["sums", "de"] > 0.05


@pytest.mark.parametrize("seed", range(5))
def test_changed_accuracy_is_found_again(seed: int) -> None:
    found = learner()
    feed(found, 300, 0.4, seed=seed)
    assert chance(found) == pytest.approx(0.4, abs=0.13)


@pytest.mark.parametrize("seed", range(5))
def test_unchanged_accuracy_stays_where_it_is(seed: int) -> None:
    found = learner()
    feed(found, 1000, 0.9, seed=seed)
    assert chance(found) == pytest.approx(0.9, abs=0.05)


def test_shorter_half_life_follows_faster_after_long_stability() -> None:
    quick, slow = (learner(half_life_verdicts=verdicts) for verdicts in (50.0, 5000.0))
    for found in (quick, slow):
        feed(found, 500, 0.9)
        for _ in range(5):
            found.observe("m", Cell("default", "en", 0), correct=False)
    assert chance(quick) < chance(slow) - 0.05


def test_interval_narrows_with_verdicts_and_holds_the_chance() -> None:
    found = learner()
    where = Cell("default", "en", 0)
    before = found.estimate("m", where)
    feed(found, 200, 0.9)
    after = found.estimate("m", where)
    assert after.high - after.low < before.high - before.low
    assert after.low < chance(found) < after.high


def test_wrong_answer_after_anothers_failure_is_less_of_a_surprise() -> None:
    pairs = (PairCounts(failed="n", model="m", language="en", bucket=0, correct=5, tried=100),)
    plain, conditioned = learner(found=measured(pairs=pairs)), learner(found=measured(pairs=pairs))
    plain.observe("m", Cell("default", "en", 0), correct=False)
    conditioned.observe("m", Cell("default", "en", 0), correct=False, failed=["n"])
    assert chance(plain) < chance(conditioned) < chance(learner(found=measured(pairs=pairs)))


def test_selection_by_earlier_failures_raises_no_alarm() -> None:
    pairs = (PairCounts(failed="n", model="m", language="en", bucket=0, correct=40, tried=100),)
    found = learner(found=measured(pairs=pairs))
    rng = np.random.default_rng(3)
    for _ in range(300):
        correct = bool(rng.random() < 0.4)
        assert not found.observe("m", Cell("default", "en", 0), correct=correct, failed=["n"])


def test_alarm_makes_it_learn_faster() -> None:
    found = learner()
    feed(found, 2000, 0.9)
    alarms = []
    for _ in range(100):
        alarms += found.observe("m", Cell("default", "en", 0), correct=False)
        if alarms:
            break
    before = found.estimate("m", Cell("default", "de", 0))
    assert alarms[0].model == "m"
    assert before.high - before.low > 0.5


@pytest.mark.parametrize("verdicts", [3, 200])
def test_chances_read_seldom_are_those_read_after_every_verdict(verdicts: int) -> None:
    rng = np.random.default_rng(1)
    often, seldom = learner(), learner()
    for found in (often, seldom):
        found.table(task="default", language="de")
    for _ in range(verdicts):
        model, bucket, correct = str(rng.choice(MODELS)), int(rng.integers(2)), bool(rng.random() < 0.5)
        for found in (often, seldom):
            found.observe(model, Cell("default", "en", bucket), correct=correct)
        often.table(task="default", language="de")
    read = seldom.table(task="default", language="de")
    assert np.array_equal(read, often.table(task="default", language="de"))
    assert np.array_equal(read, seldom.tables(MODELS, task="default", language="de").probability)


def test_draws_spread_as_far_as_is_believed() -> None:
    found = learner()
    rng = np.random.default_rng(1)
    draws = np.array([found.draw(rng, task="default", language="en")[0, 0] for _ in range(500)])
    estimate = found.estimate("m", Cell("default", "en", 0))
    assert np.median(draws) == pytest.approx(estimate.probability, abs=0.02)
    assert 0.92 < ((draws > estimate.low) & (draws < estimate.high)).mean() < 0.98


def test_draws_go_by_the_profile_again_until_a_verdict_says_what_was_believed() -> None:
    found, cell = learner(half_life_verdicts=20), Cell("default", "en", 0)

    def drawn() -> float:
        rng = np.random.default_rng(1)
        return float(np.median([found.draw(rng, task="default", language="en")[0, 0] for _ in range(100)]))

    for model in ["m"] * 40 + ["n"] * 100:
        found.observe(model, cell, correct=False)
    assert chance(found) < 0.1
    assert drawn() > 0.8
    # one right answer is little against many wrong ones, and a reason to ask on
    found.observe("m", cell, correct=True)
    assert chance(found) < 0.2
    assert drawn() > 0.8
    found.observe("m", cell, correct=False)
    assert drawn() < 0.3


def test_languages_nobody_profiled_share_what_is_learned() -> None:
    found = learner()
    feed(found, 30, 0.0, language="sw")
    assert chance(found, language="xx") == chance(found, language="sw")


def test_one_verdict_moves_no_well_profiled_chance_by_more_than_a_twentieth() -> None:
    for share in (True, False):
        found = learner()
        for _ in range(20):
            before = [chance(found, model) for model in MODELS]
            found.observe("m", Cell("default", "en", 0), correct=share)
            assert abs(chance(found) - before[0]) <= 0.0501


def test_what_one_key_teaches_is_learned_where_no_others_teach() -> None:
    found = learner()
    for _ in range(300):
        found.observe("m", Cell("default", "en", 0), correct=False, tenant="only")
    assert chance(found) < 0.1


def test_lone_key_moves_others_by_little_against_the_profile_and_itself_by_all_it_said() -> None:
    found, first = learner(), np.zeros(2, dtype=np.intp)
    for turn in range(1000):
        found.observe("m", Cell("default", "en", 0), correct=turn % 10 == 0, tenant="liar")
        found.observe("n", Cell("default", "en", 0), correct=turn % 10 != 0, tenant="liar")
    where = {"task": "default", "language": "en"}
    believed = found.table(**where)[:, 0]
    for tenant in ("liar", "another"):
        seen = found.bounded(believed, tenant, buckets=first, **where)
        assert bool(seen[0] > seen[1]) is (tenant == "another")


@pytest.mark.parametrize("keys", [pytest.param("a", id="two"), pytest.param("ab", id="three")])
def test_a_key_raises_no_alarm_that_others_contradict(keys: str) -> None:
    rng, found, cell = np.random.default_rng(5), learner(), Cell("default", "en", 0)
    alarms = []
    for turn in range(60):
        for key in keys:
            alarms += found.observe("m", cell, correct=bool(rng.random() < 0.9), tenant=key)
        # the others have spoken of the model before
        for _ in range(5 if turn >= 5 else 0):
            alarms += found.observe("m", cell, correct=False, tenant="liar")
    assert alarms == []


@pytest.mark.parametrize("num_keys", [1, 2, 3, 4, 8])
def test_a_change_that_all_keys_see_raises_the_alarm_however_many_they_are(num_keys: int) -> None:
    found, cell, alarmed_after = learner(), Cell("default", "en", 0), 0
    while not found.drift.alarms:
        alarmed_after += 1
        found.observe("m", cell, correct=alarmed_after <= 100, tenant=f"key {alarmed_after % num_keys}")
    assert 100 < alarmed_after < 130


def test_feedback_teaches_less_than_a_check() -> None:
    said, checked = learner(found=measured(tried=5)), learner(found=measured(tried=5))
    said.observe("m", Cell("default", "en", 0), correct=False, check="feedback")
    checked.observe("m", Cell("default", "en", 0), correct=False)
    assert chance(checked) < chance(said) < chance(learner(found=measured(tried=5)))


@pytest.mark.parametrize(
    ("beside", "teaches"),
    [
        pytest.param(None, True, id="nothing"),
        pytest.param(("judge", True), True, id="unmeasured-judge"),
        pytest.param(("trivial", True), True, id="trivial-check"),
        pytest.param(("measured", True), False, id="measured-judge"),
        pytest.param(("measured", None), True, id="measured-judge-that-could-not-tell"),
    ],
)
def test_an_answer_teaches_once_whoever_judged_it(beside: tuple[str, bool | None] | None, teaches: bool) -> None:
    tallies = VerdictTally(correct=90, wrong=10), VerdictTally(correct=10, wrong=90)
    judge = CheckCounts(check="measured", language="en", right=tallies[0], wrong=tallies[1])
    found = Learner(Capability(measured(tried=5)), MODELS, trusts=Trusts.of([judge]))
    before = chance(found)
    found.observe("m", Cell("default", "en", 0), correct=False, check="feedback", beside=beside)
    assert (chance(found) < before) is teaches


def test_right_answers_after_anothers_failures_show_that_a_model_became_better() -> None:
    """Where no pair was measured a failure elsewhere may explain wrong answers, and never right ones."""
    found = learner()
    alarms = []
    for _ in range(100):
        alarms += found.observe("n", Cell("default", "en", 0), correct=True, failed=["m"])
    assert {(alarm.model, alarm.direction) for alarm in alarms} == {("n", Direction.BETTER)}
    assert chance(found, "n") > 0.8
