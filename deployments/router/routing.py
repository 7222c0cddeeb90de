"""The decision for one request: features in, candidates with Q and L, one model out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deployments.router.attempts import AttemptLog
from deployments.router.features import Features, bucket_index, estimate_tokens, extract
from deployments.router.language import LanguageDetector
from deployments.router.latency import IDLE, expected_latency_s
from deployments.router.load import LoadTracker
from deployments.router.policy import POLICIES, Candidate, Decision, Exclusion, Policy, Reason, decide
from deployments.router.request import AUTO, RoutedRequest
from profiles.capability import Capability
from profiles.schema import DEFAULT_TASK, UNKNOWN_LANGUAGE, Latency, ModelProfile, Profile

# A model that nobody has profiled yet: plausible for a mid-size model, so that it is asked and can be measured.
UNPROFILED = ModelProfile(
    latency=Latency(overhead_s=0.05, prefill_s_per_token=0.0003, decode_s_per_token=0.02, decode_growth=0.05),
    chars_per_token={UNKNOWN_LANGUAGE: 3.5},
    chars_per_symbol_token=2.0,
)
DEFAULT_OUTPUT_TOKENS = 128.0
# The estimate may be this far above the truth before other models are preferred for a context that it may well fit;
# where no model is left, one is asked all the same up to the second figure, as runs of one sign make few tokens.
CONTEXT_SLACK = 1.3
CONTEXT_HOPELESS = 4.0
_CALIBRATION_STEP = 0.1
_CALIBRATION_RANGE = (0.25, 4.0)
# One request counts for no more than this, whatever the estimate has missed in it.
_OBSERVED_RANGE = (0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A deployed model as the router knows it."""

    name: str
    context_tokens: int


class Routing:
    """Everything the choice of a model rests on. Not thread-safe; one event loop owns it."""

    def __init__(
        self,
        *,
        models: Sequence[Model],
        profile: Profile,
        policy: str,
        detector: LanguageDetector,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.tracker = LoadTracker(self.models)
        self.capability = Capability(profile)
        self._edges = profile.bucket_edges
        self._profiles: Mapping[str, ModelProfile] = {
            name: profile.models.get(name, UNPROFILED) for name in self.models
        }
        self._policy: Policy = POLICIES[policy](tuple(self.models))
        self._detector = detector
        self._calibration: dict[tuple[str, str], float] = {}
        self._turn = 0

    @property
    def bucket_edges(self) -> Sequence[int]:
        return self._edges

    def features(self, request: RoutedRequest) -> Features:
        options = request.options
        return extract(
            request.texts,
            detector=self._detector,
            task=options.task or DEFAULT_TASK,
            language=options.language,
        )

    def next_turn(self) -> int:
        """A number that grows by one with each request, for policies that take turns."""
        self._turn += 1
        return self._turn - 1

    def candidates(self, request: RoutedRequest, features: Features, log: AttemptLog, now_s: float) -> list[Candidate]:
        """Every model the request may go to, each with its numbers and what speaks against it."""
        names = self.models if request.model == AUTO else (request.model,)
        failed = log.failed_models
        return [self._candidate(name, request, features, log, failed, now_s) for name in names]

    def decide(
        self, request: RoutedRequest, features: Features, log: AttemptLog, *, turn: int, now_s: float
    ) -> Decision | None:
        """The next model to ask, or None when no model is left that may be asked."""
        session = request.options.session or (request.texts[0] if request.texts else "")
        candidates = self.candidates(request, features, log, now_s)
        decision = decide(self._policy, candidates, session=session, turn=turn)
        if decision is None:
            return None if log.attempts else self._longest_context(candidates)
        if request.model == AUTO:
            return decision
        return Decision(chosen=decision.chosen, reason=Reason.NAMED, order=decision.order)

    def learn_prompt_tokens(self, request: RoutedRequest, candidate: Candidate, language: str, actual: int) -> None:
        """Correct the characters-per-token figure of a model and language by what its tokenizer counted."""
        if actual <= 0 or request.other_tokens is not None:
            return
        key = (candidate.model, language)
        current = self._calibration.get(key, 1.0)
        observed = current * _clamp(actual / candidate.prompt_tokens, _OBSERVED_RANGE)
        self._calibration[key] = _clamp(current + _CALIBRATION_STEP * (observed - current), _CALIBRATION_RANGE)

    def _longest_context(self, candidates: Sequence[Candidate]) -> Decision | None:
        """The model to ask when by the estimate the prompt fits none: only a tokenizer can say so for certain."""

        def room(candidate: Candidate) -> float:
            return self.models[candidate.model].context_tokens / candidate.prompt_tokens

        too_long = [c for c in candidates if c.exclusion is Exclusion.CONTEXT_EXCEEDED]
        chosen = max(too_long, key=room, default=None)
        if chosen is None or room(chosen) * CONTEXT_HOPELESS < 1:
            return None
        return Decision(chosen=chosen, reason=Reason.LONGEST_CONTEXT, order=(chosen,))

    def _candidate(
        self,
        name: str,
        request: RoutedRequest,
        features: Features,
        log: AttemptLog,
        failed: Sequence[str],
        now_s: float,
    ) -> Candidate:
        profile = self._profiles[name]
        tokens = self._prompt_tokens(name, profile, features) + (request.other_tokens or 0)
        bucket = bucket_index(tokens, self._edges)
        output = profile.output_tokens.get(features.task, DEFAULT_OUTPUT_TOKENS)
        if request.max_tokens:
            output = min(output, request.max_tokens)
        load = self.tracker.load(name)
        where = {"task": features.task, "language": features.language}
        return Candidate(
            model=name,
            probability=self.capability.after_failures(name, failed, bucket=bucket, **where),
            latency_s=expected_latency_s(profile.latency, prompt_tokens=tokens, output_tokens=output, load=load),
            idle_latency_s=expected_latency_s(profile.latency, prompt_tokens=tokens, output_tokens=output, load=IDLE),
            prompt_tokens=tokens,
            bucket=bucket,
            in_flight=load.in_flight,
            tries=log.tries(name),
            exclusion=self._exclusion(name, tokens, log, now_s),
        )

    def _prompt_tokens(self, name: str, profile: ModelProfile, features: Features) -> int:
        per_token = profile.chars_per_token
        tokens = estimate_tokens(
            features,
            chars_per_token=per_token.get(features.language) or per_token[UNKNOWN_LANGUAGE],
            chars_per_symbol_token=profile.chars_per_symbol_token,
        )
        tokens += round(profile.template_tokens)
        return max(1, round(tokens * self._calibration.get((name, features.language), 1.0)))

    def _exclusion(self, name: str, tokens: int, log: AttemptLog, now_s: float) -> Exclusion | None:
        if tokens > CONTEXT_SLACK * self.models[name].context_tokens:
            return Exclusion.CONTEXT_EXCEEDED
        tried = log.exclusion(name)
        if tried is not None:
            return tried
        return None if self.tracker.is_healthy(name, now_s) else Exclusion.UNHEALTHY


def _clamp(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(high, max(low, value))
