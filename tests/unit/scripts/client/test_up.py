from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts import commands
from scripts.client import up as starting
from scripts.client.servers import ServedModel, ServerError
from scripts.client.up import UpError, api_key_of, remote_config, with_path

ONE, TWO = "http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1"
SERVED = {
    ONE: [ServedModel(name="qwen", context_tokens=4096), ServedModel(name="qwen-lora", context_tokens=4096)],
    TWO: [ServedModel(name="qwen", context_tokens=2048), ServedModel(name="other", context_tokens=None)],
}


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(url: str, *, api_key: str) -> list[ServedModel]:
        if url not in SERVED:
            raise ServerError("it cannot be reached")
        return SERVED[url]

    monkeypatch.setattr(starting, "served_models", listed)


def models(urls: list[str], **options: object) -> list[dict[str, object]]:
    config = remote_config(urls, api_key_env=None, environ={}, **options)  # type: ignore[arg-type]
    (application,) = config["applications"]
    return [model["remote"] for model in application["args"]["models"]]


def test_ids_and_contexts_are_read_from_the_server() -> None:
    assert models([ONE]) == [
        {"model_id": "qwen", "urls": [ONE], "max_model_len": 4096},
        {"model_id": "qwen-lora", "urls": [ONE], "max_model_len": 4096},
    ]


def test_servers_of_one_model_share_it_with_the_shortest_context() -> None:
    assert models([ONE, TWO], only=["qwen"]) == [{"model_id": "qwen", "urls": [ONE, TWO], "max_model_len": 2048}]


def test_context_that_a_server_does_not_say_can_be_given() -> None:
    with pytest.raises(UpError, match=r"'other': its server does not say .* --max-model-len TOKENS does"):
        models([TWO])
    assert models([TWO], only=["other"], max_model_len=512)[0]["max_model_len"] == 512


@pytest.mark.parametrize(
    ("urls", "only", "message"),
    [
        pytest.param([ONE], ["qwne"], r"--only qwne: no server has it; did you mean 'qwen'\?", id="misspelt"),
        pytest.param(["http://127.0.0.1:1"], [], r"--remote http://127.0.0.1:1/v1: it cannot be reached", id="down"),
    ],
)
def test_servers_that_cannot_be_used_are_named(urls: list[str], only: list[str], message: str) -> None:
    with pytest.raises(UpError, match=message):
        models(urls, only=only)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("127.0.0.1:8001", ONE, id="host-and-port"),
        pytest.param("http://127.0.0.1:8001/", ONE, id="no-path"),
        pytest.param("https://h/openai", "https://h/openai", id="a-path-of-its-own"),
    ],
)
def test_address_is_completed(given: str, expected: str) -> None:
    assert with_path(given) == expected


def test_first_of_the_keys_tells_when_the_application_is_ready() -> None:
    args = {"auth": {"api_keys_env": "KEYS"}}
    assert api_key_of(args, {"KEYS": " ,a,b"}) == "a"
    assert api_key_of({}, {"KEYS": "a"}) is None


def test_config_can_be_printed_and_nothing_started(tmp_path: Path) -> None:
    arguments = ["up", "--remote", ONE, "--print", "--port", "8123", "--log-file", str(tmp_path / "up.log")]
    result = CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0, result.output
    assert "port: 8123" in result.stdout
    assert "import_path: serve_app.app:build_app" in result.stdout


def test_broken_config_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("models: [{engine: remote}]")
    result = CliRunner().invoke(commands.app, ["up", "--config", str(tmp_path / "c.yaml")])
    assert result.exit_code == 1
    assert result.stderr == "error: models.0: engine is 'remote', so the section 'remote' is needed\n"


def test_version_is_told() -> None:
    result = CliRunner().invoke(commands.app, ["--version"])
    assert result.stdout.startswith("laar 0.")
