import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.contract.errors import AuthenticationError
from deployments.contract.secret import Secret
from deployments.router.tenants.keys import ApiKeys, key_digest
from deployments.router.tenants.tenant import Role
from deployments.router.upkeep.key_file import keep_reading, read_keys

SECRET = Secret(b"s")


def write(path: Path, *keys: str) -> None:
    text = json.dumps({"keys": [{"name": "a", "hash": key_digest(SECRET, key)} for key in keys]})
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def is_accepted(keys: ApiKeys, key: str) -> bool:
    try:
        keys.tenant_of({"authorization": f"Bearer {key}"}, Role.ASK, 0.0)
    except AuthenticationError:
        return False
    return True


async def until(following: "asyncio.Task[None]", is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            assert not following.done()
            await asyncio.sleep(0.001)


async def test_keys_follow_their_file_and_stay_while_it_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.yaml"
    write(path, "first")
    keys = ApiKeys(SECRET, entries=read_keys(path))
    following = asyncio.create_task(keep_reading(path, keys, period_s=0.001))
    write(path, "first", "second")
    await until(following, lambda: is_accepted(keys, "second"))
    path.write_text("keys: [")
    await until(following, lambda: "cannot be read" in caplog.text)
    assert is_accepted(keys, "first")
    path.unlink()
    await asyncio.sleep(0.01)
    assert is_accepted(keys, "second")
    write(path, "second")
    await until(following, lambda: not is_accepted(keys, "first"))
    assert is_accepted(keys, "second")
    following.cancel()
