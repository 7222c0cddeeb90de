"""How one prompt is asked until it is right: in one request to laar, or by a client that sends it anew each time."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from deployments.contract.verdict import Evidence, Outcome
from deployments.verifier.checks import SPEC, check
from profiles.measures.trial import TrialAttempt
from profiles.workloads import Prompt
from scripts.bench.ttca.plan import Contender, SendingMode

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReply:
    tries: tuple[TrialAttempt, ...]
    error: str = ""


class Client(Protocol):
    """`salt` keeps one block's prompts from finding another's in the engines' prefix caches."""

    async def serve(self, sending: SendingMode, *, salt: str, cap: int) -> ClientReply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LaarClient:
    """laar with one of its policies; with the loop of a client each attempt is a request of its own."""

    http: httpx.AsyncClient
    contender: Contender
    clock: Clock

    async def serve(self, sending: SendingMode, *, salt: str, cap: int) -> ClientReply:
        if self.contender.loop == "server":
            return await self._in_one_request(sending, salt, cap)
        return await repeat(lambda: self._attempt(sending, salt), cap=cap, clock=self.clock)

    async def _in_one_request(self, sending: SendingMode, salt: str, cap: int) -> ClientReply:
        answer = await _post(self.http, self._body(sending, salt, cap))
        if isinstance(answer, str):
            return ClientReply(tries=(), error=answer)
        tries, started_s = [], 0.0
        for attempt in answer["laar"]["attempts"]:
            tries.append(
                TrialAttempt(
                    model=attempt["model"],
                    started_s=started_s,
                    latency_s=attempt["latency_s"],
                    correct=attempt["verdict"] == "correct",
                )
            )
            started_s += attempt["latency_s"]
        return ClientReply(tries=tuple(tries))

    async def _attempt(self, sending: SendingMode, salt: str) -> "ClientAttempt":
        answer = await _post(self.http, self._body(sending, salt, 1))
        if isinstance(answer, str):
            return ClientAttempt(error=answer)
        attempt, usage = answer["laar"]["attempts"][-1], answer.get("usage") or {}
        return ClientAttempt(
            model=attempt["model"],
            correct=attempt["verdict"] == "correct",
            prompt_tokens=usage.get("prompt_tokens", 0),
            output_tokens=usage.get("completion_tokens", 0),
        )

    def _body(self, sending: SendingMode, salt: str, max_attempts: int) -> dict[str, Any]:
        prompt = sending.prompt
        options = {
            "policy": self.contender.policy,
            "verify": dict(prompt.verify),
            "max_attempts": max_attempts,
            "task": prompt.task,
            "session": sending.session,
        }
        return _plain_body(prompt, "auto", salt) | {"laar": options}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerClient:
    """Another router behind an OpenAI endpoint; the client checks answers with the checks that laar's verifier has."""

    http: httpx.AsyncClient
    model: str
    served_by: Callable[[Mapping[str, str]], str | None]
    clock: Clock

    async def serve(self, sending: SendingMode, *, salt: str, cap: int) -> ClientReply:
        return await repeat(lambda: self._attempt(sending.prompt, salt), cap=cap, clock=self.clock)

    async def _attempt(self, prompt: Prompt, salt: str) -> "ClientAttempt":
        headers: dict[str, str] = {}
        answer = await _post(self.http, _plain_body(prompt, self.model, salt), headers)
        if isinstance(answer, str):
            return ClientAttempt(error=answer)
        usage = answer.get("usage") or {}
        return ClientAttempt(
            model=self.served_by(headers) or answer.get("model", self.model),
            correct=is_correct(prompt, answer),
            prompt_tokens=usage.get("prompt_tokens", 0),
            output_tokens=usage.get("completion_tokens", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAttempt:
    model: str = ""
    correct: bool = False
    prompt_tokens: int = 0
    output_tokens: int = 0
    error: str = ""


async def repeat(attempt: Callable[[], Awaitable[ClientAttempt]], *, cap: int, clock: Clock) -> ClientReply:
    """Send until an answer is right or the cap is reached; an error counts as an attempt that is wrong."""
    tries: list[TrialAttempt] = []
    errors: list[str] = []
    begun_s = clock()
    while len(tries) < cap and not (tries and tries[-1].correct):
        sent_s = clock()
        found = await attempt()
        errors += [found.error] if found.error else []
        tries.append(
            TrialAttempt(
                model=found.model,
                started_s=sent_s - begun_s,
                latency_s=clock() - sent_s,
                correct=found.correct,
                prompt_tokens=found.prompt_tokens,
                output_tokens=found.output_tokens,
            )
        )
    return ClientReply(tries=tuple(tries), error=errors[-1] if errors else "")


def is_correct(prompt: Prompt, answer: Mapping[str, Any]) -> bool:
    text = answer["choices"][0]["message"]["content"] or ""
    evidence = Evidence(answer=text, prompt=prompt.text, language=prompt.language, model=answer.get("model", ""))
    return check(SPEC.validate_python(dict(prompt.verify)), evidence).outcome is Outcome.CORRECT


def _plain_body(prompt: Prompt, model: str, salt: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt.text}],
        "temperature": 0,
        "max_tokens": prompt.max_tokens,
        "cache_salt": salt,
    }


async def _post(
    http: httpx.AsyncClient, body: Mapping[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any] | str:
    """The answer, or what went wrong; the answer's headers go into `headers`."""
    try:
        response = await http.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if response.status_code != 200:
        return f"status {response.status_code}: {response.text[:200]}"
    if headers is not None:
        headers.update(response.headers)
    try:
        answer: dict[str, Any] = response.json()
        answer["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return f"no answer: {response.text[:200]}"
    return answer
