"""One question to one model of a running application, and what came of it."""

from typing import Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from deployments.contract.verdict import was_right
from deployments.router.http.request import AUTO
from deployments.router.text.features import extract
from deployments.router.text.language import LanguageDetector
from profiles.measuring.measurement import Record
from profiles.strict import what_is_wrong
from scripts.profile.measuring.journal import Entry, Result
from scripts.profile.measuring.plan import Case, ProfileError

THINKING_FIELD = "thinking_token_budget"
# The request itself is at fault, so that sending it again brings nothing: a prompt too long for the context, mostly.
REFUSALS = frozenset({400, 413, 422})
KEY_HELP = "help: --api-key-env names the environment variable with an API key that the application accepts"


class _Attempt(BaseModel):
    model_config = ConfigDict(extra="allow")
    verdict: str
    reason: str = ""
    latency_s: NonNegativeFloat


class _Laar(BaseModel):
    attempts: Annotated[tuple[_Attempt, ...], Field(min_length=1)]


class _Usage(BaseModel):
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt


class _Answer(BaseModel):
    """What is read of an answer."""

    laar: _Laar
    usage: _Usage


class _Card(BaseModel):
    id: str
    root: str | None = None


class _Models(BaseModel):
    data: tuple[_Card, ...]


class NoAnswerError(Exception):
    """Why a question has no answer: `reason` is short and the same for the same cause, `detail` is for people."""

    def __init__(self, reason: str, detail: str, *, status: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.status = reason, detail, status


async def model_names(client: httpx.AsyncClient) -> list[str]:
    """The models that can be asked by name; raises ProfileError where the application gives none."""
    try:
        response = await client.get("/v1/models")
    except httpx.HTTPError as error:
        raise ProfileError(f"{client.base_url} cannot be reached: {_named(error)}") from error
    if response.status_code != 200:
        raise refusal(f"{response.url} answered {_shown(response)}", response.status_code)
    try:
        cards = _Models.model_validate_json(response.content).data
    except ValidationError as error:
        raise ProfileError(f"{response.url} is no laar application: {_fault(error)}") from None
    return [card.id for card in cards if AUTO not in (card.id, card.root)]


async def takes_budgets(client: httpx.AsyncClient, model: str) -> bool:
    """Whether the model's engine honours a thinking-token budget; vLLM refuses one where the model does not think."""
    body = {"model": model, "messages": [{"role": "user", "content": "1 + 1?"}], "max_tokens": 1, THINKING_FIELD: 0}
    try:
        response = await client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        raise ProfileError(f"{model} cannot be asked: {_named(error)}") from error
    if response.status_code == 200:
        return True
    if THINKING_FIELD in response.text:
        return False
    raise refusal(f"{response.url} answered {_shown(response)}", response.status_code)


async def ask(client: httpx.AsyncClient, case: Case, *, detector: LanguageDetector) -> Entry:
    """The outcome of a question; one that brings no answer is sent once more, unless it was refused.

    Its latency is what the router measured: a client beside busy engines waits for a core of its own too.

    Raises NoAnswerError when it fails twice.
    """
    try:
        answer = await _answer(client, case)
    except NoAnswerError as first:
        if first.status in REFUSALS:
            return _outcome(case, Result.REFUSED, reason=first.reason)
        if first.status in (401, 404):
            raise
        answer = await _answer(client, case)
    return _outcome(case, Result.ANSWERED, record=_record(case, answer, detector))


def failed(case: Case, error: NoAnswerError) -> Entry:
    return _outcome(case, Result.FAILED, reason=error.reason)


def refusal(message: str, status: int | None) -> ProfileError:
    return ProfileError(f"{message}; {KEY_HELP}" if status == 401 else message)


async def _answer(client: httpx.AsyncClient, case: Case) -> _Answer:
    """The answer; one on which the verifier could not tell says nothing of the model, and counts as none."""
    try:
        response = await client.post("/v1/chat/completions", json=_body(case))
    except httpx.HTTPError as error:
        raise NoAnswerError(type(error).__name__, _named(error)) from error
    status = response.status_code
    if status != 200:
        raise NoAnswerError(_code(response), f"{response.url} answered {_shown(response)}", status=status)
    try:
        answer = _Answer.model_validate_json(response.content)
    except ValidationError as error:
        raise NoAnswerError("no answer of laar", f"{response.url} answered 200, but {_fault(error)}") from None
    attempt = answer.laar.attempts[-1]
    if was_right(attempt.verdict, attempt.reason) is None:
        raise NoAnswerError(f"verdict {attempt.verdict}", attempt.model_dump_json())
    return answer


def _body(case: Case) -> dict[str, Any]:
    prompt, budget = case.prompt, case.thinking_tokens
    language = {"language": prompt.language} if prompt.states_language else {}
    body: dict[str, Any] = {
        "model": case.model,
        "messages": [{"role": "user", "content": prompt.text}],
        "temperature": 0,
        # thinking counts as output, and must not eat up the answer's share
        "max_tokens": prompt.max_tokens + (budget or 0),
        "laar": {"verify": dict(prompt.verify), "max_attempts": 1, "task": prompt.task} | language,
    }
    return body if budget is None else body | {THINKING_FIELD: budget}


def _record(case: Case, answer: _Answer, detector: LanguageDetector) -> Record:
    attempt = answer.laar.attempts[-1]
    stated = case.prompt.language if case.prompt.states_language else None
    features = extract([case.prompt.text], detector=detector, task=case.prompt.task, language=stated)
    return Record(
        prompt_id=case.prompt.id,
        model=case.model,
        task=case.prompt.task,
        # the language the router will see, which is what it looks figures up by
        language=features.language,
        correct=was_right(attempt.verdict, attempt.reason) is True,
        latency_s=attempt.latency_s,
        concurrency=case.concurrency,
        prompt_tokens=answer.usage.prompt_tokens,
        output_tokens=answer.usage.completion_tokens,
        num_chars=features.num_chars,
        symbol_share=features.symbol_share,
        thinking_tokens=case.thinking_tokens,
    )


def _outcome(case: Case, result: Result, *, record: Record | None = None, reason: str = "") -> Entry:
    model, prompt_id, thinking_tokens = case.key
    return Entry(
        model=model,
        prompt_id=prompt_id,
        thinking_tokens=thinking_tokens,
        result=result,
        record=record,
        reason=reason,
    )


def _code(response: httpx.Response) -> str:
    """The status, and the error's code where it says more."""
    try:
        code = response.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    return f"{response.status_code} {code}" if isinstance(code, str) else str(response.status_code)


def _fault(error: ValidationError) -> str:
    """The first fault, without what stands there: it may be the text of an answer."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'its body'}: {what_is_wrong(first)}"


def _shown(response: httpx.Response) -> str:
    return f"{response.status_code}: {response.text[:300]}"


def _named(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}"
