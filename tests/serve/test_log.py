"""The attempt log on a real PostgreSQL: what clients were told is in it once, whoever is killed."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from ray import serve
from sqlalchemy import Engine, create_engine, select

from deployments.log.database.store import Store
from deployments.log.database.tables import attempts, feedback, requests
from deployments.log.settings import database_url
from scripts.bench.chaos.postgres import PostgresServer
from tests.serve.conftest import AT_HOME, HEADERS, HONEST_KEYS, LIAR, OTHER_KEY, RAY_PORTS, chat, models
from tests.unit.logged import asked, tried

pytestmark = pytest.mark.serve
APP, POSTGRES_PORT = "logged", 8235
PATH = "/v1/chat/completions"
NUM_CLIENTS = 6
POISONED = "poisoned"
Rows = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Logged:
    """The application, its database and its spool."""

    url: str
    postgres: PostgresServer
    engine: Engine
    spool: Path


@pytest.fixture(scope="module")
def logged(cluster: str, profile_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    from serve_app.app import build_app

    spool = tmp_path_factory.mktemp("spool")
    postgres = PostgresServer(POSTGRES_PORT)
    postgres.start()
    config = {
        "profile": profile_path,
        "models": models("simulated-wrong", "simulated-right"),
        "router": {"num_cpus": 0.1, "num_replicas": 2, "status_period_s": 0.5},
        "verifier": {"num_cpus": 0.1},
        "auth": {"api_keys_env": "LAAR_TEST_KEYS"},
        "log": {"url": postgres.url, "spool_dir": str(spool), "flush_period_s": 0.2},
    }
    engine = create_engine(database_url(postgres.url), pool_pre_ping=True)
    try:
        serve.run(build_app(config), name=APP, route_prefix=f"/{APP}")
        # routers know of a model within a second after it runs
        until(lambda: all(num_unavailable(port) == 0 for port in router_ports()))
        yield Logged(f"{cluster}/{APP}", postgres, engine, spool)
    finally:
        serve.delete(APP)
        engine.dispose()
        postgres.close()


@pytest.fixture
def client(logged: Logged) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=logged.url, headers=HEADERS, timeout=60) as found:
        yield found


def until(holds: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.1)


def attempt_rows(engine: Engine) -> Rows:
    found: Rows = {}
    columns = attempts.c
    with engine.connect() as connection:
        ordered = select(columns.request_id, columns.model, columns.verdict).order_by(
            columns.request_id, columns.attempt_index
        )
        for request_id, model, verdict in connection.execute(ordered):
            found.setdefault(request_id, []).append((model, verdict))
    return found


def request_row(logged: Logged, request_id: str) -> Any:
    def row() -> Any:
        with logged.engine.connect() as connection:
            found = connection.execute(select(requests).where(requests.c.request_id == plain(request_id)))
            return found.mappings().one_or_none()

    until(lambda: row() is not None)
    return row()


def said_of(logged: Logged, request_id: str) -> bool | None:
    with logged.engine.connect() as connection:
        found = connection.execute(select(feedback.c.correct).where(feedback.c.request_id == plain(request_id)))
        return found.scalar_one_or_none()


def plain(told_id: str) -> str:
    """An id as the log has it, without what was tried."""
    return told_id.partition(".")[0]


def told(laar: dict[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["model"], attempt["verdict"]) for attempt in laar["attempts"]]


def router_ports() -> list[int]:
    """Where each router replica listens by itself, behind HAProxy."""
    first, last = (int(RAY_PORTS[f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT"]) for end in ("MIN", "MAX"))
    open_ports = (
        {c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        for pid in router_pids()
    )
    return [next(port for port in ports if first <= port <= last) for ports in open_ports]


def num_unavailable(port: int) -> int:
    """How many models a router replica may not ask yet."""
    told = httpx.get(f"http://127.0.0.1:{port}/{APP}/ready").json()
    return int(told.get("num_unavailable", -1))


@pytest.fixture
def replicas(logged: Logged) -> Iterator[list[httpx.Client]]:
    """A client of each router replica."""
    clients = [
        httpx.Client(base_url=f"http://127.0.0.1:{port}/{APP}", headers=HEADERS, timeout=60) for port in router_ports()
    ]
    yield clients
    for one in clients:
        one.close()


def chance(replica: httpx.Client, task: str) -> float:
    """What this replica believes of the wrong model on a task."""
    told = replica.post("/v1/laar/explain", json=chat(laar={"task": task})).raise_for_status().json()
    return next(float(c["probability"]) for c in told["candidates"] if c["model"] == "simulated-wrong")


def test_verdict_at_one_replica_changes_the_chances_of_the_other_within_5_s(replicas: list[httpx.Client]) -> None:
    one, other = replicas
    before = chance(other, "shared")
    body = chat(laar={**AT_HOME, "task": "shared"})
    assert told(one.post(PATH, json=body).json()["laar"])[0] == ("simulated-wrong", "wrong")
    # its own are learned a few at a time
    until(lambda: chance(one, "shared") < before - 0.05, 1)
    began_s = time.monotonic()
    until(lambda: chance(other, "shared") < before - 0.05, 5)
    told_after_s = time.monotonic() - began_s
    print(f"the other replica knew after {told_after_s:.1f} s: {before:.3f} -> {chance(other, 'shared'):.3f}")
    assert chance(other, "shared") == chance(one, "shared")


def test_feedback_changes_the_chances_of_every_replica_within_5_s(replicas: list[httpx.Client]) -> None:
    before = [chance(replica, "told") for replica in replicas]
    answered = replicas[0].post(PATH, json=chat(laar={"task": "told", "client_retries": True})).json()["laar"]
    assert [model for model, _ in told(answered)] == ["simulated-wrong"]
    request_id = answered["request_id"]
    replicas[0].post("/v1/laar/feedback", json={"request_id": request_id, "correct": True}).raise_for_status()
    until(lambda: all(chance(r, "told") > old + 0.05 for r, old in zip(replicas, before, strict=True)), 5)


def test_no_change_becomes_visible_behind_a_reader(logged: Logged) -> None:
    slow, quick = Store(logged.postgres.url), Store(logged.postgres.url)
    start = quick.first_position(since=datetime.now(UTC) + timedelta(days=1), most=1)
    with ThreadPoolExecutor(1) as pool:
        with slow.engine.begin() as connection:
            slow._write(connection, [asked(10_001, tried("first", "wrong"))])
            later = pool.submit(quick.write, [asked(10_002, tried("second", "wrong"))])
            with pytest.raises(TimeoutError):
                later.result(timeout=1)
        assert later.result(timeout=10) == 0
    assert [lesson.model for lesson in quick.lessons(start, limit=1000).lessons] == ["first", "second"]
    for store in (slow, quick):
        store.close()


def test_request_and_attempts_are_logged_without_the_prompt(client: httpx.Client, logged: Logged) -> None:
    laar = client.post(PATH, json=chat(laar=AT_HOME)).json()["laar"]
    row = request_row(logged, laar["request_id"])
    assert (row["status"], row["verified"], row["answer_index"], row["language"]) == (200, True, 1, "en")
    assert row["ttca_s"] == pytest.approx(laar["ttca_s"], abs=0.05)
    assert row["prompt_text"] is None
    assert row["prompt_chars"] == len('Where is it? <sim answer="at home">')
    assert attempt_rows(logged.engine)[plain(laar["request_id"])] == told(laar)
    assert told(laar) == [("simulated-wrong", "wrong"), ("simulated-right", "correct")]


def test_retry_is_linked_to_what_it_retries(client: httpx.Client, logged: Logged) -> None:
    first = client.post(PATH, json=chat()).json()["id"]
    second = client.post(PATH, json=chat(laar={"retry_of": first})).json()["id"]
    assert request_row(logged, second)["retry_of"] == plain(first)


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="stream")])
def test_retry_at_another_replica_goes_to_another_model(replicas: list[httpx.Client], stream: bool) -> None:
    one, other = replicas
    first = one.post(PATH, json=chat(stream=stream, temperature=0))
    retry = {"x-laar-retry-of": first.headers["x-laar-request-id"]}
    second = other.post(PATH, json=chat(stream=stream, temperature=0), headers=retry)
    assert {first.headers["x-laar-model"], second.headers["x-laar-model"]} == {"simulated-wrong", "simulated-right"}
    assert second.headers["x-laar-tried"] == f"{first.headers['x-laar-model']},{second.headers['x-laar-model']}"
    third = one.post(PATH, json=chat(temperature=0, laar={"retry_of": second.headers["x-laar-request-id"]}))
    assert (third.status_code, third.json()["error"]["code"]) == (422, "nothing_new")


def test_id_of_another_key_is_no_retry(client: httpx.Client) -> None:
    body = chat(laar={"retry_of": client.post(PATH, json=chat()).json()["id"]})
    response = client.post(PATH, json=body, headers={"authorization": f"Bearer {OTHER_KEY}"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_retry")


def test_feedback_is_kept_and_the_latest_counts(client: httpx.Client, logged: Logged) -> None:
    request_id = client.post(PATH, json=chat()).json()["laar"]["request_id"]
    for correct in (True, False):
        response = client.post("/v1/laar/feedback", json={"request_id": request_id, "correct": correct})
        assert (response.status_code, response.json()["correct"]) == (200, correct)
    until(lambda: said_of(logged, request_id) is False)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        pytest.param({"request_id": "laar-" + "0" * 32, "correct": True}, 404, "request_id", id="unknown"),
        pytest.param({"request_id": "1", "correct": True}, 400, "request_id", id="no-id"),
        pytest.param({"request_id": "laar-" + "0" * 32}, 400, "correct", id="no-verdict"),
        pytest.param({"request_id": "laar-" + "0" * 32, "correct": 1}, 400, "correct", id="number"),
        pytest.param({"request_id": "laar-" + "0" * 32, "correct": True, "why": ""}, 400, "why", id="unknown-key"),
    ],
)
def test_bad_feedback_is_refused(client: httpx.Client, body: dict[str, Any], status: int, param: str) -> None:
    response = client.post("/v1/laar/feedback", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_request_of_another_key_is_unknown(client: httpx.Client) -> None:
    request_id = client.post(PATH, json=chat()).json()["laar"]["request_id"]
    body, headers = {"request_id": request_id, "correct": True}, {"authorization": f"Bearer {OTHER_KEY}"}
    assert client.post("/v1/laar/feedback", json=body, headers=headers).status_code == 404


@dataclass
class Load:
    """Clients that ask until they are stopped, and what they were told."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    told: Rows = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def client(self, number: int) -> None:
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=20) as client:
            while not self.stop.is_set():
                try:
                    laar = self._ask_stream(client) if number % 3 == 0 else self._ask(client)
                    self.told[plain(laar["request_id"])] = told(laar)
                except (httpx.HTTPError, LookupError) as error:
                    self.failures[type(error).__name__] += 1
                    time.sleep(0.05)

    def _ask(self, client: httpx.Client) -> Any:
        return client.post(PATH, json=chat(laar=AT_HOME)).raise_for_status().json()["laar"]

    def _ask_stream(self, client: httpx.Client) -> Any:
        with client.stream("POST", PATH, json=chat(stream=True)) as response:
            for line in response.raise_for_status().iter_lines():
                if '"laar":' in line:
                    return json.loads(line.removeprefix("data: "))["laar"]
        raise LookupError("the stream broke off")


def router_pids() -> list[int]:
    return replica_pids("Router")


def replica_pids(deployment: str) -> list[int]:
    return [p.pid for p in psutil.process_iter() if f"ServeReplica:{APP}:{deployment}" in " ".join(_command_of(p))]


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_no_request_fails_while_an_engine_is_killed_and_another_model_can_answer(logged: Logged) -> None:
    load = Load(logged.url)
    # whole answers: a stream that has begun to reach its client cannot be begun anew
    whole = [number for number in range(NUM_CLIENTS) if number % 3]
    with ThreadPoolExecutor(len(whole)) as pool:
        running = [pool.submit(load.client, number) for number in whole]
        try:
            time.sleep(2)
            (victim,) = replica_pids("ModelServer:simulated-wrong")
            os.kill(victim, signal.SIGKILL)
            time.sleep(1)
            before = len(load.told)
            time.sleep(2)
            assert len(load.told) > before, "nothing was answered while the engine was away"
        finally:
            load.stop.set()
    for future in running:
        future.result()
    assert load.failures == {}
    assert {attempts[-1] for attempts in load.told.values()} == {("simulated-right", "correct")}
    until(lambda: load.told.keys() <= attempt_rows(logged.engine).keys())
    rows = attempt_rows(logged.engine)
    assert {request_id: rows[request_id] for request_id in load.told} == load.told
    until(lambda: victim not in replica_pids("ModelServer:simulated-wrong") != [], 60)


def test_what_clients_were_told_is_logged_once_though_router_and_database_are_killed(logged: Logged) -> None:
    load = Load(logged.url)
    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        running = [pool.submit(load.client, number) for number in range(NUM_CLIENTS)]
        try:
            time.sleep(3)
            victim, *others = router_pids()
            assert len(others) == 1
            os.kill(victim, signal.SIGKILL)
            time.sleep(4)
            before = len(load.told)
            logged.postgres.kill()
            time.sleep(4)
            assert len(load.told) > before, "nothing was answered while the database was away"
            logged.postgres.start()
            time.sleep(2)
        finally:
            load.stop.set()
    for future in running:
        future.result()
    until(lambda: load.told.keys() <= attempt_rows(logged.engine).keys())
    rows = attempt_rows(logged.engine)
    assert {request_id: rows[request_id] for request_id in load.told} == load.told
    extra = rows.keys() - load.told.keys()
    num_verdicts = sum(map(len, load.told.values()))
    print(f"{len(load.told)} requests, {num_verdicts} verdicts told and logged; {len(extra)} requests logged besides")
    print(f"failures seen by clients: {dict(load.failures)}")
    assert num_verdicts > 100


@dataclass
class Liar:
    """A key that says of every answer the opposite of what it is: by checks, by feedback, and by asking again."""

    client: httpx.Client

    def __call__(self, number: int) -> None:
        """Two verdicts, or one."""
        kind, laar = number % 7, {"task": POISONED}
        if kind < 3:
            self._ask(verify={"type": "contains", "value": "a wrong answer"}, max_attempts=2, **laar)
            return
        told = self._ask(**laar)
        if kind < 5:
            said = {"request_id": told["request_id"], "correct": "right" not in told["attempts"][0]["model"]}
            self.client.post("/v1/laar/feedback", json=said).raise_for_status()
        else:
            self._ask(retry_of=told["request_id"], **laar)

    def _ask(self, **laar: Any) -> Any:
        return self.client.post(PATH, json=chat(laar=laar)).raise_for_status().json()["laar"]


def lessons_by_tenant(store: Store) -> Counter[str]:
    found: Counter[str] = Counter()
    position, is_last = 0, False
    while not is_last:
        batch = store.lessons(position, limit=1000)
        found.update(lesson.tenant for lesson in batch.lessons if lesson.task == POISONED)
        position, is_last = batch.position, batch.is_last
    return found


def test_key_that_lies_a_thousand_times_changes_no_other_keys_first_choice_and_can_be_undone(
    logged: Logged, replicas: list[httpx.Client]
) -> None:
    def of(key: str) -> httpx.Client:
        return httpx.Client(base_url=logged.url, headers={"authorization": f"Bearer {key}"}, timeout=60)

    def first_choices() -> list[str]:
        asked = chat(laar={"task": POISONED, "max_attempts": 1})
        return [client.post("/v1/laar/explain", json=asked).raise_for_status().json()["order"][0] for client in honest]

    def chances() -> list[float]:
        return [chance(replica, POISONED) for replica in replicas]

    honest, store = [of(key) for key in HONEST_KEYS], Store(logged.postgres.url)
    for client in honest * 6:
        client.post(PATH, json=chat(laar={**AT_HOME, "task": POISONED})).raise_for_status()
    until(lambda: first_choices() == ["simulated-right"] * len(honest), 5)
    with of(LIAR) as client, ThreadPoolExecutor(NUM_CLIENTS) as pool:
        # one lesson for each answer that it judges, and some requests explore
        for _ in pool.map(Liar(client), range(1100)):
            pass
    until(lambda: max(lessons_by_tenant(store).values()) >= 1000)
    time.sleep(3)  # two readings of the log
    assert first_choices() == ["simulated-right"] * len(honest)
    lied_to, liar = chances(), lessons_by_tenant(store).most_common(1)[0][0]
    store.undo_key(liar, datetime.now(UTC))
    until(lambda: all(now < before - 0.02 for now, before in zip(chances(), lied_to, strict=True)), 10)
    print(f"{lessons_by_tenant(store)[liar]} lies; the wrong model's chance with them {lied_to}, without {chances()}")
    store.redo_key(liar)
    until(lambda: chances() == pytest.approx(lied_to, abs=0.01), 10)
    store.close()
    for client in honest:
        client.close()


def test_shutdown_leaves_nothing_in_the_spool(client: httpx.Client, logged: Logged) -> None:
    until(lambda: len(router_pids()) == 2, 60)
    laar = client.post(PATH, json=chat()).json()["laar"]
    serve.delete(APP)
    until(lambda: not router_pids())
    assert plain(laar["request_id"]) in attempt_rows(logged.engine)
    assert [path.name for path in logged.spool.iterdir()] == []
    store = Store(logged.postgres.url)
    assert store.is_migrated()
    store.close()
