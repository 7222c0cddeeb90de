from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from deployments.log.database.store import Store
from deployments.log.writing.log_records import FeedbackRecord, LogRecord
from profiles.measuring.from_log import company
from profiles.profile import CheckCounts, Latency, ModelProfile, PairCounts, Profile, VerdictTally, load_profile
from scripts import commands
from tests.unit.logged import NOON, NOON_S, asked, request_id, tried

AGO_S = (datetime.now(UTC) - NOON).total_seconds() - 3600
Fit = Callable[..., Profile]


def laar(*arguments: str | Path) -> Result:
    return CliRunner().invoke(
        commands.app, ["profile", "from-log", *map(str, arguments)], env={"LAAR_LOG_URL": "", "COLUMNS": "400"}
    )


def log_of(tmp_path: Path, *records: LogRecord) -> str:
    url = f"sqlite:///{tmp_path}/attempts.sqlite"
    store = Store(url)
    store.migrate()
    assert store.write(records) == 0
    store.close()
    return url


JUDGE = CheckCounts(
    check="judge", language="en", right=VerdictTally(correct=850, wrong=150), wrong=VerdictTally(correct=150, wrong=850)
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Models a, b and c of 1 s each, with edges at 10 and 20 tokens."""
    model = ModelProfile(
        latency=Latency(overhead_s=1, prefill_s_per_token=0, decode_s_per_token=0),
        chars_per_token={"en": 5, "unknown": 4},
        chars_per_symbol_token=1.5,
        template_tokens=2,
    )
    profile = load_profile("embedded").model_copy(
        update={
            "bucket_edges": (10, 20),
            "models": {"a": model, "b": model, "c": model},
            "pairs": (),
            "checks": (JUDGE,),
        }
    )
    path = tmp_path / "base.json"
    path.write_text(profile.model_dump_json())
    return path


@pytest.fixture
def fit(tmp_path: Path, base: Path) -> Fit:
    """Fits a profile to what was asked an hour ago."""

    def fitted(*records: LogRecord) -> Profile:
        out = tmp_path / "out.json"
        result = laar("--log-url", log_of(tmp_path, *records), "--base", base, "--out", out)
        assert result.exit_code == 0, result.output
        return load_profile(str(out))

    return fitted


def lately(number: int, *attempts: Any, at_s: float = 0.0, **fields: Any) -> LogRecord:
    return asked(number, *attempts, at_s=AGO_S + at_s, **fields)


def cells(profile: Profile, model: str) -> list[tuple[str, str, int, int, int]]:
    return [(c.task, c.language, c.bucket, c.correct, c.tried) for c in profile.models[model].cells]


def test_first_attempts_are_counted_by_task_language_and_length(fit: Fit) -> None:
    found = fit(
        lately(1, tried("a", "correct")),
        lately(2, tried("a", "wrong"), tried("b", "correct")),
        lately(3, tried("a", "correct", prompt_tokens=11), task="sums", language="de"),
        lately(4, tried("a", "correct", prompt_tokens=21), model="a"),
    )
    assert cells(found, "a") == [("default", "en", 0, 1, 2), ("default", "en", 2, 1, 1), ("sums", "de", 1, 1, 1)]


def test_later_attempts_count_in_pairs_alone(fit: Fit) -> None:
    found = fit(
        lately(1, tried("a", "wrong"), tried("b", "correct")), lately(2, tried("a", "wrong"), tried("b", "wrong"))
    )
    assert cells(found, "b") == []
    assert found.pairs == (PairCounts(failed="a", model="b", language="en", bucket=0, correct=1, tried=2),)


@pytest.mark.parametrize(
    "attempts",
    [
        pytest.param(("a:wrong", "a:correct"), id="the same model"),
        pytest.param(("a:error", "b:correct"), id="after a fault"),
        pytest.param(("a:unknown", "b:correct"), id="after no verdict"),
        pytest.param(("a:wrong", "b:unverified"), id="not judged"),
    ],
)
def test_what_follows_no_single_wrong_answer_of_another_is_no_pair(fit: Fit, attempts: tuple[str, ...]) -> None:
    assert fit(lately(1, *(tried(*text.split(":")) for text in attempts))).pairs == ()


def test_third_model_is_no_pair_with_either_that_failed(fit: Fit) -> None:
    found = fit(lately(1, tried("a", "wrong"), tried("b", "wrong"), tried("c", "correct")))
    assert [(pair.failed, pair.model) for pair in found.pairs] == [("a", "b")]


@pytest.mark.parametrize("verdict", ["unverified", "unknown", "error", "timeout", "cancelled"])
def test_answers_that_nobody_judged_are_not_counted(fit: Fit, verdict: str) -> None:
    assert cells(fit(lately(1, tried("a", verdict))), "a") == []


@pytest.mark.parametrize(
    ("verdict", "said", "correct"),
    [
        pytest.param("correct", False, 0, id="laar was wrong"),
        pytest.param("wrong", True, 1, id="laar was too strict"),
        pytest.param("unverified", True, 1, id="nobody else judged"),
    ],
)
def test_feedback_comes_before_the_verdict(fit: Fit, verdict: str, said: bool, correct: int) -> None:
    told = FeedbackRecord(request_id=request_id(1), correct=said, at_s=NOON_S)
    assert cells(fit(lately(1, tried("a", verdict)), told), "a") == [("default", "en", 0, correct, 1)]


def test_feedback_is_about_the_answer_that_the_client_got(fit: Fit) -> None:
    told = FeedbackRecord(request_id=request_id(1), correct=True, at_s=NOON_S)
    found = fit(lately(1, tried("a", "wrong"), tried("b", "wrong")), told)
    assert [(pair.failed, pair.correct, pair.tried) for pair in found.pairs] == [("a", 1, 1)]
    assert cells(found, "a") == [("default", "en", 0, 0, 1)]


def test_what_a_client_asks_again_is_no_fair_sample(fit: Fit) -> None:
    found = fit(
        lately(1, tried("a", "unverified")),
        lately(2, tried("b", "correct"), retry_of=request_id(1)),
        lately(3, tried("b", "wrong"), tried("c", "correct"), retry_of=request_id(1)),
        lately(4, tried("b", "correct"), tried=("a",)),
    )
    assert (cells(found, "a"), cells(found, "b"), found.pairs) == ([], [], ())


def test_older_requests_are_left_out(fit: Fit) -> None:
    month_s = 31 * 86400.0
    found = fit(lately(1, tried("a")), lately(2, tried("a"), at_s=-month_s))
    assert cells(found, "a") == [("default", "en", 0, 1, 1)]


def timed(number: int, prompt: int, output: int | None, language: str = "en") -> LogRecord:
    """An attempt of 0.5 s, 1 ms a prompt token and 20 ms an output token, a minute after the one before."""
    latency_s = 0.5 + 0.001 * prompt + 0.02 * (output or 0)
    attempt = tried("a", latency_s=latency_s, prompt_tokens=prompt, output_tokens=output)
    return lately(number, attempt, at_s=-60.0 * number, prompt_chars=3 * (prompt - 5), language=language)


def spread(count: int) -> list[LogRecord]:
    return [timed(n, 20 + 10 * (n % 7), 5 + 5 * (n % 5)) for n in range(count)]


def test_latency_is_fitted_to_attempts_with_counted_tokens(fit: Fit) -> None:
    found = fit(*spread(100), timed(200, 5000, None))
    latency = found.models["a"].latency
    assert latency.overhead_s == pytest.approx(0.5, abs=1e-6)
    assert latency.prefill_s_per_token == pytest.approx(0.001, abs=1e-6)
    assert latency.decode_s_per_token == pytest.approx(0.02, abs=1e-6)
    assert found.models["a"].output_tokens == {"default": 15.0}
    assert found.measured.note.endswith("; a: characters per token")


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(spread(99), id="too few"),
        pytest.param([timed(n, 20 + n, 10) for n in range(100)], id="answers all of one length"),
        pytest.param([timed(n, 50, 5 + n) for n in range(100)], id="prompts all of one length"),
    ],
)
def test_latency_is_the_bases_where_the_log_does_not_tell(fit: Fit, records: list[LogRecord]) -> None:
    found = fit(*records)
    assert found.models["a"].latency.overhead_s == 1
    assert "a: latency, characters per token" in found.measured.note


def test_company_is_the_mean_number_under_way() -> None:
    found = company(np.array([0.0, 1.0, 10.0, 11.0]), np.array([2.0, 4.0, 1.0, 0.0]))
    assert found.tolist() == [1.5, 1.25, 1.0, 1.0]


def test_languages_that_the_base_lacks_get_the_logs_characters_per_token(fit: Fit) -> None:
    found = fit(*(timed(n, 32, 10, "th") for n in range(30)), *(timed(n, 32, 10, "ja") for n in range(30, 59)))
    # 3 x (32 - 5) characters on the 32 tokens less the template's 2
    assert found.models["a"].chars_per_token == {"en": 5, "unknown": 4, "th": pytest.approx(2.7)}
    assert found.models["a"].chars_per_symbol_token == 1.5


def test_without_a_base_all_comes_from_the_log(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = laar("--log-url", log_of(tmp_path, *spread(100), lately(500, tried("b"))), "--out", out)
    assert result.exit_code == 0, result.output
    found = load_profile(str(out))
    model = found.models["a"]
    assert model.chars_per_token["en"] == pytest.approx(3.0)
    assert model.template_tokens == pytest.approx(5.0)
    assert model.chars_per_symbol_token == model.chars_per_token["unknown"]
    assert found.bucket_edges[:2] == (128, 256)
    assert "b is left out: 0 attempts with counted tokens do not tell its latency; give more log" in result.stdout
    assert list(found.models) == ["a"]


def test_measured_says_where_from_since_when_and_how_many(fit: Fit) -> None:
    found = fit(lately(1, tried("a", "wrong"), tried("b")), lately(2, tried("a", "unverified")))
    assert found.measured.note.startswith("from the attempt log since 20")
    assert "3 attempts, 1 judged first attempts in cells, 1 after a wrong answer in pairs" in found.measured.note
    assert found.measured.workloads == ("attempt log",)


def test_profile_knows_from_when_to_when_it_counts(fit: Fit) -> None:
    found = fit(lately(1, tried("a"))).measured
    ((began, ended),) = found.log_periods
    assert (ended - began).total_seconds() == pytest.approx(30 * 86400, abs=60)
    assert found.seed is None


def test_profile_merges_with_its_base(fit: Fit, base: Path, tmp_path: Path) -> None:
    fit(lately(1, tried("a")))
    merged = tmp_path / "merged.json"
    done = CliRunner().invoke(
        commands.app, ["profile", "merge", str(base), str(tmp_path / "out.json"), "--out", str(merged)]
    )
    assert done.exit_code == 0, done.output
    assert sorted(load_profile(str(merged)).models) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--since", "1m"], "the log has no attempts since", id="empty"),
        pytest.param(["--since", "soon"], "'soon' is no time", id="no time"),
        pytest.param([], "a: 0 attempts with counted tokens do not tell its latency", id="nothing to fit"),
    ],
)
def test_log_that_tells_nothing_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = laar("--log-url", log_of(tmp_path, lately(1, tried("a"))), "--out", tmp_path / "out.json", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("laar profile from-log: ")
    assert message in result.stderr
    assert not (tmp_path / "out.json").exists()


def test_folder_is_refused_before_the_log_is_read(tmp_path: Path) -> None:
    result = laar("--log-url", "sqlite:////nowhere/a.sqlite", "--out", tmp_path)
    assert result.exit_code == 2
    assert "is a folder" in result.stderr


def test_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = laar("--log-url", "sqlite:////nowhere/a.sqlite", "--out", tmp_path / "out.json")
    assert (result.exit_code, result.stderr) == (
        1,
        "laar profile from-log: there is no attempt log at /nowhere/a.sqlite; LAAR_LOG_URL names another one\n",
    )


def test_what_a_judge_said_is_put_right_by_its_measured_errors(fit: Fit) -> None:
    """Of 400 answers 320 are right: the judge calls 284 so, as it errs on 15 % of either kind."""
    said = ["correct"] * 284 + ["wrong"] * 116
    found = fit(*(lately(i, tried("a", verdict, check="judge"), at_s=i) for i, verdict in enumerate(said)))
    ((_, _, _, correct, count),) = cells(found, "a")
    assert correct / count == pytest.approx(0.8, abs=0.01)
    assert count < 300
    assert found.checks == (JUDGE,)


def test_what_an_unmeasured_judge_said_is_not_counted(fit: Fit) -> None:
    found = fit(lately(1, tried("a", "correct", check="judge:other"), tried("b", "correct")))
    assert cells(found, "a") == []
    assert found.pairs == ()
