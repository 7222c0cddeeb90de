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
# for clients that cannot set a deadline
BROKEN = "simulated-broken"
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
_rows: dict[str, tuple[str, ...]] = {}

Note = Callable[..., None]


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    behaviours = {**WRONG_THEN_RIGHT, HANGING: {"hang_rate": 1.0}, BROKEN: {"error_rate": 1.0}}
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
        """Of a `package` that is none of Python's, its version is given after an @."""
        name, _, own_version = package.partition("@")
        _rows[client] = (
            client,
            own_version or version(name),
            goes_in,
            comes_back,
            str(num_requests),
        )

    return keep


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write the rows of the clients that were tried into the table, where all of them passed."""
    if exitstatus != 0 or not _rows:
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    known = [tuple(line.strip("| ").split(" | ")) for line in table.splitlines()[2:]]
    rows = {row[0]: row for row in known} | _rows
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(rows[name] for name in sorted(rows, key=str.lower))]
    PAGE.write_text(before + BEGIN + "".join(f"| {' | '.join(line)} |\n" for line in lines) + END + after)
