"""A database that keeps its connection and says nothing."""

from collections.abc import Generator

import pytest

from deployments.log.database.patience import SilentServerError, within


def exchange() -> Generator[str, int, str]:
    """Wants to write, and then to read until something has come."""
    yield "write"
    while not (yield "read"):
        pass
    return "answer"


@pytest.mark.parametrize(
    ("times_s", "sent", "outcome"),
    [
        pytest.param([0, 0], [1, 1], "answer", id="at once"),
        pytest.param([0, 1, 2, 3], [1, 0, 0, 1], "answer", id="in time"),
        pytest.param([0, 1, 11], [1, 0, 1], "answer", id="late, but it has come"),
        pytest.param([0, 1, 11], [1, 0, 0], SilentServerError, id="too late"),
    ],
)
def test_a_silent_server_is_given_up(times_s: list[float], sent: list[int], outcome: object) -> None:
    clock = iter(times_s)
    waiting = within(exchange(), 10, lambda: next(clock))
    found: object = None
    try:
        assert next(waiting) == "write"
        for ready in sent:
            assert waiting.send(ready) == "read"
    except StopIteration as end:
        found = end.value
    except SilentServerError as error:
        found = type(error)
    assert found == outcome


def test_what_needs_no_answer_ends_at_once() -> None:
    def nothing() -> Generator[str, int, str]:
        yield from ()
        return "done"

    with pytest.raises(StopIteration, match="done"):
        next(within(nothing(), 10, lambda: 0.0))
