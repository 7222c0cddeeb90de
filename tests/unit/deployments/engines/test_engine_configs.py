import re
from typing import Any

import pytest

from deployments.engines.engine_configs import (
    ENGINES,
    EngineConfig,
    RemoteConfig,
    RemoteSettings,
    SimulatedConfig,
    SimulatedSettings,
    VllmConfig,
)


def llm_config(name: str = "simulated-a", **engine_kwargs: Any) -> dict[str, Any]:
    return {"model_loading_config": {"model_id": name}, "engine_kwargs": {"max_model_len": 2048, **engine_kwargs}}


def simulated(name: str = "simulated-a", **settings: Any) -> SimulatedConfig:
    return SimulatedConfig(llm_config(name), SimulatedSettings(**settings))


def remote(llm: dict[str, Any] | None = None, **settings: Any) -> RemoteConfig:
    fields = {"model_id": "away", "urls": ["http://h/v1"], "max_model_len": 4096, **settings}
    return RemoteConfig(llm or {}, RemoteSettings.model_validate(fields))


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        pytest.param({"autoscaling_config": {"min_replicas": 0, "max_replicas": 2}}, True, id="from none"),
        pytest.param({"autoscaling_config": {"max_replicas": 2}}, False, id="from one"),
        pytest.param({"autoscaling_config": "auto"}, False, id="left to Ray"),
        pytest.param(None, False, id="not scaled"),
    ],
)
def test_model_scales_to_zero_where_its_config_lets_it(deployment: Any, expected: bool) -> None:
    assert VllmConfig(llm_config("a") | {"deployment_config": deployment}).scales_to_zero is expected
    assert not remote().scales_to_zero


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        pytest.param(VllmConfig(llm_config("a")), ("a", 2048, 256, False, True), id="vllm"),
        pytest.param(
            VllmConfig(llm_config("a", max_num_seqs=8, enable_prefix_caching=False, reasoning_parser="qwen3")),
            ("a", 2048, 8, True, False),
            id="vllm told otherwise",
        ),
        pytest.param(simulated(max_running=4, context_tokens=99), ("simulated-a", 99, 4, False, False), id="simulated"),
        pytest.param(remote(max_num_seqs=3, can_think=True), ("away", 4096, 3, True, True), id="remote"),
    ],
)
def test_router_is_told_of_a_model_by_its_engine(engine: EngineConfig, expected: tuple[Any, ...]) -> None:
    told = (engine.name, engine.context_tokens, engine.slots, engine.can_think, engine.has_prefix_cache)
    assert (told, engine.fault) == (expected, None)


@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        pytest.param(
            VllmConfig({"model_loading_config": {"model_id": "a"}}),
            "llm_config.engine_kwargs.max_model_len: missing; write max_model_len: TOKENS",
            id="no-context",
        ),
        pytest.param(
            simulated("gpt"), "model_id 'gpt' of a simulated engine must contain 'simulated'", id="passes-for-real"
        ),
        pytest.param(
            remote(llm_config()),
            "'away': llm_config is for engines that laar starts, and 'remote' for others",
            id="both",
        ),
    ],
)
def test_config_that_cannot_be_served_says_why(engine: EngineConfig, fault: str) -> None:
    assert engine.fault == fault


PASSED_OVER = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        pytest.param(
            "",
            "lora_config",
            {"max_num_adapters_per_replica": 2},
            "a dict is not supported: write .*adapters",
            id="lora",
        ),
        pytest.param(
            "", "server_cls", "x:SGLangServer", "'x:SGLangServer' is not supported: .* engine: remote", id="server"
        ),
        pytest.param("", "speed", 2, "does not know this key; known: 'model_loading", id="unknown"),
        pytest.param(
            "", "lora_confg", {}, r"does not know this key; did you mean 'lora_config'\?", id="misspelt-refused"
        ),
        pytest.param("", "engine_kwarg", {}, r"does not know this key; did you mean 'engine_kwargs'\?", id="misspelt"),
        pytest.param("model_loading_config", "model_sorce", "x", "did you mean 'model_source'", id="loading"),
        pytest.param("engine_kwargs", "enable_lora", True, "write .*adapters: {NAME: FOLDER}", id="adapters"),
        pytest.param("engine_kwargs", "lora_modules", [], "write .*adapters: {NAME: FOLDER}", id="adapter-modules"),
        pytest.param(
            "engine_kwargs", "data_parallel_size", 2, "2 is not supported: .*num_replicas", id="data-parallel"
        ),
        pytest.param("engine_kwargs", "task", "embed", "'embed' is not supported: .* generate text", id="task"),
        pytest.param("engine_kwargs", "runner", "pooling", "'pooling' is not supported", id="runner"),
        pytest.param("engine_kwargs", "convert", "classify", "'classify' is not supported", id="convert"),
        pytest.param("engine_kwargs", "pooler_config", {}, "a dict is not supported", id="pooler"),
        pytest.param("engine_kwargs", "kv_transfer_config", PASSED_OVER, "does not part prefill from decode", id="pd"),
        pytest.param("engine_kwargs", "kv_transfer_config", "{}", "does not part prefill from decode", id="pd-as-text"),
        pytest.param(
            "deployment_config",
            "request_router_config",
            {"request_router_class": "ray.serve.llm.request_router.PrefixCacheAffinityRouter"},
            "PrefixCacheAffinityRouter' reads prompts",
            id="prefix-aware",
        ),
        pytest.param(
            "deployment_config",
            "request_router_config",
            {"request_router_class": "ray.llm._internal.serve.routing_policies.kv_aware.kv_aware_router.KVAwareRouter"},
            "KVAwareRouter' reads prompts",
            id="kv-aware",
        ),
        pytest.param("experimental_configs", "num_ingress_replicas", 2, "does not know this key", id="ray-ingress"),
    ],
)
def test_what_cannot_be_passed_on_to_ray_is_refused_with_its_key(section: str, key: str, value: Any, told: str) -> None:
    found: dict[str, Any] = llm_config()
    (found.setdefault(section, {}) if section else found)[key] = value
    place = ".".join(filter(None, ("llm_config", section, key)))
    for engine in (VllmConfig(found), SimulatedConfig(found, SimulatedSettings())):
        assert re.match(rf"{re.escape(place)}: .*{told}", engine.fault or "")


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"lora_config": None, "server_cls": None}, id="nothing-said"),
        pytest.param(
            {"engine_kwargs": {"max_model_len": 8, "data_parallel_size": 1, "runner": "generate"}}, id="neutral"
        ),
        pytest.param(
            {
                "engine_kwargs": {
                    "max_model_len": 8,
                    "kv_transfer_config": {"kv_connector": "OffloadingConnector", "kv_role": "kv_both"},
                }
            },
            id="cache-of-one-engine",
        ),
        pytest.param({"experimental_configs": {"stream_batching_interval_ms": 0}}, id="batching"),
        pytest.param(
            {"deployment_config": {"request_router_config": {"request_router_class": "mine:ByLoad"}}}, id="own-router"
        ),
    ],
)
def test_what_one_engine_can_do_by_itself_is_passed_on(more: dict[str, Any]) -> None:
    assert VllmConfig(llm_config() | more).fault is None


def test_word_for_an_engine_is_that_of_its_section() -> None:
    assert list(ENGINES) == ["vllm", "simulated", "remote"]
