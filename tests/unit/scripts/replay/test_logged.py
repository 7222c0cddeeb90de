"""What other policies would have done with the requests of an attempt log."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deployments.log.database.store import Store
from deployments.log.writing.log_records import LogRecord
from profiles.measuring.logged_attempt import JudgedAttempt
from scripts.commands import app
from scripts.replay.logged import log_figures
from scripts.replay.recorded.outcomes import RecordedError
from tests.unit.logged import NOON, asked, tried

AGO_S = (datetime.now(UTC) - NOON).total_seconds() - 3600
# chance and seconds of the models, the same for all requests
QUICK, GOOD = (0.4, 0.2), (0.9, 3.0)


def attempts(count: int, share_of_good: float) -> list[JudgedAttempt]:
    """First attempts whose model was drawn."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(count):
        is_good = rng.random() < share_of_good
        chance, seconds = GOOD if is_good else QUICK
        correct = bool(rng.random() < chance)
        found.append(
            JudgedAttempt(
                model="good" if is_good else "quick",
                bucket="<=128",
                reason="matched",
                verdict="correct" if correct else "wrong",
                latency_s=float(seconds * np.exp(0.2 * rng.normal())),
                probability=0.5,
                prompt_tokens=20,
                request_id=f"r{number}",
                num_before=0,
                is_retry=False,
                began_s=float(number),
                task="default",
                language="en",
                correct=correct,
                num_chars=80,
            )
        )
    return found


@pytest.mark.parametrize("share", [pytest.param(0.5, id="evenly drawn"), pytest.param(0.15, id="seldom the good one")])
def test_what_a_policy_would_have_got_is_told_from_what_was_drawn(share: float) -> None:
    found = log_figures(attempts(3000, share))["policies"]
    for name, (chance, _) in {"most-accurate": GOOD, "fastest": QUICK}.items():
        low, high = found[name]["first_right"][1:]
        assert low <= chance <= high, name
    assert found["most-accurate"]["first_s"][0] == pytest.approx(3.06, rel=0.05)
    assert found["fastest"]["first_s"][0] == pytest.approx(0.204, rel=0.05)
    # quick first: 0.204 + 0.6 * 3.06 + what is wrong in both
    assert found["laar"]["expected_ttca_s"][0] == pytest.approx(2.04, rel=0.08)
    assert found["laar"]["covered"] == 1.0


def test_a_model_that_the_log_never_chose_first_is_not_covered() -> None:
    seldom = [*attempts(300, 0.5), *(a for a in attempts(900, 0.5) if a.model == "quick")]
    for number, one in enumerate(seldom):
        seldom[number] = JudgedAttempt(**{f: getattr(one, f) for f in one.__struct_fields__} | {"began_s": number})
    found = log_figures(seldom)["policies"]
    assert found["most-accurate"]["covered"] == 0.0
    assert found["fastest"]["covered"] == 1.0


def test_a_log_of_few_requests_is_refused() -> None:
    with pytest.raises(RecordedError, match="10 judged first attempts on 2 models"):
        log_figures(attempts(10, 0.5))


def test_the_command_reads_a_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/attempts.sqlite"
    store = Store(url)
    store.migrate()
    records: list[LogRecord] = [
        asked(n, tried("ab"[n % 2], "correct" if n % 3 else "wrong"), at_s=AGO_S + n) for n in range(60)
    ]
    assert store.write(records) == 0
    store.close()
    out = tmp_path / "out.json"
    result = CliRunner().invoke(app, ["replay", "--log", url, "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "doubly robust" in result.output
    assert json.loads(out.read_text())["figures"]["requests_judged"] == 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param([], "one of them is needed", id="neither"),
        pytest.param(["--log", "sqlite:///x", "--overlap"], "does nothing for a log", id="option of folders"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(app, ["replay", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert told in result.output
