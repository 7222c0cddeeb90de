"""`laar bench rehearsal`: nodes of a Ray cluster go, and routers come and go, under verified load."""

import asyncio
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
from rich.console import Console
from sqlalchemy import select

from deployments.log.database.store import Store
from deployments.log.database.tables import feedback
from deployments.router.attempt.tries import FAULTS
from scripts.bench.chaos.application import KEYS_ENV, ROOT, document, is_ready
from scripts.bench.chaos.judged import MOST_SETTLING_S, FaultWindow, Told, bars, compared, during, figures, missing
from scripts.bench.chaos.postgres import PostgresServer
from scripts.bench.chaos.run import drained, until
from scripts.bench.chaos.traffic import PATH, RIGHT, FaultTraffic, ToldAnswer
from scripts.bench.rehearsal.nodes import HOST, RayCluster, StartedReplica
from scripts.report import Bar, Report
from serve_app.app import SHUTDOWN_MARGIN_S
from serve_app.environment import prepare_environment

PORT, POSTGRES_PORT = 8128, 8129
SECRETS_ENV = "LAAR_REHEARSAL_SECRETS"
IN_FLIGHT = 16
DEADLINE_S = 20.0
# the head, and two workers
NODES = 3
QUIET_S, AFTER_S = 4.0, 2.0
START_TIMEOUT_S = 180.0
# With less notice than a stopping replica may take, Serve stops it before another one runs in its place.
DRAIN_DEADLINE_S = round(DEADLINE_S + SHUTDOWN_MARGIN_S + 60)
# from a worker that is gone to the one in its place
REPLACED_AFTER_S = 3.0
# longest time from a kill to the death of the last process, and from an answer to its place in the database
KILLING_S, JOURNAL_S = 2.0, 1.0
KILLED, DRAINED, SCALED = "a worker killed", "a worker drained", "routers {} to {}"
# ports of their own, so that it runs beside an application that is up
_FIRST_PORT, _LAST_PORT = 28000, 28699
_RAY = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9196",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8499",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "8506",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": "9506",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(_FIRST_PORT),
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(_LAST_PORT),
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
}

console = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChange:
    """What is done to the cluster, and when all is as it then should be; the worker that it `loses` is gone then."""

    name: str
    does: Callable[[], Awaitable[object]]
    is_over: Callable[[], bool]
    loses: str = ""
    is_sudden: bool = False


def run(*, in_flight: int = IN_FLIGHT) -> Report:
    # or all that was started would outlive whoever is told to end
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keys = [secrets.token_hex(32) for _ in range(2)]
    os.environ |= _RAY | {KEYS_ENV: ",".join(keys), SECRETS_ENV: secrets.token_hex(32), "PYTHONPATH": str(ROOT)}
    prepare_environment(os.environ)
    with TemporaryDirectory(prefix="laar-rehearsal-") as name:
        return asyncio.run(_run(Path(name), keys, in_flight))


async def _run(folder: Path, keys: Sequence[str], in_flight: int) -> Report:
    postgres = await asyncio.to_thread(PostgresServer, POSTGRES_PORT)
    await asyncio.to_thread(postgres.start)
    store = Store(postgres.url)
    nodes = await asyncio.to_thread(RayCluster, folder)
    traffic = FaultTraffic(f"http://{HOST}:{PORT}", keys, deadline_s=DEADLINE_S)
    rehearsal = _Rehearsal(folder, nodes, traffic, postgres.url)
    try:
        await asyncio.to_thread(rehearsal.begin)
        async with traffic.clients(in_flight):
            await asyncio.sleep(QUIET_S)
            lost = rehearsal.worker_with("Verifier")
            await rehearsal.under(
                ClusterChange(
                    name=KILLED,
                    does=lambda: rehearsal.replace(lost),
                    is_over=lambda: rehearsal.runs(2, without=lost),
                    loses=lost,
                    is_sudden=True,
                )
            )
            for before, after in ((2, 1), (1, 3)):
                await rehearsal.under(rehearsal.scaling(before, after))
            anywhere = await _anywhere(rehearsal.router_ports(), keys[0], store)
            await rehearsal.under(rehearsal.scaling(3, 1))
            leaving = nodes.workers[0]
            await rehearsal.under(
                ClusterChange(
                    name=DRAINED,
                    does=lambda: asyncio.to_thread(nodes.drain, leaving, deadline_s=DRAIN_DEADLINE_S),
                    is_over=lambda: rehearsal.runs(1, without=leaving),
                    loses=leaving,
                )
            )
        log_rows = await asyncio.to_thread(drained, store, traffic.answers)
    finally:
        store.close()
        await asyncio.to_thread(nodes.close)
        await asyncio.to_thread(postgres.close)
    found = {
        name: of | log_of(traffic.answers, log_rows, rehearsal.windows, name) for name, of in rehearsal.found.items()
    }
    judged = [
        *bars(found, rehearsal.windows),
        *(Bar(name=f"{what} failed at some router", value=of, limit=0, kind="max") for what, of in anywhere.items()),
    ]
    parameters = {"in_flight": in_flight, "deadline_s": DEADLINE_S, "changes": [*found]}
    return Report(bench="rehearsal", parameters=parameters, figures=found | {"anywhere": anywhere}, bars=judged)


def log_of(answers: Sequence[ToldAnswer], rows: Told, windows: Sequence[FaultWindow], name: str) -> dict[str, Any]:
    """What the log has of the answers that were under way during the change `name`, and what a worker took along."""
    (window,) = (each for each in windows if each.name == name)
    told = during(answers, window)
    lost = [a for a in missing(told, rows) if any(was_on_the_disk(a, each) for each in windows)]
    return compared([a for a in told if a not in lost], rows) | {"answers_lost_with_the_worker": len(lost)}


def apart(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The same with each model and the verifier in an application of its own, so that routers change alone."""
    (routers,) = whole["applications"]
    args = routers["args"]
    models = [one | {"application": one["llm_config"]["model_loading_config"]["model_id"]} for one in args["models"]]
    shared = {
        "models": models,
        "verifier": args["verifier"] | {"application": "checks"},
        "limits": {"deadline_s": DEADLINE_S},
    }
    own = shared | {"auth": args["auth"] | {"secrets_env": SECRETS_ENV}}
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": HOST, "port": PORT},
        "applications": [
            *(
                _application(one["application"], "build_model", {"model": one, "deadline_s": DEADLINE_S})
                for one in models
            ),
            _application("checks", "build_verifier", shared),
            routers | {"args": args | own},
        ],
    }


def _application(name: str, builder: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "route_prefix": None, "import_path": f"serve_app.app:{builder}", "args": args}


def was_on_the_disk(answer: ToldAnswer, window: FaultWindow) -> bool:
    """Whether its record may have been in the journal of a killed worker, and not in the database yet."""
    return window.kills_a_router and window.broken_s - JOURNAL_S <= answer.ended_s <= window.all_broken_s


class _Rehearsal:
    """The cluster with laar on it, and what was seen of each change."""

    def __init__(self, folder: Path, nodes: RayCluster, traffic: FaultTraffic, database_url: str) -> None:
        self._nodes, self._traffic = nodes, traffic
        # relative, so that it is on the disk of the worker
        self._document = apart(document(folder, database_url=database_url, spool=Path("spool")))
        self._args = self._document["applications"][-1]["args"]
        self.windows: list[FaultWindow] = []
        self.found: dict[str, Any] = {}

    def begin(self) -> None:
        """Two workers, and laar on them."""
        for _ in range(2):
            self._nodes.add_worker()
        self._nodes.deploy(self._document)
        due_s = time.monotonic() + START_TIMEOUT_S
        while not (self.runs(2) and is_ready(f"http://{HOST}:{PORT}")):
            if time.monotonic() > due_s:
                raise RuntimeError(f"the application did not start: {self._nodes.replicas()}")
            time.sleep(0.5)

    def runs(self, routers: int, *, without: str = "") -> bool:
        wanted = {"ModelServer": 3, "Router": routers, "Verifier": 1}
        return self._nodes.runs(wanted, without=without)

    def worker_with(self, deployment: str) -> str:
        return next(one.node_id for one in self._nodes.replicas() if one.deployment == deployment)

    async def replace(self, worker: str) -> None:
        """The worker is gone at once; some seconds later there is another one."""
        await asyncio.to_thread(self._nodes.lose, worker)
        await asyncio.sleep(REPLACED_AFTER_S)
        await asyncio.to_thread(self._nodes.add_worker)

    def scaling(self, before: int, after: int) -> ClusterChange:
        def deploy() -> None:
            self._args["router"]["num_replicas"] = after
            self._nodes.deploy(self._document)

        return ClusterChange(
            name=SCALED.format(before, after),
            does=lambda: asyncio.to_thread(deploy),
            is_over=lambda: self.runs(after),
        )

    async def under(self, change: ClusterChange) -> None:
        """The change from a quiet time before it to one after it."""
        was_there = self._nodes.replicas()
        quiet_from_s = time.monotonic()
        await asyncio.sleep(QUIET_S)
        broken_s = time.monotonic()
        await change.does()
        mended_s = time.monotonic()
        await until(change.is_over, MOST_SETTLING_S)
        back_s = time.monotonic()
        if change.loses in self._nodes.workers:
            await asyncio.to_thread(self._nodes.lose, change.loses)
        await asyncio.sleep(AFTER_S)
        lost = [one.deployment for one in was_there if one.node_id == change.loses]
        window = FaultWindow(
            name=change.name,
            quiet_from_s=quiet_from_s,
            broken_s=broken_s,
            all_broken_s=broken_s + KILLING_S,
            mended_s=mended_s,
            back_s=back_s,
            ended_s=time.monotonic(),
            kills_a_router=change.is_sudden and "Router" in lost,
            stops_checks=change.is_sudden and "Verifier" in lost,
        )
        self.windows.append(window)
        tries = Counter(verdict for a in during(self._traffic.answers, window) for _, verdict in a.attempts)
        self.found[change.name] = figures(self._traffic.answers, window, DEADLINE_S) | {
            "replicas_on_the_worker": dict(Counter(lost)),
            "attempts_without_an_answer": {fault.value: tries[fault] for fault in FAULTS if tries[fault]},
        }
        console.print(f"{change.name}: {self.found[change.name]}")

    def router_ports(self) -> list[int]:
        """Where each router replica listens by itself, behind HAProxy."""
        routers = [one for one in self._nodes.replicas() if one.deployment == "Router"]
        return [next(port for port in _ports(one) if _FIRST_PORT <= port <= _LAST_PORT) for one in routers]


def _ports(replica: StartedReplica) -> list[int]:
    found = psutil.Process(replica.pid).net_connections("tcp")
    return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]


async def _anywhere(ports: Sequence[int], key: str, store: Store) -> dict[str, int]:
    """At every router: feedback on an answer of each, a retry of it, and the metrics of all nodes; how many failed."""
    urls = [f"http://{HOST}:{port}" for port in ports]
    failed = Counter(feedback=0, retry_of=0, metrics=0)
    asked: set[str] = set()
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=2 * DEADLINE_S) as client:
        for number, (first, other) in enumerate((a, b) for a in urls for b in urls):
            question = {"role": "user", "content": f'anywhere {number}: where is it? <sim answer="{RIGHT}">'}
            body: dict[str, Any] = {"model": "auto", "messages": [question], "temperature": 0}
            answer = (await client.post(first + PATH, json=body | {"laar": {"client_retries": True}})).json()["laar"]
            model = answer["attempts"][-1]["model"]
            retried = await client.post(other + PATH, json=body | {"laar": {"retry_of": answer["request_id"]}})
            # the id says which model answered, and that one is not asked again
            is_retried = retried.status_code == 200 and retried.json()["laar"]["attempts"][-1]["model"] != model
            told = {"request_id": answer["request_id"], "correct": False}
            response = await client.post(f"{other}/v1/laar/feedback", json=told)
            failed["feedback"] += response.status_code != 200
            failed["retry_of"] += not is_retried
            asked.add(answer["request_id"].partition(".")[0])
        for url in urls:
            failed["metrics"] += (
                f'laar_exporters{{read="true"}} {NODES}\n' not in (await client.get(f"{url}/metrics")).text
            )
    await until(lambda: _said(store, asked) == asked, MOST_SETTLING_S)
    failed["feedback"] += len(asked - _said(store, asked))
    return dict(failed)


def _said(store: Store, request_ids: set[str]) -> set[str]:
    """Those of the requests that the log has feedback on."""
    with store.engine.connect() as connection:
        wanted = select(feedback.c.request_id).where(feedback.c.request_id.in_(request_ids))
        return set(connection.execute(wanted).scalars())
