from pathlib import Path

import pytest

from deployments.router.upkeep.watched_file import MAX_FILE_BYTES, WatchedFile, content_of


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, bool]] = []

    def file_read(self, name: str, *, is_taken: bool) -> None:
        self.events.append((name, is_taken))


class Number:
    """Takes over a number from a file; refuses what is none, and at last 13."""

    def __init__(self, path: Path) -> None:
        self.value, self.told = 0, Told()
        self.file = WatchedFile(path, name="number", parse=int, use=self.use, observer=self.told)

    async def use(self, value: int) -> None:
        if value == 13:
            raise ValueError("13 brings bad luck")
        self.value = value


async def test_a_file_is_taken_when_it_is_new_and_only_then(tmp_path: Path) -> None:
    number = Number(tmp_path / "number")
    for content, is_new, value in ((b"1", True, 1), (b"1", False, 1), (b"2", True, 2), (b"1", True, 1)):
        (tmp_path / "number").write_bytes(content)
        assert (await number.file.take(), number.value) == (is_new, value)


async def test_a_file_that_is_wrong_from_the_start_is_refused(tmp_path: Path) -> None:
    (tmp_path / "number").write_bytes(b"one")
    with pytest.raises(ValueError, match="invalid literal"):
        await Number(tmp_path / "number").file.take()


async def test_a_file_is_looked_at_through_all_that_befalls_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "number"
    number = Number(path)
    for content, expected in ((b"2", 2), (None, 2), (None, 2), (b"bad", 2), (b"bad", 2), (b"13", 2), (b"3", 3)):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        await number.file.look()
        assert number.value == expected
    assert number.told.events == [("number", True), ("number", False), ("number", False), ("number", True)]
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    refused = "file refused; what it said last counts"
    assert [record.message for record in warned] == ["file cannot be read; what it said last counts", refused, refused]
    assert vars(warned[-1])["error"] == "13 brings bad luck"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(ValueError("line 3 has no name"), "line 3 has no name", id="refused"),
        pytest.param(RecursionError("sk-key"), "RecursionError", id="fault"),
    ],
)
async def test_no_content_ends_the_looking_and_the_log_says_why(
    error: Exception, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def parse(content: bytes) -> int:
        raise error

    path, used = tmp_path / "number", list[int]()
    path.write_bytes(b"bad")
    await WatchedFile(path, name="number", parse=parse, use=used.append, observer=Told()).look()
    assert (used, [record.__dict__["error"] for record in caplog.records]) == ([], [told])


def test_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match=rf"^has more than the {MAX_FILE_BYTES} bytes that are read$"):
        content_of(path)
