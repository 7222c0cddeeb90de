"""What serving one prompt brought its user: every attempt, from the first sending to the last verdict."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAttempt:
    """One attempt of a trial; `started_s` counts from the moment the trial was sent.

    `model` is empty where nothing was answered but an error.
    """

    model: str
    started_s: float
    latency_s: float
    correct: bool
    prompt_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One prompt under one policy.

    `sent_s` counts from the start of the `block` of requests that it was sent in; in an open loop it is the moment
    at which the request was due. `elapsed_s` runs from there to the last verdict, the client's own time included,
    so that it is TTCA where the last attempt is correct. `error` is the last one met, also if an attempt after it was
    right. `client_late_s` is how late the client's own timers fired meanwhile, on average: what it waits for a core
    of its own it takes for the server's time. None where that was not measured.
    """

    policy: str
    block: int
    prompt_id: str
    task: str
    language: str
    target_tokens: int
    session: str
    sent_s: float
    elapsed_s: float
    tries: tuple[TrialAttempt, ...]
    error: str = ""
    client_late_s: float | None = None

    @property
    def is_solved(self) -> bool:
        return any(attempt.correct for attempt in self.tries)
