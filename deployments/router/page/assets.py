"""The files of the page, read once, and the headers that keep a browser to them."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX = "index.html"
# Nothing from elsewhere, nothing inline, and no other page around it: what a model writes can only ever be text.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class PageFile(NamedTuple):
    """A file of the page and its media type."""

    body: bytes
    media_type: str


@cache
def page_files() -> dict[str, PageFile]:
    """By name; read when the page is first asked for."""
    paths = sorted(path for path in _STATIC.iterdir() if path.suffix in _TYPES)
    return {path.name: PageFile(path.read_bytes(), _TYPES[path.suffix]) for path in paths}
