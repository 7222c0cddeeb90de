import pytest

from scripts.bench.cost.checks import LIMIT_MS, SPECS, TEXTS, longest

HOSTILE = {name: TEXTS[name] for name in ("ligatures", "marks", "squared words", "any letters", "stars", "json")}


@pytest.mark.parametrize("name", SPECS)
def test_a_check_in_a_router_is_over_in_two_milliseconds_whatever_the_text(name: str) -> None:
    found = longest(SPECS[name], rounds=5, texts=HOSTILE, languages=("zh",))
    assert [one for one in found if one.place_ms + one.check_ms > LIMIT_MS] == []
