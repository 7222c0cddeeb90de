import re
import time
from collections import Counter

import httpx
import pytest
import ray

from tests.serve.conftest import AT_HOME, chat
from tests.unit.test_manifests import queries

pytestmark = pytest.mark.serve
PATH = "/v1/chat/completions"
# Ray collects once in 10 s by default
PATIENCE_S = 60.0


def scraped(name: str) -> dict[str, float]:
    """The present sums of a metric over all routers, by the way that answers went to their clients."""
    (node,) = ray.nodes()
    text = httpx.get(f"http://127.0.0.1:{node['MetricsExportPort']}/metrics", timeout=10).text
    sums: Counter[str] = Counter()
    for way, value in re.findall(rf'^ray_{name}{{.*way="(\w+)".*}} (\S+)$', text, re.MULTILINE):
        sums[way] += float(value)
    return dict(sums)


def test_ways_of_delivery_are_metered_apart(client: httpx.Client) -> None:
    slow = chat(model="simulated-slow", stream=True)
    for body in (chat(), chat(stream=True, laar=AT_HOME), slow):
        client.post(PATH, json=body).raise_for_status()
    due_s = time.monotonic() + PATIENCE_S
    # twenty words at 0.2 s each
    while scraped("laar_tpot_seconds_sum").get("streamed", 0.0) < 0.15:
        assert time.monotonic() < due_s, scraped("laar_tpot_seconds_sum")
        time.sleep(1)
    assert scraped("laar_ttft_seconds_count").keys() == {"whole", "held", "streamed"}
    assert scraped("laar_tpot_seconds_sum").keys() == {"held", "streamed"}
    # held back and then sent in one burst
    assert scraped("laar_tpot_seconds_sum")["held"] < 0.15
    assert scraped("laar_smooth_goodput_tokens_total")["streamed"] > 10


def test_a_router_whose_models_run_is_healthy_and_ready(client: httpx.Client) -> None:
    assert [client.get(path).status_code for path in ("/health", "/ready")] == [200, 200]


def test_alerts_and_dashboard_ask_for_names_that_ray_exports(client: httpx.Client) -> None:
    client.post(PATH, json=chat(stream=True, laar=AT_HOME)).raise_for_status()
    (node,) = ray.nodes()
    # these have no series before something goes wrong
    rare = {
        "ray_laar_file_reads_total",
        "ray_laar_log_dropped_total",
        "ray_laar_log_lag_seconds",
        "ray_laar_log_spool_bytes",
    }
    asked = {name for query in queries().values() for name in re.findall(r"\bray_laar_[a-z_]+", query)} - rare
    due_s = time.monotonic() + PATIENCE_S
    while True:
        text = httpx.get(f"http://127.0.0.1:{node['MetricsExportPort']}/metrics", timeout=10).text
        missing = asked - set(re.findall(r"^(ray_laar_\w+){", text, re.MULTILINE))
        if not missing:
            return
        assert time.monotonic() < due_s, missing
        time.sleep(1)
