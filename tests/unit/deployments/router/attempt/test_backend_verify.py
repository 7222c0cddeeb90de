import asyncio
from typing import Any

import pytest

from deployments.contract.verdict import Evidence, Outcome, Reason, Verdict
from deployments.router.attempt.backend import ServeBackend
from deployments.verifier.checks import SPEC, Check

ASKED = Verdict(outcome=Outcome.UNKNOWN, reason=Reason.NO_CHECK)


class FakeVerifier:
    """The handle of a verifier that says the same of every answer, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def options(self, **_: Any) -> "FakeVerifier":
        return self

    def remote(self, spec_json: bytes, evidence: Evidence) -> "asyncio.Future[Verdict]":
        self.asked.append(spec_json)
        found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        found.set_result(ASKED)
        return found


async def verdict(spec: dict[str, Any], answer: str) -> tuple[Verdict, list[bytes]]:
    verifier = FakeVerifier()
    evidence = Evidence(answer=answer, prompt="", language="en", model="m")
    backend, asked = ServeBackend({}, verifier), SPEC.validate_python(spec)
    return backend.verdict_here(asked, evidence) or await backend.verify(asked, evidence), verifier.asked


async def test_a_check_that_is_over_at_once_is_made_in_the_router() -> None:
    found, asked = await verdict({"type": "exact", "value": "Paris"}, "paris.")
    assert (found.reason, asked) == (Reason.MATCHED, [])


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        pytest.param({"type": "exact", "value": "Paris"}, "a" * 50_000, id="long-text"),
        pytest.param({"type": "custom", "name": "mine"}, "a", id="operators-code"),
        pytest.param({"type": "judge"}, "a", id="judge"),
        pytest.param({"type": "json_schema", "schema": {"items": {"$ref": "#"}}}, "[]", id="recursive-schema"),
    ],
)
async def test_any_other_check_is_the_verifiers(spec: dict[str, Any], answer: str) -> None:
    found, asked = await verdict(spec, answer)
    assert (found, len(asked)) == (ASKED, 1)


async def test_a_check_that_breaks_down_in_the_router_leaves_the_verdict_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_self: Check, _evidence: Evidence) -> Verdict:
        raise RuntimeError("secret answer")

    monkeypatch.setattr(type(SPEC.validate_python({"type": "exact", "value": "a"})), "check", breaks)
    found, asked = await verdict({"type": "exact", "value": "a"}, "a")
    assert (found.outcome, found.reason, asked) == (Outcome.UNKNOWN, Reason.VERIFIER_FAILED, [])
    assert "secret answer" not in caplog.text
