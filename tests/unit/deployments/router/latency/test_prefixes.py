"""What models have read of conversations."""

from collections.abc import Sequence

import pytest

from deployments.router.latency.prefixes import MAX_PREFIXES, MAX_TEXTS, ReadPrefixes, prefixes_of

FIRST = ("Be brief.", "What is a ferry?")
SECOND = (*FIRST, "A ship.", "How fast?")


@pytest.mark.parametrize(
    ("owner", "texts", "expected"),
    [
        pytest.param("key-a", FIRST, [0.0, 100.0], id="the-same"),
        pytest.param("key-a", SECOND, [0.0, 100.0], id="next-turn"),
        pytest.param("key-a", (*FIRST[:1], "Another?", *SECOND[2:]), None, id="another-question"),
        pytest.param("key-a", FIRST[:1], None, id="only-what-it-begins-with"),
        pytest.param("key-a", FIRST[1:], None, id="without-its-beginning"),
        pytest.param("key-b", SECOND, None, id="of-another-key"),
        pytest.param("key-a", (), None, id="no-texts"),
    ],
)
def test_beginning_that_a_model_has_read_is_known(
    owner: str, texts: Sequence[str], expected: list[float] | None
) -> None:
    found = ReadPrefixes(2)
    found.note(prefixes_of("key-a", FIRST), 1, 100.0)
    read = found.read_tokens(prefixes_of(owner, texts))
    assert (None if read is None else read.tolist()) == expected


def test_longest_beginning_of_each_model_counts() -> None:
    found = ReadPrefixes(3)
    found.note(prefixes_of("key-a", FIRST), 0, 100.0)
    found.note(prefixes_of("key-a", FIRST), 1, 100.0)
    found.note(prefixes_of("key-a", SECOND), 1, 150.0)
    read = found.read_tokens(prefixes_of("key-a", (*SECOND, "Fast.", "Thanks.")))
    assert read is not None
    assert read.tolist() == [100.0, 150.0, 0.0]


def test_only_the_prompts_that_were_read_last_are_remembered() -> None:
    found = ReadPrefixes(1)
    kept, lost = prefixes_of("key-a", ("kept",)), prefixes_of("key-a", ("lost",))
    for prefixes in (kept, lost):
        found.note(prefixes, 0, 1.0)
    for number in range(MAX_PREFIXES - 1):
        found.note(prefixes_of("key-a", (str(number),)), 0, 1.0)
        found.note(kept, 0, 1.0)
    assert found.read_tokens(kept) is not None
    assert found.read_tokens(lost) is None


def test_conversation_of_very_many_texts_is_not_followed() -> None:
    assert prefixes_of("key-a", ["x"] * (MAX_TEXTS + 1)) == ()
    ReadPrefixes(1).note((), 0, 1.0)
