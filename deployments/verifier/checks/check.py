"""What every verification type has: a strict specification, what it needs, where it may run, and its check."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from inspect import isabstract
from secrets import token_hex
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from deployments.contract.reply import Reply
from deployments.contract.verdict import AskedJudge, Evidence, Outcome, Reason, Verdict
from deployments.verifier.checks.answer import read_answer
from deployments.verifier.settings import JudgeSettings
from deployments.verifier.text.judgement import WORDS, Words

# texts of this size in all are read in less than 2 ms, whatever their script
INLINE_CHARS = 1_000

SPEC_CONFIG = ConfigDict(
    extra="forbid",
    frozen=True,
    allow_inf_nan=False,
    ignored_types=(cached_property,),
    populate_by_name=True,
    serialize_by_alias=True,
)

CustomCheck = Callable[[Evidence], Verdict | bool]
# A judge asked with the bytes of a chat request.
Ask = Callable[[bytes], Awaitable[Reply]]


class Place(StrEnum):
    """Where a check may run.

    `inline`: over in less than a millisecond, so in the event loop; `thread`: bounded, in a thread of the verifier
    deployment; `process`: in a process that is killed when its time is up.
    """

    INLINE = "inline"
    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What there is for a check: `answering` are the models that may answer the request, out of all `models`.

    `has_tools` tells whether the request has tools to call.
    """

    models: Collection[str]
    answering: Collection[str]
    custom_checks: Collection[str]
    has_tools: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says of the answer that it wants, as its client sent it, not checked yet."""

    prompt: str
    response_format: Any = None
    tools: Sequence[Any] = ()
    tool_choice: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why this application cannot make the check that a request asks for; `field` is one of its specification."""

    field: str
    message: str


def draw_fence() -> str:
    """A mark that cannot be guessed."""
    return token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How judges are asked: `thinkers` are those whose thinking can be limited, `sources` where models come from.

    `words` are what a judge may have to say, of which the first set that no text holds is taken. `draw_fence` gives a
    mark that no text can hold, another one for each call.
    """

    settings: JudgeSettings = field(default_factory=JudgeSettings)
    thinkers: Collection[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    words: Sequence[Words] = WORDS
    draw_fence: Callable[[], str] = draw_fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Aids:
    """What a delegated check may ask; `in_thread` runs the operator's code beside the event loop.

    Judges that have replied to it are added to `asked`, whether or not it comes to an end.
    """

    judges: Mapping[str, Ask]
    default_judge: str | None
    custom_checks: Mapping[str, CustomCheck]
    in_thread: Callable[[Callable[[], Verdict]], Awaitable[Verdict]]
    judging: Judging = field(default_factory=Judging)
    asked: list[AskedJudge] = field(default_factory=list)


class Spec(BaseModel):
    """A verification as a request asks for it. A type is one class derived from Check or Delegated."""

    model_config = SPEC_CONFIG
    needs_prompt: ClassVar[bool] = False
    needs_others: ClassVar[bool] = False
    # whether it knows what to make of an answer that its token limit cut; else such a one is unknown
    reads_cut: ClassVar[bool] = False
    # whether it looks at tool calls; else an answer that is nothing else is unknown
    reads_calls: ClassVar[bool] = False
    # what to tell a model of a wrong answer that it may mend: of its form alone, and nothing that a client wrote
    complaints: ClassVar[Mapping[Reason, str]] = MappingProxyType({})

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """A type that lacks a part stops the start, not the first request for it."""
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.model_fields and isabstract(cls):
            raise TypeError(f"{cls.__name__} lacks {sorted(cls.__abstractmethods__)}")

    @property
    def fallible_name(self) -> str | None:
        """The name by which its errors are measured, for a type that may err; None for one that is exact."""
        return None

    def read(self, evidence: Evidence) -> Evidence | Verdict:
        """The evidence as this type reads it, or the verdict where there is no answer that it could read."""
        return read_answer(evidence, cut_too=self.reads_cut, calls_too=self.reads_calls)

    def derived(self, asked: Callable[[], Asked]) -> "Spec | None":
        """The check that this one stands for, given what the request says, or None; most stand for themselves."""
        del asked
        return self

    def complaint(self, verdict: Verdict) -> str | None:
        """What to tell the model of its wrong answer, so that it may mend it; None where form is not what is wrong."""
        return self.complaints.get(verdict.reason) if verdict.outcome is Outcome.WRONG else None

    def refusal(self, catalogue: Catalogue) -> Refusal | None:
        """Why the application cannot make this check, naming what it could; None if it can."""
        del catalogue
        return None


class Check(Spec, ABC):
    """A type whose verdict follows from the evidence alone."""

    def is_refuted(self, begun: Evidence) -> bool:
        """Whether no answer that begins so can be correct; asked only where `place` is inline.

        `begun` has the text and the calls so far. It counts on that no mark of thinking ends what it did not begin.
        """
        del begun
        return False

    @abstractmethod
    def check(self, evidence: Evidence) -> Verdict:
        """The verdict on what `read` made of an answer, which is not blank and within MAX_ANSWER_CHARS."""

    def prepare(self) -> None:
        """Load what the check needs; in a process of its own that is not part of the time a check may take."""

    def place(self, evidence: Evidence) -> Place:
        """Where this check of this evidence may run, by sizes alone; it takes less time than the check itself."""
        return Place.INLINE if evidence.size_chars <= INLINE_CHARS else Place.THREAD


class Delegated(Spec, ABC):
    """A type for which the verifier deployment asks someone: a judge model, the operator's code."""

    @abstractmethod
    async def delegate(self, evidence: Evidence, aids: Aids) -> Verdict:
        """The verdict on what `read` made of an answer; the caller bounds the time."""
