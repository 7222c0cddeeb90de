import os
import threading
from pathlib import Path

import pytest

from profiles.profile import NO_PROFILE, load_profile
from scripts.profile.saving import save_profile, use_former, use_profile


def die_half_way(path: Path, content: bytes) -> int:
    with path.open("wb") as file:
        file.write(content[:10])
    raise KeyboardInterrupt


def test_profile_takes_the_place_of_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text("former")
    save_profile(NO_PROFILE, path)
    assert load_profile(str(path)) == NO_PROFILE
    assert os.listdir(tmp_path) == ["p.json"]


def test_death_in_the_middle_leaves_the_former_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.json"
    path.write_text("former")
    monkeypatch.setattr(Path, "write_bytes", die_half_way)
    with pytest.raises(KeyboardInterrupt):
        save_profile(NO_PROFILE, path)
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == ["p.json"]


def test_link_stays_one_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("p.json")
    save_profile(NO_PROFILE, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert load_profile(str(tmp_path / "p.json")) == NO_PROFILE


def test_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    save_profile(NO_PROFILE, path)
    reader.join()
    assert read[0].startswith("{")
    assert path.is_fifo()


def saved(path: Path, note: str) -> Path:
    save_profile(
        NO_PROFILE.model_copy(update={"measured": NO_PROFILE.measured.model_copy(update={"note": note})}), path
    )
    return path


def test_a_profile_is_used_and_given_back_without_a_moment_between(tmp_path: Path) -> None:
    at, new = tmp_path / "at.json", saved(tmp_path / "new.json", "second")
    assert use_profile(saved(tmp_path / "first.json", "first"), at) is None
    notes = []
    for is_new in (True, False, False):
        former = use_profile(new, at) if is_new else use_former(at)
        assert former is not None
        notes.append([load_profile(str(path)).measured.note for path in (at, former)])
    assert notes == [["second", "first"], ["first", "second"], ["second", "first"]]


def test_what_is_no_profile_is_never_used(tmp_path: Path) -> None:
    at, wrong = saved(tmp_path / "at.json", "first"), tmp_path / "wrong.json"
    wrong.write_text("{}")
    with pytest.raises(ValueError, match="bucket_edges"):
        use_profile(wrong, at)
    with pytest.raises(FileNotFoundError, match="before"):
        use_former(at)
    assert load_profile(str(at)).measured.note == "first"
