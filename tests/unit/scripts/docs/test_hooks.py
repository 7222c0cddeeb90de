from typing import Any

import pytest
import yaml

from scripts.docs.hooks import ROOT, decisions, linked_files, with_site_links


def test_link_out_of_docs_leads_to_a_file_that_the_site_takes_along() -> None:
    page = "[a](../serve_app/remote.yaml) ![b](../studies/ttca/ecdf.png) [c](../k8s/README.md#keys) [d](../nowhere.md)"
    assert linked_files({"x.md": page}) == {"serve_app/remote.yaml", "studies/ttca/ecdf.png", "k8s/README.md"}
    assert with_site_links("x.md", page) == (
        "[a](repository/serve_app/remote.yaml) ![b](repository/studies/ttca/ecdf.png)"
        " [c](repository/k8s/README.md.txt#keys) [d](../nowhere.md)"
    )


def test_link_of_a_page_in_a_folder_climbs_to_the_site() -> None:
    text = "[a](../../serve_app/remote.yaml) and [b](../api.md)"
    assert with_site_links("howto/x.md", text) == "[a](../repository/serve_app/remote.yaml) and [b](../api.md)"


@pytest.mark.parametrize(("name", "folder"), [("README.md", "docs/howto/"), ("docs/index.md", "howto/")])
def test_start_page_links_every_how_to(name: str, folder: str) -> None:
    text = (ROOT / name).read_text()
    assert [path.name for path in (ROOT / "docs/howto").glob("*.md") if f"]({folder}{path.name})" not in text] == []


def test_every_page_stands_in_the_nav() -> None:
    def named(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [name for inner in (part.values() if isinstance(part, dict) else part) for name in named(inner)]

    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert {*named(nav), *decisions()} == pages
