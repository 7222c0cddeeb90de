from pathlib import Path

import pytest

from deployments.router.upkeep.watched_file import WatchedFile, read_once


def number(content: bytes) -> int:
    return int(content)


def test_new_content_counts_and_changes_the_version() -> None:
    file = WatchedFile(b"1", number)
    first = file.version
    assert (file.take(b"1"), file.value, file.version) == (False, 1, first)
    assert (file.take(b"2"), file.value, file.version == first) == (True, 2, False)


def test_refused_content_raises_once_and_leaves_the_last_good_one() -> None:
    file = WatchedFile(b"1", number)
    first = file.version
    with pytest.raises(ValueError, match="invalid literal"):
        file.take(b"one")
    assert (file.take(b"one"), file.value, file.version) == (False, 1, first)
    assert (file.take(b"1"), file.value, file.version) == (True, 1, first)


def test_a_file_that_is_wrong_from_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        WatchedFile(b"one", number)


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, bool]] = []

    def file_read(self, name: str, *, is_taken: bool) -> None:
        self.events.append((name, is_taken))


async def test_a_file_is_read_again_through_all_that_befalls_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, told = tmp_path / "number", Told()
    file = WatchedFile(b"1", number)
    for content, expected in ((b"2", 2), (None, 2), (None, 2), (b"bad", 2), (b"bad", 2), (b"3", 3)):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        await read_once(path, file, name="number", observer=told)
        assert file.value == expected
    assert told.events == [("number", True), ("number", False), ("number", True)]
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["file cannot be read; what it said last counts", "file refused; what it said last counts"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(ValueError("line 3 has no name"), "line 3 has no name", id="refused"),
        pytest.param(RecursionError("sk-key"), "RecursionError", id="fault"),
    ],
)
async def test_no_content_ends_the_reading_and_the_log_says_why(
    error: Exception, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def parse(content: bytes) -> int:
        if content == b"bad":
            raise error
        return int(content)

    path, file = tmp_path / "number", WatchedFile(b"1", parse)
    path.write_bytes(b"bad")
    await read_once(path, file, name="number", observer=Told())
    assert (file.value, [record.__dict__["error"] for record in caplog.records]) == (1, [told])
