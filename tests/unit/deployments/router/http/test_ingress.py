import re
from pathlib import Path

import pytest

from deployments.contract.secret import NO_SECRET, Secrets
from deployments.router.http.ingress import secrets_of
from deployments.router.tenants.keys import AuthPlan

DRAWN = b"d" * 32


def plan(file: Path | None) -> AuthPlan:
    name = None if file is None else str(file)
    return AuthPlan(secrets=Secrets(DRAWN), secrets_file=name, plain_secret=NO_SECRET)


def test_a_router_takes_its_secrets_from_the_file_that_is_named_and_else_from_the_build(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(b"n" * 32 + b"\n" + b"o" * 32 + b"\n")
    assert secrets_of(plan(file)).keys("prompt") == Secrets(b"n" * 32, b"o" * 32).keys("prompt")
    assert secrets_of(plan(None)).keys("prompt") == Secrets(DRAWN).keys("prompt")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "/secrets': No such file or directory", id="missing"),
        pytest.param(b"hunter2", "/secrets' holds a secret of 7 bytes; each has at least 32", id="too-short"),
    ],
)
def test_a_file_of_secrets_that_will_not_do_stops_the_start_by_name(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / "secrets").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^auth\.secrets_file '.*{re.escape(told)}$"):
        secrets_of(plan(tmp_path / "secrets"))
