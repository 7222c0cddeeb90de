import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from profiles.schema import Profile
from scripts import cli
from scripts import profile as measuring
from scripts.profile import ProfilePlan, run_profile

# decides over one request: the number of the prompt, counted from 0, and how often it was sent before
Answer = Callable[[int, int], int]


class Application:
    """Stands in for a laar application with one model, which answers every prompt correctly."""

    def __init__(self, answer: Answer = lambda prompt, sent_before: 200, key: str | None = None) -> None:
        self.answer, self.key = answer, key
        self.verdict = "correct"
        self.sent: Counter[str] = Counter()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return httpx.Response(401, json={"error": {"code": "unauthorized"}})
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "auto"}, {"id": "small"}]})
        return self.reply(json.loads(request.content)["messages"][0]["content"])

    def reply(self, text: str) -> httpx.Response:
        self.sent[text] += 1
        status = self.answer(list(self.sent).index(text), self.sent[text] - 1)
        if status == 0:
            raise httpx.ReadTimeout("too slow")
        if status != 200:
            return httpx.Response(status, text="out of order")
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 3}
        return httpx.Response(200, json={"usage": usage, "laar": {"attempts": [{"verdict": self.verdict}]}})


def plan(**changes: Any) -> ProfilePlan:
    """20 prompts, asked one at a time."""
    settings: dict[str, Any] = {
        "url": "http://127.0.0.1:8000",
        "languages": ("en",),
        "target_tokens": (100,),
        "prompts_per_cell": 10,
        "concurrency": 1,
        "seed": 1,
        "command": "laar profile",
    }
    return ProfilePlan(**(settings | changes))


def measure(application: Application, out: Path, **changes: Any) -> int:
    return run_profile(plan(**changes), out, httpx.MockTransport(application))


def tried_and_correct(path: Path) -> tuple[int, int]:
    cells = Profile.model_validate_json(path.read_text()).models["small"].cells
    return sum(cell.tried for cell in cells), sum(cell.correct for cell in cells)


def test_plan_of_these_tests_has_twenty_prompts() -> None:
    assert len(plan().prompts()) == 20


def test_key_is_sent_with_every_request(tmp_path: Path) -> None:
    assert measure(Application(key="s3cret"), tmp_path / "p.json", api_key="s3cret") == 0
    assert tried_and_correct(tmp_path / "p.json") == (20, 20)


def test_missing_key_is_told_with_the_way_to_give_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(Application(key="s3cret"), tmp_path / "p.json") == 1
    line = capsys.readouterr().err
    assert line.startswith("laar profile: http://127.0.0.1:8000/v1/models answered 401: ")
    assert line.rstrip().endswith(measuring.KEY_HELP)
    assert not (tmp_path / "p.json").exists()


def test_key_stays_out_of_what_is_shown_and_written(tmp_path: Path) -> None:
    assert "s3cret" not in repr(plan(api_key="s3cret"))
    measure(Application(key="s3cret"), tmp_path / "p.json", api_key="s3cret")
    assert "s3cret" not in (tmp_path / "p.json").read_text()


@pytest.mark.parametrize("status", [pytest.param(503, id="an error"), pytest.param(0, id="a time-out")])
def test_prompt_that_fails_once_is_asked_again_and_counts(tmp_path: Path, status: int) -> None:
    application = Application(lambda prompt, sent_before: status if (prompt, sent_before) == (4, 0) else 200)
    assert measure(application, tmp_path / "p.json") == 0
    assert tried_and_correct(tmp_path / "p.json") == (20, 20)
    assert sorted(application.sent.values())[-2:] == [1, 2]


@pytest.mark.parametrize("status", [pytest.param(503, id="an error"), pytest.param(0, id="a time-out")])
def test_prompt_that_fails_twice_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    application = Application(lambda prompt, sent_before: status if prompt in (4, 9) else 200)
    assert measure(application, tmp_path / "p.json") == 0
    assert tried_and_correct(tmp_path / "p.json") == (18, 18)
    assert "small: 2 of 20 prompts failed twice and were left out" in capsys.readouterr().out.splitlines()
    assert sorted(application.sent.values())[-3:] == [1, 2, 2]


def test_more_than_a_tenth_of_failed_prompts_ends_the_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    application = Application(lambda prompt, sent_before: 503 if prompt in (4, 9, 11) else 200)
    assert measure(application, tmp_path / "p.json") == 1
    assert "small: 3 of 20 prompts failed twice, more than 10%; the last one: 503: out of order" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("status", [pytest.param(401, id="401"), pytest.param(404, id="404")])
def test_refusal_of_the_first_prompt_ends_the_measurement_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    application = Application(lambda prompt, sent_before: status)
    assert measure(application, tmp_path / "p.json") == 1
    assert f"/v1/chat/completions answered {status}: out of order" in capsys.readouterr().err
    assert application.sent.total() == 1


def test_refusal_of_a_later_prompt_is_a_failure_like_others(tmp_path: Path) -> None:
    assert measure(Application(lambda prompt, sent_before: 404 if prompt == 7 else 200), tmp_path / "p.json") == 0
    assert tried_and_correct(tmp_path / "p.json") == (19, 19)


def test_application_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    assert run_profile(plan(), tmp_path / "p.json", httpx.MockTransport(refuse)) == 1
    expected = "laar profile: http://127.0.0.1:8000 cannot be reached: ConnectError: connection refused\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "key"),
    [
        pytest.param([], {"LAAR_API_KEY": "k1", "LAAR_API_KEYS": "k2,k3"}, "k1", id="default variable"),
        pytest.param(["--api-key-env", "MY_KEY"], {"LAAR_API_KEY": "k1", "MY_KEY": "k4\n"}, "k4", id="named variable"),
        pytest.param([], {"LAAR_API_KEYS": "k2,k3"}, None, id="list of the application is another thing"),
        pytest.param([], {"LAAR_API_KEY": ""}, None, id="empty is none"),
    ],
)
def test_key_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environ: dict[str, str], key: str | None
) -> None:
    plans: list[ProfilePlan] = []

    def keep(plan: ProfilePlan, out: Path) -> int:
        plans.append(plan)
        return 0

    monkeypatch.setattr(measuring, "run_profile", keep)
    monkeypatch.setattr(cli, "prepare_environment", lambda environ: None)
    for name in ("LAAR_API_KEY", "LAAR_API_KEYS", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli.app, ["profile", "--out", "p.json", *arguments])
    assert (result.exit_code, [plan.api_key for plan in plans]) == (0, [key])


def test_verdict_that_cannot_tell_is_no_wrong_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    application = Application()
    application.verdict = "unknown"
    assert measure(application, tmp_path / "p.json") == 1
    assert '"verdict":"unknown"' in capsys.readouterr().err.replace(" ", "")


def test_wrong_answers_are_counted_as_tried(tmp_path: Path) -> None:
    application = Application()
    application.verdict = "wrong"
    assert measure(application, tmp_path / "p.json") == 0
    assert tried_and_correct(tmp_path / "p.json") == (20, 0)
