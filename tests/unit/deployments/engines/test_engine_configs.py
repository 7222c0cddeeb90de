from typing import Any

import pytest

from deployments.engines.engine_configs import ENGINES, EngineConfig, RemoteConfig, SimulatedConfig, VllmConfig
from deployments.engines.settings import RemoteSettings, SimulatedSettings


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
            "'a': llm_config.engine_kwargs.max_model_len must be set (tokens)",
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


def test_word_for_an_engine_is_that_of_its_section() -> None:
    assert list(ENGINES) == ["vllm", "simulated", "remote"]
