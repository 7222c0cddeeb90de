import pytest

from scripts.docs.reference import FOLDER, commands, pages


@pytest.mark.parametrize("name", ["config.md", "cli.md", "api.md"])
def test_reference_is_as_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "write it anew: .venv/bin/python -m scripts.docs.reference"


def test_key_has_its_bounds_default_and_meaning() -> None:
    rows = pages()["config.md"].splitlines()
    assert "| `max_sequences` | integer > 0 | `64` | Most prompts times `n` of one request. |" in rows


def test_every_option_says_what_it_is_for() -> None:
    options = [(name, option) for name, command in commands() for option in command.params]
    assert [f"{name} {option.name}" for name, option in options if not option.help] == []


def test_option_has_its_default_and_meaning() -> None:
    rows = pages()["cli.md"].splitlines()
    assert "| `--temperature` | `0` | 0 lets each model answer once. |" in rows
