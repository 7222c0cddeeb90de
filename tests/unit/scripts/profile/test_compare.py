from collections.abc import Sequence

from deployments.log.database.store import Store
from deployments.log.reading.outcomes import logged_attempts
from profiles.measuring.logged_attempt import JudgedAttempt, LoggedAttempt
from profiles.profile import Latency, Profile
from scripts.profile.compare import compare, lines
from tests.unit.logged import NOON, asked, tried
from tests.unit.profiles.chances.test_capability import cell, profile


def of(a: int, b: int) -> Profile:
    found = profile({"a": [cell("en", 0, a, 100)], "b": [cell("en", 0, b, 100)]})
    second = Latency(overhead_s=1, prefill_s_per_token=0, decode_s_per_token=0)
    return found.model_copy(
        update={"models": {n: m.model_copy(update={"latency": second}) for n, m in found.models.items()}}
    )


def logged(store: Store, *requests: tuple[LoggedAttempt, ...]) -> Sequence[JudgedAttempt]:
    store.write([asked(number, *each, at_s=number) for number, each in enumerate(requests)])
    with store.engine.connect() as connection:
        return logged_attempts(connection, since=NOON, limit=10_000)


def test_profiles_that_prefer_other_models_choose_otherwise(store: Store) -> None:
    attempts = logged(store, *[(tried("a", "unverified"),)] * 4)
    found = compare(attempts, of(90, 50), of(50, 90))
    assert (found["requests"], found["otherwise"]) == (4, 1.0)
    assert found["changes"] == [{"from": "a", "to": "b", "requests": 4}]
    assert found["by_the_new"]["new_chance"] > found["by_the_new"]["former_chance"] + 0.2
    assert lines(found)[1] == "  a -> b: 4"
    assert compare(attempts, of(90, 50), of(80, 50))["otherwise"] == 0.0


def test_verdicts_of_the_log_count_on_top_of_both_profiles(store: Store) -> None:
    """Both learn that a is always wrong and b right, so that in the end they choose alike."""
    attempts = logged(store, *[(tried("a", "wrong"), tried("b"))] * 300)
    found = compare(attempts, of(60, 50), of(50, 60))
    assert 0 < found["otherwise"] < 0.5
