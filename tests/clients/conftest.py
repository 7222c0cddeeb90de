"""Clients as their users install them, in an environment of their own, before an application of simulated engines.

Their table in docs/clients.md is written by this suite.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from tests.served import KEY, ROOT, WRONG_THEN_RIGHT, served

PORT = 8381
HANGING = "simulated-hanging"
# a name that brings the check of the tests' question, and a page that may ask
AT_HOME = "auto-at-home"
PAGE_ORIGIN = "https://chat.example"
ROUTER = {
    "names": {AT_HOME: {"verify": {"type": "contains", "value": "at home"}}},
    "cors_origins": [PAGE_ORIGIN],
}
PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- table: written by tests/clients -->\n", "<!-- end of table -->\n"
COLUMNS = ("client", "version", "the `laar` object goes in by", "and comes back in", "requests for one call that fails")
NUM_WITHOUT_A_ROW = 3
_rows: dict[str, tuple[str, ...]] = {}

Note = Callable[..., None]


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    behaviours = {**WRONG_THEN_RIGHT, HANGING: {"hang_rate": 1.0}}
    with served(Path(tmp_path_factory.mktemp("app")), port=PORT, behaviours=behaviours, router=ROUTER) as url:
        yield url


@pytest.fixture
def ended(app_url: str) -> Callable[[], int]:
    """How many requests have reached laar and ended."""

    def count() -> int:
        answer = httpx.get(f"{app_url}/v1/laar/status", headers={"authorization": f"Bearer {KEY}"})
        return int(answer.raise_for_status().json()["requests"]["ended"])

    return count


@pytest.fixture
def note() -> Note:
    """Keeps what was seen of a client for the table."""

    def keep(client: str, package: str, goes_in: str, comes_back: str, num_requests: int | str) -> None:
        _rows[client] = (
            client,
            version(package),
            goes_in,
            comes_back,
            str(num_requests),
        )

    return keep


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table after a whole run in which every client passed."""
    if exitstatus != 0 or not _rows or len(_rows) < session.testscollected - NUM_WITHOUT_A_ROW:
        return
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(_rows[name] for name in sorted(_rows, key=str.lower))]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "".join(f"| {' | '.join(line)} |\n" for line in lines) + END + after)
