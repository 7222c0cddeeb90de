"""Manifests and shipped configs are code: they are built, validated, and compared with the program."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from packaging.specifiers import SpecifierSet
from pydantic import BaseModel

from deployments.contract.errors import OverloadedError, QuotaError
from profiles.profile import load_profile
from serve_app.app import SHUTDOWN_MARGIN_S
from serve_app.config import AppConfig, ModelAppConfig, VerifierAppConfig
from tests.prometheus import queries

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "serve_app").glob("*.yaml"))
SERVE_CONFIGS = sorted((ROOT / "k8s").rglob("serve.yaml"))
BUILDS = sorted(path.parent for path in (ROOT / "k8s").rglob("kustomization.yaml"))
BUILDERS: dict[str, type[BaseModel]] = {
    "build_app": AppConfig,
    "build_model": ModelAppConfig,
    "build_verifier": VerifierAppConfig,
}
FIVE_MODELS = ROOT / "serve_app/five_models_gpu.yaml"
# that an engine may take to start in the place of another one
ENGINE_START_S = 300
# a row of the table of metrics: its name and its labels; a test of the metrics holds that all stand there
METRIC_ROW = re.compile(r"^\| `(laar_\w+)` \|([^|]*)\|", re.MULTILINE)
KUBERNETES = "1.36"
# kinds with a schema of their operator's, which this test has not
CUSTOM = {"RayService", "PodMonitor", "PrometheusRule"}

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the overlays")
every_build = pytest.mark.parametrize("build", [pytest.param(path, id=path.name) for path in BUILDS])


def application(path: Path, builder: str = "build_app") -> Any:
    applications = yaml.safe_load(path.read_text())["applications"]
    (found,) = [each for each in applications if each["import_path"] == f"serve_app.app:{builder}"]
    return found


def config(path: Path) -> AppConfig:
    return AppConfig.model_validate(application(path)["args"])


@cache
def documents(build: Path) -> list[dict[str, Any]]:
    """What kubectl would apply; no server is asked."""
    built = subprocess.run(["kubectl", "kustomize", str(build)], check=True, capture_output=True, text=True)
    # the C loader: the documents are long
    return list(yaml.load_all(built.stdout, yaml.CSafeLoader))


@cache
def validate(document: str) -> None:
    """Cached, as most documents are the same in each build."""
    kubernetes_validate.validate(json.loads(document), KUBERNETES, strict=True)


def ray_service(build: Path) -> Any:
    (found,) = [document for document in documents(build) if document["kind"] == "RayService"]
    return found["spec"]


def groups(build: Path) -> dict[str, Any]:
    """The head and the worker groups, by name."""
    cluster = ray_service(build)["rayClusterConfig"]
    return {"head": cluster["headGroupSpec"]} | {group["groupName"]: group for group in cluster["workerGroupSpecs"]}


def pods(build: Path) -> dict[str, Any]:
    return {name: group["template"]["spec"] for name, group in groups(build).items()}


def offered(group: Any) -> set[str]:
    told = group["rayStartParams"].get("resources", '"{}"').strip('"').replace("\\", "")
    return set(yaml.safe_load(told))


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in CONFIGS + SERVE_CONFIGS]
)
def test_every_application_of_a_shipped_config_is_valid(path: Path) -> None:
    applications = yaml.safe_load(path.read_text())["applications"]
    for each in applications:
        module, _, builder = each["import_path"].partition(":")
        assert module == "serve_app.app"
        BUILDERS[builder].model_validate(each["args"])
    found = config(path)
    named = {model.application for model in found.models} | {found.verifier.application}
    assert named - {None} == {each["name"] for each in applications if each["route_prefix"] is None}
    profile = load_profile(found.profile)
    if found.profile is not None:
        assert {model.engine_config.name for model in found.models} <= set(profile.models)


def test_clusters_serve_the_models_of_the_example() -> None:
    example = config(FIVE_MODELS)
    assert config(ROOT / "k8s/base/serve.yaml").models == example.models
    small = config(ROOT / "k8s/overlays/gpu-24gb/serve.yaml").models
    assert [m.engine_config.name for m in small] == [m.engine_config.name for m in example.models]


def test_every_model_of_the_example_can_be_given_tools() -> None:
    told = [model.llm_config["engine_kwargs"] for model in config(FIVE_MODELS).models]
    assert [(kwargs["enable_auto_tool_choice"], kwargs["tool_call_parser"]) for kwargs in told] == [
        (True, "granite"),
        (True, "phi4_mini_json"),
        (True, "llama3_json"),
        (True, "hermes"),
        (True, "mistral"),
    ]


@needs_kubectl
@every_build
def test_the_nearest_serve_config_is_the_one_that_is_served(build: Path) -> None:
    nearest = build / "serve.yaml" if (build / "serve.yaml").exists() else ROOT / "k8s/base/serve.yaml"
    assert ray_service(build)["serveConfigV2"] == nearest.read_text()


@needs_kubectl
@every_build
def test_core_kinds_and_pods_are_what_kubernetes_takes(build: Path) -> None:
    found = [document for document in documents(build) if document["kind"] not in CUSTOM]
    found += [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec} for spec in pods(build).values()
    ]
    for document in found:
        validate(json.dumps(document))


@needs_kubectl
@every_build
def test_what_pods_name_is_there(build: Path) -> None:
    named = {(document["kind"], document["metadata"]["name"]) for document in documents(build)}
    for pod in pods(build).values():
        assert ("ServiceAccount", pod["serviceAccountName"]) in named
        assert ("PriorityClass", pod["priorityClassName"]) in named
        claims = [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v]
        assert {("PersistentVolumeClaim", claim) for claim in claims} <= named
        (container,) = pod["containers"]
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


@needs_kubectl
@every_build
def test_every_pod_that_may_run_a_router_and_no_other_has_the_files_of_keys_and_secrets(build: Path) -> None:
    serve = yaml.safe_load(ray_service(build)["serveConfigV2"])
    (app,) = [each for each in serve["applications"] if each["import_path"].endswith(":build_app")]
    auth = AppConfig.model_validate(app["args"]).auth
    (router,) = app.get("deployments", ({},))
    needed = router.get("ray_actor_options", {}).get("resources", {}).keys()
    for name, group in groups(build).items():
        may_run = group["rayStartParams"].get("num-cpus") != "0" and needed <= offered(group)
        files: set[str] = set()
        (container,) = group["template"]["spec"]["containers"]
        for volume in group["template"]["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] == "laar-auth"
                (mount,) = [m for m in container["volumeMounts"] if m["name"] == volume["name"]]
                # Kubernetes changes no file that is mounted by a subPath
                assert (mount["readOnly"], "subPath" in mount) == (True, False)
                files |= {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}
        assert files == ({auth.keys_file, auth.secrets_file} if may_run else set()), name


@needs_kubectl
@every_build
def test_pods_are_unprivileged_and_bounded(build: Path) -> None:
    cluster = ray_service(build)["rayClusterConfig"]
    for pod in pods(build).values():
        (container,) = pod["containers"]
        assert container["securityContext"] == cluster["autoscalerOptions"]["securityContext"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert pod["securityContext"]["runAsNonRoot"] is True
    assert cluster["authOptions"] == {"mode": "token"}
    assert all(pod["automountServiceAccountToken"] is False for name, pod in pods(build).items() if name != "head")


@needs_kubectl
@every_build
def test_a_pod_that_is_stopped_has_time_for_what_it_began(build: Path) -> None:
    serve = yaml.safe_load(ray_service(build)["serveConfigV2"])
    (app,) = [each for each in serve["applications"] if each["import_path"].endswith(":build_app")]
    serving_s = AppConfig.model_validate(app["args"]).limits.deadline_s + SHUTDOWN_MARGIN_S
    for pod in pods(build).values():
        env = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
        drain_s = float(env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
        # Serve looks for another place first only where the notice leaves time for it
        assert serving_s + ENGINE_START_S <= drain_s < pod["terminationGracePeriodSeconds"]
        assert serving_s <= float(env["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"]) < drain_s
        assert env["RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S"] == "60"
        assert (env["RAY_SERVE_THROUGHPUT_OPTIMIZED"], env["RAY_SERVE_ENABLE_HA_PROXY"]) == ("1", "1")
        assert env["HF_HUB_OFFLINE"] == "1"
        assert "HF_TOKEN" not in env


@needs_kubectl
@every_build
def test_whatever_the_serve_config_asks_of_nodes_some_group_has(build: Path) -> None:
    serve = yaml.safe_load(ray_service(build)["serveConfigV2"])
    needed: set[str] = set()
    for app in serve["applications"]:
        for deployment in app.get("deployments", ()):
            needed |= deployment["ray_actor_options"].get("resources", {}).keys()
        for bundle in (
            app["args"].get("model", {}).get("llm_config", {}).get("placement_group_config", {}).get("bundles", ())
        ):
            needed |= bundle.keys() - {"CPU", "GPU"}
    assert needed <= set().union(*map(offered, groups(build).values()))


@needs_kubectl
@every_build
def test_policies_and_budgets_select_pods_that_are_there(build: Path) -> None:
    labels = [group["template"]["metadata"]["labels"] for group in groups(build).values()]
    labels += [
        d["spec"]["template"]["metadata"]["labels"] for d in documents(build) if d["kind"] in ("Job", "StatefulSet")
    ]
    for document in documents(build):
        if document["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            spec = document["spec"]
            selected = (spec.get("podSelector") or spec.get("selector"))["matchLabels"]
            assert any(selected.items() <= found.items() for found in labels), document["metadata"]["name"]


@needs_kubectl
def test_head_takes_no_work_and_no_requests_and_shows_its_ports() -> None:
    base = ROOT / "k8s/base"
    assert ray_service(base)["excludeHeadPodFromServeSvc"] is True
    head = groups(base)["head"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    ports = {p["name"]: p["containerPort"] for p in head["template"]["spec"]["containers"][0]["ports"]}
    assert ports["serve"] == 8000
    assert {8080, 44217, 44227} <= set(ports.values())


@needs_kubectl
def test_routers_spread_over_pods_of_their_own_with_room_for_a_new_one() -> None:
    base = ROOT / "k8s/base"
    app = application(base / "serve.yaml")
    (router,) = app["deployments"]
    assert router["max_replicas_per_node"] == 1
    assert offered(groups(base)["routers"]) == router["ray_actor_options"]["resources"].keys()
    # half as many more, rounded up, run while they are replaced
    assert groups(base)["routers"]["minReplicas"] >= config(base / "serve.yaml").router.num_replicas * 1.5


@needs_kubectl
@pytest.mark.parametrize("card", [pytest.param(card, id=card) for card in ("gpu-24gb", "gpu-48gb", "gpu-80gb")])
def test_every_gpu_pod_is_kept_to_the_card(card: str) -> None:
    found = pods(ROOT / "k8s/overlays" / card)
    gpu = [pod for pod in found.values() if "nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"]]
    assert len(gpu) == 5
    for pod in gpu:
        (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert {each["operator"] for each in term["matchExpressions"]} == {"Gt", "Lt"}
        assert pod["tolerations"]


@pytest.mark.parametrize(("name", "query"), [pytest.param(n, q, id=n.replace(" ", "-")) for n, q in queries().items()])
def test_queries_ask_for_metrics_and_labels_that_are_exported(name: str, query: str) -> None:
    asked = re.findall(r"\bray_(laar_[a-z_]+)", query)
    declared = {row.group(1): row.group(2) for row in METRIC_ROW.finditer((ROOT / "docs/configuration.md").read_text())}
    labels: set[str] = {"le", "WorkerId"}
    assert asked
    for metric in asked:
        base = metric if metric in declared else re.sub(r"_(bucket|sum|count)$", "", metric)
        assert base in declared, name
        labels |= set(re.findall(r"`(\w+)`", declared[base]))
    used = {label for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(", ")}
    used |= set(re.findall(r'[{,](\w+)!?=~?"', query))
    assert used <= labels


def test_requests_beyond_a_tenants_own_limit_do_not_say_that_laar_is_full() -> None:
    assert f'code!="{QuotaError.code}"' in queries()["LaarFull"]
    assert QuotaError.code != OverloadedError.code


def test_every_alert_has_a_runbook() -> None:
    page = (ROOT / "docs/runbooks.md").read_text()
    alerts = [name for name in queries() if name.startswith("Laar")]
    assert [name for name in alerts if f"\n## {name}\n" not in page] == []
    assert len(alerts) == page.count("\n## ")


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in ("Dockerfile", "Dockerfile.cpu")])
def test_the_images_python_is_one_that_laar_runs_on(name: str) -> None:
    (minor,) = set(re.findall(r"ARG BASE=\S+-py3(\d+)-", (ROOT / name).read_text()))
    (allowed,) = re.findall(r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text())
    assert f"3.{minor}.0" in SpecifierSet(allowed)
