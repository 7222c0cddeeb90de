import pytest

from scripts.client.status import show_status, state

MODEL = {
    "model": "small",
    "replicas": 1,
    "is_healthy": True,
    "is_drifting": False,
    "is_profiled": True,
    "in_flight": 2,
    "attempts": 9,
    "correct": 5,
    "wrong": 3,
    "unknown": 1,
    "failed": 0,
    "mean_latency_s": 1.25,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "well", id="well"),
        pytest.param({"replicas": 0, "is_healthy": False}, "not running", id="no-replica"),
        pytest.param({"is_healthy": False}, "not asked", id="kept-out"),
        pytest.param({"is_drifting": True}, "drifts", id="alarm"),
        pytest.param({"is_profiled": False}, "not profiled", id="no-figures"),
    ],
)
def test_state_of_a_model_is_one_word_or_two(changes: dict[str, object], expected: str) -> None:
    assert state({**MODEL, **changes}) == expected


def test_models_go_to_stdout_and_the_rest_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    requests = {"ended": 4, "with_check": 3, "verified": 2, "failed": 1, "ttca_p50_s": 2.0, "ttca_p95_s": None}
    alarms = [{"model": "small", "task": None, "direction": "worse", "cause": "model"}]
    show_status({"models": [MODEL], "requests": {**requests, "ttca_p95_s": 3.0}, "alarms": alarms})
    told = capsys.readouterr()
    assert told.out.splitlines()[1].split()[:5] == ["small", "well", "1", "2", "9"]
    assert told.err.splitlines()[1:] == [
        "the latest 4 requests: 2 of 3 checked ones verified, 1 failed; time to a correct answer: half within 2.00 s,"
        " 95 % within 3.00 s",
        "drift of model: small answers worse than measured on all tasks together",
    ]


def test_nothing_verified_has_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    requests = {"ended": 0, "with_check": 0, "verified": 0, "failed": 0, "ttca_p50_s": None, "ttca_p95_s": None}
    show_status({"models": [{**MODEL, "mean_latency_s": None}], "requests": requests, "alarms": []})
    assert "time to a correct answer" not in capsys.readouterr().err
