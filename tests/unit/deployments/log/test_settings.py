from pathlib import Path

import pytest
from pydantic import ValidationError

from deployments.log.settings import LogSettings, plan_log
from serve_app.config import AppConfig

CACHE = Path("/cache")
SECRET = "postgresql://laar:secret@db/laar"


def test_local_sqlite_is_the_default() -> None:
    plan = plan_log(LogSettings(), {}, CACHE)
    assert plan is not None
    assert plan.url == "sqlite:////cache/log/attempts.sqlite"
    assert plan.spool_dir.parent == CACHE / "log"


def test_log_can_be_off() -> None:
    assert plan_log(LogSettings(enabled=False), {}, CACHE) is None


def test_url_with_a_password_comes_from_the_environment_and_is_not_shown() -> None:
    plan = plan_log(LogSettings(url_env="LOG_URL"), {"LOG_URL": SECRET}, CACHE)
    assert plan is not None
    assert plan.url == "postgresql+psycopg://laar:secret@db/laar"
    assert "secret" not in repr(plan)


def test_empty_variable_stops_the_start() -> None:
    with pytest.raises(ValueError, match=r"log\.url_env: environment variable 'LOG_URL' holds no URL"):
        plan_log(LogSettings(url_env="LOG_URL"), {"LOG_URL": " "}, CACHE)


def test_new_password_leads_to_the_same_spool_and_another_database_to_another() -> None:
    urls = (SECRET, SECRET.replace("secret", "newer"), SECRET.replace("/laar", "/other"))
    plans = [plan_log(LogSettings(url_env="U"), {"U": url}, CACHE) for url in urls]
    first, second, third = (plan.spool_dir for plan in plans if plan is not None)
    assert first == second != third


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"url": SECRET}, r"holds a password; put it into a variable named by url_env", id="password"),
        pytest.param({"url": "mysql://host/laar"}, r"is for 'mysql'; known: 'sqlite', ", id="database"),
        pytest.param({"url": "sqlite://"}, "names no database", id="in-memory"),
        pytest.param({"url": "laar.sqlite"}, "cannot be read", id="no-url"),
        pytest.param({"url": "postgresql://h:pass/d"}, "cannot be read", id="no-port"),
        pytest.param({"url": "sqlite:///a", "url_env": "U"}, "exclude each other", id="two-places"),
        pytest.param({"max_spool_bytes": 1}, "greater than or equal to 65536", id="spool-too-small"),
        pytest.param({"batch_requests": 10_001}, "less than or equal to 10000", id="more-than-a-statement-takes"),
        pytest.param({"retention_days": 1e6}, "less than or equal to 36500", id="before-the-calendar"),
        pytest.param({"retention": 1}, "Extra inputs are not permitted", id="unknown-key"),
    ],
)
def test_settings_that_cannot_hold_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LogSettings.model_validate(fields)


@pytest.mark.parametrize(
    "url", [pytest.param(SECRET, id="url"), pytest.param("postgresql://u:secret", id="unreadable")]
)
def test_refusal_does_not_show_a_password(url: str) -> None:
    with pytest.raises(ValidationError, match=r"log's URL|holds a password") as caught:
        LogSettings(url=url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError, match="models") as caught:
        AppConfig.model_validate({"log": {"url": url}})
    assert "secret" not in str(caught.value)
