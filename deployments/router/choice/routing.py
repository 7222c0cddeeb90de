"""The decision for one request: candidates with Q and L in, one model out."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from math import prod

from msgspec.structs import replace

from deployments.budgets.tasks import TaskRules
from deployments.router.attempt.tries import FAULTS, Tries
from deployments.router.choice.budgets import Thinking
from deployments.router.choice.candidates import CandidateBuilder, Demand, profiles_of
from deployments.router.choice.chances import Chances, Exploration, HeardVerdict
from deployments.router.choice.objective import DEFAULT_NOTICE_S, DEFAULT_WORTH_S, AnswerTarget, Objective
from deployments.router.choice.policy import (
    POLICIES,
    Candidate,
    ChoiceReason,
    Decision,
    Exclusion,
    Policy,
    PolicyName,
    Situation,
    attempts,
    decided,
    rank,
)
from deployments.router.choice.promise import Promise, chance_right, promise_of
from deployments.router.choice.repair import Asking, pays
from deployments.router.http.request import AUTO, RoutedRequest
from deployments.router.latency.load import LoadTracker
from deployments.router.latency.prefixes import prefixes_of
from deployments.router.model import Model
from deployments.router.settings import Learning
from deployments.router.text.features import Features, extract
from deployments.router.text.language import LanguageDetector
from deployments.router.text.tokens import TokenEstimator, TokenRates
from profiles.profile import DEFAULT_TASK, Profile

# Where no model seems to have room for a prompt, one is asked all the same if the estimate is at most this many times
# its context: runs of one sign make few tokens.
CONTEXT_HOPELESS = 4.0
# A model that is explored takes at most so many times what the usual choice takes.
MOST_EXPLORED = 3.0
# The deadline of a decision that is only explained may be over.
_LEAST_TIME_S = 1e-3


class Routing:
    """What a choice rests on, each part open to those who change it, and the choice. One event loop owns it."""

    def __init__(
        self,
        *,
        models: Sequence[Model],
        profile: Profile,
        policy: PolicyName,
        detector: LanguageDetector,
        learning: Learning | None = None,
        thinking: Thinking | None = None,
        task_rules: TaskRules | None = None,
        worth_s: float = DEFAULT_WORTH_S,
        notice_s: float = DEFAULT_NOTICE_S,
        num_routers: int = 1,
    ) -> None:
        names, learning = [model.name for model in models], learning or Learning()
        self.models = {model.name: model for model in models}
        self.load = LoadTracker(
            names,
            num_routers=num_routers,
            cold_start_s={model.name: model.cold_start_s for model in models if model.cold_start_s is not None},
            bases={model.name: model.base for model in models if model.base is not None},
        )
        self.learning = learning
        # by model, what its own tokenizer has shown
        self._counted: dict[str, TokenRates] = {}
        self.rest_on(profile, Chances(profile, names, learning), thinking)
        self._policies = {name: make(names) for name, make in POLICIES.items()}
        self._policy = policy
        self._detector, self._task_rules = detector, task_rules or TaskRules()
        self._worth_s, self._notice_s = worth_s, notice_s
        self._turn = 0

    def rest_on(self, profile: Profile, chances: Chances, thinking: Thinking | None) -> None:
        """Rest on this profile from the next choice on; `chances` and `thinking` are made of it.

        What attempts taught of lengths and latencies is learned anew, as some tens of them are enough.
        """
        models = list(self.models.values())
        self.profile, self.buckets = profile, profile.buckets
        self.chances, self.thinking = chances, thinking
        self.tokens = TokenEstimator(list(self.models), profiles_of(models, profile), self._counted)
        self.builder = CandidateBuilder(models, profile, chances=chances, load=self.load, thinking=thinking)
        self._exploration = Exploration(chances, self.learning)

    def take_rates(self, model: str, rates: TokenRates) -> None:
        """Estimate a model's tokens by what its own tokenizer has shown; what requests taught of them begins anew."""
        if rates != self._counted.get(model):
            self._counted[model] = rates
            self.tokens = TokenEstimator(
                list(self.models), profiles_of(list(self.models.values()), self.profile), self._counted
            )

    def observe(self, heard: HeardVerdict) -> None:
        """Let a verdict change what is believed of its model."""
        self.chances.observe(heard)

    def undo(self, tenants: frozenset[str]) -> Iterator[None]:
        """Let these tenants' verdicts teach nothing, as in `Chances.undo`."""
        return self.chances.undo(tenants)

    def features(self, request: RoutedRequest) -> Features:
        options = request.options
        return extract(
            request.texts,
            detector=self._detector,
            user_texts=request.user_texts,
            task=options.task or self._task_rules.task_of(request.texts) or DEFAULT_TASK,
            language=options.language,
        )

    def demand(self, request: RoutedRequest, features: Features) -> Demand:
        """What the request asks of each model."""
        only = request.tenant.models if request.model == AUTO else frozenset({request.model})
        if request.media:
            able = frozenset(name for name, model in self.models.items() if request.media <= model.media)
            only = able if only is None else able & only
        return self.builder.demand(
            task=features.task,
            language=features.language,
            prompt_tokens=self.tokens.estimate(features, request.tenant.id) + request.other_tokens,
            max_tokens=request.max_tokens,
            thinking_token_budget=request.thinking_token_budget,
            prefixes=prefixes_of(f"{request.tenant.id} {request.cache_salt or ''}", request.texts),
            only=only,
            tenant=request.tenant.id,
        )

    def unavailable(self, now_s: float) -> set[str]:
        """Models of which none runs, or that rest after failures."""
        names = tuple(self.models)
        return {names[row] for row in self.load.unhealthy(now_s)}

    def next_turn(self) -> int:
        """A number that grows by one with each request, for policies that take turns."""
        self._turn += 1
        return self._turn - 1

    def decide(
        self,
        request: RoutedRequest,
        demand: Demand,
        tries: Tries,
        *,
        turn: int,
        now_s: float,
        may_explore: bool = False,
    ) -> Decision | None:
        """The next model to ask, or None when no model is left that may be asked.

        With `may_explore` the first model may be chosen by drawn chances, as far as the budget for that goes.
        """
        candidates = self.builder.candidates(demand, tries, now_s)
        situation = self._situation(request, demand, tries, now_s)
        policy, session = self._policy_of(request), _session(request)
        asked = attempts(policy, candidates, session=session, turn=turn, situation=situation)
        if (chosen := next(asked, None)) is None:
            return None if not tries.is_first else self._longest_context(candidates)
        decision, target = decided(policy, chosen, candidates), situation.objective.target
        # what comes after the first one costs time to tell
        order = [chosen, *asked] if tries.failed_models or target is not None else []
        if tries.failed_models:
            can = (c for c in order if c.exclusion is not Exclusion.TOO_SLOW)
            decision = replace(decision, chance_left=chance_right(can, situation))
        if target is not None and not tries.attempts:
            decision = replace(decision, promised=chance_right(order, situation, by_s=target.by_s))
        if request.model != AUTO:
            return replace(decision, reason=ChoiceReason.NAMED, has_alternative=False)
        if may_explore and self._may_explore(request, tries, decision) and self._exploration.spend():
            drawn = self._exploration.draw(demand.task, demand.language, demand.buckets)
            others = self.builder.candidates(demand, tries, now_s, first_chances=drawn)
            first = next(attempts(policy, others, session=session, turn=turn, situation=situation), chosen)
            # the chance that is told and logged is the one that is believed
            chosen = next(c for c in candidates if c.model == first.model)
            if _can_be_borne(chosen, decision.chosen, situation.objective):
                return replace(decision, chosen=chosen, reason=ChoiceReason.EXPLORATION)
        return decision

    def repair(
        self,
        request: RoutedRequest,
        demand: Demand,
        tries: Tries,
        *,
        chance: float,
        turn: int,
        now_s: float,
        always: bool,
    ) -> Decision | None:
        """To ask the model of the last attempt once more, with its answer; None where that does not pay or cannot be.

        `chance` is how likely it is right then.
        """
        model = tries.attempts[-1].model
        found = self.builder.candidates(demand, tries, now_s, mended=model)
        chosen = replace(next(c for c in found if c.model == model), probability=chance)
        if chosen.exclusion is not None:
            return None
        candidates = self.builder.candidates(demand, tries, now_s)
        order = self.rank(request, demand, tries, candidates, turn=turn, now_s=now_s)
        others = [c for c in order if c.exclusion in (None, Exclusion.WAS_WRONG)]
        if not always:
            objective = self._situation(request, demand, tries, now_s).objective
            mended = Asking(latency_s=chosen.latency_s, probability=chance)
            left = [Asking(latency_s=c.latency_s, probability=c.probability) for c in others]
            if not pays(mended, left, objective):
                return None
        return Decision(chosen=chosen, reason=ChoiceReason.REPAIR, has_alternative=bool(others))

    def rank(
        self,
        request: RoutedRequest,
        demand: Demand,
        tries: Tries,
        candidates: Sequence[Candidate],
        *,
        turn: int,
        now_s: float,
    ) -> list[Candidate]:
        """The candidates that may be asked, in the order in which they would be."""
        situation = self._situation(request, demand, tries, now_s)
        return rank(self._policy_of(request), candidates, session=_session(request), turn=turn, situation=situation)

    def promises(
        self, request: RoutedRequest, demand: Demand, tries: Tries, candidates: Sequence[Candidate], now_s: float
    ) -> Mapping[str, Promise]:
        """What can be promised by the time of the request's target, empty if it has none.

        `chosen` is the order that is followed, `cheapest` the one of least expected cost whatever the target, `surest`
        the one that is likeliest to be right by then.
        """
        situation = self._situation(request, demand, tries, now_s)
        if (target := situation.objective.target) is None:
            return {}

        def promise(wanted: AnswerTarget | None) -> Promise:
            aimed = dataclasses.replace(situation, objective=dataclasses.replace(situation.objective, target=wanted))
            asked = attempts(self._policy_of(request), candidates, situation=aimed)
            return promise_of(
                asked, situation, by_s=target.by_s, spend=lambda candidate: self._spend(demand, candidate)
            )

        surest = target.model_copy(update={"probability": 1.0})
        return {"chosen": promise(target), "cheapest": promise(None), "surest": promise(surest)}

    def _spend(self, demand: Demand, candidate: Candidate) -> float:
        written = self.builder.written_tokens(demand, candidate.model)
        return self.models[candidate.model].price.of(candidate.prompt_tokens, written)

    def _situation(self, request: RoutedRequest, demand: Demand, tries: Tries, now_s: float) -> Situation:
        """What the request wants, and how failures go together after those it has seen.

        Without verification one answer is all it gets, unless its client looks for itself and asks again.
        """
        options = request.options
        client_retries = options.client_retries or options.retry_of is not None or bool(options.tried)
        attempts_left: int | None = max(1, tries.max_attempts - tries.num_begun)
        if not request.wants_verification:
            attempts_left = None if client_retries else 1
        notice_s = self._notice_s if options.notice_s is None else options.notice_s
        objective = Objective(
            worth_s=self._worth_s if options.worth_s is None else options.worth_s,
            attempts_left=attempts_left,
            time_left_s=max(tries.deadline_at_s - now_s, _LEAST_TIME_S),
            notice_s=notice_s if client_retries and not request.wants_verification else 0.0,
            has_samples=not request.is_repeatable,
            target=_target_left(options.target, tries, now_s),
        )
        return Situation(objective=objective, joint=self.chances.joint(demand.task, tries.failed_models))

    def _policy_of(self, request: RoutedRequest) -> Policy:
        return self._policies[request.options.policy or self._policy]

    def _may_explore(self, request: RoutedRequest, tries: Tries, decision: Decision) -> bool:
        """Only where a verdict will follow, laar is free to choose, and the usual model can still be asked after it."""
        options = request.options
        is_open = request.wants_verification and options.target is None and options.policy in (None, self._policy)
        return is_open and tries.is_first and decision.has_alternative and tries.max_attempts > 1

    def _longest_context(self, candidates: Sequence[Candidate]) -> Decision | None:
        """The model to ask when by the estimate the prompt fits none: only a tokenizer can say so for certain."""

        def room(candidate: Candidate) -> float:
            return self.models[candidate.model].context_tokens / candidate.prompt_tokens

        too_long = [c for c in candidates if c.exclusion is Exclusion.CONTEXT_EXCEEDED]
        chosen = max(too_long, key=room, default=None)
        if chosen is None or room(chosen) * CONTEXT_HOPELESS < 1:
            return None
        return Decision(chosen=chosen, reason=ChoiceReason.LONGEST_CONTEXT)


def _target_left(target: AnswerTarget | None, tries: Tries, now_s: float) -> AnswerTarget | None:
    """What is left to reach after answers that were not right; None if nothing is.

    An order that reaches the target may fail with one less its probability. As that is the chance that the answers so
    far were not right, times that of the attempts left to fail, these may fail as often as the quotient.
    """
    if target is None:
        return None
    not_right = prod(1 - attempt.probability for attempt in tries.attempts if attempt.status not in FAULTS)
    probability = 1 - (1 - target.probability) / not_right
    by_s = max(tries.target_at_s - now_s, _LEAST_TIME_S)
    return AnswerTarget(probability=probability, by_s=by_s) if probability > 0 else None


def _can_be_borne(explored: Candidate, usual: Candidate, objective: Objective) -> bool:
    """Whether asking the one before the other is not much dearer, and there is time for both."""
    is_in_time = explored.latency_s + usual.latency_s <= objective.time_left_s
    cost_s = explored.latency_s + explored.external_s
    return is_in_time and cost_s <= MOST_EXPLORED * (usual.latency_s + usual.external_s)


def _session(request: RoutedRequest) -> str:
    return request.options.session or (request.texts[0] if request.texts else "")
