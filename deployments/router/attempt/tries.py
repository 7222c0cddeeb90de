"""The retry loop of one request as plain state: what was tried, what that means for the next choice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

import msgspec

from deployments.contract.reply import Reply
from deployments.contract.verdict import AskedJudge, Outcome, Reason
from deployments.router.attempt.earlier import NOTHING_EARLIER, Earlier
from deployments.router.choice.policy import Exclusion

MAX_FAULTS_PER_MODEL = 2
# Why an attempt was cut: the client has left, or another model has answered correctly.
CANCELLED, OVERTAKEN = "cancelled", "overtaken"


class Status(StrEnum):
    """How an attempt ended; the first three are verdicts, the others mean that there was no answer."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


FAULTS = frozenset({Status.ERROR, Status.TIMEOUT, Status.CANCELLED})
FROM_OUTCOME = {
    Outcome.CORRECT: Status.CORRECT,
    Outcome.WRONG: Status.WRONG,
    Outcome.UNKNOWN: Status.UNKNOWN,
}


# Verdicts that the answer of another model would not change.
FUTILE = frozenset(
    {
        Reason.NO_JUDGE,
        Reason.NO_CHECK,
        Reason.PROMPT_TOO_LONG,
        Reason.VERIFIER_FAILED,
        Reason.NOTHING_TO_CHECK,
        Reason.SPEC_REFUSED,
    }
)


class StopReason(StrEnum):
    """Why no further attempt is made."""

    ANSWERED = "answered"
    MAX_ATTEMPTS = "max_attempts"
    DEADLINE = "deadline"
    UNVERIFIABLE = "unverifiable"
    NO_MODEL_LEFT = "no_model_left"
    UNLIKELY = "unlikely"


class Spared(msgspec.Struct, frozen=True, kw_only=True):
    """What the rest of a refuted answer would have taken by what was expected of the whole."""

    seconds: float
    tokens: float


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One model asked once. `latency_s` runs from the sending of the attempt to its verdict.

    `is_silent` if nothing at all came from the model for so long that it is taken for hanging;
    `thinking_budget` is what its thinking was held to, if anything; `prompt_tokens` as the router estimated them for
    this model, and the `bucket` that they fall into. `written_tokens` are those that came as chunks, or an estimate
    where nothing has come yet. `read` is what the check took for the answer; `check` names one that may err, and
    `judges` are the models that were asked for the verdict. With `is_repair` the model was given its own wrong answer.
    """

    model: str
    status: Status
    reason: str
    latency_s: float
    probability: float
    is_silent: bool = False
    thinking_budget: int | None = None
    prompt_tokens: int = 0
    bucket: str = "unknown"
    reply: Reply | None = None
    written_tokens: int = 0
    read: str | None = None
    check: str | None = None
    judges: tuple[AskedJudge, ...] = ()
    spared: Spared | None = None
    is_repair: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether its model was wrong on the request as it came; what it makes of its own answer tells less."""
        return self.status is Status.WRONG and not self.is_repair

    @property
    def is_answer(self) -> bool:
        """Whether the client gets it: nothing better is looked for, or no model would take the request as it came."""
        is_invalid = self.reply is not None and self.reply.invalid_request and not self.is_repair
        return is_invalid or self.status in (Status.CORRECT, Status.UNVERIFIED)

    @property
    def is_futile(self) -> bool:
        """Whether another model's answer could be judged no better."""
        return self.status is Status.UNKNOWN and self.reason in FUTILE

    @property
    def is_refuted(self) -> bool:
        """Whether it was ended because its beginning could not become right."""
        return self.status is Status.WRONG and self.reason == Reason.REFUTED_EARLY

    @property
    def has_answer(self) -> bool:
        """Whether there is a whole answer, right or not."""
        return self.reply is not None and self.status not in FAULTS and not self.is_refuted

    @property
    def is_refusal(self) -> bool:
        """Whether the engine is well and has turned this request down for good."""
        return self.reply is not None and 400 <= self.reply.status < 500 and not self.is_full

    @property
    def is_fault_of_model(self) -> bool:
        """Whether it says that the model may not be well: it erred, or said nothing at all for far too long."""
        if self.status is Status.ERROR:
            return not (self.is_full or self.is_refusal)
        return self.status is Status.TIMEOUT and self.is_silent

    @property
    def is_full(self) -> bool:
        """Whether the engine takes no more requests for now."""
        return self.reply is not None and self.reply.status == 429


@dataclass(slots=True)
class Tries:
    """All attempts of one request, in order; TTCA is the time from arrival to the verdict that ended it.

    `earlier` is what its client has tried before it; those attempts are not among `max_attempts`. With a target it is
    to be right by `target_at_s`. The models in `under_way` are at work, and `cut_reason` is why one that is cut now is.
    """

    max_attempts: int
    deadline_at_s: float
    is_repeatable: bool
    target_at_s: float = inf
    attempts: list[Attempt] = field(default_factory=list)
    earlier: Earlier = NOTHING_EARLIER
    under_way: list[str] = field(default_factory=list)
    cut_reason: str = CANCELLED

    def begin(self, model: str) -> None:
        """Count an attempt that is about to be sent."""
        self.under_way.append(model)

    def add(self, attempt: Attempt) -> None:
        """Take an attempt that has ended."""
        if attempt.model in self.under_way:
            self.under_way.remove(attempt.model)
        self.attempts.append(attempt)

    @property
    def num_begun(self) -> int:
        return len(self.attempts) + len(self.under_way)

    def stop_reason(self, now_s: float) -> StopReason | None:
        """Why to stop now, or None to go on; whether a model is left only the policy can say."""
        if self.attempts and self.attempts[-1].is_answer:
            return StopReason.ANSWERED
        if self.attempts and self.attempts[-1].is_futile:
            return StopReason.UNVERIFIABLE
        if self.num_begun >= self.max_attempts:
            return StopReason.MAX_ATTEMPTS
        return StopReason.DEADLINE if now_s >= self.deadline_at_s else None

    def exclusion(self, model: str) -> Exclusion | None:
        """What the attempts so far say against asking `model` (again).

        A model that answered is not asked the same thing again if it would repeat itself. One that failed to
        answer may be tried again after the others, `MAX_FAULTS_PER_MODEL` times in all, but not if it is full.
        """
        if model in self.under_way:
            return Exclusion.UNDER_WAY
        before = self.earlier.wrong.get(model)
        tries, has_answered, was_wrong = 0 if before is None else max(1, before), False, bool(before)
        if model in self.earlier.repeating:
            return Exclusion.SAME_ANSWER_EXPECTED
        for attempt in self.attempts:
            if attempt.model == model:
                if attempt.is_refusal:
                    return Exclusion.REFUSED
                if attempt.is_full:
                    return Exclusion.FULL
                tries += 1
                has_answered = has_answered or attempt.status not in FAULTS
                was_wrong = was_wrong or attempt.status is Status.WRONG
        if not tries:
            return None
        if has_answered and self.is_repeatable:
            return Exclusion.SAME_ANSWER_EXPECTED
        if not has_answered and before is None and tries >= MAX_FAULTS_PER_MODEL:
            return Exclusion.FAILED_REPEATEDLY
        return Exclusion.WAS_WRONG if was_wrong else Exclusion.TRIED

    def may_be_repaired(self) -> bool:
        """Whether the last attempt has a whole wrong answer, of a model that has had none back yet."""
        last = self.attempts[-1]
        is_new = not any(a.is_repair for a in self.attempts if a.model == last.model)
        return is_new and last.status is Status.WRONG and last.has_answer

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each model has been asked, of those that were."""
        found = {model: max(1, times) for model, times in self.earlier.wrong.items()}
        for model in (*(attempt.model for attempt in self.attempts), *self.under_way):
            found[model] = found.get(model, 0) + 1
        return found

    @property
    def answered(self) -> set[str]:
        """The models that gave an answer, right or not."""
        return {attempt.model for attempt in self.attempts if attempt.status not in FAULTS}

    @property
    def is_first(self) -> bool:
        """Whether the next attempt is the first one, and the client has not asked before."""
        return not self.num_begun and not self.earlier.wrong

    @property
    def is_only_guessed(self) -> bool:
        """Whether nothing has been tried but for a request that was the same."""
        return not self.num_begun and self.earlier.is_guess

    @property
    def is_verified(self) -> bool:
        return any(a.status is Status.CORRECT for a in self.attempts)

    @property
    def failed_models(self) -> tuple[str, ...]:
        """The model of each wrong answer to this request, for the conditional probability of what is asked next."""
        return (*self.earlier.failed_models, *[a.model for a in self.attempts if a.is_failure])

    @property
    def judged_models(self) -> tuple[str, ...]:
        """The same of the wrong answers that rest on a verdict, for what is learned of the next one."""
        return (*self.earlier.judged_models, *[a.model for a in self.attempts if a.is_failure])

    def best_answer(self) -> Attempt | None:
        """The verified answer, else the unverified one most worth showing, else None.

        An answer that could not be judged is worth more than one known to be wrong; then the model's
        probability decides, and among equals the earlier attempt.
        """
        answers = [a for a in self.attempts if a.has_answer]
        return min(answers, key=lambda a: (_WORTH[a.status], -a.probability), default=None)


_WORTH = {Status.CORRECT: 0, Status.UNVERIFIED: 0, Status.UNKNOWN: 1, Status.WRONG: 2}
