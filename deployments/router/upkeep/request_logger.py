"""From a request that has its answer to what the attempt log keeps of it."""

from collections.abc import Callable
from typing import Protocol

from deployments.contract.reply import Reply
from deployments.contract.secret import Secrets
from deployments.log.writing.log_records import RequestRecord, storable
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt
from deployments.router.choice.policy import PolicyName
from deployments.router.http.request import AUTO
from profiles.measuring.logged_attempt import LoggedAttempt

_NO_REPLY = Reply(0, b"")


class RequestLedger(Protocol):
    """Is told of an answer before the client is: what a client was told is in the log.

    Raises LogUnavailableError where the client must not be told.
    """

    def answer_ready(self, served: ServedRequest, answer: Attempt) -> None: ...


class RequestLogger:
    """Hands each request to the log once: with its answer, or at its end if it got none.

    `policy` chooses for requests that name neither a policy nor a model.
    """

    def __init__(
        self,
        *,
        record: Callable[[RequestRecord], None],
        replica: str,
        policy: PolicyName,
        stores_prompts: bool,
        secrets: Secrets,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._record, self._replica, self._policy, self._stores_prompts = record, replica, policy, stores_prompts
        self._secrets, self._clock, self._wall = secrets, clock, wall
        self._answered: set[str] = set()

    def answer_ready(self, served: ServedRequest, answer: Attempt) -> None:
        if served.request_id not in self._answered:
            self._record(self._entry(served, status=200, answer=answer))
            self._answered.add(served.request_id)

    def request_ended(self, served: ServedRequest, status: int) -> None:
        if served.request_id in self._answered:
            self._answered.discard(served.request_id)
        else:
            self._record(self._entry(served, status=status, answer=None))

    def _entry(self, served: ServedRequest, *, status: int, answer: Attempt | None) -> RequestRecord:
        request, features, attempts = served.request, served.features, served.log.attempts
        duration_s = self._clock() - served.arrived_s
        prompt = "\n".join(request.texts)
        is_verified = served.log.is_verified
        return RequestRecord(
            request_id=served.request_id,
            arrived_at_s=self._wall() - duration_s,
            duration_s=duration_s,
            status=status,
            verified=is_verified if request.wants_verification else None,
            ttca_s=self._clock() - served.first_s if is_verified else None,
            answer_index=next((i for i, attempt in enumerate(attempts) if attempt is answer), None),
            endpoint=request.endpoint.value,
            is_stream=request.stream,
            model=request.model,
            task=features.task,
            language=features.language,
            bucket=served.bucket_label,
            prompt_chars=features.num_chars,
            body_bytes=len(request.body),
            prompt_hash=self._secrets.digest("prompt", prompt),
            api_key_hash=served.api_key_hash,
            replica=self._replica,
            retry_of=(request.options.retry_of or "").partition(".")[0] or None,
            policy=(request.options.policy or self._policy) if request.model == AUTO else None,
            tried=served.log.earlier.judged_models,
            trace_id=served.trace_id,
            prompt_text=storable(prompt) if self._stores_prompts else None,
            attempts=tuple(map(self._attempt, attempts)),
        )

    def _attempt(self, attempt: Attempt) -> LoggedAttempt:
        reply = attempt.reply or _NO_REPLY
        return LoggedAttempt(
            model=attempt.model,
            bucket=attempt.bucket,
            verdict=attempt.status.value,
            reason=attempt.reason,
            latency_s=attempt.latency_s,
            probability=attempt.probability,
            prompt_tokens=reply.prompt_tokens or attempt.prompt_tokens,
            output_tokens=reply.output_tokens,
            check=attempt.check,
            is_repair=attempt.is_repair or None,
            answer_text=storable(reply.text) if self._stores_prompts and attempt.reply else None,
        )


class NoRequestLog:
    """Where the attempt log is off."""

    def answer_ready(self, served: ServedRequest, answer: Attempt) -> None:
        """Keeps nothing."""

    def request_ended(self, served: ServedRequest, status: int) -> None:
        """Keeps nothing."""
