"""Manifests and shipped configs are code: they are parsed, validated, and compared with the program."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles.profile import load_profile
from serve_app.config import AppConfig

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "serve_app").glob("*.yaml"))


def args(path: Path) -> Any:
    (application,) = yaml.safe_load(path.read_text())["applications"]
    assert application["import_path"] == "serve_app.app:build_app"
    return application["args"]


@pytest.fixture(scope="module")
def ray_service() -> Any:
    return yaml.safe_load((ROOT / "k8s/base/rayservice.yaml").read_text())


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CONFIGS])
def test_shipped_config_is_valid_and_its_profile_loads(path: Path) -> None:
    config = AppConfig.model_validate(args(path))
    profile = load_profile(config.profile)
    if config.profile is not None:
        assert {model.engine_config.name for model in config.models} <= set(profile.models)


def test_ray_service_runs_the_shipped_config(ray_service: Any) -> None:
    shipped = yaml.safe_load((ROOT / "serve_app/five_models_gpu.yaml").read_text())
    assert yaml.safe_load(ray_service["spec"]["serveConfigV2"]) == shipped


def test_every_model_of_the_example_can_be_given_tools() -> None:
    config = AppConfig.model_validate(args(ROOT / "serve_app/five_models_gpu.yaml"))
    told = [model.llm_config["engine_kwargs"] for model in config.models]
    assert [(kwargs["enable_auto_tool_choice"], kwargs["tool_call_parser"]) for kwargs in told] == [
        (True, "granite"),
        (True, "phi4_mini_json"),
        (True, "llama3_json"),
        (True, "hermes"),
        (True, "mistral"),
    ]


def test_every_model_has_a_worker_group_with_its_resource(ray_service: Any) -> None:
    config = AppConfig.model_validate(args(ROOT / "serve_app/five_models_gpu.yaml"))
    needed = {
        resource
        for model in config.models
        for bundle in model.llm_config["placement_group_config"]["bundles"]
        for resource in bundle
        if resource not in ("CPU", "GPU")
    }
    groups = ray_service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    offered = {
        resource
        for group in groups
        for resource in yaml.safe_load(
            group["rayStartParams"].get("resources", '"{}"').strip('"').replace("\\", "") or "{}"
        )
    }
    assert len(needed) == len(config.models) == 5
    assert needed == offered


def test_head_takes_no_work_and_shows_its_ports(ray_service: Any) -> None:
    head = ray_service["spec"]["rayClusterConfig"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    ports = {p["name"]: p["containerPort"] for p in head["template"]["spec"]["containers"][0]["ports"]}
    assert ports["serve"] == 8000
    assert {8080, 44217, 44227} <= set(ports.values())


def test_every_pod_is_fast_bounded_and_unprivileged(ray_service: Any) -> None:
    cluster = ray_service["spec"]["rayClusterConfig"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    for pod in pods:
        (container,) = pod["containers"]
        env = {e["name"]: e for e in container["env"]}
        assert env["RAY_SERVE_THROUGHPUT_OPTIMIZED"]["value"] == "1"
        assert env["RAY_SERVE_ENABLE_HA_PROXY"]["value"] == "1"
        assert "secretKeyRef" in env["LAAR_API_KEYS"]["valueFrom"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        mounts = {m["name"] for m in container["volumeMounts"]}
        assert mounts == {v["name"] for v in pod["volumes"]}
        assert pod["terminationGracePeriodSeconds"] > AppConfig.model_fields["limits"].default.deadline_s
