"""What the Serve controller says of the model deployments; the one place that knows the shape of its status."""

import asyncio
from collections.abc import Mapping

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeStatus

_RUNNING = "RUNNING"


async def num_running(handles: Mapping[str, DeploymentHandle]) -> dict[str, int]:
    """How many replicas of each deployment run; KeyError, RayError or RayServeException while that is not known.

    Asking takes this process some 30 ms for each deployment of the cluster.
    """
    status = await asyncio.to_thread(serve.status)
    return {name: running_in(status, handle.app_name, handle.deployment_name) for name, handle in handles.items()}


def running_in(status: ServeStatus, app: str, deployment: str) -> int:
    return int(status.applications[app].deployments[deployment].replica_states.get(_RUNNING, 0))
