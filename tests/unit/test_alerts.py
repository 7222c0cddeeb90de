"""Each alert fires when it should, and ends when what it tells of is over; Prometheus itself evaluates them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import needs_prometheus, promtool, rules

REQUESTS, VERDICTS, TTCA = "ray_laar_requests_total", "ray_laar_verdicts_total", "ray_laar_ttca_seconds_bucket"
# by alert: series with a value a minute in promtool's notation, a minute in which it fires, and one in which it is over
CASES: dict[str, tuple[dict[str, str], int, int]] = {
    "LaarNoModel": ({'ray_laar_model_available{model="a"}': "0x9 1x10"}, 5, 15),
    "LaarModelDown": (
        {'ray_laar_model_available{model="a"}': "0x20 1x10", 'ray_laar_model_available{model="b"}': "1x30"},
        15,
        25,
    ),
    "LaarErrors": (
        {f'{REQUESTS}{{status="503"}}': "0+10x30 300x30", f'{REQUESTS}{{status="200"}}': "0+100x60"},
        25,
        50,
    ),
    "LaarFull": ({f'{REQUESTS}{{status="429",code="overloaded"}}': "0+60x30 1800x30"}, 20, 50),
    "LaarSlow": (
        {
            f'{TTCA}{{le="{le}"}}': text
            for le, text in (("60", "0+1x40 45+10x50"), ("120", "0+10x91"), ("+Inf", "0+10x91"))
        },
        35,
        90,
    ),
    "LaarFewCorrect": (
        {f'{VERDICTS}{{verdict="wrong"}}': "0+9x60 540x40", f'{VERDICTS}{{verdict="correct"}}': "0+1x100"},
        55,
        95,
    ),
    "LaarVerifierFails": ({f'{VERDICTS}{{verdict="unknown",reason="verifier_failed"}}': "0+60x30 1800x30"}, 20, 50),
    "LaarModelDrifts": ({'ray_laar_model_drift{model="a"}': "1x50 0x20"}, 40, 60),
    "LaarModelUnprofiled": ({'ray_laar_model_profiled{model="a"}': "0x90 1x20"}, 80, 100),
    # a counter of Ray's is not there before it first counts
    "LaarLogLost": ({'ray_laar_log_dropped_total{reason="disk"}': "_x5 1x40"}, 8, 30),
    "LaarLogBehind": ({"ray_laar_log_lag_seconds": "120x15 0x15"}, 10, 20),
    "LaarFileRefused": ({'ray_laar_file_reads_total{file="keys",outcome="refused"}': "_x5 1x20 2x40"}, 8, 50),
    "LaarVersionsDiffer": (
        {'ray_laar_info{version="1"}': "1x50 0x20", 'ray_laar_info{version="2"}': "1x70"},
        40,
        60,
    ),
}


def test_every_alert_has_a_case() -> None:
    assert {rule["alert"] for rule in rules()} == set(CASES)


@needs_prometheus
def test_every_alert_fires_and_resolves(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "laar", "rules": rules()}]}))
    tests = [_case(alert, *case) for alert, case in CASES.items()]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", "tests.yaml", cwd=tmp_path)


@needs_prometheus
def test_an_alert_that_does_not_fire_is_seen(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "laar", "rules": rules()}]}))
    never = _case("LaarNoModel", {'ray_laar_model_available{model="a"}': "1x20"}, 5, 15)
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [never]}))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", "tests.yaml", cwd=tmp_path)


def _case(alert: str, series: dict[str, str], fires_at: int, over_at: int) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{fires_at}m", "exp_samples": [{"labels": "{}", "value": 1}]},
            {"expr": firing, "eval_time": f"{over_at}m", "exp_samples": []},
        ],
    }
