"""The environment Ray Serve needs to be fast; read by Ray when it is imported, so set it before."""

import sys
from collections.abc import MutableMapping
from pathlib import Path

HAPROXY = "RAY_SERVE_ENABLE_HA_PROXY"
FAST_SERVE = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    HAPROXY: "1",
    "RAY_SERVE_HAPROXY_BINARY_PATH": str(Path(sys.executable).with_name("laar-haproxy")),
}
HARD_STOP = "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"
# With each router that comes or goes Ray starts a new HAProxy. Later it kills the old one, with all that runs there.
RAYS_HARD_STOP_S = 120
# The default deadline, and a minute.
PATIENT_STOP = {HARD_STOP: "660"}
# On a busy machine HAProxy does not start within Ray's 5 s, and the application ends with it.
PATIENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
# Threads of small matrix operations wait for one another on busy cores: fitting a profile took 5 s instead of 20 ms.
# Ray gives its workers one thread by itself.
SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1"}


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Turn on Ray Serve's HAProxy and throughput settings unless the caller has already decided."""
    for name, value in {**FAST_SERVE, **PATIENT_STOP, **PATIENT, **QUIET, **SINGLE_THREADED}.items():
        environ.setdefault(name, value)
