"""Applications with engines of their own, bound and never started; Ray's library loads vLLM and wants a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from vllm.tool_parsers import ToolParserManager

import serve_app
from deployments.engines.simulated import SimulatedEngine
from serve_app import app
from tests.unit.serve_app.bound import Bound, bound

pytestmark = pytest.mark.serve
EXAMPLES = Path(serve_app.__path__[0])


@pytest.fixture(autouse=True)
def prepared(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys for all, and embedded models that are there at once."""
    monkeypatch.setenv("LAAR_API_KEYS", "a-key")
    ready = {model.name: Path("/cache") / model.name for model in app.EMBEDDED_MODELS}
    monkeypatch.setattr(app, "prepare_embedded_models", lambda *_: ready)


def of_example(name: str) -> tuple[list[Bound], Bound, Bound]:
    """The models of an example, its verifier and its router."""
    applications = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())["applications"]
    builders = [(each["import_path"].removeprefix("serve_app.app:"), each["args"]) for each in applications]
    *models, verifier, router = [one for name, args in builders for one in bound(args, getattr(app, name))]
    assert (verifier.name, router.name) == ("Verifier", "Router")
    return models, verifier, router


def loading(model: Bound) -> Any:
    return model.arguments["llm_config"].model_loading_config


def test_directory_takes_the_place_of_an_embedded_source() -> None:
    models, _, router = of_example("embedded")
    assert [(loading(model).model_id, loading(model).model_source) for model in models] == [
        ("gemma-3-270m", "/cache/gemma-3-270m"),
        ("smollm2-135m", "/cache/smollm2-135m"),
    ]
    assert [model.name for model in router.arguments["models"]] == ["gemma-3-270m", "smollm2-135m"]


def test_five_models_are_bound_as_the_file_has_them() -> None:
    models, verifier, router = of_example("five_models_gpu")
    names = [loading(model).model_id for model in models]
    assert [model.name for model in router.arguments["models"]] == names
    assert len(set(names)) == 5
    assert all("/" in loading(model).model_source for model in models)
    assert router.arguments["llm_deployments"].keys() == verifier.arguments["judges"].keys() == set(names)
    assert (verifier.left_out, router.left_out) == (frozenset(), frozenset())


def test_parsers_of_tool_calls_in_the_example_are_vllms() -> None:
    models, _, _ = of_example("five_models_gpu")
    for model in models:
        kwargs = model.arguments["llm_config"].engine_kwargs
        assert ToolParserManager.get_tool_parser(kwargs["tool_call_parser"]) is not None


def test_simulated_engine_is_handed_to_the_model_server() -> None:
    llm_config = {
        "model_loading_config": {"model_id": "simulated-x"},
        "accelerator_config": {"kind": "cpu"},
        "engine_kwargs": {"max_model_len": 64},
    }
    model, _, _ = bound({"models": [{"llm_config": llm_config, "engine": "simulated", "simulated": {"accuracy": 0.5}}]})
    engine = model.arguments["engine_cls"]
    assert (engine.func, engine.keywords["settings"].accuracy) == (SimulatedEngine, 0.5)
