"""The decision for one request: features in, candidates with Q and L, one model out."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from msgspec.structs import replace

from deployments.budgets.tasks import TaskRules
from deployments.contract.errors import ClientError
from deployments.router.attempt.tries import Tries
from deployments.router.choice.budgets import Thinking
from deployments.router.choice.chances import Chances
from deployments.router.choice.joint_order import Joint, chance_left
from deployments.router.choice.latency import Floats, Speeds, idle_latency_s, loaded_latency_s, unread_tokens
from deployments.router.choice.load import LoadTracker
from deployments.router.choice.model import Model
from deployments.router.choice.policy import (
    POLICIES,
    TIERS,
    Candidate,
    ChoiceReason,
    Decision,
    Exclusion,
    Policy,
    PolicyName,
    decide,
    rank,
)
from deployments.router.http.request import AUTO, RoutedRequest
from deployments.router.settings import Learning
from deployments.router.text.features import Features, estimate_tokens, extract
from deployments.router.text.language import LanguageDetector
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE, Latency, ModelProfile, Profile

# A model that nobody has profiled yet: plausible for a mid-size model, so that it is asked and can be measured.
UNPROFILED = ModelProfile(
    latency=Latency(overhead_s=0.05, prefill_s_per_token=0.0003, decode_s_per_token=0.02, decode_growth=0.05),
    chars_per_token={UNKNOWN_LANGUAGE: 3.5},
    chars_per_symbol_token=2.0,
)
DEFAULT_OUTPUT_TOKENS = 128.0
# What an answer is taken to have at most where the request sets no limit.
DEFAULT_MOST_TOKENS = 2048
# The estimate may be this far above the truth before other models are preferred for a context that it may well fit;
# where no model is left, one is asked all the same up to the second figure, as runs of one sign make few tokens.
CONTEXT_SLACK = 1.3
CONTEXT_HOPELESS = 4.0
_CALIBRATION_STEP = 0.1
_CALIBRATION_RANGE = (0.25, 4.0)
# One request counts for no more than this, whatever the estimate has missed in it.
_OBSERVED_RANGE = (0.5, 2.0)


class Routing:
    """Everything the choice of a model rests on. Not thread-safe; one event loop owns it."""

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
    ) -> None:
        self.models = {model.name: model for model in models}
        self.tracker = LoadTracker(self.models)
        self._names = tuple(self.models)
        self.chances = Chances(profile, self._names, learning or Learning())
        self.buckets = profile.buckets
        self._profiles = [profile.models.get(name, UNPROFILED) for name in self._names]
        self._speeds = Speeds.of([known.latency for known in self._profiles])
        self._context_tokens = np.array([model.context_tokens for model in models])
        self._most_prompt_tokens = CONTEXT_SLACK * self._context_tokens
        self._chars_per_symbol_token = np.array([known.chars_per_symbol_token for known in self._profiles])
        self._template_tokens = np.array([known.template_tokens for known in self._profiles])
        self._languages = {language for known in self._profiles for language in known.chars_per_token}
        self._tasks = {task for known in self._profiles for task in known.output_tokens}
        self._chars_per_token: dict[str, Floats] = {}
        self._calibration: dict[str, Floats] = {}
        self._output_tokens: dict[str, Floats] = {}
        self._policies = {name: make(self._names) for name, make in POLICIES.items()}
        self._policy = policy
        self._detector = detector
        self.thinking = thinking
        self._task_rules = task_rules or TaskRules()
        self._no_budgets = [None] * len(self._names)
        self._turn = 0

    def features(self, request: RoutedRequest) -> Features:
        options = request.options
        return extract(
            request.texts,
            detector=self._detector,
            task=options.task or self._task_rules.task_of(request.texts) or DEFAULT_TASK,
            language=options.language,
        )

    def next_turn(self) -> int:
        """A number that grows by one with each request, for policies that take turns."""
        self._turn += 1
        return self._turn - 1

    def candidates(
        self, request: RoutedRequest, features: Features, log: Tries, now_s: float, *, explore: bool = False
    ) -> list[Candidate]:
        """Every model the request may go to, each with its numbers and what speaks against it.

        With `explore` chances are drawn from what is believed of them instead of being its mean.
        """
        tokens = self._prompt_tokens(request, features)
        buckets = self.buckets.of_all(tokens)
        output = self._expected_output(request, features)
        idle_s = idle_latency_s(self._speeds, prompt_tokens=self._unread(tokens, log), output_tokens=output)
        believed = self.chances.drawn if explore else self.chances.probabilities
        probabilities = believed(features.task, features.language, buckets)
        budgets: Sequence[int | None] = self._no_budgets
        if self.thinking is not None:
            thoughts = self.thinking.of(request, features, buckets)
            probabilities = np.where(thoughts.is_known, thoughts.probability, probabilities)
            idle_s = np.where(thoughts.is_known, thoughts.service_s, idle_s)
            output = _capped(output + thoughts.tokens, request)
            budgets = [None if isnan(budget) else int(budget) for budget in thoughts.budgets.tolist()]
        idle = idle_s.tolist()
        columns = (
            self._names,
            self.chances.after_failures(probabilities, features.task, log.failed_models).tolist(),
            loaded_latency_s(self._speeds, idle_s=idle, output_tokens=output.tolist(), load=self.tracker),
            idle,
            tokens.astype(np.int64).tolist(),
            buckets.tolist(),
            self.tracker.in_flight,
            [log.tries(name) for name in self._names] if log.attempts else [0] * len(self._names),
            self._exclusions(tokens, log, now_s),
            budgets,
        )
        found = list(map(Candidate, *columns))
        return found if request.model == AUTO else [found[self._names.index(request.model)]]

    def decide(
        self,
        request: RoutedRequest,
        features: Features,
        log: Tries,
        *,
        turn: int,
        now_s: float,
        may_explore: bool = False,
    ) -> Decision | None:
        """The next model to ask, or None when no model is left that may be asked.

        With `may_explore` the first model may be chosen by drawn chances, as far as the budget for that goes.
        """
        explore = may_explore and self._is_to_explore(request, log)
        candidates = self.candidates(request, features, log, now_s, explore=explore)
        joint = self.chances.joint(features.task, log.failed_models)
        decision = decide(self._policy_of(request), candidates, session=_session(request), turn=turn, joint=joint)
        if decision is None:
            return None if log.attempts else self._longest_context(candidates)
        if log.failed_models:
            decision = replace(decision, chance_left=self._chance_left(candidates, joint))
        if request.model != AUTO:
            return replace(decision, reason=ChoiceReason.NAMED, has_alternative=False)
        return replace(decision, reason=ChoiceReason.EXPLORATION) if explore else decision

    def rank(
        self, request: RoutedRequest, features: Features, candidates: Sequence[Candidate], *, turn: int
    ) -> list[Candidate]:
        """The candidates for a new request that may be asked, in the order in which they would be."""
        joint = self.chances.joint(features.task)
        return rank(self._policy_of(request), candidates, session=_session(request), turn=turn, joint=joint)

    def longest_s(self, request: RoutedRequest, candidate: Candidate) -> float:
        """Expected seconds of the longest answer that the candidate may give to the request now."""
        index = self._names.index(candidate.model)
        tokens = np.array([float(candidate.prompt_tokens)])
        room = max(1.0, float(self._context_tokens[index]) - candidate.prompt_tokens)
        most = np.full(len(self._names), min(room, request.max_tokens or DEFAULT_MOST_TOKENS))
        idle_s = idle_latency_s(self._speeds, prompt_tokens=tokens, output_tokens=most)
        found = loaded_latency_s(self._speeds, idle_s=idle_s.tolist(), output_tokens=most.tolist(), load=self.tracker)
        return found[index]

    def overrides(self, request: RoutedRequest, chosen: Candidate) -> dict[str, Any]:
        """Fields that the chosen model is to take otherwise than the body has them.

        A client's own budget stays, but a model that cannot honour it, one of several for `auto`, goes without.
        """
        thinks = self.thinking is not None and chosen.model in self.thinking.models
        if request.thinking_token_budget is not None:
            return {} if thinks else {"thinking_token_budget": None}
        return {} if chosen.thinking_budget is None else {"thinking_token_budget": chosen.thinking_budget}

    def refuse_impossible_budget(self, request: RoutedRequest) -> None:
        """Raise a ClientError for a budget that no model which may answer could honour."""
        thinkers = self.thinking.models if self.thinking is not None else frozenset()
        answering = set(self.models) if request.model == AUTO else {request.model}
        if request.thinking_token_budget is not None and not answering & thinkers:
            who = "no model" if request.model == AUTO else f"not '{request.model}'"
            message = f"thinking_token_budget: {who} can be held to it; models that can: {sorted(thinkers)}"
            raise ClientError(message, param="thinking_token_budget")

    def started(self, features: Features, chosen: Candidate, log: Tries, now_s: float) -> None:
        """Count an attempt as under way."""
        self.tracker.start(chosen.model, chosen.prompt_tokens)
        if self.thinking is not None:
            cell, tries = features.cell(chosen.bucket), log.tries(chosen.model)
            self.thinking.controller.observe(chosen.model, cell, tries=tries, now_s=now_s)

    def learn_prompt_tokens(self, request: RoutedRequest, candidate: Candidate, language: str, actual: int) -> None:
        """Correct the characters-per-token figure of a model and language by what its tokenizer counted."""
        if actual <= 0 or not request.is_plain_text or request.options.language is not None:
            return
        index = self._names.index(candidate.model)
        calibration = self._calibrated(language)
        current = float(calibration[index])
        observed = current * _clamp(actual / candidate.prompt_tokens, _OBSERVED_RANGE)
        calibration[index] = _clamp(current + _CALIBRATION_STEP * (observed - current), _CALIBRATION_RANGE)

    def _policy_of(self, request: RoutedRequest) -> Policy:
        return self._policies[request.options.policy or self._policy]

    def _longest_context(self, candidates: Sequence[Candidate]) -> Decision | None:
        """The model to ask when by the estimate the prompt fits none: only a tokenizer can say so for certain."""

        def room(candidate: Candidate) -> float:
            return self.models[candidate.model].context_tokens / candidate.prompt_tokens

        too_long = [c for c in candidates if c.exclusion is Exclusion.CONTEXT_EXCEEDED]
        chosen = max(too_long, key=room, default=None)
        if chosen is None or room(chosen) * CONTEXT_HOPELESS < 1:
            return None
        return Decision(chosen=chosen, reason=ChoiceReason.LONGEST_CONTEXT)

    def _prompt_tokens(self, request: RoutedRequest, features: Features) -> Floats:
        """Estimated prompt tokens of each model, whole numbers from 1 up, shape (m,)."""
        language = self._known_language(features.language)
        per_token = self._chars_per_token.get(language)
        if per_token is None:
            rates = [known.chars_per_token for known in self._profiles]
            per_token = np.array([rate.get(language) or rate[UNKNOWN_LANGUAGE] for rate in rates])
            self._chars_per_token[language] = per_token
        estimate = estimate_tokens(
            features, chars_per_token=per_token, chars_per_symbol_token=self._chars_per_symbol_token
        )
        tokens: Floats = np.rint((estimate + self._template_tokens) * self._calibrated(language))
        return np.maximum(tokens, 1.0) + request.other_tokens

    def _known_language(self, language: str) -> str:
        return language if language in self._languages else UNKNOWN_LANGUAGE

    def _calibrated(self, language: str) -> Floats:
        """Counted tokens over estimated ones by model, to be changed in place; shape (m,)."""
        language = self._known_language(language)
        if language not in self._calibration:
            self._calibration[language] = np.ones(len(self._names))
        return self._calibration[language]

    def _expected_output(self, request: RoutedRequest, features: Features) -> Floats:
        """Expected answer tokens of each model, shape (m,)."""
        task = features.task if features.task in self._tasks else DEFAULT_TASK
        output = self._output_tokens.get(task)
        if output is None:
            output = np.array([known.output_tokens.get(task, DEFAULT_OUTPUT_TOKENS) for known in self._profiles])
            self._output_tokens[task] = output
        return _capped(output, request)

    def _is_to_explore(self, request: RoutedRequest, log: Tries) -> bool:
        """Only where a verdict will follow and laar is free to choose."""
        is_open = request.model == AUTO and request.wants_verification and not log.attempts
        is_own = request.options.policy in (None, self._policy)
        return is_open and is_own and self.chances.spend_exploration()

    def _unread(self, tokens: Floats, log: Tries) -> Floats:
        """Prompt tokens that each model has still to read, shape (m,)."""
        if not log.attempts:
            return tokens
        has_answered = [model.has_prefix_cache and log.has_answered(name) for name, model in self.models.items()]
        return unread_tokens(tokens, has_answered=np.array(has_answered), load=self.tracker.load)

    @staticmethod
    def _chance_left(candidates: Sequence[Candidate], joint: Joint | None) -> float:
        left = [c for c in candidates if c.exclusion in TIERS]
        burdens = joint.among([c.model for c in left]) if joint else np.zeros((len(left), len(left)))
        return chance_left([c.probability for c in left], burdens)

    def _exclusions(self, tokens: Floats, log: Tries, now_s: float) -> list[Exclusion | None]:
        """What speaks against each model; of several the weightiest."""
        found: list[Exclusion | None] = [None] * len(self._names)
        healthy = self.tracker.healthy(now_s)
        for index in (~healthy).nonzero()[0]:
            found[index] = Exclusion.UNHEALTHY
        for name in {attempt.model for attempt in log.attempts}:
            found[self._names.index(name)] = log.exclusion(name)
        for index in (tokens > self._most_prompt_tokens).nonzero()[0]:
            found[index] = Exclusion.CONTEXT_EXCEEDED
        return found


def _session(request: RoutedRequest) -> str:
    return request.options.session or (request.texts[0] if request.texts else "")


def _capped(output: Floats, request: RoutedRequest) -> Floats:
    return np.minimum(output, request.max_tokens) if request.max_tokens else output


def _clamp(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(high, max(low, value))
