import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from profiles.measures.goodput import Reader, ServiceLimits
from scripts.bench.commands import bench
from scripts.bench.goodput.file import write_recording
from scripts.bench.goodput.run import (
    LoadError,
    LoadPlan,
    MeasuredServer,
    ask_servers,
    extra_body_of,
    key_of,
    measure,
    rates_of,
    report,
    urls_of,
)
from scripts.bench.goodput.streams import RefusalError, StreamLimits
from tests.unit.scripts.bench.goodput.test_streams import END, event

PLAN = LoadPlan(
    rates_per_s=[1.0, 5.0, 30.0],
    window_s=12.0,
    prompt_tokens=60,
    output_tokens=5,
    seed=1,
    limits=StreamLimits(timeout_s=30.0, most_open=5000),
    objective=ServiceLimits(ttft_s=0.5),
    reader=Reader(pace_s=0.1, alpha=10.0, bound_s=30.0),
)


class QueueServer:
    """Reads one request after another, each in a tenth of a second; `log` keeps who was asked what."""

    def __init__(self, name: str, log: list[tuple[str, Mapping[str, Any]]]) -> None:
        self._name, self._log, self._turn = name, log, asyncio.Lock()

    @asynccontextmanager
    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        self._log.append((self._name, body))
        async with self._turn:
            await asyncio.sleep(0.1)
        yield self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        for _ in range(5):
            yield event("a")
            await asyncio.sleep(0.1)
        yield END


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_a_queue_rises_to_its_capacity_and_falls_beyond_it() -> None:
    log: list[tuple[str, Mapping[str, Any]]] = []
    servers = [MeasuredServer(name=name, server=QueueServer(name, log), model="m") for name in ("x", "y")]
    found = report(await measure(PLAN, servers, nonce="n"))
    for name in ("x", "y"):
        assert found.figures["servers"][name]["shape"] == "peaks"
        assert found.figures["servers"][name]["operating_point"]["rate_per_s"] == 5.0
    assert found.failed() == []
    # two servers that are alike get the same, and are not told apart
    assert not any(
        row[measure]["is_told_apart"]
        for row in found.figures["compared"][0]["rates"]
        for measure in ("smooth_tokens_per_s", "goodput_per_s")
    )
    # a first request each, then the servers in turn, the other one first at the next rate
    turns = [name for i, (name, _) in enumerate(log) if i == 0 or name != log[i - 1][0]]
    assert turns == ["x", "y", "x", "y", "x", "y"]
    texts = [body["messages"][0]["content"] for name, body in log if name == "x"]
    assert len(set(texts)) == len(texts)
    assert texts[1:] == [body["messages"][0]["content"] for name, body in log if name == "y"][1:]


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_a_server_that_does_not_answer_is_not_measured() -> None:
    class FailingServer:
        @asynccontextmanager
        async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
            if body:
                raise RefusalError(401)
            yield QueueServer("x", [])._pieces()

    with pytest.raises(LoadError, match=r"x gave no whole answer to a first request: error, status 401"):
        await measure(PLAN, [MeasuredServer(name="x", server=FailingServer(), model="m")], nonce="n")


@pytest.mark.parametrize(
    ("given", "urls"),
    [
        (["http://h:1/v1/"], {"http://h:1": "http://h:1"}),
        (["a=http://h:1", "b=https://h/x"], {"a": "http://h:1", "b": "https://h/x"}),
    ],
    ids=["alone", "named"],
)
def test_servers_have_names(given: list[str], urls: dict[str, str]) -> None:
    assert urls_of(given) == urls


@pytest.mark.parametrize(
    ("read", "match"),
    [
        (lambda: urls_of(["localhost:1"]), "NAME=http"),
        (lambda: urls_of(["=http://h"]), "NAME=http"),
        (lambda: urls_of(["a=http://h", "a=http://i"]), "twice"),
        (lambda: rates_of("", None), "numbers"),
        (lambda: rates_of("1,x", None), "numbers"),
        (lambda: rates_of("1,0", None), "above 0"),
        (lambda: rates_of("1,nan", None), "above 0"),
        (lambda: rates_of("1,1.0", None), "different"),
        (lambda: extra_body_of("[]"), "JSON object"),
        (lambda: key_of("NAME", {"NAME": " "}), "NAME is empty"),
    ],
    ids="no-scheme no-name twice no-rate word zero nan same no-object no-key".split(),
)
def test_options_that_cannot_be_read_are_refused_by_name(read: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read()


async def _chat(request: web.Request) -> web.StreamResponse:
    assert request.headers["authorization"] == "Bearer key"
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range((await request.json())["max_tokens"]):
        await response.write(event("a"))
    await response.write(END)
    return response


async def _models(_request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "only"}]})


@pytest.mark.asyncio
async def test_streams_come_over_http() -> None:
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", _chat), web.get("/v1/models", _models)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    plan = replace(PLAN, rates_per_s=[200.0], window_s=0.1)
    try:
        recording = await ask_servers(plan, {"s": f"http://{host}:{port}"}, model=None, api_key="key")
    finally:
        await runner.cleanup()
    (point,) = report(recording).figures["servers"]["s"]["points"]
    assert point["ended"] == {"complete": point["arrived"]}
    assert point["tokens"] == 5 * point["arrived"]
    assert recording.parameters["models"] == {"s": "only"}


def test_the_command_computes_figures_anew_from_raw_data(tmp_path: Path) -> None:
    async def recorded() -> None:
        servers = [MeasuredServer(name="x", server=QueueServer("x", []), model="m")]
        write_recording(tmp_path / "raw.gz", await measure(replace(PLAN, rates_per_s=[2.0]), servers, nonce="n"))

    from tests.unit.virtual_time import VirtualTimeLoop

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(recorded())
    json_path, plot = tmp_path / "found.json", tmp_path / "plot.png"
    command = ["goodput", "--from", str(tmp_path / "raw.gz"), "--json", str(json_path), "--plot", str(plot), "--check"]
    found = CliRunner().invoke(bench, command)
    assert found.exit_code == 0, found.output
    assert "x, 2 requests/s: smooth goodput" in found.output
    assert json.loads(json_path.read_text())["figures"]["servers"]["x"]["points"][0]["arrived"] > 10
    assert plot.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--from", __file__, "--rates", "1"], "asks no server"),
        (["--rates", "1"], "--url"),
        (["--url", "http://h", "--rates", "x"], "--rates"),
        (["--url", "http://h", "--rates", "1", "--extra-body", "[]"], "--extra-body"),
    ],
    ids=["both", "neither", "rates", "no-object"],
)
def test_the_command_refuses_what_it_would_ignore(options: list[str], match: str) -> None:
    found = CliRunner().invoke(bench, ["goodput", *options])
    assert found.exit_code == 2
    assert match in found.output
