"""MkDocs' hook: decisions are listed, and files of the repository that pages link to are taken along."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# a link that may lead out of docs/: its climb, its path, its anchor
LINK = re.compile(r"(\]\()((?:\.\./)+)([^)#\s]+)((?:#[^)\s]*)?\))")


def linked_files(pages: dict[str, str]) -> set[str]:
    """Files of the repository outside docs/ that these pages link to, by path below the root."""
    return {
        target for name, text in pages.items() for match in LINK.finditer(text) if (target := _outside(name, match))
    }


def with_site_links(name: str, text: str) -> str:
    """The page with links to such files as links into the site, where they stand below repository/."""

    def mended(match: re.Match[str]) -> str:
        target = _outside(name, match)
        if target is None:
            return match.group()
        return f"{match[1]}{'../' * name.count('/')}{_on_site(target)}{match[4]}"

    return LINK.sub(mended, text)


def decisions() -> list[str]:
    """The pages of decisions, in the order of their numbers."""
    return [f"adr/{path.name}" for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]


def on_config(config: Any) -> Any:
    config.nav.append({"Decisions": decisions()})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Take the linked files along."""
    from mkdocs.structure.files import File

    pages = {page.src_uri: page.content_string for page in files.documentation_pages()}
    for target in sorted(linked_files(pages)):
        files.append(File.generated(config, _on_site(target), content=(ROOT / target).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    return with_site_links(page.file.src_uri, markdown)


def _outside(name: str, match: re.Match[str]) -> str | None:
    """The path below the root of a linked file outside docs/; None for another link."""
    place = Path("docs", name).parent
    for part in (match[2] + match[3]).split("/"):
        place = place.parent if part == ".." else place / part
    return place.as_posix() if place.parts[:1] != ("docs",) and (ROOT / place).is_file() else None


def _on_site(target: str) -> str:
    """Where the site has it. A page of the repository is shown as text, as its own links lead further out."""
    return f"repository/{target}{'.txt' if target.endswith('.md') else ''}"
