import pytest

from profiles.chances.trust import EXACT, LEAST_OF_LANGUAGE, Likelihood, Trusts
from profiles.profile import CheckCounts, VerdictTally


def counts(check: str, language: str = "en", *, right: int = 80, wrong: int = 80, errors: int = 20) -> CheckCounts:
    return CheckCounts(
        check=check,
        language=language,
        right=VerdictTally(correct=right, wrong=errors),
        wrong=VerdictTally(correct=errors, wrong=wrong),
    )


@pytest.mark.parametrize("check", [None, "custom:mine"])
def test_a_check_that_nobody_measured_is_exact_unless_it_rests_on_a_witness(check: str | None) -> None:
    assert Trusts().in_check(check, "en") is EXACT


@pytest.mark.parametrize("check", ["judge", "judge:gemma", "grounded", "agreement:text", "trivial:regex"])
def test_an_unmeasured_witness_teaches_nothing(check: str) -> None:
    assert Trusts().in_check(check, "en") is None


def test_agreement_teaches_nothing_though_it_was_measured() -> None:
    assert Trusts.of([counts("agreement:text")]).in_check("agreement:text", "en") is None


def test_a_measured_check_is_worth_its_shares() -> None:
    trust = Trusts.of([counts("judge", right=997, wrong=897, errors=2)]).in_check("judge", "en")
    assert trust is not None
    assert trust.of[True] == Likelihood(if_right=997.5 / 1000.5, if_wrong=2.5 / 900.5)
    assert trust.of[None].if_wrong == 0.5 / 900.5


def test_a_language_with_few_labelled_answers_goes_by_all_together() -> None:
    few = LEAST_OF_LANGUAGE - 1
    trusts = Trusts.of([counts("judge", "en"), counts("judge", "de", right=few, wrong=few, errors=0)])
    assert trusts.in_check("judge", "de") == trusts.in_check("judge", "fr")
    assert trusts.in_check("judge", "de") != trusts.in_check("judge", "en")


def test_a_check_that_says_the_same_of_all_answers_says_nothing() -> None:
    trust = Trusts.of([counts("judge", right=50, wrong=50, errors=50)]).in_check("judge", "en")
    assert trust is not None
    assert not trust.says_something(True)
