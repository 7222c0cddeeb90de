from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.measuring.merging import MergeError, merge_profiles
from profiles.measuring.prompt_set import num_shared, prompt_set, union
from profiles.profile import Profile

Cells = tuple[tuple[str, int, int, int], ...]


def model(overhead_s: float, cells: Cells, **other: Any) -> dict[str, Any]:
    """`cells` are (language, bucket, correct, tried) of the task lookup."""
    return {
        "latency": {"overhead_s": overhead_s, "prefill_s_per_token": 0.0, "decode_s_per_token": 0.1},
        "chars_per_token": {"unknown": overhead_s},
        "chars_per_symbol_token": 1.0,
        "output_tokens": {"lookup": 10.0},
        "cells": [
            {"task": "lookup", "language": language, "bucket": bucket, "correct": correct, "tried": tried}
            for language, bucket, correct, tried in cells
        ],
        **other,
    }


def profile(
    at: str,
    models: Mapping[str, Any],
    *,
    seed: int | None,
    edges: tuple[int, ...] = (128, 512),
    period: tuple[str, str] | None = None,
    prompts: tuple[str, ...] = (),
) -> Profile:
    measured: dict[str, Any] = {
        "at": f"2030-01-{at}",
        "hardware": "a processor",
        "software": {},
        "command": f"command of {at}",
        "workloads": ["lookup"],
        "seed": seed,
        "temperature": 0,
        "prompts_per_cell": 10,
        "prompts": prompt_set(prompts),
        "log_periods": [] if period is None else [[f"2030-01-{day}T00:00Z" for day in period]],
    }
    return Profile.model_validate({"version": 1, "measured": measured, "bucket_edges": edges, "models": models})


def counts(merged: Profile, name: str) -> list[tuple[str, int, int, int]]:
    return [(c.language, c.bucket, c.correct, c.tried) for c in merged.models[name].cells]


OLD = profile("01", {"a": model(1.0, (("en", 0, 3, 10), ("en", 1, 1, 10)))}, seed=1)
NEW = profile("02", {"a": model(2.0, (("de", 0, 5, 10), ("en", 0, 4, 10)))}, seed=2)


def test_counts_add_up() -> None:
    assert counts(merge_profiles(OLD, NEW, command="m"), "a") == [("de", 0, 5, 10), ("en", 0, 7, 20), ("en", 1, 1, 10)]


@pytest.mark.parametrize(("one", "other"), [(OLD, NEW), (NEW, OLD)], ids=["in order", "in reverse"])
def test_latency_is_that_of_the_newer_one_whatever_the_order(one: Profile, other: Profile) -> None:
    assert merge_profiles(one, other, command="m").models["a"].latency.overhead_s == 2.0


def test_profile_is_not_merged_in_a_second_time() -> None:
    merged = merge_profiles(OLD, NEW, command="m")
    with pytest.raises(MergeError, match="seed 1 and have a's lookup, en, bucket 0"):
        merge_profiles(merged, OLD, command="m")


def test_languages_that_only_the_older_one_has_keep_their_characters_per_token() -> None:
    old = profile("01", {"a": model(1.0, (), chars_per_token={"unknown": 1.0, "de": 6.0})}, seed=1)
    assert merge_profiles(old, NEW, command="m").models["a"].chars_per_token == {"unknown": 2.0, "de": 6.0}


def test_output_tokens_are_weighted_by_what_was_tried() -> None:
    one = profile("01", {"a": model(1.0, (("en", 0, 0, 30),), output_tokens={"lookup": 10.0})}, seed=1)
    other = profile("02", {"a": model(1.0, (("de", 0, 0, 10),), output_tokens={"lookup": 30.0})}, seed=2)
    assert merge_profiles(one, other, command="m").models["a"].output_tokens == {"lookup": 15.0}


def test_models_of_either_are_kept_as_they_are() -> None:
    other = profile("02", {"b": model(2.0, (("en", 0, 9, 10),))}, seed=1)
    merged = merge_profiles(OLD, other, command="m")
    assert merged.models == {"a": OLD.models["a"], "b": other.models["b"]}


def test_pairs_add_up() -> None:
    models = {"a": model(1.0, ()), "b": model(1.0, ())}
    pair = {"failed": "a", "model": "b", "task": "lookup", "language": "en", "bucket": 0, "correct": 1, "tried": 3}
    one, other = (
        Profile.model_validate(profile(at, models, seed=seed).model_dump() | {"pairs": [pair]})
        for at, seed in (("01", 1), ("02", 2))
    )
    assert [(p.correct, p.tried) for p in merge_profiles(one, other, command="m").pairs] == [(2, 6)]


def test_origin_of_both_is_told() -> None:
    merged = merge_profiles(OLD, NEW, command="laar profile merge")
    assert merged.measured.command == "laar profile merge"
    assert "command of 01" in merged.measured.note
    assert "command of 02" in merged.measured.note


def test_other_bucket_edges_are_refused() -> None:
    with pytest.raises(MergeError, match=r"bucket_edges differ: \[128, 512\] and \[128\]"):
        merge_profiles(OLD, profile("02", {}, seed=2, edges=(128,)), command="m")


def test_assumed_figures_are_not_mixed_with_measured_ones() -> None:
    assumed = Profile.model_validate(NEW.model_dump() | {"measured": NEW.measured.model_dump() | {"assumed": True}})
    with pytest.raises(MergeError, match=r"measured\.assumed differ: False and True"):
        merge_profiles(OLD, assumed, command="m")


def test_same_prompts_are_not_counted_twice() -> None:
    with pytest.raises(MergeError, match="both were measured with seed 1 and have a's lookup, en, bucket 0"):
        merge_profiles(OLD, OLD, command="m")


def test_cells_of_unrecognised_language_may_share_a_seed() -> None:
    one = profile("01", {"a": model(1.0, (("unknown", 0, 1, 2), ("en", 0, 1, 2)))}, seed=1)
    other = profile("02", {"a": model(1.0, (("unknown", 0, 1, 2), ("de", 0, 1, 2)))}, seed=1)
    assert counts(merge_profiles(one, other, command="m"), "a")[2] == ("unknown", 0, 2, 4)


def logged(since: str, until: str, language: str = "en") -> Profile:
    cells: Cells = ((language, 0, 1, 2),)
    return profile(until, {"a": model(1.0, cells)}, seed=None, period=(since, until))


def test_live_traffic_of_separate_times_adds_up() -> None:
    merged = merge_profiles(logged("01", "05"), logged("05", "09"), command="m")
    assert counts(merged, "a") == [("en", 0, 2, 4)]
    assert [(start.day, end.day) for start, end in merged.measured.log_periods] == [(1, 5), (5, 9)]


@pytest.mark.parametrize("language", [pytest.param("en", id="known"), pytest.param("unknown", id="unknown")])
def test_live_traffic_of_the_same_time_is_not_counted_twice(language: str) -> None:
    earlier, later = logged("01", "06", language), logged("05", "09", language)
    told = f"live traffic from 2030-01-05T00:00:00Z to 2030-01-06T00:00:00Z and have a's lookup, {language}, bucket 0"
    with pytest.raises(MergeError, match=told):
        merge_profiles(earlier, later, command="m")
    merged = merge_profiles(earlier, logged("06", "07", language), command="m")
    with pytest.raises(MergeError, match=told):
        merge_profiles(merged, later, command="m")


def test_live_traffic_clashes_with_no_seed() -> None:
    measured = profile("01", {"a": model(1.0, (("en", 0, 3, 10),))}, seed=0)
    merged = merge_profiles(measured, logged("01", "05"), command="m")
    assert counts(merged, "a") == [("en", 0, 4, 12)]
    assert merged.measured.merged_seeds == (0,)
    assert "on a processor, live traffic: command of 05" in merged.measured.note


MINE = {"a": model(1.0, (("en", 0, 1, 2),))}


def test_prompts_that_both_counted_are_refused_whatever_their_seeds() -> None:
    one = profile("01", MINE, seed=1, prompts=("p", "q"))
    other = profile("02", MINE, seed=2, prompts=("q", "r"))
    with pytest.raises(MergeError, match="both counted the same 1 prompts and have a's lookup, en, bucket 0"):
        merge_profiles(one, other, command="m")


def test_different_prompts_of_one_seed_are_merged_and_remembered() -> None:
    one = profile("01", MINE, seed=1, prompts=("p", "q"))
    merged = merge_profiles(one, profile("02", MINE, seed=1, prompts=("r",)), command="m")
    assert counts(merged, "a") == [("en", 0, 2, 4)]
    with pytest.raises(MergeError, match="the same 1 prompts"):
        merge_profiles(merged, profile("03", MINE, seed=3, prompts=("r", "s")), command="m")


def test_the_same_prompts_of_other_models_count_once_each() -> None:
    other = profile("02", {"b": model(1.0, (("en", 0, 1, 2),))}, seed=1, prompts=("p",))
    assert merge_profiles(profile("01", MINE, seed=1, prompts=("p",)), other, command="m").models.keys() == {"a", "b"}


def test_a_merger_with_a_profile_that_does_not_say_its_prompts_goes_by_seeds() -> None:
    silent = profile("01", MINE, seed=1)
    merged = merge_profiles(silent, profile("02", MINE, seed=2, prompts=("p",)), command="m")
    assert merged.measured.prompts == ""
    with pytest.raises(MergeError, match="both were measured with seed 1"):
        merge_profiles(merged, profile("03", MINE, seed=1, prompts=("r",)), command="m")


def test_live_traffic_has_no_prompts_to_say() -> None:
    traffic = profile("01", MINE, seed=None, period=("01", "02"))
    merged = merge_profiles(traffic, profile("02", MINE, seed=2, prompts=("p",)), command="m")
    assert merged.measured.prompts == prompt_set(["p"])


@given(st.sets(st.text()), st.sets(st.text()))
def test_sets_of_prompts_are_sets(one: set[str], other: set[str]) -> None:
    a, b = prompt_set(one), prompt_set(other)
    assert num_shared(a, b) == len(one & other)
    assert union(a, b) == prompt_set(one | other)
