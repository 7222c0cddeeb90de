"""Follows the operator's file of keys, so that keys come, go and change without a restart."""

import asyncio
import logging
from pathlib import Path

from deployments.router.tenants.keys import ApiKeys, KeyEntry, read_key_file

logger = logging.getLogger("ray.serve")

MAX_FILE_BYTES = 16 * 1024 * 1024


def read_keys(path: Path) -> tuple[KeyEntry, ...]:
    """The keys in the file; OSError or ValueError where it cannot be read."""
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise ValueError(f"{path}: {size} bytes; at most {MAX_FILE_BYTES} are allowed")
    return read_key_file(path.read_text())


async def keep_reading(path: Path, keys: ApiKeys, *, period_s: float) -> None:
    """Take over the file whenever it has changed; one that cannot be read changes nothing, and is told of once."""
    # it may have changed since it was read for the start
    seen: tuple[int, int, int] | None = None
    told = ""
    while True:
        await asyncio.sleep(period_s)
        found = await asyncio.to_thread(_version, path)
        if found == seen:
            continue
        try:
            keys.replace(await asyncio.to_thread(read_keys, path))
        except (OSError, ValueError) as error:
            if (message := f"{type(error).__name__}: {error}") != told:
                logger.error("the file of keys cannot be read, the keys stay as they were: %s", message)
            told = message
        else:
            logger.info("read the file of keys again")
            seen, told = found, ""


def _version(path: Path) -> tuple[int, int, int] | None:
    """Changes with the file; a mounted Secret of Kubernetes is replaced as a whole, under the same name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
