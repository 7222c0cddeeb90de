import re

from deployments.router.page.assets import HEADERS, INDEX, page_files

MAX_BYTES = 300_000


def test_page_is_small() -> None:
    assert sum(len(file.body) for file in page_files().values()) <= MAX_BYTES


def test_page_takes_nothing_from_elsewhere_and_runs_nothing_inline() -> None:
    html = page_files()[INDEX].body.decode()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) - page_files().keys() == {"#main"}
    assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", html)
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_scripts_import_only_what_is_there_and_make_no_html() -> None:
    for name, file in page_files().items():
        if name.endswith(".js"):
            text = file.body.decode()
            assert set(re.findall(r'from "\./([^"]+)"', text)) <= page_files().keys(), name
            assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(", text), name


def test_every_language_has_every_text() -> None:
    text = page_files()["text.js"].body.decode()
    blocks = re.findall(r"^  (\w+): \{\n(.*?)^  \},", text, re.DOTALL | re.MULTILINE)
    words = {locale: set(re.findall(r'(?:^|[ ,])(\w+): "', block, re.MULTILINE)) for locale, block in blocks}
    assert set(words) == {"en", "de", "zh"}
    assert words["de"] == words["en"]
    assert words["zh"] == words["en"]
    html = page_files()[INDEX].body.decode()
    assert set(re.findall(r'data-(?:text|label)="(\w+)"', html)) <= words["en"]
