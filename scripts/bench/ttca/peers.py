"""Other routers in front of the same engines: Ray Serve LLM's own ingress, and LiteLLM's proxy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from scripts.bench.cost.peer_processes import litellm_proxy

LITELLM_PORT = 8124
RAY_ROUTE = "/ray-ingress"


@contextmanager
def litellm(url: str, models: Sequence[str]) -> Iterator[str]:
    """LiteLLM's router over the models by name, in its usual settings; its base URL."""
    with litellm_proxy(url, models, LITELLM_PORT) as base:
        yield base


@contextmanager
def ray_ingress(url: str, models: Sequence[str]) -> Iterator[str]:
    """Ray Serve LLM's own ingress beside laar's, on the same model deployments; its base URL.

    It is deployed into the Ray cluster on this machine that serves `url`, and deleted at the end.
    """
    import ray
    from ray import serve
    from ray.serve.llm.ingress import OpenAiIngress, make_fastapi_ingress

    ray.init(address="auto", namespace="serve", log_to_driver=False, configure_logging=False)
    try:
        handles = {model: _handle(model) for model in models}
        cards = {model: SimpleNamespace(id=model) for model in models}
        ingress = serve.deployment(
            make_fastapi_ingress(OpenAiIngress), max_ongoing_requests=2000, ray_actor_options={"num_cpus": 0.1}
        )
        try:
            serve.run(
                ingress.bind(llm_deployments=handles, model_cards=cards), name="ray-ingress", route_prefix=RAY_ROUTE
            )
            yield f"{url}{RAY_ROUTE}"
        finally:
            serve.delete("ray-ingress")
    finally:
        ray.shutdown()


def _handle(model: str) -> Any:
    from ray import serve

    (name,) = [
        deployment
        for deployment in serve.status().applications["laar"].deployments
        if deployment.endswith(model.replace(".", "_")) or deployment.endswith(model)
    ]
    return serve.get_deployment_handle(name, app_name="laar")
