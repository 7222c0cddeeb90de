import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray import serve

import serve_app
from deployments.contract.secret import Secrets
from serve_app import app
from serve_app.config import AppConfig, AuthConfig, ModelConfig, auth_plan, remote_plans
from serve_app.environment import HAPROXY, HARD_STOP
from tests.unit.serve_app.bound import Bound, bound

EXAMPLE = Path(serve_app.__path__[0]) / "remote.yaml"


@pytest.fixture(autouse=True)
def no_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        pytest.fail("the preparation of the embedded models began")

    monkeypatch.setattr(app, "prepare_embedded_models", refuse)


def test_every_deployment_is_bound_with_arguments_that_its_constructor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_KEY", "a-key")
    (application,) = yaml.safe_load(EXAMPLE.read_text())["applications"]
    verifier, router = bound(application["args"])
    assert (verifier.name, router.name) == ("Verifier", "Router")
    assert [model.name for model in router.arguments["models"]] == ["qwen3-8b", "gemma-3-4b"]
    assert [plan.api_key for plan in router.arguments["remote"]] == ["a-key", ""]
    assert verifier.arguments["remote_judges"] == router.arguments["remote"]
    assert (verifier.left_out, router.left_out) == (frozenset(), frozenset())


def test_a_wrong_keyword_is_seen() -> None:
    class Deployed:
        def __init__(self, model: str) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument: 'model'"):
        Bound.of("Deployed", Deployed, (), {})
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'modle'"):
        Bound.of("Deployed", Deployed, (), {"model": "a", "modle": "b"})


def model(model_id: str, loading: Any = None, source: str = "somewhere") -> dict[str, Any]:
    loading = loading if loading is not None else {"model_id": model_id, "model_source": source}
    return {"llm_config": {"model_loading_config": loading, "engine_kwargs": {"max_model_len": 2048}}}


def test_unknown_embedded_model_is_refused_before_any_is_prepared() -> None:
    models = [model("a", source="embedded:smollm2-135m"), model("b", source="embedded:gemma-4")]
    with pytest.raises(
        ValueError,
        match=r"^model_source 'embedded:gemma-4': no such embedded model; known: \['gemma-3-270m', 'smollm2-135m'\]$",
    ):
        app.build_app({"models": models})


@pytest.mark.parametrize(
    ("loading", "type_name"),
    [
        pytest.param("smollm2", "str", id="text"),
        pytest.param(["smollm2"], "list", id="list"),
        pytest.param(135, "int", id="number"),
    ],
)
def test_loading_config_that_is_no_mapping_is_named_with_its_type(loading: Any, type_name: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"(?s)models\.1\.llm_config: model_loading_config is of type {type_name}; allowed: a mapping",
    ):
        app.build_app({"models": [model("a"), model("b", loading)]})


@pytest.mark.parametrize(
    "models",
    [
        pytest.param(None, id="nothing"),
        pytest.param(5, id="number"),
        pytest.param("smollm2", id="text"),
        pytest.param([{"llm_config": "smollm2"}], id="text in the place of llm_config"),
        pytest.param([{"llm_config": {}}], id="no loading config"),
    ],
)
def test_other_odd_models_are_refused_by_the_config(models: Any) -> None:
    with pytest.raises(ValueError, match=r"^models"):
        app.build_app({"models": models})


def simulated(name: str, **settings: Any) -> dict[str, Any]:
    return {**model(name), "engine": "simulated", "simulated": settings}


def test_simulated_model_that_its_profile_lacks_is_named() -> None:
    match = r"simulated.profile 'simulated' has no model 'simulated-x'; known: \['simulated-instant', "
    with pytest.raises(ValueError, match=match):
        app.build_app({"models": [simulated("simulated-x", profile="simulated")]})


def test_simulated_model_has_its_accuracy_from_one_place() -> None:
    with pytest.raises(ValueError, match="accuracy and profile exclude each other"):
        app.build_app({"models": [simulated("simulated-small", profile="simulated", accuracy=0.5)]})


@pytest.mark.parametrize(
    ("engine_kwargs", "expected"),
    [
        pytest.param({}, True, id="vllm-does-by-itself"),
        pytest.param({"enable_prefix_caching": False}, False, id="turned-off"),
    ],
)
def test_engine_is_taken_to_keep_prompts_unless_told_not_to(engine_kwargs: dict[str, Any], expected: bool) -> None:
    llm_config = {"model_loading_config": {"model_id": "a"}, "engine_kwargs": {"max_model_len": 8, **engine_kwargs}}
    assert ModelConfig(llm_config=llm_config).engine_config.has_prefix_cache is expected


@pytest.mark.parametrize(
    ("sections", "is_allowed"),
    [
        pytest.param({"log": {"flush_period_s": 2.5}}, False, id="slow-flush"),
        pytest.param({"router": {"learning": {"sync_period_s": 3.6}}}, False, id="slow-sync"),
        pytest.param({"router": {"learning": {"sync_period_s": 3.5}}}, True, id="just-in-time"),
        pytest.param({"log": {"flush_period_s": 60, "enabled": False}}, True, id="no-log"),
        pytest.param(
            {"log": {"flush_period_s": 60}, "router": {"learning": {"enabled": False}}}, True, id="no-learning"
        ),
    ],
)
def test_replicas_that_would_learn_more_than_5_s_late_are_refused(sections: dict[str, Any], is_allowed: bool) -> None:
    config = {"models": [model("a")], **sections}
    if is_allowed:
        AppConfig.model_validate(config)
        return
    with pytest.raises(
        ValueError, match=r"sync_period_s \(.*\) and log.flush_period_s \(.*\) together must not exceed 4.0"
    ):
        AppConfig.model_validate(config)


@pytest.mark.parametrize(
    ("verify", "message"),
    [
        pytest.param({"type": "exact"}, r"router\.verify\.exact\.value", id="incomplete"),
        pytest.param({"type": "custom", "name": "gone"}, r"router\.verify\.name: unknown check 'gone'", id="no-check"),
        pytest.param({"type": "agreement"}, r"router\.verify\.by: two models must answer", id="one-model"),
        pytest.param({"type": "auto"}, None, id="auto"),
        pytest.param({"type": "tool_call", "calls": [{"name": "f"}]}, None, id="for-requests-with-tools"),
    ],
)
def test_a_default_check_that_no_request_could_have_is_refused(verify: dict[str, Any], message: str | None) -> None:
    config = {"models": [model("a")], "router": {"verify": verify}}
    if message is None:
        assert AppConfig.model_validate(config).router.verify.type == verify["type"]
        return
    with pytest.raises(ValueError, match=message):
        AppConfig.model_validate(config)


def test_key_that_cannot_be_passed_on_is_refused_when_the_application_is_built() -> None:
    wrong = model("a")
    wrong["llm_config"]["lora_config"] = {"max_num_adapters_per_replica": 2}
    with pytest.raises(ValueError, match=r"models\.0\.llm_config\.lora_config: a dict is not supported"):
        app.build_app({"models": [wrong]})


def test_what_a_model_reads_is_told_to_the_router() -> None:
    *_, router = bound({"models": [remote() | {"media": ["image"]}], "log": {"enabled": False}})
    assert router.arguments["models"][0].media == {"image"}
    with pytest.raises(ValueError, match="Input should be 'image', 'audio' or 'video'"):
        AppConfig.model_validate({"models": [remote() | {"media": ["smell"]}]})


def test_an_adapter_is_a_model_in_the_engine_of_its_base() -> None:
    base = model("base") | {"application": "engine", "adapters": {"poet": "/adapters/poet"}, "media": ["image"]}
    config = {"models": [base, remote()], "verifier": {"judge_model": "poet"}, "log": {"enabled": False}}
    verifier, router = bound(config)
    assert [(m.name, m.base, m.context_tokens) for m in router.arguments["models"]][:2] == [
        ("base", None, 2048),
        ("poet", "base", 2048),
    ]
    assert router.arguments["models"][1].media == {"image"}
    for addresses in (router.arguments["llm_deployments"], verifier.arguments["judges"]):
        assert addresses == {"base": "engine", "poet": "engine"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(simulated("simulated-a") | {"adapters": {"a": "/a"}}, "adapters are for vLLM", id="simulated"),
        pytest.param(model("a") | {"adapters": {"auto": "/a"}}, "'auto' is taken", id="laars-own-name"),
        pytest.param(model("a") | {"adapters": {"a": "/a"}}, r"more than once: \['a'\]", id="name-of-its-base"),
        pytest.param(model("a") | {"adapters": {"": "/a"}}, "at least 1 character", id="no-name"),
    ],
)
def test_adapter_that_cannot_be_asked_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AppConfig.model_validate({"models": [wrong]})


@pytest.mark.parametrize(
    ("sections", "is_told"),
    [
        pytest.param({"router": {"num_replicas": 2}}, True, id="file"),
        pytest.param({"router": {"num_replicas": 1}}, False, id="one-router"),
        pytest.param({"router": {"num_replicas": 2}, "log": {"url": "postgresql://laar@db/laar"}}, False, id="server"),
        pytest.param({"router": {"num_replicas": 2}, "log": {"enabled": False}}, False, id="no-log"),
    ],
)
def test_routers_that_may_have_a_log_each_are_told_of(
    sections: dict[str, Any], is_told: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("ray.serve"), "propagate", True)
    bound({"models": [remote()], **sections})
    assert ("router.num_replicas is 2 and the log is SQLite" in caplog.text) is is_told


def test_replay_from_before_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="less than or equal to 36500"):
        AppConfig.model_validate({"models": [model("a")], "router": {"learning": {"replay_days": 1e6}}})


def test_context_left_empty_is_named_as_missing() -> None:
    llm_config = {"model_loading_config": {"model_id": "a"}, "engine_kwargs": {"max_model_len": None}}
    with pytest.raises(
        ValueError, match=r"llm_config.engine_kwargs.max_model_len: missing; write max_model_len: TOKENS"
    ):
        ModelConfig(llm_config=llm_config)


def remote(**fields: Any) -> dict[str, Any]:
    away = {"model_id": "away", "urls": ["http://127.0.0.1:9/v1"], "max_model_len": 4096}
    return {"engine": "remote", "remote": away | fields}


def test_remote_model_says_what_the_router_must_know() -> None:
    found = ModelConfig.model_validate(
        remote(max_num_seqs=3, enable_prefix_caching=False, can_think=True)
    ).engine_config
    assert (found.name, found.context_tokens, found.slots) == ("away", 4096, 3)
    assert (found.has_prefix_cache, found.can_think) == (False, True)


def test_example_of_remote_models_is_a_config() -> None:
    (application,) = yaml.safe_load(EXAMPLE.read_text())["applications"]
    found = AppConfig.model_validate(application["args"])
    assert {model.engine for model in found.models} == {"remote"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"engine": "remote"}, "engine is 'remote', so the section 'remote' is needed", id="no-section"),
        pytest.param(
            {**remote(), "engine": "vllm"}, "there is a section 'remote', and engine is 'vllm'", id="other-engine"
        ),
        pytest.param({**model("a"), **remote()}, "llm_config is for engines that laar starts", id="both"),
        pytest.param(remote(model_id="auto"), "model_id 'auto' is taken", id="taken"),
        pytest.param(remote(urls=[]), "at least 1 item", id="nowhere"),
        pytest.param(remote(urls=["host:8000/v1"]), r"urls.0\n.*'http' or 'https'", id="no-scheme"),
        pytest.param(remote(urls=["http://h/v1", "file:///x"]), r"urls.1\n.*'http' or 'https'", id="a-file"),
        pytest.param(remote(urls=["http://h:99999/v1"]), "invalid port number", id="no-port"),
        pytest.param(remote(urls=["http://h/v1?a=1"]), r"urls\[0\] \(on 'h'\) has a query", id="a-query"),
        pytest.param(remote(urls=["http://h/v1/chat/completions/"]), "goes too far", id="too-far"),
        pytest.param(remote(urls=["http://h/v1#a"]), "has a query or fragment", id="a-fragment"),
        pytest.param(remote(urls=["http://h/v1", "http://h/v1/"]), "one stands there twice", id="twice"),
        pytest.param(remote(url="http://h/v1"), "Extra inputs are not permitted", id="unknown-key"),
    ],
)
def test_odd_remote_model_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig.model_validate(config)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://me:secret@h/v1", id="password"),
        pytest.param("http://h/v1?key=secret", id="query"),
        pytest.param("http://h/v1/chat/completions?key=secret", id="query-and-too-far"),
        pytest.param("http://h/secret/v1/chat/completions", id="path"),
    ],
)
def test_key_in_an_address_is_refused_and_not_printed(url: str) -> None:
    with pytest.raises(ValueError, match=r"urls\[0\]") as found:
        ModelConfig.model_validate(remote(urls=[url]))
    assert "secret" not in str(found.value)


def test_remote_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [ModelConfig.model_validate(remote(api_key_env="AWAY_KEY")), ModelConfig.model_validate(model("a"))]
    with pytest.raises(ValueError, match=r"^'away': remote.api_key_env: environment variable 'AWAY_KEY' holds no key$"):
        remote_plans(models, {"AWAY_KEY": " "})
    with pytest.raises(ValueError, match="'AWAY_KEY' holds what no HTTP header can carry"):
        remote_plans(models, {"AWAY_KEY": "sec\nret"})
    (plan,) = remote_plans(models, {"AWAY_KEY": "secret\n"})
    assert (plan.name, plan.api_key) == ("away", "secret")
    monkeypatch.setenv("AWAY_KEY", "secret")
    app.build_app({"models": [remote(api_key_env="AWAY_KEY")]})


def apart(**model_fields: Any) -> dict[str, Any]:
    return simulated("simulated-apart") | {"application": "apart"} | model_fields


@pytest.mark.parametrize(
    ("builder", "args", "message"),
    [
        pytest.param("build_model", {"model": remote()}, "'away': a remote model runs elsewhere", id="remote"),
        pytest.param("build_verifier", {"models": [model("a")]}, "'a': application is missing", id="judge-unreachable"),
        pytest.param(
            "build_app",
            {"models": [apart(), apart(**simulated("simulated-b"))]},
            r"application must be unique; more than once: \['apart'\]",
            id="two-in-one",
        ),
        pytest.param(
            "build_app",
            {"models": [remote() | {"application": "apart"}]},
            "'away': application is for models that laar starts",
            id="application-of-a-remote-model",
        ),
        pytest.param("build_model", {"model": apart(), "deadline_s": 0}, "deadline_s", id="no-time-to-stop"),
    ],
)
def test_applications_that_cannot_be_built_apart_are_refused(builder: str, args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(app, builder)(args)


def test_what_runs_in_other_applications_is_reached_by_their_names() -> None:
    (router,) = bound({"models": [apart(), remote()], "verifier": {"application": "checks"}})
    assert router.arguments["llm_deployments"] == {"simulated-apart": "apart"}
    assert router.arguments["verifier"] == "checks"


def test_stopping_routers_and_verifiers_have_the_deadline_of_a_request_and_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times_s, real = {}, serve.deployment

    def deployment(deployed: Any, **options: Any) -> Any:
        times_s[options["name"]] = options["graceful_shutdown_timeout_s"]
        return real(deployed, **options)

    monkeypatch.setattr(serve, "deployment", deployment)
    app.build_app({"models": [remote()], "limits": {"deadline_s": 900}})
    assert times_s == {"Router": 960, "Verifier": 960}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        pytest.param({HAPROXY: "1"}, "120 s after a router has come or gone; start Ray with", id="rays-default"),
        pytest.param({HAPROXY: "1", HARD_STOP: "900"}, "900 s after", id="too-short"),
        pytest.param({HAPROXY: "1", HARD_STOP: "960"}, None, id="long-enough"),
        pytest.param({}, None, id="no-haproxy"),
    ],
)
def test_requests_that_haproxy_would_cut_off_are_told_of(
    environ: dict[str, str], told: str | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("ray.serve"), "propagate", True)
    for name in (HAPROXY, HARD_STOP):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    bound({"models": [remote()], "limits": {"deadline_s": 900}, "log": {"enabled": False}})
    assert (told in caplog.text) if told is not None else ("HAProxy" not in caplog.text)


def digest(auth: AuthConfig, environ: dict[str, str], draw: Callable[[int], bytes] = bytes) -> str:
    return auth_plan(auth, environ, draw).secrets.digest("prompt", "Hi")


def test_secrets_come_from_the_environment_or_are_drawn() -> None:
    named = AuthConfig(secrets_env="SECRETS")
    one, other = "1" * 32, "2" * 32
    assert digest(named, {"SECRETS": f"{one},{other}"}) == Secrets(one.encode()).digest("prompt", "Hi")
    assert digest(AuthConfig(), {}, lambda size: b"d" * size) == Secrets(b"d" * 32).digest("prompt", "Hi")
    for environ in ({}, {"SECRETS": f"{one},short"}):
        with pytest.raises(
            ValueError,
            match=r"^auth\.secrets_env: environment variable 'SECRETS' holds (0 secrets|a secret of 5)",
        ):
            auth_plan(named, environ, bytes)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("*", id="all"),
        pytest.param("https://chat.example", id="host"),
        pytest.param("http://[::1]:3000", id="port"),
        pytest.param("app://obsidian.md", id="an-app"),
    ],
)
def test_origin_as_browsers_write_it_is_taken(origin: str) -> None:
    config = {"models": [model("a")], "router": {"cors_origins": [origin]}}
    assert AppConfig.model_validate(config).router.cors_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("chat.example", id="no-scheme"),
        pytest.param("https://chat.example/", id="a-path"),
        pytest.param("https://Chat.example", id="capitals"),
        pytest.param("https://*.example", id="a-pattern"),
        pytest.param("null", id="null"),
    ],
)
def test_origin_that_no_page_can_have_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match=r"router\.cors_origins\.0\n.*should match pattern"):
        AppConfig.model_validate({"models": [model("a")], "router": {"cors_origins": [origin]}})


def test_keys_of_the_environment_are_kept_as_digests_that_no_other_build_has() -> None:
    draws = iter([b"1" * 32, b"2" * 32, b"3" * 32, b"4" * 32])
    auth, environ = AuthConfig(api_keys_env="KEYS", secrets_env="SECRETS"), {"KEYS": "k", "SECRETS": "s" * 32}
    first, second = (auth_plan(auth, environ, lambda _: next(draws)) for _ in range(2))
    assert first.plain != second.plain
    assert first.secrets.digest("api key", "k") not in first.plain


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        pytest.param({"secrets_env": "S", "secrets_file": "s"}, "both named; allowed: one of them", id="two-places"),
        pytest.param({"keys_file": "keys.yaml"}, "keys_file needs secrets_env or secrets_file", id="no-secret"),
    ],
)
def test_secrets_have_one_place_which_a_file_of_keys_needs(auth: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        AuthConfig.model_validate(auth)


@pytest.mark.parametrize(
    ("auth", "is_told"),
    [pytest.param({}, True, id="drawn"), pytest.param({"secrets_file": "/etc/laar/secrets"}, False, id="kept")],
)
def test_a_build_that_draws_its_secret_says_what_is_lost(
    auth: dict[str, str], is_told: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.logger, "propagate", True)
    app.build_app({"models": [remote()], "auth": auth})
    assert ("takes no retry of an answer" in caplog.text) is is_told


@pytest.mark.parametrize(
    ("name", "verify", "message"),
    [
        pytest.param("auto-json", {"type": "json_schema", "schema": {"type": "object"}}, None, id="json"),
        pytest.param("auto-tools", {"type": "auto"}, None, id="tools"),
        pytest.param("a", {"type": "auto"}, r"router\.names: 'a' is taken", id="a-model"),
        pytest.param("auto", {"type": "auto"}, r"router\.names: 'auto' is taken", id="auto"),
        pytest.param("a b", {"type": "auto"}, r"router\.names\.a b\.\[key\]", id="no-name"),
        pytest.param("b", {"type": "exact"}, r"router\.names\.b\.verify\.exact\.value", id="incomplete"),
        pytest.param("b", {"type": "agreement"}, r"router\.names\.b\.verify\.by: two models", id="one-model"),
    ],
)
def test_names_of_the_operators_are_checked(name: str, verify: dict[str, Any], message: str | None) -> None:
    config = {"models": [model("a")], "router": {"names": {name: {"verify": verify}}}}
    if message is None:
        assert AppConfig.model_validate(config).router.names[name].verify.type == verify["type"]
        return
    with pytest.raises(ValueError, match=message):
        AppConfig.model_validate(config)


@pytest.mark.parametrize(
    ("build", "args", "told"),
    [
        pytest.param(
            app.build_app,
            {"models": [remote()], "router": {"polcy": "laar"}},
            r"^router\.polcy: there is no such key; did you mean 'policy'\?$",
            id="routers",
        ),
        pytest.param(app.build_model, {}, r"^model: missing; write model: \.\.\.$", id="model"),
        pytest.param(app.build_verifier, {"models": []}, r"^models: at least one is needed$", id="verifier"),
    ],
)
def test_wrong_arguments_are_told_in_the_words_of_laar_check(build: Any, args: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        build(args)
