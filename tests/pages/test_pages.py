"""Every code block of the tutorial and of the how-tos is run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from profiles.profile import load_profile
from tests.pages.running import Reader, blocks, is_shown
from tests.pages.servers import model_servers
from tests.served import ROOT

DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
# what a page supposes to run or to be there
BEFORE = dict.fromkeys(["add-a-model.md", "own-prompts.md", "targets.md", "trouble.md"], "laar up")
BEFORE |= {"vllm-servers.md": "cp profile.json own.json"}


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    with model_servers():
        yield


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_blocks_of_the_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    (tmp_path / "profile.json").write_text(load_profile("embedded").model_dump_json())
    try:
        begun = f"laar up --print > my_models.yaml\n{BEFORE.get(page.name, '')}"
        assert list(reader.run(begun)) == []
        assert list(reader.follow(page.read_text())) == []
    finally:
        reader.stop()


def test_every_page_has_blocks_that_are_run() -> None:
    assert [page.stem for page in PAGES if not blocks(page.read_text())] == []


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        pytest.param("1. a  0.83 s  wrong", "x\n1. a  12 s  wrong\n", None, id="numbers differ"),
        pytest.param("1. a  0.83 s  wrong", "1. a  0.83 s  correct", "1. a 0.83 s wrong", id="another verdict"),
        pytest.param("a\nb", "b\na", "b", id="another order"),
        pytest.param("│ a │ 9/12 │", "a  8/12", None, id="rules of a table"),
        pytest.param(
            'read as "this", laar-8c64854dfdc74f47ad54b06466568540.x', "read as 'that', laar-0", None, id="id"
        ),
        pytest.param("Wien. ...", "Wien. Sie liegt", None, id="left out"),
    ],
)
def test_output_that_is_shown_is_held_to_what_comes(shown: str, output: str, missing: str | None) -> None:
    assert is_shown(shown, output) == missing
