import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from typer.testing import CliRunner, Result

from deployments.log.database.store import Store
from deployments.log.reading.outcomes import logged_attempts
from deployments.log.writing.log_records import FeedbackRecord
from scripts import commands
from scripts.log.actions import ListFilter, moment, show_new
from tests.unit.logged import NOON, NOON_S, asked, request_id, tried

NOT_MIGRATED = (
    "laar log: the database has no attempt log of this version; laar log migrate makes the tables or changes them\n"
)
AGO_S = (datetime.now(UTC) - NOON).total_seconds() - 600


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log with three requests of ten minutes ago, one wrong for its client and asked again, and one of noon."""
    found = f"sqlite:///{tmp_path}/attempts.sqlite"
    store = Store(found)
    store.migrate()
    unverified = tried("a", "unverified")
    store.write(
        [
            asked(1, tried("a", "wrong"), tried("b"), at_s=AGO_S, task="sums", policy="fastest"),
            asked(2, unverified, at_s=AGO_S + 1, duration_s=2.0, verified=None),
            asked(3, unverified, at_s=AGO_S + 2, duration_s=3.0, verified=None, retry_of=request_id(2)),
            FeedbackRecord(request_id=request_id(3), correct=True, at_s=NOON_S + AGO_S),
            asked(4),
        ]
    )
    store.close()
    return found


def laar(*arguments: str) -> Result:
    return CliRunner().invoke(commands.app, ["log", *arguments], env={"LAAR_LOG_URL": "", "COLUMNS": "200"})


def answer(*arguments: str) -> Any:
    result = laar(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_attempts_and_what_is_thought_of_them(url: str) -> None:
    rows = answer("list", "--url", url, "--since", "1h")
    assert [(row["model"], row["verdict"], row["outcome"]) for row in rows] == [
        ("a", "wrong", "wrong"),
        ("b", "correct", "correct"),
        ("a", "unverified", "wrong"),
        ("a", "unverified", "correct"),
    ]


def test_list_filters(url: str) -> None:
    assert [row["model"] for row in answer("list", "--url", url, "--task", "sums", "--verdict", "correct")] == ["b"]


def test_every_question_can_be_put_for_one_policy(url: str) -> None:
    assert [row["model"] for row in answer("list", "--url", url, "--policy", "fastest")] == ["a", "b"]
    found = answer("stats", "--url", url, "--since", "1h", "--policy", "fastest")
    assert [(c["model"], c["correct"], c["tried"]) for c in found["accuracy"]] == [("a", 0, 1), ("b", 1, 1)]
    assert (found["ttca"]["requests"], found["arrivals"]["num_requests"]) == (1, 3)


def test_stats_put_retries_and_feedback_together(url: str) -> None:
    found = answer("stats", "--url", url, "--since", "1h")
    assert [(c["model"], c["correct"], c["tried"]) for c in found["accuracy"]] == [("a", 1, 3), ("b", 1, 1)]
    assert found["ttca"] == {"requests": 3, "chains": 2, "solved": 2, "mean_s": 3.0, "p50_s": 3.0, "p95_s": 4.8}
    assert found["arrivals"]["num_requests"] == 3
    assert found["arrivals"]["rate_per_s"] == pytest.approx(3 / 3600)
    assert found["arrivals"]["task_shares"] == pytest.approx({"default": 2 / 3, "sums": 1 / 3})


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        pytest.param(["list"], "unverified", id="list"),
        pytest.param(["stats"], "Time-to-Correct-Answer", id="stats"),
    ],
)
def test_tables_are_printed(url: str, arguments: list[str], shown: str) -> None:
    result = laar(*arguments, "--url", url)
    assert result.exit_code == 0, result.output
    assert shown in result.stdout


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Requests and attempts by their numbers."""
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [f"{int(row['request_id'].removeprefix('laar-'), 16)}/{row['attempt_index']}" for row in rows]


def test_tail_shows_every_attempt_of_a_burst_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(url)
    before = show_new(store, ListFilter(), after=0)
    assert shown(capsys) == ["4/0", "1/0", "1/1", "2/0", "3/0"]
    store.write([asked(number) for number in range(1000, 3500)])
    after = show_new(store, ListFilter(), after=before)
    assert shown(capsys) == [f"{number}/0" for number in range(1000, 3500)]
    assert show_new(store, ListFilter(), after=after) == after
    assert shown(capsys) == []
    store.close()


def test_tail_shows_requests_that_come_to_the_log_late(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(url)
    before = show_new(store, ListFilter(), after=0)
    shown(capsys)
    store.write([asked(9, tried("a", "wrong"), tried("b"), at_s=-86400.0, policy="laar")])
    show_new(store, ListFilter(verdict="correct", policy="laar"), after=before)
    assert shown(capsys) == ["9/1"]
    store.close()


def test_prune_deletes_what_is_older(url: str) -> None:
    assert answer("prune", "--url", url, "--older-than", "1h")["rows"] == 3
    assert len(answer("list", "--url", url)) == 4


def test_url_may_come_from_the_environment(url: str) -> None:
    result = CliRunner().invoke(commands.app, ["log", "list", "--json"], env={"LAAR_LOG_URL": url})
    assert len(json.loads(result.stdout)) == 5


def test_migrate_makes_the_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite"
    assert laar("migrate", "--url", url).exit_code == 0
    assert answer("list", "--url", url) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["list", "--url", "sqlite:////nowhere/a.sqlite"], "no attempt log at /nowhere/a", id="no-file"),
        pytest.param(["list", "--url", "mysql://h/d"], "'mysql'; known: 'sqlite'", id="other-database"),
        pytest.param(["list", "--url", "postgresql://h:pass/word"], "cannot be read", id="no-port"),
        pytest.param(["stats", "--url", "postgresql://laar@127.0.0.1:9/x"], "the database: ", id="not-reached"),
    ],
)
def test_fault_is_one_line_and_an_exit_status(arguments: list[str], message: str) -> None:
    result = laar(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("laar log: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_database_without_tables_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    result = laar("list", "--url", f"sqlite:///{tmp_path}/empty.sqlite")
    assert result.stderr == NOT_MIGRATED


def test_tables_of_an_earlier_version_are_named_until_they_are_changed(url: str) -> None:
    store = Store(url)
    config = Config()
    config.set_main_option("script_location", "deployments.log.database:migrations")
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    assert laar("list", "--url", url).stderr == NOT_MIGRATED
    store.migrate()
    assert laar("list", "--url", url).exit_code == 0
    store.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("90s", NOON - timedelta(seconds=90), id="seconds"),
        pytest.param("7d", NOON - timedelta(days=7), id="days"),
        pytest.param("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC), id="date"),
        pytest.param("2026-05-01T10:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC), id="offset"),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("yesterday", id="word"),
        pytest.param("", id="nothing"),
        pytest.param("999999999d", id="before-all-years"),
        pytest.param("0001-01-01T00:00+14:00", id="before-year-1-in-utc"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{re.escape(text)}' is no time; wanted is 90s, 15m"):
        moment(text, NOON)


def test_empty_since_is_refused(url: str) -> None:
    result = laar("stats", "--url", url, "--since", "")
    assert (result.exit_code, result.stderr[:25]) == (1, "laar log: '' is no time; ")


@pytest.mark.parametrize(("option", "first"), [("--policy", "laar"), ("--verdict", "correct")], ids=str)
def test_what_no_attempt_can_have_is_refused(url: str, option: str, first: str) -> None:
    result = laar("list", "--url", url, option, "lar")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"laar log: {option}: 'lar' is not known; allowed are {first}, ")


def test_list_shows_whole_ids_at_eighty_columns(url: str) -> None:
    environment = {"LAAR_LOG_URL": "", "COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(commands.app, ["log", "list", "--url", url], env=environment)
    assert f"{1:032x}" in result.stdout
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in result.stdout.splitlines()) <= 80
    assert "not shown for the width of the terminal: " in result.stderr


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(request_id(1), id="id"),
        pytest.param("00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(f"{1:032x}", id="digits-as-listed"),
    ],
)
def test_request_is_shown_with_its_attempts(url: str, named: str) -> None:
    found = answer("show", named, "--url", url)
    assert (found["request_id"], found["task"], found["policy"]) == (request_id(1), "sums", "fastest")
    assert [(a["model"], a["verdict"]) for a in found["attempts"]] == [("a", "wrong"), ("b", "correct")]
    assert "api_key_hash" not in found


@pytest.mark.parametrize(
    ("named", "message"),
    [
        pytest.param("laar-00", "2 requests or more have an id that begins with 'laar-00'", id="several"),
        pytest.param("abc%", "no request has an id that begins with 'abc%'", id="none"),
    ],
)
def test_id_that_names_no_single_request_is_refused(url: str, named: str, message: str) -> None:
    result = laar("show", named, "--url", url)
    assert (result.exit_code, result.stderr) == (1, f"laar log: {message}\n")


@pytest.fixture
def liars_log(url: str) -> str:
    """The same log, with a key that calls a model wrong twenty times, and one that calls it right four times."""
    store = Store(url)
    store.write([asked(100 + n, tried("c", "wrong"), at_s=AGO_S + 10 + n, api_key_hash="b" * 64) for n in range(20)])
    store.write([asked(200 + n, tried("c"), at_s=AGO_S + 40 + n, api_key_hash="ba" * 32) for n in range(4)])
    store.close()
    return url


def moves_of_c(url: str) -> dict[str, tuple[int, int, float, bool]]:
    rows = [row for row in answer("keys", "--url", url, "--profile", "embedded") if row["model"] == "c"]
    return {row["key"][:2]: (row["lessons"], row["right"], row["moved"], row["is_undone"]) for row in rows}


def models_for_a_profile(url: str) -> list[str]:
    store = Store(url)
    with store.engine.connect() as connection:
        found = logged_attempts(connection, since=NOON, limit=100)
    store.close()
    return [one.model for one in found]


def test_keys_tell_who_moved_which_model_until_they_are_undone_and_when_that_is_taken_back(liars_log: str) -> None:
    before = moves_of_c(liars_log)
    (lies, _, pulled, _), (_, right, pushed, _) = before["bb"], before["ba"]
    assert (lies, right) == (20, 4)
    assert pulled < -0.2
    assert pushed > 0.05
    assert laar("undo-key", "bb", "--url", liars_log).stdout.startswith(f"key {'b' * 64} teaches nothing any more;")
    undone = moves_of_c(liars_log)
    assert (undone["bb"], undone["ba"][3]) == ((20, 0, 0.0, True), False)
    assert models_for_a_profile(liars_log).count("c") == 4
    assert laar("undo-key", "bb", "--back", "--url", liars_log).stdout.startswith(f"key {'b' * 64} teaches again;")
    assert moves_of_c(liars_log) == before


def test_only_one_key_is_undone_and_keys_are_shown_by_as_much_of_their_id_as_tells_them_apart(liars_log: str) -> None:
    lines = laar("keys", "--url", liars_log).stdout.splitlines()
    assert lines[0].split() == ["key", "model", "lessons", "right", "moved", "undone"]
    assert lines[1].split()[:4] == ["b" * 12, "c", "20", "0"]
    for arguments, message in (
        (["b"], "2 keys with an id that begins with 'b'"),
        (["c"], "no key with an id that begins with 'c'"),
        (["bb", "--back"], "no key that was undone with an id that begins with 'bb'"),
    ):
        result = laar("undo-key", *arguments, "--url", liars_log)
        assert (result.exit_code, result.stderr) == (1, f"laar log: {message}\n")


def test_requests_without_a_key_are_undone_by_their_empty_id_beside_those_with_one(liars_log: str) -> None:
    store = Store(liars_log)
    store.write([asked(300, tried("c", "wrong"), at_s=AGO_S + 50, api_key_hash="")])
    store.close()
    assert laar("undo-key", "", "--url", liars_log).stdout.startswith("key (none) teaches nothing any more;")
    assert {key: of[3] for key, of in moves_of_c(liars_log).items() if key in ("", "bb")} == {"": True, "bb": False}
