import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from typer.testing import CliRunner

from scripts import commands
from scripts.client import up as starting
from scripts.client.check import ConfigFile
from scripts.client.servers import ServedModel, ServerError
from scripts.client.up import UpError, remote_config, with_path
from scripts.demo import run

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


def models(urls: list[str], **options: Any) -> list[dict[str, object]]:
    config = remote_config(urls, api_key_env=None, environ={}, **options)
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


class Ready(BaseHTTPRequestHandler):
    """An application with keys: `/ready` needs none, all else is refused."""

    num_unavailable: list[int]

    def do_GET(self) -> None:
        body = json.dumps({"status": "ready", "num_unavailable": self.num_unavailable.pop(0)}).encode()
        self.send_response(200 if self.path == "/ready" else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_an_application_is_ready_without_a_key_once_all_its_models_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.demo.run.time.sleep", lambda _: None)
    Ready.num_unavailable = [1, 0]
    process = MagicMock()
    process.poll.return_value = None
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        run.wait_until_ready(process, server.server_port, tmp_path / "log")
        server.shutdown()
    assert Ready.num_unavailable == []


@pytest.mark.parametrize(
    "http_options", ["", "http_options: {host: 127.0.0.1, port: 8000}  # mine\n"], ids=["none", "some"]
)
def test_another_port_leaves_the_config_as_it_is(tmp_path: Path, http_options: str) -> None:
    text = f"{http_options}applications: [{{import_path: 'serve_app.app:build_app', args: {{models: []}}}}]  # mine\n"
    (tmp_path / "laar-up.yaml").write_text(text)
    arguments = ["up", "--config", str(tmp_path / "laar-up.yaml"), "--port", "9000", "--print"]
    result = CliRunner().invoke(commands.app, [*arguments, "--log-file", str(tmp_path / "laar-up.log")])
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.stdout)["http_options"]["port"] == 9000
    assert [path.name for path in tmp_path.iterdir()] == ["laar-up.yaml"]
    assert (tmp_path / "laar-up.yaml").read_text() == text


def test_profile_takes_the_place_of_the_configs_own(tmp_path: Path) -> None:
    arguments = ["up", "--profile", "mine.json", "--port", "9000", "--print", "--log-file", str(tmp_path / "up.log")]
    result = CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0, result.output
    document = yaml.safe_load(result.stdout)
    assert document["applications"][0]["args"]["profile"] == "mine.json"
    assert document["http_options"]["port"] == 9000


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--only", "qwen"], id="only"),
        pytest.param(["--max-model-len", "512"], id="max-model-len"),
        pytest.param(["--remote-key-env", "KEY"], id="remote-key-env"),
    ],
)
def test_what_is_about_servers_is_refused_without_them(arguments: list[str]) -> None:
    result = CliRunner().invoke(commands.app, ["up", "--print", *arguments])
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert "--remote" in result.stderr.replace(arguments[0], "")


@pytest.mark.parametrize("more", [pytest.param([], id="as-it-is"), pytest.param(["--port", "9000"], id="changed")])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("auth: {}\n", "auth: belongs under applications.0.args", id="at-the-top"),
        pytest.param("proxy_location: Disabled\nproxy_location: HeadOnly\n", "line 2: key 'proxy_loc", id="twice"),
    ],
)
def test_config_with_what_would_not_count_is_not_started(tmp_path: Path, text: str, told: str, more: list[str]) -> None:
    (tmp_path / "c.yaml").write_text(
        f"{text}applications: [{{import_path: 'serve_app.app:build_app', args: {{models: []}}}}]"
    )
    result = CliRunner().invoke(commands.app, ["up", "--config", str(tmp_path / "c.yaml"), "--print", *more])
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


def test_config_can_be_printed_and_nothing_started(tmp_path: Path) -> None:
    arguments = ["up", "--remote", ONE, "--print", "--port", "8123", "--log-file", str(tmp_path / "up.log")]
    result = CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0, result.output
    assert list(tmp_path.iterdir()) == []
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


def test_check_of_the_current_folder_is_found_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_check_of_here.py").write_text("def is_short(evidence):\n    return True\n")
    monkeypatch.chdir(tmp_path)
    # put back what the command puts in
    monkeypatch.setattr(sys, "path", [*sys.path])
    remote = {"model_id": "a", "urls": ["http://127.0.0.1:9/v1"], "max_model_len": 9}
    checks = {"custom_checks": {"short": "own_check_of_here:is_short"}}
    args = {"models": [{"engine": "remote", "remote": remote}], "verifier": checks}
    assert starting._is_sound(ConfigFile(args=args)), capsys.readouterr().err
