"""A page whose tables are written by the program: each stands between two comments that name it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_BLOCK = re.compile(r"(<!-- begin (?P<name>[a-z]+) -->\n)(?P<text>.*?)(<!-- end (?P=name) -->)", re.DOTALL)


def write_blocks(page: Path, blocks: Mapping[str, str]) -> None:
    """Put every block in its place; text around them stays, and a page that is not there is made of them all."""
    text = page.read_text() if page.exists() else _new(blocks)
    page.write_text(_BLOCK.sub(lambda found: found[1] + _shown(blocks, found["name"]) + found[4], text))


def stale_blocks(page: Path, blocks: Mapping[str, str]) -> list[str]:
    """The names of blocks that say something else in a page, or have no place there."""
    found = {block["name"]: block["text"] for block in _BLOCK.finditer(page.read_text())}
    return [name for name in {**blocks, **found} if found.get(name) != _shown(blocks, name)]


def _shown(blocks: Mapping[str, str], name: str) -> str:
    if name not in blocks:
        raise ValueError(f"unknown block '{name}' in the page; known: {', '.join(blocks)}")
    return f"\n{blocks[name]}\n\n" if blocks[name] else ""


def _new(names: Iterable[str]) -> str:
    return "# laar bench ttca\n" + "".join(
        f"\n## {name}\n\n<!-- begin {name} -->\n<!-- end {name} -->\n" for name in names
    )
