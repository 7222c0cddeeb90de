import pytest

from deployments.contract.verdict import Evidence, Outcome, Reason, Verdict
from deployments.verifier.checks.witnesses.custom import load_custom_checks, run_custom
from tests.unit.deployments.verifier.asked import C, U, W, evidence


def is_polite(found: Evidence) -> bool:
    return "please" in found.answer


def verdict_of_its_own(_: Evidence) -> Verdict:
    return Verdict(outcome=U, reason=Reason.NO_SPANS)


def fails(found: Evidence) -> bool:
    raise KeyError(found.answer)


def says_maybe(_: Evidence) -> str:
    return "False"


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        pytest.param("is_polite", "yes please", (C, "check_passed"), id="true"),
        pytest.param("is_polite", "no", (W, "check_refused"), id="false"),
        pytest.param("verdict_of_its_own", "a", (U, "no_spans"), id="verdict"),
        pytest.param("fails", "a", (U, "check_failed"), id="raises"),
        pytest.param("says_maybe", "a", (U, "check_failed"), id="neither"),
    ],
)
def test_custom_checks(name: str, answer: str, expected: tuple[Outcome, str]) -> None:
    loaded = load_custom_checks({"mine": f"{__name__}:{name}"})
    verdict = run_custom(loaded["mine"], evidence(answer))
    assert (verdict.outcome, verdict.reason.value) == expected


def test_a_failing_check_does_not_log_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    run_custom(fails, evidence("secret words"))
    assert [record.getMessage() for record in caplog.records] == ["custom check failed"]
    assert "secret" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("no.such.module:f", "custom_checks.mine: cannot import 'no.such.module:f'", id="module"),
        pytest.param(f"{__name__}:gone", "cannot import", id="attribute"),
        pytest.param(__name__, "cannot import", id="no-colon"),
        pytest.param(f"{__name__}:C", "is not callable", id="not-callable"),
    ],
)
def test_an_import_path_that_does_not_work_is_named(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_custom_checks({"mine": path})
