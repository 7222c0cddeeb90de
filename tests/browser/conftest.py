"""The page in Debian's Chromium, before an application of simulated engines that `laar up` serves."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.served import KEY, served

PORT = 8361


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("app"), port=PORT) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed; as root: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, app_url: str) -> Iterator[Page]:
    """The page with its key given; what the browser refuses or cannot do fails the test."""
    context = browser.new_context(locale="en-US", viewport={"width": 1200, "height": 900})
    found = context.new_page()
    troubles: list[str] = []
    found.on("console", lambda said: troubles.append(f"{said.text} {said.location}") if said.type == "error" else None)
    found.on("pageerror", lambda error: troubles.append(str(error)))
    found.add_init_script(f"sessionStorage.setItem('laar-key', '{KEY}')")
    found.goto(f"{app_url}/laar")
    found.wait_for_selector("#models tbody tr")
    yield found
    context.close()
    # a test tries it; a page that did so itself would have a page error
    assert [trouble for trouble in troubles if "'TrustedHTML' assignment" not in trouble] == []


def wait_until(is_so: Any, timeout_s: float = 20) -> None:
    until_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until_s, "it did not come about in time"
        time.sleep(0.1)
