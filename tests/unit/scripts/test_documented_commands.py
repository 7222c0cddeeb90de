"""Commands on the pages are code: each one exists, with its options."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deployments.verifier.checks import SPEC
from profiles.workloads.own import load_prompts
from scripts.commands import app
from scripts.demo.run import CONFIG
from serve_app.config import AppConfig

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")}
)
SHELL = ("", "bash")
ENDS = re.compile(r"\s+(#|\||>|<|&&|&$)")


def documented(text: str) -> Iterator[tuple[str, bool]]:
    """Each command after `laar`, and whether it stands whole: on a line of a code block, not in a sentence."""
    # the language of the code block that a line stands in; other languages and output hold words, not commands
    language: str | None = None
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.startswith("```"):
            language = line.strip("`").partition(" ")[0] if language is None else None
        elif language in SHELL and (match := re.match(r"(?:[A-Z_]+=\S* )*laar (.+)", line)):
            yield ENDS.split(match[1])[0], True
    for span in re.findall(r"`laar ([a-z-][^`\n]*)`", text):
        yield ENDS.split(span)[0], False


@cache
def laar() -> object:
    return typer.main.get_command(app)


def fault(command: str, *, is_whole: bool) -> str | None:
    """What the program would say against it, without running it."""
    found: Any = laar()
    words = shlex.split(command)
    # `laar profile --out FILE` is `laar profile run --out FILE`
    while words and hasattr(found, "commands"):
        if words[0].startswith("-"):
            if found.name != "profile":
                break
            words.insert(0, "run")
        if words[0] == "…":
            return None
        if words[0] not in found.commands:
            return f"no command '{words[0]}'"
        found = found.commands[words.pop(0)]
    known = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
    known |= {"--help", "--install-completion", "--show-completion"}
    given = [word.partition("=")[0] for word in words if re.match(r"-{1,2}[a-z]", word)]
    if odd := [name for name in given if name not in known]:
        return f"no option '{odd[0]}'"
    options = {name for option in found.params if option.required for name in option.opts if name.startswith("--")}
    if is_whole and (lacking := options - set(given)):
        return f"lacks '{min(lacking)}'"
    return None


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_commands_on_the_pages_exist_with_their_options(page: Path) -> None:
    found = [(command, fault(command, is_whole=whole)) for command, whole in documented(page.read_text())]
    assert [(command, why) for command, why in found if why is not None] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("```\nlaar aks 'Hello?'\n```", "no command 'aks'", id="command"),
        pytest.param("```\nLAAR_API_KEY=k laar log lst | head\n```", "no command 'lst'", id="command of a group"),
        pytest.param("Use `laar ask - --contain Wien`.", "no option '--contain'", id="option in a sentence"),
        pytest.param("```bash\nlaar profile --ouy p.json\n```", "no option '--ouy'", id="option of a default command"),
        pytest.param("```\nlaar profile --jsonl own.jsonl\n```", "lacks '--out'", id="required option"),
        pytest.param("`laar profile --jsonl FILE` takes prompts", None, id="part of a command in a sentence"),
        pytest.param(
            "```\nlaar up --remote \\\n    http://a:1/v1 --print > x.yaml\n```", None, id="sound, over two lines"
        ),
    ],
)
def test_command_that_does_not_exist_is_found(text: str, why: str | None) -> None:
    [(command, is_whole)] = documented(text)
    assert fault(command, is_whole=is_whole) == why


@pytest.mark.parametrize("name", ["tutorial.md", "howto/own-prompts.md"])
def test_prompts_on_the_pages_can_be_measured(name: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / name).read_text().replace("\n    ", "\n")
    [lines] = re.findall(r"```json title=\"own.jsonl\"\n(.*?)```", text, re.DOTALL)
    (tmp_path / "own.jsonl").write_text(lines)
    assert len(load_prompts(tmp_path / "own.jsonl", check_verify=SPEC.validate_python)) == len(lines.split("\n")) - 1


@pytest.mark.parametrize("page", [pytest.param(path, id=path.name) for path in sorted(ROOT.glob("docs/howto/*.md"))])
def test_keys_on_a_page_stand_where_a_serve_config_has_them(page: Path) -> None:
    for block in re.findall(r"^( *)```yaml[^\n]*\n(.*?)^\1```", page.read_text(), re.DOTALL | re.MULTILINE):
        config = yaml.safe_load(textwrap.dedent(block[1]))
        assert config.keys() <= {"applications", "http_options", "logging_config"}
        for application in config.get("applications", ()):
            assert application["args"].keys() <= AppConfig.model_fields.keys()


def test_config_of_the_tutorial_names_its_profile_once() -> None:
    assert "s/profile: embedded/profile: own.json/" in (ROOT / "docs/tutorial.md").read_text()
    assert CONFIG.read_text().count("profile: embedded") == 1
