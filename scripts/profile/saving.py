"""Writing a profile whole or not at all: a router may read it, and a measurement took hours."""

from pathlib import Path

from deployments.router.upkeep.taken_over import profile_in
from profiles.profile import Profile


def save_profile(profile: Profile, path: Path) -> None:
    """Replace the file in one step, so that whoever is killed meanwhile leaves the former one.

    What is no file, such as a pipe, is written to as it is.
    """
    text = profile.model_dump_json(indent=1) + "\n"
    if path.exists() and not path.is_file():
        path.write_text(text)
        return
    _replace(path.resolve(), text.encode())


def use_profile(new: Path, at: Path) -> Path | None:
    """Put the bytes of `new` where routers read, in one step; the profile that was there, kept beside it."""
    profile_in(content := new.read_bytes())
    at = at.resolve()
    former = _former(at) if at.exists() else None
    if former is not None:
        _replace(former, at.read_bytes())
    _replace(at, content)
    return former


def use_former(at: Path) -> Path:
    """Change places with the profile that `use_profile` kept; FileNotFoundError where there is none."""
    at = at.resolve()
    former = _former(at)
    content, present = former.read_bytes(), at.read_bytes()
    profile_in(content)
    _replace(at, content)
    _replace(former, present)
    return former


def _former(at: Path) -> Path:
    return at.with_name(f"{at.name}.before")


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
