"""How long a check can hold up a router."""

import pytest

from scripts.bench.cost.checks import LIMIT_MS, PATTERNS, SPECS, TEXTS, LongestAnswer, longest, new_patterns

HOSTILE = {name: TEXTS[name] for name in ("ligatures", "marks", "squared words", "any letters", "stars", "json")}


def late(name: str, *, rounds: int, texts: tuple[str, ...] = tuple(HOSTILE)) -> list[LongestAnswer]:
    hostile = {text: HOSTILE[text] for text in texts}
    found = longest(SPECS[name], rounds=rounds, texts=hostile, languages=("zh",))
    return [one for one in found if one.place_ms + one.check_ms > LIMIT_MS]


@pytest.mark.parametrize("name", SPECS)
def test_a_check_in_a_router_is_over_in_two_milliseconds_whatever_the_text(name: str) -> None:
    suspects = tuple(one.text for one in late(name, rounds=5))
    # a busy machine makes the quickest of five rounds slower too, but not the quickest of many
    assert not suspects or late(name, rounds=100, texts=suspects) == []


@pytest.mark.parametrize("name", PATTERNS)
def test_a_new_pattern_holds_a_router_up_for_two_milliseconds_at_most(name: str) -> None:
    def late(rounds: int) -> bool:
        return any(one.blocks_ms > LIMIT_MS for one in new_patterns(rounds=rounds, parts={name: PATTERNS[name]}))

    assert not late(rounds=3) or not late(rounds=30)
