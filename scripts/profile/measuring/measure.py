"""Asks the questions of a plan, round by round, and keeps every outcome."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.router.text.language import FastTextDetector, LanguageDetector
from profiles.measuring.measurement import Record
from scripts.profile.display import Display
from scripts.profile.measuring.account import Tally
from scripts.profile.measuring.asking import NoAnswerError, ask, failed, model_names, refusal, takes_budgets
from scripts.profile.measuring.journal import Entry, MeasurementJournal
from scripts.profile.measuring.plan import Case, ProfileError, ProfilePlan
from scripts.profile.measuring.rounds import Rounds

# Above this share of failed prompts something is wrong with the application, and the rest is no fair sample.
MAX_LEFT_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The application's models, and those of them that take thinking-token budgets."""

    names: tuple[str, ...]
    thinking: tuple[str, ...]


async def find_models(client: httpx.AsyncClient, plan: ProfilePlan) -> Models:
    names = await model_names(client)
    if not names:
        raise ProfileError(f"{client.base_url} has no model to measure")
    thinking = [name for name in names if plan.budgets and await takes_budgets(client, name)]
    if plan.budgets and not thinking:
        raise ProfileError(f"--budgets: none of {', '.join(names)} takes a thinking-token budget")
    return Models(names=tuple(names), thinking=tuple(thinking))


class Measurement:
    """The outcomes go to the journal as they come; `cases` are all questions decided on so far."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        plan: ProfilePlan,
        journal: MeasurementJournal,
        display: Display,
        planned: Sequence[Case],
    ) -> None:
        self._client, self._plan, self._journal, self._display = client, plan, journal, display
        self._detector: LanguageDetector = FastTextDetector()
        counts = Counter(case.model for case in planned)
        most = len(planned) if plan.max_answers is None else plan.max_answers // len(counts)
        self.tallies = {name: Tally(model=name, num_prompts=min(most, count)) for name, count in counts.items()}
        self.cases: list[Case] = []

    async def run(self, rounds: Rounds) -> None:
        """Raises ProfileError when too many prompts fail, or the application refuses the first one."""
        while cases := rounds.next(self._journal):
            self.cases += cases
            by_model = {name: [c for c in cases if c.model == name] for name in self.tallies}
            for model, mine in by_model.items():
                self._display.expect(model, len(mine))
            work = (self._ask_model(mine) for mine in by_model.values())
            if self._plan.are_models_together:
                await _all(work)
            else:
                for one in work:
                    await one

    async def _ask_model(self, cases: Sequence[Case]) -> None:
        """First the questions that are asked alone, then the others, `concurrency` at once."""
        todo = []
        for case in cases:
            known = self._journal.outcomes.get(case.key)
            if known is None:
                todo.append(case)
            else:
                self._display.done(case, known)
        for at_once in sorted({case.concurrency for case in todo}):
            left = iter([case for case in todo if case.concurrency == at_once])
            await _all([self._ask_in_turn(left) for _ in range(at_once)])

    async def _ask_in_turn(self, left: Iterable[Case]) -> None:
        for case in left:
            tally = self.tallies[case.model]
            try:
                outcome = await ask(self._client, case, detector=self._detector)
            except NoAnswerError as error:
                if error.status in (401, 404) and tally.is_untried:
                    raise refusal(error.detail, error.status) from error
                self._keep(case, failed(case, error))
                if tally.failed > MAX_LEFT_OUT_SHARE * tally.num_prompts:
                    told = f"{tally}, more than {MAX_LEFT_OUT_SHARE:.0%}; the last one: {error.detail}"
                    raise ProfileError(told) from error
            else:
                self._keep(case, outcome)

    def _keep(self, case: Case, outcome: Entry) -> None:
        self._journal.add(outcome)
        self.tallies[case.model].add(outcome.result)
        self._display.done(case, outcome)

    def records(self) -> list[Record]:
        """All answers in the order of the questions, so that a resumed run fits the same numbers in the same order."""
        return [record for _, record in self._answered()]

    def asked(self) -> set[str]:
        """The texts of the prompts that brought an answer."""
        return {case.prompt.text for case, _ in self._answered()}

    def _answered(self) -> Iterator[tuple[Case, Record]]:
        for case in self.cases:
            outcome = self._journal.outcomes.get(case.key)
            if outcome is not None and outcome.record is not None:
                yield case, outcome.record


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once; the first that fails cancels the others, and its own error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
