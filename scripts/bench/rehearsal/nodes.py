"""Several Ray nodes on this machine, started by Ray's own cluster utility, and what Serve says of them."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import httpx
import psutil
from ray.cluster_utils import Cluster

DASHBOARD_PORT = 8269
DRAIN_COMMAND_S = 60
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedReplica:
    """One replica that Serve has started; `deployment` is its name without that of the model."""

    deployment: str
    node_id: str
    pid: int
    state: str


class RayCluster:
    """A head without replicas, and workers that come and go; each worker has a folder of its own as its disk.

    What runs on a worker has that folder as its working directory, so a relative path is a place on that worker alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # its processes end with `close`: hooks at exit can be set in the main thread only
        self._cluster = Cluster(shutdown_at_exit=False)
        self._workers: dict[str, Any] = {}
        self._cluster.add_node(
            num_cpus=0,
            include_dashboard=True,
            dashboard_host=HOST,
            dashboard_port=DASHBOARD_PORT,
            dashboard_agent_listen_port=None,
        )

    @property
    def workers(self) -> Sequence[str]:
        """Ids of the workers, the oldest first."""
        return list(self._workers)

    def add_worker(self) -> str:
        """Start one more worker; its id."""
        home = Path(mkdtemp(prefix="worker-", dir=self._folder))
        with chdir(home):
            node = self._cluster.add_node(num_cpus=2)
        self._workers[node.node_id] = (node, home)
        return str(node.node_id)

    def drain(self, worker: str, *, deadline_s: int) -> None:
        """Announce the end of a worker, by the call that KubeRay's autoscaler makes."""
        command = [str(Path(sys.executable).with_name("ray")), "drain-node", "--address", self._cluster.address]
        command += ["--node-id", worker, "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "rehearsal"]
        command += ["--deadline-remaining-seconds", str(deadline_s)]
        subprocess.run(command, check=True, capture_output=True, timeout=DRAIN_COMMAND_S)

    def lose(self, worker: str) -> None:
        """SIGKILL for all processes of a worker at once; its disk goes with it."""
        node, home = self._workers.pop(worker)
        _kill([process.pid for _, process in node.live_processes()])
        self._cluster.remove_node(node, allow_graceful=False)
        rmtree(home, ignore_errors=True)

    def deploy(self, document: Mapping[str, Any]) -> None:
        """What `serve deploy` does."""
        httpx.put(f"{_API}/applications/", json=document, timeout=60).raise_for_status()

    def replicas(self) -> list[StartedReplica]:
        """Those that Serve knows of, of all applications on all nodes."""
        return [
            StartedReplica(
                deployment=name.partition(":")[0], node_id=one["node_id"], pid=one["pid"], state=one["state"]
            )
            for application in _serve_status()["applications"].values()
            for name, deployment in application["deployments"].items()
            for one in deployment["replicas"]
        ]

    def runs(self, wanted: Mapping[str, int], *, without: str = "") -> bool:
        """Whether of each deployment that many replicas run, none is about to, and none is on the worker `without`."""
        try:
            found = self.replicas()
        except (httpx.HTTPError, ValueError, LookupError):
            return False
        counts = Counter(replica.deployment for replica in found)
        is_settled = all(replica.state == "RUNNING" and replica.node_id != without for replica in found)
        return is_settled and counts == wanted

    def close(self) -> None:
        # HAProxy ends with Serve alone
        with suppress(httpx.HTTPError):
            httpx.delete(f"{_API}/applications/", timeout=60)
        nodes = [self._cluster.head_node, *(node for node, _ in self._workers.values())]
        _kill([process.pid for node in nodes for _, process in node.live_processes()])
        self._cluster.shutdown()


_API = f"http://{HOST}:{DASHBOARD_PORT}/api/serve"


def _serve_status() -> Any:
    return httpx.get(f"{_API}/applications/", timeout=30).raise_for_status().json()


def _kill(pids: Sequence[int]) -> None:
    """These processes and all that they have started, listed before the first of them ends."""
    found: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
