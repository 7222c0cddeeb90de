"""How far a verdict can be trusted: how often its check says each word of right answers, and of wrong ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from profiles.profile import CheckCounts, VerdictTally

# Labelled answers of each kind, right and wrong, from which a language has rates of its own.
LEAST_OF_LANGUAGE = 50
# Checks of which nothing is learned until they were measured: they rest on what someone else says.
_WITNESSES = frozenset({"judge", "grounded"})
# Nor ever of these: whether agreement says yes depends on who else answered, and it never says no; a trivial check, of
# whatever type, says yes to every answer.
_NEVER = frozenset({"agreement", "trivial"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How likely a verdict was: `if_right`, for a right answer, and `if_wrong`."""

    if_right: float
    if_wrong: float


@dataclass(frozen=True, slots=True)
class Trust:
    """The likelihoods of the three verdicts, by what was said: True correct, False wrong, None unknown."""

    of: Mapping[bool | None, Likelihood]

    def says_something(self, said: bool | None) -> bool:
        return self.of[said].if_right != self.of[said].if_wrong


EXACT = Trust(
    {
        True: Likelihood(if_right=1.0, if_wrong=0.0),
        False: Likelihood(if_right=0.0, if_wrong=1.0),
        None: Likelihood(if_right=0.0, if_wrong=0.0),
    }
)
# Of a client's own word on an answer so much is taken to be wrong. It is assumed, and may be measured as a check is.
FEEDBACK = "feedback"
_FEEDBACK_ERRORS = 0.1
_SAID_BY_A_CLIENT = Trust(
    {
        True: Likelihood(if_right=1 - _FEEDBACK_ERRORS, if_wrong=_FEEDBACK_ERRORS),
        False: Likelihood(if_right=_FEEDBACK_ERRORS, if_wrong=1 - _FEEDBACK_ERRORS),
        None: Likelihood(if_right=0.0, if_wrong=0.0),
    }
)


@dataclass(frozen=True, slots=True)
class Trusts:
    """The trust in each check by its name and the request's language; `measured` stands in a profile."""

    measured: Mapping[tuple[str, str | None], Trust] = field(default_factory=dict)

    @classmethod
    def of(cls, checks: Iterable[CheckCounts]) -> "Trusts":
        """From counts: a language with too few labelled answers goes by all of them together."""
        found: dict[tuple[str, str | None], Trust] = {}
        totals: dict[str, tuple[VerdictTally, VerdictTally]] = {}
        for counts in checks:
            right, wrong = totals.get(counts.check, (VerdictTally(), VerdictTally()))
            totals[counts.check] = right + counts.right, wrong + counts.wrong
            if min(counts.right.total, counts.wrong.total) >= LEAST_OF_LANGUAGE:
                found[counts.check, counts.language] = _trust(counts.right, counts.wrong)
        return cls(found | {(check, None): _trust(*both) for check, both in totals.items()})

    def that_teaches(self, check: str | None, said: bool | None, language: str) -> Trust | None:
        """The trust in what a check says; None if nothing is learned of it."""
        trust = self.in_check(check, language)
        return trust if trust is not None and trust.says_something(said) else None

    def in_check(self, check: str | None, language: str) -> Trust | None:
        """None if a verdict of this check teaches nothing. Without a check's name a verdict is exact."""
        if check is None:
            return EXACT
        kind = check.partition(":")[0]
        if kind in _NEVER:
            return None
        found = self.measured.get((check, language)) or self.measured.get((check, None))
        if found is not None:
            return found
        return _SAID_BY_A_CLIENT if kind == FEEDBACK else None if kind in _WITNESSES else EXACT


def _trust(right: VerdictTally, wrong: VerdictTally) -> Trust:
    """Shares with half a count more of each verdict (Jeffreys), so that few labelled answers say little."""
    return Trust(
        {
            said: Likelihood(
                if_right=(right.of(said) + 0.5) / (right.total + 1.5),
                if_wrong=(wrong.of(said) + 0.5) / (wrong.total + 1.5),
            )
            for said in (True, False, None)
        }
    )
