"""Peers side by side: what is compared, what the bars say, how peers are configured; without the peers themselves."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from scripts.bench.cost import peer_processes
from scripts.bench.cost.closed_loop import LoadTarget
from scripts.bench.cost.instant_backend import app
from scripts.bench.cost.peer_processes import litellm_config, served_by
from scripts.bench.cost.peers import bars_of, compare, with_added
from scripts.bench.cost.where_time_goes import NATIVE, OTHERS, owner_of, processes_of, shares_s, summary
from scripts.commands import app as laar

ROOT = Path(__file__).parents[5]


def run(requests_per_s: float, p50_ms: float, p99_ms: float) -> dict[str, float]:
    return {"requests_per_s": requests_per_s, "p50_ms": p50_ms, "p99_ms": p99_ms}


CANNED = {
    "direct": [run(10_000, 1, 2), run(10_000, 3, 4)],
    "laar": [run(400, 4, 8), run(200, 8, 16)],
    "laar_remote": [run(800, 3, 6), run(400, 5, 8)],
    "ray": [run(200, 8, 8), run(200, 8, 8)],
    "litellm": [run(100, 21, 42), run(50, 43, 84)],
    "vllm_router": [run(4000, 2, 6), run(2000, 5, 8)],
}


def test_a_proxy_adds_what_it_takes_above_the_backend_asked_in_the_same_round() -> None:
    added = with_added("litellm", CANNED["litellm"], CANNED["direct"])
    assert [(r["added_p50_ms"], r["added_p99_ms"]) for r in added] == [(20, 40), (40, 80)]


def test_laar_before_the_same_backends_is_one_of_the_proxies() -> None:
    added = with_added("laar_remote", CANNED["laar_remote"], CANNED["direct"])
    assert [r["added_p50_ms"] for r in added] == [2, 2]


@pytest.mark.parametrize("target", ["laar", "ray"])
def test_all_latency_of_what_holds_its_engine_counts_as_added(target: str) -> None:
    added = with_added(target, CANNED[target], CANNED["direct"])
    assert [r["added_p50_ms"] for r in added] == [r["p50_ms"] for r in CANNED[target]]


def test_ratios_are_taken_round_by_round() -> None:
    figures = compare(CANNED)
    assert figures["laar_to_litellm"]["requests_per_s"] == {"median": 4.0, "min": 4.0, "max": 4.0, "runs": 2}
    assert figures["laar_to_litellm"]["added_p50_ms"] == {"median": 0.2, "min": 0.2, "max": 0.2, "runs": 2}
    assert figures["laar_to_vllm_router"]["added_p50_ms"] == {"median": 4.0, "min": 4.0, "max": 4.0, "runs": 2}
    assert figures["laar_remote_to_litellm"]["added_p50_ms"]["median"] == pytest.approx(0.075)
    assert figures["laar_to_ray"]["requests_per_s"] == {"median": 1.5, "min": 1.0, "max": 2.0, "runs": 2}


@pytest.mark.parametrize(
    ("throughput", "added", "expected"),
    [
        pytest.param(4.0, 0.25, [True, True], id="at the limits"),
        pytest.param(3.99, 0.25, [False, True], id="too few requests"),
        pytest.param(4.0, 0.26, [True, False], id="too much added"),
    ],
)
def test_bars_ask_for_four_times_the_throughput_at_a_quarter_of_the_added_latency(
    throughput: float, added: float, expected: list[bool]
) -> None:
    ratios = {"requests_per_s": {"median": throughput}, "added_p50_ms": {"median": added}}
    bars = list(bars_of({"laar_remote_to_litellm": ratios}, "laar_remote", 16))
    assert [(bar.name, bar.ok) for bar in bars] == [
        ("laar_remote_throughput_to_litellm_c16", expected[0]),
        ("laar_remote_added_p50_to_litellm_c16", expected[1]),
    ]


def test_litellm_has_all_models_in_one_group_and_each_to_fall_back_on() -> None:
    config = litellm_config([("http://h/laar", "a"), ("http://h/laar", "b")], strategy="least-busy", num_retries=3)
    assert [(m["model_name"], m["litellm_params"]["model"]) for m in config["model_list"]] == [
        ("auto", "openai/a"),
        ("auto", "openai/b"),
        ("a", "openai/a"),
        ("b", "openai/b"),
    ]
    assert {m["litellm_params"]["api_base"] for m in config["model_list"]} == {"http://h/laar/v1"}
    assert config["router_settings"] == {
        "routing_strategy": "least-busy",
        "num_retries": 3,
        "fallbacks": [{"auto": ["a", "b"]}],
    }
    assert json.loads(json.dumps(config)) == config


def test_two_backends_of_one_model_are_two_deployments_of_the_group() -> None:
    config = litellm_config([("http://h:1", "a"), ("http://h:2", "a")])
    group = [m["litellm_params"]["api_base"] for m in config["model_list"] if m["model_name"] == "auto"]
    assert group == ["http://h:1/v1", "http://h:2/v1"]
    assert config["router_settings"]["fallbacks"] == [{"auto": ["a"]}]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-litellm-model-name": "openai/smollm2-135m"}, "smollm2-135m", id="named"),
        pytest.param({"content-type": "application/json"}, None, id="no header"),
    ],
)
def test_litellm_tells_in_a_header_which_model_answered(headers: dict[str, str], expected: str | None) -> None:
    assert served_by(headers) == expected


def test_missing_peers_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peer_processes, "PEERS", tmp_path / ".venv-bench")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    result = CliRunner().invoke(laar, ["bench", "peers"])
    assert result.exit_code == 2
    assert result.stderr == "'python' is missing in .venv-bench; help: scripts/setup-bench.sh makes it\n"


def test_peer_is_not_started_where_another_process_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(httpx, "get", lambda url, timeout: httpx.Response(200))
    started = tmp_path / "started"
    with (
        pytest.raises(RuntimeError, match=r"something answers at http://127\.0\.0\.1:8131/health already; end it"),
        peer_processes._process(["touch", started], ready_url="http://127.0.0.1:8131/health"),
    ):
        pass
    assert not started.exists()


def test_pins_of_peers_meet_what_the_extra_asks_for() -> None:
    lines = (ROOT / "requirements" / "peers.txt").read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    pins = {canonicalize_name(r.name): r for r in map(Requirement, listed)}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = list(map(Requirement, settings["project"]["optional-dependencies"]["peers"]))
    versions = {r.name: next(iter(pins[canonicalize_name(r.name)].specifier)).version for r in asked}
    assert [r.name for r in asked if not r.specifier.contains(versions[r.name])] == []
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in listed)


def test_a_request_is_sent_whole() -> None:
    target = LoadTarget(name="x", url="http://127.0.0.1:8000/laar/v1/chat/completions", body=b"{}")
    assert target.request() == (
        b"POST /laar/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )


async def ask(path: str) -> tuple[int, dict[bytes, bytes], bytes]:
    """What the instant backend sends for a body in two pieces."""
    pieces = iter([{"more_body": True}, {"more_body": False}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, bool]:
        return next(pieces)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "path": path}, receive, send)
    assert next(pieces, None) is None
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


async def test_instant_backend_knows_no_other_path() -> None:
    assert (await ask("/nope"))[0] == 404


@pytest.mark.parametrize(
    ("stack", "owner"),
    [
        pytest.param(
            "run (asyncio/base_events.py:1);handle (/x/deployments/router/http/ingress.py:1);"
            "generate (/x/deployments/router/attempt/backend.py:9);"
            "remote (/x/ray/serve/handle.py:1);dumps (pickle.py:1)",
            "Ray Serve",
            id="a library is charged to its caller",
        ),
        pytest.param(
            "main (/x/ray/serve/replica.py:1);"
            "decide (/x/deployments/router/choice/routing.py:1);sort (numpy/core.py:1)",
            "laar: decision",
            id="the innermost owner counts",
        ),
        pytest.param(
            "main (/x/ray/serve/replica.py:1);request_ended (/x/deployments/router/upkeep/metrics.py:1);"
            "inc (/x/ray/util/metrics.py:1)",
            "laar: answer and metrics",
            id="counting is charged to who counts",
        ),
        pytest.param("run (asyncio/base_events.py:1);select (selectors.py:1)", OTHERS, id="nobody's"),
    ],
)
def test_a_sample_counts_for_the_innermost_owner(stack: str, owner: str) -> None:
    assert owner_of(stack) == owner


def test_samples_become_seconds() -> None:
    collapsed = (
        "a (/x/ray/serve/replica.py:1) 150\n"
        "a (/x/ray/serve/replica.py:1);b (/x/ray/serve/handle.py:1) 50\n"
        "a (x.py:1) 100\n"
    )
    assert shares_s(collapsed) == {"Ray Serve": 1.0, OTHERS: 0.5}


def test_processor_time_is_shared_out_and_what_python_did_not_do_is_native() -> None:
    spent_s = {"router": 4.0, "haproxy": 1.0}
    found = summary(spent_s, {"router": {"Ray Serve": 2.0, "laar: decision": 1.0}}, num_requests=1000)
    assert found["shares"] == {"Ray Serve": 0.4, "laar: decision": 0.2, NATIVE: 0.2, "haproxy": 0.2}
    assert found["share_of_laar"] == pytest.approx(0.2)
    assert found["processor_ms_per_request"] == {"router": 4.0, "haproxy": 1.0}


def test_python_that_waited_for_a_processor_is_not_counted_twice() -> None:
    found = summary({"router": 2.0}, {"router": {"Ray Serve": 3.0, "laar: parsing": 1.0}}, num_requests=1)
    assert found["shares"] == {"Ray Serve": 0.75, "laar: parsing": 0.25, NATIVE: 0.0}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("ray::ServeReplica:laar:Router", "router", id="router"),
        pytest.param("ray::ServeReplica:laar:ModelServer:simulated-instant", "model", id="model"),
        pytest.param("/x/bin/haproxy -dS -db -f /tmp/haproxy.cfg", "haproxy", id="haproxy"),
        pytest.param("ray::ServeController", "ray_background", id="controller"),
        pytest.param("ray::HAProxyManager", "ray_background", id="HAProxy's manager"),
        pytest.param("ray::ServeReplica:ray:OpenAiIngress", None, id="Ray's ingress"),
        pytest.param("ray::ServeReplica:laar-remote:Router", None, id="the other application"),
        pytest.param("/x/bin/litellm --config x", None, id="a peer"),
    ],
)
def test_processes_are_known_by_their_command_line(command: str, expected: str | None) -> None:
    assert next((name for name, pattern in processes_of("laar").items() if pattern.search(command)), None) == expected
