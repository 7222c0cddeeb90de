import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scripts import commands
from scripts.client.ask import AskedCheck

ID = "laar-" + "0" * 31 + "1"
ATTEMPTS = [
    {"model": "small", "latency_s": 1.0, "verdict": "wrong", "reason": "missing"},
    {"model": "large", "latency_s": 2.5, "verdict": "correct", "reason": "matched", "read": "Wien"},
]
CANDIDATE = {
    "model": "small",
    "probability": 0.25,
    "interval": [0.1, 0.5],
    "expected_latency_s": 1.0,
    "score_s": 4.0,
    "prompt_tokens": 9,
    "bucket": "<=128",
    "in_flight": 0,
    "exclusion": None,
}


class Application(ThreadingHTTPServer):
    """Answers like laar's API, from what a test sets; keeps the bodies that it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.verified: bool | None = True
        self.status, self.error = 200, {"message": "model: unknown model 'x'", "code": "model_not_found"}
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Application

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body, self.headers.get("authorization")))
        if self.server.status != 200:
            return self.send(json.dumps({"error": self.server.error}))
        if self.path == "/v1/chat/completions":
            return self.send(
                ": laar is still verifying\n\n" + "".join(map(self.event, self.chunks())) + "data: [DONE]\n\n"
            )
        if self.path == "/v1/laar/feedback":
            return self.send(json.dumps({"object": "laar.feedback", **body}))
        other = {**CANDIDATE, "model": "large", "exclusion": "unhealthy"}
        features = {"language": "de", "task": "default"}
        told = {"chosen": "small", "reason": "lowest_cost", "order": ["small"], "candidates": [other, CANDIDATE]}
        return self.send(json.dumps({**told, "features": features}))

    def chunks(self) -> Iterator[dict[str, Any]]:
        yield {"model": "large", "choices": [{"delta": {"role": "assistant"}}]}
        yield {"model": "large", "choices": [{"delta": {"content": "In "}}]}
        laar: dict[str, Any] = {"request_id": ID, "verified": self.server.verified, "language": "de", "bucket": "<=128"}
        laar |= {"ttca_s": 3.5 if self.server.verified else None, "attempts": ATTEMPTS}
        yield {"model": "large", "choices": [{"delta": {"content": "Wien"}, "finish_reason": "stop"}], "laar": laar}

    @staticmethod
    def event(chunk: dict[str, Any]) -> str:
        return f"data: {json.dumps(chunk)}\n\n"

    def send(self, text: str) -> None:
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: object) -> None: ...


@pytest.fixture
def application() -> Iterator[Application]:
    server = Application()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def laar(application: Application, *arguments: str) -> Result:
    return CliRunner().invoke(commands.app, [*arguments, "--url", application.url], env={"LAAR_API_KEY": "a-key"})


def test_answer_goes_to_stdout_and_its_attempts_to_stderr(application: Application) -> None:
    result = laar(application, "ask", "Hauptstadt?", "--contains", "Wien", "--retry", ID, "--worth-s", "5")
    assert result.exit_code == 0
    assert result.stdout == "In Wien\n"
    assert result.stderr.splitlines() == [
        "1. small  1.00 s  wrong (missing)",
        "2. large  2.50 s  correct (matched, read as 'Wien')",
        f"verified after 3.50 s; de, <=128 tokens; {ID}",
    ]
    ((path, body, key),) = application.asked
    assert (path, key, body["stream"]) == ("/v1/chat/completions", "Bearer a-key", True)
    assert body["laar"] == {"verify": {"type": "contains", "value": "Wien"}, "retry_of": ID, "worth_s": 5}


@pytest.mark.parametrize(
    ("verified", "status", "line"),
    [
        pytest.param(False, 3, "NOT verified: no attempt was found correct", id="wrong"),
        pytest.param(None, 0, "not verified, as no check was asked for", id="not-asked-for"),
    ],
)
def test_exit_status_tells_whether_it_was_verified(
    application: Application, verified: bool | None, status: int, line: str
) -> None:
    application.verified = verified
    result = laar(application, "ask", "Hauptstadt?")
    assert result.exit_code == status
    assert line in result.stderr


def test_ask_prints_json_alone(application: Application) -> None:
    result = laar(application, "ask", "Hauptstadt?", "--json")
    found = json.loads(result.stdout)
    assert (found["answer"], found["model"], found["laar"]["attempts"]) == ("In Wien", "large", ATTEMPTS)
    assert result.stderr == ""


def test_explain_shows_models_in_the_order_of_asking(application: Application) -> None:
    result = laar(application, "explain", "Hauptstadt?")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:3] for row in rows[1:3]] == [["1.", "small", "0.25"], ["-", "large", "0.25"]]
    assert "asked first: small (lowest_cost)" in result.stderr


def test_feedback_is_sent(application: Application) -> None:
    result = laar(application, "feedback", ID, "--wrong")
    assert result.stdout == f"noted: the answer to {ID} was wrong\n"
    assert application.asked[0][:2] == ("/v1/laar/feedback", {"request_id": ID, "correct": False})


def test_feedback_says_which_way(application: Application) -> None:
    result = laar(application, "feedback", ID)
    assert result.exit_code == 2
    assert "say whether the answer was right" in result.stderr


@pytest.mark.parametrize("command", ["ask", "explain"])
def test_refusal_is_one_line_and_an_exit_status(application: Application, command: str) -> None:
    application.status = 404
    result = laar(application, command, "Hauptstadt?", "--model", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"laar {command}: 404: model: unknown model 'x' (model_not_found)\n"


def test_application_that_is_not_there_is_named_with_what_to_do() -> None:
    result = CliRunner().invoke(commands.app, ["ask", "x", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert result.stderr.startswith("laar ask: nothing answers at http://127.0.0.1:9; laar up starts an application")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        pytest.param(AskedCheck(contains="a", numeric=1), "--contains, --numeric: only one check", id="two"),
        pytest.param(AskedCheck(schema=Path("/nowhere.json")), "--schema: /nowhere.json cannot be read", id="no-file"),
        pytest.param(AskedCheck(verify="{"), "--verify: no JSON", id="no-json"),
        pytest.param(AskedCheck(verify="[1]"), "--verify: a JSON object is wanted", id="no-object"),
    ],
)
def test_check_that_cannot_be_asked_for_names_its_option(check: AskedCheck, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check.as_verify()


@pytest.mark.parametrize(
    ("check", "verify"),
    [
        pytest.param(AskedCheck(), None, id="none"),
        pytest.param(AskedCheck(numeric=3.5), {"type": "numeric", "value": 3.5, "which": "last"}, id="numeric"),
        pytest.param(AskedCheck(regex="a+"), {"type": "regex", "pattern": "a+"}, id="regex"),
        pytest.param(AskedCheck(verify='{"type": "auto"}'), {"type": "auto"}, id="any"),
    ],
)
def test_options_become_a_check(check: AskedCheck, verify: dict[str, Any] | None) -> None:
    assert check.as_verify() == verify
