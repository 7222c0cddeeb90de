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


def test_all_is_counted_anew_once_there_are_enough_keys() -> None:
    shares = Shares(kept=1.0)
    for key in "aaaaaaaaaaaaaaaaaaaabcabc":
        assert not shares.begin_anew_with(key)
        shares.weigh(key, "m")
    assert shares.begin_anew_with("d")
    # with nothing said by the others a key may say five times what it likes
    assert [shares.weigh(key, "m") for key in "daaaaaa"] == [1.0] * 6 + [0.0]
    assert not shares.begin_anew_with("e")


def test_keys_that_have_said_what_they_may_can_say_more_in_time() -> None:
    shares = Shares(kept=0.99)
    for number in range(200):
        # each speaks of one of two models, so the median of the others has said nothing of it
        shares.weigh(f"k{number % 20}", "mn"[number % 2])
    counted = [shares.weigh(f"k{number % 20}", "mn"[number % 2]) for number in range(200)]
    assert 0 < max(counted) < 0.6
    assert sum(counted) > 40


def test_nothing_is_forgotten_where_no_key_had_said_more_than_it_may() -> None:
    shares = Shares(kept=1.0)
    for key in "aaaaaaaabbbc":
        shares.weigh(key, "m")
    assert not shares.begin_anew_with("d")
    assert [shares.weigh(key, "m") for key in "da"] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("said", "is_beside_others"),
    [
        pytest.param("a" * 9, False, id="alone"),
        pytest.param("a" * 9 + "b" * 4, False, id="beside-one-that-hardly-speaks"),
        pytest.param("a" * 9 + "b" * 5, True, id="beside-another"),
        pytest.param("a" * 9 + "bcdef", True, id="beside-five-that-hardly-speak"),
    ],
)
def test_others_have_to_say_so_too_once_they_speak_of_the_model(said: str, is_beside_others: bool) -> None:
    shares = Shares(kept=1.0)
    for key in said:
        shares.weigh(key, "m")
    assert shares.is_beside_others("a", "m") is is_beside_others
