from collections import defaultdict
from random import Random
from statistics import median
from typing import Any

import pytest

from profiles.chances.shares import FREE_VERDICTS, LEAST_OTHERS, Shares

KEPT = 0.9


@pytest.mark.parametrize("num_keys", [pytest.param(3, id="too-few"), pytest.param(9, id="many")])
def test_a_key_may_say_what_the_median_of_the_others_has_said_and_a_little_more(num_keys: int) -> None:
    shares, rng = Shares(kept=KEPT), Random(1)
    said: dict[tuple[str, str], float] = defaultdict(float)
    seen: set[str] = set()
    for _ in range(600):
        # some keys teach far more than others
        key, model = f"k{int(num_keys * rng.random() ** 3)}", rng.choice("ab")
        seen.add(key)
        others = [said[other, model] for other in seen - {key}]
        expected = 1.0
        if len(others) >= LEAST_OTHERS:
            expected = min(1.0, max(0.0, FREE_VERDICTS + median(others) - said[key, model]))
        found = shares.weigh(key, model)
        assert found == pytest.approx(expected, abs=1e-9)
        if found:
            for other in seen:
                said[other, model] *= KEPT
            said[key, model] += found


def test_a_key_that_teaches_costs_no_look_at_all_others() -> None:
    class Keys(dict[str, float]):
        num_read = 0

        def get(self, *asked: Any) -> Any:
            Keys.num_read += 1
            return super().get(*asked)

    shares = Shares(kept=1.0)
    for number in range(200):
        shares._by_key[f"k{number}"] = Keys()
        shares.weigh(f"k{number}", "m")
    Keys.num_read = 0
    shares.weigh("k7", "m")
    assert Keys.num_read < 5


def test_keys_beyond_the_most_are_forgotten_with_what_they_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.chances.shares.MOST_KEYS", 4)
    shares = Shares(kept=1.0)
    for number in range(8):
        assert shares.weigh(f"k{number}", "m") == 1.0
    assert sum(shares.weigh("k7", "m") for _ in range(20)) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("said", "of_others"),
    [
        pytest.param({}, set(), id="nobody-taught"),
        pytest.param({"a": 9}, {"b", "new"}, id="one-alone"),
        pytest.param({"a": 9, "b": 3}, {"b", "new"}, id="one-before-another"),
        pytest.param({"a": 9, "b": 3, "c": 3, "d": 1}, set(), id="enough-to-tell-a-liar"),
    ],
)
def test_few_keys_teach_for_others_only_within_bounds(said: dict[str, int], of_others: set[str]) -> None:
    shares = Shares(kept=1.0)
    for key, count in said.items():
        for _ in range(count):
            shares.weigh(key, "m")
    assert {key for key in ("a", "b", "new") if shares.is_of_others(key)} == of_others
