"""Where deployments are reached, and what Ray says of them and of its nodes; only here the shape of that is known."""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

import aiohttp
import ray
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import DeploymentStatusOverview, ServeStatus

from deployments.contract.errors import ClientError

_RUNNING = "RUNNING"
# Prometheus waits for 10 s by default
EXPORTER_TIMEOUT_S = 5.0
MAX_NODES = 64
# A deployment that is bound into this Serve application, or the name of another one, whose ingress is meant.
Address: TypeAlias = DeploymentHandle | str


async def handle_of(address: Address) -> DeploymentHandle:
    """RayServeException while the application is not there: those of one Serve config start in any order."""
    return await asyncio.to_thread(serve.get_app_handle, address) if isinstance(address, str) else address


async def num_running(addresses: Mapping[str, Address]) -> dict[str, int]:
    """How many replicas of each run; KeyError, RayError or RayServeException while that is not known.

    Asking takes this process some 30 ms for each deployment of the cluster.
    """
    status = await asyncio.to_thread(serve.status)
    return {
        name: running_in(status, at) if isinstance(at, str) else running_in(status, at.app_name, at.deployment_name)
        for name, at in addresses.items()
    }


async def node_metrics() -> list[str | None]:
    """What each living node exports of all that runs there; None of one that does not answer in time."""
    nodes = [node for node in await asyncio.to_thread(ray.nodes) if node["Alive"]]
    if len(nodes) > MAX_NODES:
        raise ClientError(f"metrics: the cluster has {len(nodes)} nodes, and at most {MAX_NODES} are read; scrape each")

    async def once(session: aiohttp.ClientSession, host: str, port: int) -> str | None:
        try:
            async with session.get(f"http://{host}:{port}/metrics", raise_for_status=True) as response:
                return await response.text()
        except (aiohttp.ClientError, OSError):
            return None

    timeout = aiohttp.ClientTimeout(total=EXPORTER_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        asked = (once(session, node["NodeManagerAddress"], node["MetricsExportPort"]) for node in nodes)
        return await asyncio.gather(*asked)


def running_in(status: ServeStatus, app: str, deployment: str | None = None) -> int:
    """Without a deployment: of the one that has the fewest. An application that is not among those there runs none."""
    if deployment is not None:
        return _running(status.applications[app].deployments[deployment])
    if not status.applications:
        raise KeyError(app)
    found = status.applications.get(app)
    return min(map(_running, found.deployments.values()), default=0) if found else 0


def _running(deployment: DeploymentStatusOverview) -> int:
    return int(deployment.replica_states.get(_RUNNING, 0))
