"""The real router alone, without Ray: `python -m scripts.bench.emulated.router CONFIG` serves it and prints its port.

For applications whose models are all served elsewhere, and whose checks the router makes itself. The log, the verifier
deployment and Ray's own proxies are left out.
"""

import asyncio
import secrets
import socket
import sys
from pathlib import Path

import uvicorn
import yaml

from deployments.router.http.ingress import Router
from profiles.profile import load_profile
from serve_app.app import router_models
from serve_app.config import AppConfig, auth_plan, remote_plans


def router_of(config: AppConfig) -> Router:
    """A router of its own, as `build_app` makes those of an application."""
    return Router(
        llm_deployments={},
        remote=remote_plans(config.models, {}),
        models=router_models(config),
        profile=load_profile(config.profile),
        profile_file=None,
        settings=config.router,
        limits=config.limits,
        limits_file=None,
        thinking=config.thinking,
        # no check that is asked for here needs one
        verifier="none",
        custom_checks=frozenset(),
        auth=auth_plan(config.auth, {}, secrets.token_bytes),
        log=None,
    )


async def serve(config: AppConfig) -> None:
    """Until the process is ended; the first line printed is the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        print(listening.getsockname()[1], flush=True)
        app = router_of(config).app("emulated")
        await uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).serve([listening])


if __name__ == "__main__":
    asyncio.run(serve(AppConfig.model_validate(yaml.safe_load(Path(sys.argv[1]).read_bytes()))))
