import os
import threading
from pathlib import Path

import pytest

from profiles.profile import NO_PROFILE, load_profile
from scripts.profile.saving import save_profile


def die_half_way(path: Path, text: str) -> int:
    with path.open("w") as file:
        file.write(text[:10])
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
    monkeypatch.setattr(Path, "write_text", die_half_way)
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
