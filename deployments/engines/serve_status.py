"""Where deployments are reached, and what the Serve controller says of them; only here its status' shape is known."""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import DeploymentStatusOverview, ServeStatus

_RUNNING = "RUNNING"
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
