import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import serve_app
from scripts import commands
from scripts.client.check import CheckTable, ConfigFile, ConfigFileError, check_config, read_config_file

EXAMPLES = Path(serve_app.__path__[0])
REMOTE = {"model_id": "qwen", "urls": ["http://127.0.0.1:9/v1"], "max_model_len": 4096}
SIMULATED = {
    "engine": "simulated",
    "llm_config": {"model_loading_config": {"model_id": "simulated-a"}},
    "simulated": {},
}


# with something at the top and something in the application
SERVE = "{}\napplications: [{{import_path: 'serve_app.app:build_app', args: {{models: []}}{}}}]"


def remote(**changes: Any) -> dict[str, Any]:
    settings = {name: value for name, value in {**REMOTE, **changes}.items() if value is not None}
    return {"models": [{"engine": "remote", "remote": settings}]}


def checked(args: Any) -> CheckTable:
    return check_config(ConfigFile(args=args), {})


@pytest.mark.parametrize(
    ("args", "level", "key", "value", "message", "mend"),
    [
        pytest.param(
            {**remote(), "router": {"polcy": "laar"}},
            *("error", "router.polcy", None, "there is no such key", "did you mean 'policy'?"),
            id="misspelt-key",
        ),
        pytest.param(
            {**remote(), "router": {"policy": "round-robbin"}},
            *("error", "router.policy", "'round-robbin'", "not one of", "did you mean 'round-robin'?"),
            id="misspelt-policy",
        ),
        pytest.param(
            remote(urls=None, url="http://127.0.0.1:9/v1"),
            *("error", "models.0.remote.url", None, "there is no such key", "did you mean 'urls'?"),
            id="key-in-the-singular",
        ),
        pytest.param(
            remote(urls=["10.0.0.7:8000/v1"]),
            "error",
            "models.0.remote.urls.0",
            "'10.0.0.7:8000/v1'",
            "a URL needs its scheme",
            "write http://10.0.0.7:8000/v1",
            id="url-without-scheme",
        ),
        pytest.param(
            remote(urls="http://127.0.0.1:9/v1"),
            "error",
            "models.0.remote.urls",
            "'http://127.0.0.1:9/v1'",
            "a list is wanted",
            "write [http://127.0.0.1:9/v1]",
            id="url-for-a-list",
        ),
        pytest.param(
            remote(urls=["http://127.0.0.1:9"]),
            "warning",
            "models.0.remote.urls.0",
            "http://127.0.0.1:9/",
            "mostly have a path /v1",
            "did you mean 'http://127.0.0.1:9/v1'?",
            id="url-without-v1",
        ),
        pytest.param(
            {"models": [{"remote": REMOTE}]},
            *("error", "models.0", None, "and engine is 'vllm'; write engine: remote", None),
            id="engine-forgotten",
        ),
        pytest.param(
            remote(api_key_env="NO_SUCH_KEY"),
            "error",
            "models.0.remote.api_key_env",
            "NO_SUCH_KEY",
            "environment variable 'NO_SUCH_KEY' holds no key",
            "export NO_SUCH_KEY=...",
            id="key-not-in-the-environment",
        ),
        pytest.param(
            remote(max_model_len=None),
            "error",
            "models.0.remote.max_model_len",
            None,
            "missing",
            "write max_model_len: ... (Tokens of its context)",
            id="context-missing",
        ),
        pytest.param(
            {**remote(), "profile": "embeded"},
            *("error", "profile", "embeded", "neither a file nor one that ships", "did you mean 'embedded'?"),
            id="misspelt-profile",
        ),
        pytest.param(
            {**remote(model_id="smollm2-135"), "profile": "embedded"},
            *("warning", "models.0", "smollm2-135", "has no figures for this model", "did you mean 'smollm2-135m'?"),
            id="profile-of-other-models",
        ),
        pytest.param(
            {**remote(), "verifier": {"judge_model": "qwenn"}},
            *("error", "verifier.judge_model", None, "'qwenn' is not a configured model", "did you mean 'qwen'?"),
            id="judge-of-no-model",
        ),
        pytest.param(
            {**remote(), "verifier": {"custom_checks": {"short": "no_such_module:is_short"}}},
            *("error", "verifier.custom_checks.short", None, "no_such_module", None),
            id="custom-check-that-cannot-be-imported",
        ),
        pytest.param(
            {**remote(), "auth": {"secrets_file": "/nowhere/secrets"}},
            *("error", "auth.secrets_file", "/nowhere/secrets", "it cannot be read: No such file or directory", None),
            id="file-that-is-not-there",
        ),
        pytest.param(
            {**remote(), "log": {"url": "postgres://laar@127.0.0.1/laar"}},
            *("error", "log", None, "'postgres'; known:", "did you mean 'postgresql'?"),
            id="database-of-another-kind",
        ),
        pytest.param(
            {
                "models": [
                    {
                        "llm_config": {
                            "model_loading_config": {"model_id": "a", "model_source": "embedded:smolm2-135m"},
                            "engine_kwargs": {"max_model_len": 8},
                        }
                    }
                ]
            },
            "error",
            "models.0.llm_config.model_loading_config.model_source",
            "embedded:smolm2-135m",
            "no such embedded model",
            "did you mean 'smollm2-135m'?",
            id="misspelt-embedded-model",
        ),
        pytest.param({"models": []}, *("error", "models", None, "at least one is needed", None), id="no-model"),
        pytest.param(
            {**remote(), "limits": {"deadline_s": "soon"}},
            *("error", "limits.deadline_s", "'soon'", "a number is wanted", None),
            id="text-for-a-number",
        ),
        pytest.param(
            {"models": [{"llm_config": {"engine_kwargs": {"max_model_len": 8}}}]},
            *(
                "error",
                "models.0.llm_config.model_loading_config.model_id",
                None,
                "missing; write model_id: NAME",
                None,
            ),
            id="no-name",
        ),
        pytest.param(
            {"models": [{"llm_config": {"model_loading_config": {"model_id": "a"}}}]},
            *("error", "models.0.llm_config.engine_kwargs.max_model_len", None, "write max_model_len: TOKENS", None),
            id="no-context",
        ),
        *(
            pytest.param(
                {"models": [{"llm_config": {"model_loading_config": {"model_id": "a"}, "engine_kwargs": given}}]},
                "error",
                f"models.0.llm_config.engine_kwargs.{next(iter(given))}",
                None,
                told,
                None,
                id=f"engine-{next(iter(given))}",
            )
            for given, told in (
                ({"max_model_len": "many"}, "a whole number of tokens above 0 is wanted, 'many' given"),
                ({"max_num_seqs": "all", "max_model_len": 8}, "a whole number above 0 is wanted, 'all' given"),
                ({"tensor_parallel_size": [2], "max_model_len": 8}, "a whole number above 0 is wanted, a list given"),
                ({"gpu_memory_utilization": "90%", "max_model_len": 8}, "a number above 0 is wanted, '90%' given"),
            )
        ),
    ],
)
def test_broken_config_is_told_with_key_value_and_mend(
    args: Any, level: str, key: str, value: str | None, message: str, mend: str | None
) -> None:
    (finding,) = checked(args).findings
    assert (finding.level, finding.key, finding.value) == (level, key, value)
    assert message in finding.message
    assert (mend or "") in (finding.mend or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[1, 2", "c.yaml: no YAML: line 2, column 1: did not find expected ',' or ']'", id="no YAML"),
        pytest.param("just text", "c.yaml: holds no mapping; start from ", id="text"),
        pytest.param("aplications: []", "applications: missing; did you mean 'aplications'?", id="typo"),
        pytest.param(
            "applications: [{import_path: 'serve_app:app'}]",
            "0 applications have import_path 'serve_app.app:build_app'; 1 is wanted",
            id="another-application",
        ),
        pytest.param(
            "applications: [{import_path: 'serve_app.app:build_app'}]",
            "applications.0.args: missing; write args: {models: [...]}",
            id="no-args",
        ),
        pytest.param(
            "http_options: {port: 99999}\napplications: [{import_path: 'serve_app.app:build_app', args: {}}]",
            "http_options.port: a port from 1 to 65535 is wanted",
            id="no-port",
        ),
        pytest.param(
            SERVE.format("auth: {keys_file: /run/keys}", ""),
            "auth: belongs under applications.0.args",
            id="keys-at-the-top",
        ),
        pytest.param(
            SERVE.format("verifier: {}\nlimits: {}", ""),
            "verifier: belongs under applications.0.args\nlimits: belongs under applications.0.args",
            id="all-that-is-at-the-top",
        ),
        pytest.param(
            SERVE.format("http_option: {port: 9}", ""),
            "http_option: Ray Serve knows no such key; did you mean 'http_options'?",
            id="misspelt-at-the-top",
        ),
        pytest.param(
            SERVE.format("http_options: {prot: 9}", ""),
            "http_options.prot: Ray Serve knows no such key; did you mean 'port'?",
            id="misspelt-below-the-top",
        ),
        pytest.param(
            SERVE.format("", ", auth: {keys_file: /run/keys}"),
            "applications.0.auth: belongs under applications.0.args",
            id="keys-beside-the-args",
        ),
        pytest.param(
            SERVE.format("", "}, {import_path: 'serve_app.app:build_model', deadline_s: 3"),
            "applications.1.deadline_s: belongs under applications.1.args",
            id="beside-the-args-of-a-model",
        ),
        pytest.param(
            SERVE.format("", ", route_prefx: /"),
            "applications.0.route_prefx: Ray Serve knows no such key; did you mean 'route_prefix'?",
            id="misspelt-in-an-application",
        ),
        pytest.param(
            "models: []\nauth: {api_keys_env: KEYS}\nauth: {}",
            "c.yaml: line 3: key 'auth' stands in line 2 already; remove one of the two",
            id="key-twice",
        ),
    ],
)
def test_file_that_holds_no_application_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigFileError) as error:
        read_config_file(tmp_path / "c.yaml")
    assert message in str(error.value)


APART = """
applications:
  - {name: qwen, import_path: "serve_app.app:build_model", args: {model: &qwen {application: qwen, llm_config: &c
      {model_loading_config: {model_id: a}, engine_kwargs: {max_model_len: 8}}}}}
  - {name: checks, import_path: "serve_app.app:build_verifier",
     args: {models: [*qwen], verifier: &v {application: checks}}}
  - {name: laar, import_path: "serve_app.app:build_app", args: {models: [*qwen], verifier: *v}}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("", "", None, id="sound"),
        pytest.param("name: qwen", "name: qwem", "models.0.application: the file has no application", id="misspelt"),
        pytest.param(
            "build_verifier",
            "build_model",
            "applications.1.import_path: 'checks' is not built so (serve_app.app:build_model given); write import_path",
            id="other-builder",
        ),
        pytest.param(
            "args: {model: ",
            "args: {deadlines: 3, model: ",
            "applications.0.args.deadlines: there is no such key; did you mean 'deadline_s'?",
            id="its-arguments",
        ),
        pytest.param(
            "max_model_len: 8}}}}}",
            "max_model_len: 8}}}}}\n  - {name: spare, import_path: 'serve_app.app:build_model', args: {model: *qwen}}",
            "applications.1.name: no application asks this one (spare given); known: checks, qwen",
            id="asked-by-none",
        ),
        pytest.param(
            "args: {models: [*qwen], verifier: *v}",
            "args: {verifier: *v, models: [{application: qwen, llm_config: {model_loading_config: {model_id: b},"
            " engine_kwargs: {max_model_len: 8}}}]}",
            "applications.0.args.model: the routers ask this application for 'b' (a given); give both the same",
            id="another-model",
        ),
        pytest.param(
            "{model_loading_config: {model_id: a}",
            "{model_loading_config: {model_id: a, model_source: 'embedded:smolm2-135m'}",
            "models.0.llm_config.model_loading_config.model_source: no such embedded model",
            id="misspelt-embedded-model",
        ),
        pytest.param(
            "args: {models: [*qwen], verifier: &v {",
            "args: {models: [*qwen], verifier: &v {custom_checks: {short: 'no_such_module:f'}, ",
            "verifier.custom_checks.short: ",
            id="custom-check-that-cannot-be-imported",
        ),
    ],
)
def test_applications_beside_the_routers_are_checked_too(tmp_path: Path, old: str, new: str, told: str | None) -> None:
    (tmp_path / "c.yaml").write_text(APART.replace(old, new, 1) if old else APART)
    findings = check_config(read_config_file(tmp_path / "c.yaml"), {}).findings
    assert str(findings[0]).startswith(told) if told else findings == ()


@pytest.mark.parametrize(
    "urls",
    [
        pytest.param(["http://me:secret@10.0.0.1:70000/v1"], id="port"),
        pytest.param("http://me:secret@10.0.0.1/v1", id="no-list"),
        pytest.param(["me:secret@10.0.0.1/v1"], id="no-scheme"),
    ],
)
def test_password_of_a_url_is_not_shown(urls: Any) -> None:
    (finding,) = checked(remote(urls=urls)).findings
    assert "secret" not in str(finding)
    assert "me" not in (finding.value or "")


def test_args_alone_are_a_config_too(tmp_path: Path) -> None:
    (tmp_path / "args.yaml").write_text(json.dumps(remote()))
    assert checked(read_config_file(tmp_path / "args.yaml").args).is_sound


def test_embedded_example_is_sound_and_says_what_it_takes() -> None:
    table = check_config(read_config_file(EXAMPLES / "embedded.yaml"), {})
    assert table.findings == ()
    assert table.listens == "http://127.0.0.1:8000/v1"
    assert table.cpus == pytest.approx(1.3)
    assert table.gpus == 0
    gemma, smollm = table.models
    assert (gemma.name, gemma.where, gemma.context_tokens) == ("gemma-3-270m", ("embedded:gemma-3-270m",), 4096)
    assert gemma.memory == "its weights and 1 GiB of KV cache"
    assert smollm.prompts_in_profile > 100


def test_models_of_a_gpu_take_one_gpu_for_each_rank() -> None:
    args = {
        "models": [
            {
                "llm_config": {
                    "model_loading_config": {"model_id": "a"},
                    "deployment_config": {"autoscaling_config": {"min_replicas": 2}},
                    "engine_kwargs": {"max_model_len": 8, "tensor_parallel_size": 4, "gpu_memory_utilization": 0.8},
                }
            }
        ]
    }
    table = checked(args)
    (row,) = table.models
    assert (row.gpus, row.replicas, table.gpus) == (4, 2, 8)
    assert row.memory == "80% of each GPU's memory"


def test_adapter_is_a_row_that_takes_no_machine_more(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").touch()
    llm_config = {"model_loading_config": {"model_id": "a"}, "engine_kwargs": {"max_model_len": 8}}
    adapters = {"here": str(tmp_path), "gone": "/no/such/folder"}
    table = checked({"models": [{"llm_config": llm_config, "adapters": adapters}]})
    assert [(row.name, row.gpus > 0, row.memory is None) for row in table.models] == [
        ("a", True, False),
        ("here", False, True),
        ("gone", False, True),
    ]
    assert [(finding.level, finding.key) for finding in table.findings] == [("warning", "models.0.adapters.gone")]


def test_simulated_engines_take_no_memory() -> None:
    (row,) = checked({"models": [SIMULATED]}).models
    assert (row.where, row.memory) == (("simulated",), None)


def laar(*arguments: str) -> Result:
    return CliRunner().invoke(commands.app, ["check", *arguments])


def test_command_prints_a_table_and_its_findings(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(remote(urls=["http://127.0.0.1:9"])))
    result = laar(str(tmp_path / "c.yaml"), "--offline")
    assert result.exit_code == 0
    assert "qwen" in result.stdout
    assert result.stderr.splitlines()[0].startswith("warning: models.0.remote.urls.0: ")
    assert result.stderr.splitlines()[-1] == "no errors"


def test_command_fails_on_an_error_and_says_so_in_json_too(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(remote(max_model_len=-1)))
    result = laar(str(tmp_path / "c.yaml"), "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["is_sound"], found["findings"][0]["key"]) == (False, "models.0.remote.max_model_len")


def test_server_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps(remote()))
    result = laar(str(tmp_path / "c.yaml"))
    assert result.exit_code == 1
    assert "error: models.0.remote.urls.0: it cannot be reached" in result.stderr
