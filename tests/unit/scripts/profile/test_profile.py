import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from profiles.profile import Profile
from profiles.workloads import Prompt
from scripts import commands
from scripts.profile.measuring import run as running
from scripts.profile.measuring.asking import KEY_HELP
from scripts.profile.measuring.journal import journal_path
from scripts.profile.measuring.plan import ProfilePlan
from scripts.profile.measuring.run import Output, few_prompts, run_profile
from tests.served import assumed_profile

# decides over one request: the number of the prompt, counted from 0, and how often it was sent before
Answer = Callable[[int, int], int]
# an operator's name that stands for a choice, and is no model to measure
NAMED = {"id": "auto-json", "root": "auto"}
TOO_LONG = {"error": {"message": "too long", "code": "context_length_exceeded"}}


class Application:
    """Stands in for a laar application, by default with one model, which answers every prompt correctly."""

    def __init__(
        self,
        answer: Answer = lambda prompt, sent_before: 200,
        key: str | None = None,
        models: tuple[str, ...] = ("small",),
    ) -> None:
        self.answer, self.key, self.models = answer, key, models
        self.verdict = "correct"
        self.thinking: tuple[str, ...] = ()
        # the number of the request at which it dies, and how
        self.dies_at = 10**9
        self.death: BaseException = RuntimeError("killed")
        self.num_requests = 0
        self.sent: Counter[tuple[str, str]] = Counter()
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return httpx.Response(401, json={"error": {"code": "unauthorized"}})
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [*({"id": name} for name in ("auto", *self.models)), NAMED]})
        body = json.loads(request.content)
        if "thinking_token_budget" in body and body["model"] not in self.thinking:
            return httpx.Response(400, text="thinking_token_budget is set but reasoning_config is not configured")
        if "laar" not in body:
            return httpx.Response(200, json={})
        return self.reply(body)

    def reply(self, body: dict[str, Any]) -> httpx.Response:
        self.num_requests += 1
        if self.num_requests == self.dies_at:
            raise self.death
        self.bodies.append(body)
        text = body["messages"][0]["content"]
        self.sent[body["model"], text] += 1
        prompts = list(dict.fromkeys(text for _, text in self.sent))
        status = self.answer(prompts.index(text), self.sent[body["model"], text] - 1)
        if status == 0:
            raise httpx.ReadTimeout("too slow")
        if status == 400:
            return httpx.Response(400, json=TOO_LONG)
        if status != 200:
            return httpx.Response(status, text="out of order")
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 3}
        attempt = {"verdict": self.judge(body), "latency_s": 0.5}
        return httpx.Response(200, json={"usage": usage, "laar": {"attempts": [attempt]}})

    def judge(self, body: dict[str, Any]) -> str:
        return self.verdict


def plan(**changes: Any) -> ProfilePlan:
    """20 prompts, asked one at a time."""
    settings: dict[str, Any] = {
        "url": "http://127.0.0.1:8000",
        "workloads": ("instruct", "lookup"),
        "languages": ("en",),
        "target_tokens": (100,),
        "prompts_per_cell": 10,
        "concurrency": 1,
        "seed": 1,
        "command": "laar profile",
    }
    return ProfilePlan(**(settings | changes))


def measure(application: Application, out: Path, *, fresh: bool = False, **changes: Any) -> int:
    output = Output(profile=out, report=out.with_suffix(".report"), fresh=fresh)

    async def answer(request: httpx.Request) -> httpx.Response:
        # as a real connection does, so that others get their turn
        await asyncio.sleep(0)
        return application(request)

    found = plan(**changes)
    return run_profile(found, found.prompts(), output, httpx.MockTransport(answer))


def profile_at(path: Path) -> Profile:
    return Profile.model_validate_json(path.read_text())


def report_at(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.with_suffix(".report").read_text())
    return report


def tried_and_correct(path: Path) -> tuple[int, int]:
    cells = profile_at(path).models["small"].cells
    return sum(cell.tried for cell in cells), sum(cell.correct for cell in cells)


def test_plan_of_these_tests_has_twenty_prompts() -> None:
    assert len(plan().prompts()) == 20


@pytest.mark.parametrize(
    ("tried", "warning"),
    [
        pytest.param({"en": 10, "de": 40}, None, id="enough"),
        pytest.param({"en": 9, "de": 10}, "fewer than 10 prompts in 1 of 2 cells (capitals, en, <=128: 9);", id="few"),
    ],
)
def test_cells_of_few_prompts_are_warned_of(tried: dict[str, int], warning: str | None) -> None:
    cells = [
        {"task": "capitals", "language": name, "bucket": 0, "correct": 1, "tried": number}
        for name, number in tried.items()
    ]
    told = few_prompts(Profile.model_validate(assumed_profile({"a": {"cells": cells}, "b": {"cells": cells}})))
    assert (warning or "") in (told or "")
    assert (told is None) == (warning is None)


def test_key_is_sent_with_every_request(tmp_path: Path) -> None:
    assert measure(Application(key="s3cret"), tmp_path / "p.json", api_key="s3cret") == 0
    assert tried_and_correct(tmp_path / "p.json") == (20, 20)


def test_missing_key_is_told_with_the_way_to_give_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(Application(key="s3cret"), tmp_path / "p.json") == 1
    line = capsys.readouterr().err
    assert line.startswith("laar profile: http://127.0.0.1:8000/v1/models answered 401: ")
    assert line.rstrip().endswith(KEY_HELP)
    assert not (tmp_path / "p.json").exists()


def test_key_stays_out_of_what_is_shown_and_written(tmp_path: Path) -> None:
    assert "s3cret" not in repr(plan(api_key="s3cret"))
    measure(Application(key="s3cret"), tmp_path / "p.json", api_key="s3cret")
    assert [path.name for path in tmp_path.iterdir() if "s3cret" in path.read_text()] == []


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
    told = capsys.readouterr().err
    assert "small: 3 of 20 prompts failed twice, more than 10%; the last one: " in told
    assert "answered 503: out of order" in told
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


def test_prompts_that_are_too_long_are_left_out_however_many_and_asked_once(tmp_path: Path) -> None:
    application = Application(lambda prompt, sent_before: 400 if prompt < 12 else 200)
    assert measure(application, tmp_path / "p.json") == 0
    assert tried_and_correct(tmp_path / "p.json") == (8, 8)
    assert report_at(tmp_path / "p.json")["total"] == {
        "planned": 20,
        "measured": 8,
        "resumed": 0,
        "outstanding": 0,
        "left_out": {"refused: 400 context_length_exceeded": 12},
    }
    assert set(application.sent.values()) == {1}


def test_nothing_answered_at_all_is_no_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(Application(lambda prompt, sent_before: 400), tmp_path / "p.json") == 1
    assert "no prompt was answered; left out: 20 refused: 400 context_length_exceeded" in capsys.readouterr().err
    assert not (tmp_path / "p.json").exists()


def test_application_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    assert run_profile(plan(), plan().prompts(), Output(profile=tmp_path / "p.json"), httpx.MockTransport(refuse)) == 1
    expected = "laar profile: http://127.0.0.1:8000 cannot be reached: ConnectError: connection refused\n"
    assert capsys.readouterr().err == expected


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


# -- going on after a kill ---------------------------------------------------------------------------------


class ByText(Application):
    """Two models whose answers depend on the prompt alone, so that two runs of the same plan agree."""

    def __init__(self) -> None:
        super().__init__(models=("large", "small"))

    def judge(self, body: dict[str, Any]) -> str:
        return "correct" if (len(body["messages"][0]["content"]) + len(body["model"])) % 3 else "wrong"


def without_time(profile: Profile) -> dict[str, Any]:
    """What two runs must agree on: all but the clock's figures."""
    found = profile.model_dump()
    del found["measured"]["at"]
    for model in found["models"].values():
        del model["latency"]
    return found


@pytest.mark.parametrize(
    "death", [pytest.param(RuntimeError("killed"), id="crash"), pytest.param(KeyboardInterrupt(), id="interrupt")]
)
@pytest.mark.parametrize("dies_at", [1, 7, 20, 21, 33, 40])
def test_killed_run_goes_on_and_gives_the_profile_of_an_undisturbed_one(
    tmp_path: Path, dies_at: int, death: BaseException
) -> None:
    undisturbed, resumed = tmp_path / "undisturbed.json", tmp_path / "resumed.json"
    assert measure(ByText(), undisturbed, concurrency=4) == 0
    dying, rest = ByText(), ByText()
    dying.dies_at, dying.death = dies_at, death
    with pytest.raises(type(death)):
        measure(dying, resumed, concurrency=4)
    answered_before = len(journal_path(resumed).read_text().splitlines()) - 1
    assert measure(rest, resumed, concurrency=4) == 0
    assert without_time(profile_at(resumed)) == without_time(profile_at(undisturbed))
    assert sum(c.tried for m in profile_at(resumed).models.values() for c in m.cells) == 40
    # nothing that had been answered was asked again
    assert rest.num_requests == 40 - answered_before
    total = report_at(resumed)["total"]
    assert (total["planned"], total["measured"], total["resumed"]) == (40, rest.num_requests, answered_before)


def test_torn_last_line_is_measured_again(tmp_path: Path) -> None:
    out, rest = tmp_path / "p.json", Application()
    measure(Application(), out)
    journal = journal_path(out)
    journal.write_bytes(journal.read_bytes()[:-30])
    assert measure(rest, out) == 0
    assert rest.num_requests == 1
    assert tried_and_correct(out) == (20, 20)
    assert len(journal.read_text().splitlines()) == 21


def test_finished_measurement_is_not_repeated(tmp_path: Path) -> None:
    measure(Application(), tmp_path / "p.json")
    again = Application()
    assert measure(again, tmp_path / "p.json") == 0
    assert again.num_requests == 0
    assert tried_and_correct(tmp_path / "p.json") == (20, 20)


def test_fresh_starts_over(tmp_path: Path) -> None:
    measure(Application(), tmp_path / "p.json")
    again = Application()
    assert measure(again, tmp_path / "p.json", fresh=True) == 0
    assert again.num_requests == 20


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"seed": 2}, "seed was 1, is now 2", id="seed"),
        pytest.param({"target_tokens": (100, 300)}, "tokens was [100], is now [100, 300]", id="lengths"),
    ],
)
def test_other_plan_is_refused_with_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    measure(Application(), tmp_path / "p.json")
    capsys.readouterr()
    assert measure(Application(), tmp_path / "p.json", **change) == 1
    message = capsys.readouterr().err
    assert told in message
    assert "--fresh" in message


def test_other_models_are_another_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(Application(), tmp_path / "p.json")
    assert measure(Application(models=("small", "large")), tmp_path / "p.json") == 1
    assert "models was ['small'], is now ['small', 'large']" in capsys.readouterr().err


def test_address_of_the_application_may_change_between_runs(tmp_path: Path) -> None:
    measure(Application(), tmp_path / "p.json")
    assert measure(Application(), tmp_path / "p.json", url="http://127.0.0.1:9000") == 0


def test_what_failed_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    measure(Application(lambda prompt, sent_before: 503 if prompt in (4, 9) else 200), out)
    again = Application()
    assert measure(again, out) == 0
    assert again.num_requests == 2
    assert tried_and_correct(out) == (20, 20)
    assert report_at(out)["total"]["left_out"] == {}


def test_what_was_refused_is_not_asked_again_and_stays_counted(tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    measure(Application(lambda prompt, sent_before: 400 if prompt < 2 else 200), out)
    again = Application()
    assert measure(again, out) == 0
    assert again.num_requests == 0
    assert report_at(out)["total"]["left_out"] == {"refused: 400 context_length_exceeded": 2}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_run_with_its_journal_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], signum: signal.Signals
) -> None:
    def stop(prompt: int, sent_before: int) -> int:
        if prompt == 5:
            os.kill(os.getpid(), signum)
        return 200

    before = signal.getsignal(signum)
    assert measure(Application(stop), tmp_path / "p.json") == 128 + signum
    assert signal.getsignal(signum) is before
    assert "the same command goes on with it" in capsys.readouterr().err
    report = report_at(tmp_path / "p.json")
    assert report["ended_by"] == "signal"
    measured = report["total"]["measured"]
    assert 5 <= measured < 20
    assert report["total"]["outstanding"] == 20 - measured
    rest = Application()
    assert measure(rest, tmp_path / "p.json") == 0
    assert rest.num_requests == 20 - measured


# -- how it is asked ----------------------------------------------------------------------------------------


def test_models_are_measured_one_after_the_other(tmp_path: Path) -> None:
    application = Application(models=("large", "small"))
    measure(application, tmp_path / "p.json", concurrency=4)
    assert [body["model"] for body in application.bodies] == ["large"] * 20 + ["small"] * 20


def test_models_are_measured_together_on_demand(tmp_path: Path) -> None:
    application = Application(models=("large", "small"))
    measure(application, tmp_path / "p.json", are_models_together=True)
    assert {body["model"] for body in application.bodies[:20]} == {"large", "small"}
    assert application.num_requests == 40


def test_no_more_requests_are_sent_at_once_than_the_engine_runs() -> None:
    cases = plan(concurrency=16, capacities={"small": 3}).cases("small", plan().prompts(), thinks=False)
    assert [case.concurrency for case in cases[:4]] == [1, 3, 3, 1]


def test_rows_add_up_to_the_plan(tmp_path: Path) -> None:
    measure(Application(lambda prompt, sent_before: 503 if prompt == 3 else 200), tmp_path / "p.json")
    rows = report_at(tmp_path / "p.json")["rows"]
    assert [
        (r["task"], r["target_tokens"], r["planned"], r["measured"], sum(r["left_out"].values())) for r in rows
    ] == [
        ("instruct", 32, 10, 9, 1),
        ("lookup", 100, 10, 10, 0),
    ]


def test_report_gives_wilson_intervals(tmp_path: Path) -> None:
    measure(Application(), tmp_path / "p.json", workloads=("lookup",))
    (cell,) = report_at(tmp_path / "p.json")["cells"]
    assert (cell["correct"], cell["tried"]) == (10, 10)
    assert cell["interval"] == pytest.approx([0.7225, 1.0], abs=1e-4)


# -- thinking -----------------------------------------------------------------------------------------------


class Thinker(Application):
    """`deep` is right from 64 thinking tokens on; `shallow` takes no budget and is always right."""

    def __init__(self) -> None:
        super().__init__(models=("deep", "shallow"))
        self.thinking = ("deep",)

    def judge(self, body: dict[str, Any]) -> str:
        return "correct" if body.get("thinking_token_budget", 64) >= 64 else "wrong"


def test_budgets_are_asked_of_models_that_think_and_the_others_are_asked_once(tmp_path: Path) -> None:
    application = Thinker()
    assert measure(application, tmp_path / "p.json", budgets=(0, 64), workloads=("lookup",)) == 0
    sent = Counter((body["model"], body.get("thinking_token_budget")) for body in application.bodies)
    assert sent == {("deep", 0): 10, ("deep", 64): 10, ("shallow", None): 10}


def test_curve_is_fitted_and_cells_are_those_of_the_largest_budget(tmp_path: Path) -> None:
    measure(Thinker(), tmp_path / "p.json", budgets=(0, 64), workloads=("lookup",))
    models = profile_at(tmp_path / "p.json").models
    (curve,) = models["deep"].thinking
    assert [(p.budget, p.correct, p.tried) for p in curve.points] == [(0, 0, 10), (64, 10, 10)]
    assert [(cell.correct, cell.tried) for cell in models["deep"].cells] == [(10, 10)]
    assert models["shallow"].thinking == ()


def test_room_for_the_answer_is_left_beside_the_thinking(tmp_path: Path) -> None:
    application = Thinker()
    measure(application, tmp_path / "p.json", budgets=(0, 64), workloads=("lookup",))
    most = {body.get("thinking_token_budget"): body["max_tokens"] for body in application.bodies}
    assert most[64] == most[0] + 64


def test_prompt_is_asked_alone_with_all_of_its_budgets_or_with_none() -> None:
    cases = plan(budgets=(0, 64, 256), concurrency=4).cases("small", plan().prompts(), thinks=True)
    assert [case.concurrency for case in cases[:9]] == [1, 1, 1, 4, 4, 4, 4, 4, 4]


def test_budgets_without_a_model_that_thinks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(Application(), tmp_path / "p.json", budgets=(0, 64)) == 1
    assert "--budgets: none of small takes a thinking-token budget" in capsys.readouterr().err


# -- adaptive -----------------------------------------------------------------------------------------------


class Rivals(Application):
    """`good` is always right, `bad` never; on lookups `good` and `even` are equally good."""

    def __init__(self) -> None:
        super().__init__(models=("bad", "good"))

    def judge(self, body: dict[str, Any]) -> str:
        return "correct" if body["model"] == "good" else "wrong"


ADAPTIVE: dict[str, Any] = {"workloads": ("lookup",), "languages": ("en", "de"), "prompts_per_cell": 50}


def test_adaptive_measurement_stops_when_the_choice_is_certain(tmp_path: Path) -> None:
    application = Rivals()
    assert measure(application, tmp_path / "p.json", max_answers=200, **ADAPTIVE) == 0
    report = report_at(tmp_path / "p.json")
    assert application.num_requests == report["total"]["measured"] < 100
    assert [(d["language"], d["leader"]) for d in report["doubts"]] == [("de", "good"), ("en", "good")]
    assert all(doubt["probability_of_another"] <= 0.05 for doubt in report["doubts"])


def test_adaptive_measurement_spends_no_more_than_its_budget(tmp_path: Path) -> None:
    application = Application(models=("one", "two"))
    assert measure(application, tmp_path / "p.json", max_answers=30, **ADAPTIVE) == 0
    assert application.num_requests <= 30
    assert report_at(tmp_path / "p.json")["total"]["planned"] == application.num_requests


def test_budget_too_small_for_the_first_round_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(Rivals(), tmp_path / "p.json", max_answers=11, **ADAPTIVE) == 1
    assert "--budget 11 is too little" in capsys.readouterr().err


@pytest.mark.parametrize("dies_at", [3, 12, 14, 18])
def test_killed_adaptive_run_keeps_its_rounds_and_counts_every_prompt_once(tmp_path: Path, dies_at: int) -> None:
    out, dying, rest = tmp_path / "p.json", Application(models=("one", "two")), Application(models=("one", "two"))
    dying.dies_at = dies_at
    with pytest.raises(RuntimeError, match="killed"):
        measure(dying, out, max_answers=40, **ADAPTIVE)
    assert measure(rest, out, max_answers=40, **ADAPTIVE) == 0
    total = report_at(out)["total"]
    assert total["resumed"] == dies_at - 1
    assert total["measured"] == rest.num_requests
    assert sum(c.tried for m in profile_at(out).models.values() for c in m.cells) == total["planned"]
    assert not set(dying.sent) & set(rest.sent)
    undisturbed = tmp_path / "undisturbed.json"
    measure(Application(models=("one", "two")), undisturbed, max_answers=40, **ADAPTIVE)
    assert profile_at(out).models == profile_at(undisturbed).models


# -- the command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environ", "key"),
    [
        pytest.param([], {"LAAR_API_KEY": "k1", "LAAR_API_KEYS": "k2,k3"}, "k1", id="default variable"),
        pytest.param(["--api-key-env", "MY_KEY"], {"LAAR_API_KEY": "k1", "MY_KEY": "k4\n"}, "k4", id="named variable"),
        pytest.param([], {"LAAR_API_KEYS": "k2,k3"}, None, id="list of the application is another thing"),
        pytest.param([], {"LAAR_API_KEY": ""}, None, id="empty is none"),
    ],
)
@pytest.mark.parametrize("command", [["profile"], ["profile", "run"]], ids=["short", "named"])
def test_key_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, command: list[str], arguments: list[str], environ: dict[str, str], key: str | None
) -> None:
    plans: list[ProfilePlan] = []

    def keep(plan: ProfilePlan, prompts: Sequence[Prompt], output: Output) -> int:
        plans.append(plan)
        return 0

    monkeypatch.setattr(running, "run_profile", keep)
    monkeypatch.setattr(commands, "prepare_environment", lambda environ: None)
    for name in ("LAAR_API_KEY", "LAAR_API_KEYS", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(commands.app, [*command, "--out", "p.json", *arguments])
    assert (result.exit_code, [plan.api_key for plan in plans]) == (0, [key])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--languages", "xx"], "has no wording in ['xx']", id="language"),
        pytest.param(["--workload", "riddles"], "unknown workload 'riddles'", id="workload"),
        pytest.param(["--tokens", "100,a"], "'100,a'; different numbers from 1 up", id="tokens"),
        pytest.param(["--budgets", "64,64"], "'64,64'; different numbers from 0 up", id="budgets twice"),
        pytest.param(["--adaptive"], "--adaptive and --budget go together", id="adaptive without budget"),
        pytest.param(["--budget", "9"], "--adaptive and --budget go together", id="budget without adaptive"),
        pytest.param(["--out", "no/such/p.json"], "there is no folder 'no/such'", id="folder"),
        pytest.param(["--jsonl", "no/such.jsonl"], "cannot be read", id="own prompts"),
        pytest.param(["--log", "x.log"], "only an application that --config brings up logs there", id="log"),
        pytest.param(["--config", "pyproject.toml"], "is no config of a laar application", id="config"),
    ],
)
def test_wrong_option_is_refused_before_anything_is_asked(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(commands.app, ["profile", "--out", "p.json", *arguments], env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert told in result.output


def test_measurement_goes_on_whether_or_not_the_capacity_of_engines_is_known() -> None:
    assert plan(concurrency=16, capacities={"small": 3}).identity() == plan(concurrency=16).identity()
