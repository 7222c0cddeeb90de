"""Writing a profile whole or not at all: a router may read it, and a measurement took hours."""

from pathlib import Path

from profiles.profile import Profile


def save_profile(profile: Profile, path: Path) -> None:
    """Replace the file in one step, so that whoever is killed meanwhile leaves the former one.

    What is no file, such as a pipe, is written to as it is.
    """
    text = profile.model_dump_json(indent=1) + "\n"
    if path.exists() and not path.is_file():
        path.write_text(text)
        return
    target = path.resolve()
    beside = target.with_name(f"{target.name}.new")
    try:
        beside.write_text(text)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
