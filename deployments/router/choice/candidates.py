"""The candidates for a request: every model with Q and L as they are now, and what speaks against asking it."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan

import numpy as np
from numpy.typing import NDArray

from deployments.router.attempt.tries import Tries
from deployments.router.choice.budgets import BudgetEffect, Thinking
from deployments.router.choice.chances import Chances
from deployments.router.choice.objective import CANNOT_SHARE
from deployments.router.choice.policy import ANSWERED, Candidate, Exclusion
from deployments.router.latency.expected import (
    Floats,
    Speeds,
    idle_latency_s,
    loaded_latency_s,
    others_s,
    unread_tokens,
)
from deployments.router.latency.learning import Forecast, LatencyLearner
from deployments.router.latency.load import LoadTracker
from deployments.router.latency.prefixes import ReadPrefixes
from deployments.router.model import Model
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE, Latency, ModelProfile, Profile

# A model without a profile: plausible for a mid-size model, so that it is asked and can be measured.
UNPROFILED = ModelProfile(
    latency=Latency(overhead_s=0.05, prefill_s_per_token=0.0003, decode_s_per_token=0.02, decode_growth=0.05),
    chars_per_token={UNKNOWN_LANGUAGE: 3.5},
    chars_per_symbol_token=2.0,
)
DEFAULT_OUTPUT_TOKENS = 128.0
# What an answer is taken to have at most where the request sets no limit.
DEFAULT_MOST_TOKENS = 2048
# The newest answer counts for this much in a model's mean length, and for no more than this multiple of the mean.
_NEWEST_SHARE, _ODD_LENGTH = 0.05, 4.0
MAX_LENGTHS = 4096
# The estimate may be this far above the truth before other models are preferred for a context that it may well fit.
CONTEXT_SLACK = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a request asks of each model, shape (m,): tokens to read and to write, and seconds on an idle engine.

    It is the same for all attempts. Of the beginnings of its prompt, `prefixes`, models have read `read_tokens` in the
    turns before. `too_long` has the rows of models whose context is too short for it; `only` are the models that may
    answer, where these are not all: the one that the request names, or those of the `tenant`.
    """

    task: str
    language: str
    prompt_tokens: Floats
    buckets: NDArray[np.intp]
    output_tokens: Floats
    idle_s: Floats
    too_long: Sequence[int] = ()
    max_tokens: int | None = None
    thinking: BudgetEffect | None = None
    prefixes: tuple[int, ...] = ()
    read_tokens: Floats | None = None
    only: frozenset[str] | None = None
    tenant: str = ""


class CandidateBuilder:
    """Builds candidates from what is known of the models; routers and simulated routers do it with this one."""

    def __init__(
        self,
        models: Sequence[Model],
        profile: Profile,
        *,
        chances: Chances,
        load: LoadTracker,
        thinking: Thinking | None = None,
    ) -> None:
        self._names = [model.name for model in models]
        self._rows = {name: row for row, name in enumerate(self._names)}
        self._chances, self._tracker, self._thinking = chances, load, thinking
        self._buckets = profile.buckets
        known = profiles_of(models, profile)
        self.latency = LatencyLearner(Speeds.of([one.latency for one in known]))
        self._outputs = {task: _output_tokens(known, task) for one in known for task in one.output_tokens}
        self._outputs.setdefault(DEFAULT_TASK, _output_tokens(known, DEFAULT_TASK))
        # as learned, by tenant and task; those that were learned last are kept
        self._lengths: OrderedDict[tuple[str, str], Floats] = OrderedDict()
        self._context_tokens = np.array([model.context_tokens for model in models])
        self._most_prompt_tokens = CONTEXT_SLACK * self._context_tokens
        self._has_prefix_cache = np.array([model.has_prefix_cache for model in models])
        self._prefixes = ReadPrefixes(len(models))
        self._slots = np.array([float(model.slots) for model in models])
        self._others_at = -1

    def demand(
        self,
        *,
        task: str,
        language: str,
        prompt_tokens: Floats,
        max_tokens: int | None = None,
        thinking_token_budget: int | None = None,
        prefixes: tuple[int, ...] = (),
        only: frozenset[str] | None = None,
        tenant: str = "",
    ) -> Demand:
        """What a request with this many prompt tokens asks of each model."""
        buckets = self._buckets.of_all(prompt_tokens)
        known = task if task in self._outputs else DEFAULT_TASK
        output = self._lengths.get((tenant, known), self._outputs[known]).copy()
        output = output if max_tokens is None else np.minimum(output, max_tokens)
        unread, read = prompt_tokens, self._prefixes.read_tokens(prefixes)
        if read is not None:
            unread = unread_tokens(prompt_tokens, read_tokens=read, load=self._tracker.load)
        idle_s = idle_latency_s(self.latency.speeds, prompt_tokens=unread, output_tokens=output)
        thinking = None
        if self._thinking is not None:
            thinking = self._thinking.of(
                task=task, language=language, buckets=buckets, own=thinking_token_budget, max_tokens=max_tokens
            )
        return Demand(
            task=task,
            language=language,
            prompt_tokens=prompt_tokens,
            buckets=buckets,
            output_tokens=output,
            idle_s=idle_s,
            too_long=(prompt_tokens > self._most_prompt_tokens).nonzero()[0].tolist(),
            max_tokens=max_tokens,
            thinking=thinking,
            prefixes=prefixes,
            read_tokens=read,
            only=only,
            tenant=tenant,
        )

    def candidates(
        self,
        demand: Demand,
        tries: Tries | None,
        now_s: float,
        *,
        first_chances: Floats | None = None,
        mended: str | None = None,
    ) -> list[Candidate]:
        """Every model the request may go to; `first_chances` take the place of what is believed of a first attempt.

        The model `mended` is to get its answer back, so that it has answered does not speak against it.
        """
        load, thinking = self._tracker.load, demand.thinking
        deadline_at_s = inf if tries is None else tries.deadline_at_s
        tries = tries if tries is not None and not tries.is_first else None
        output, idle_s = demand.output_tokens, self._idle_s(demand, tries)
        chances = first_chances
        if chances is None:
            chances = self._chances.probabilities(demand.task, demand.language, demand.buckets, tenant=demand.tenant)
        budgets: list[int | None] = [None] * len(self._names)
        if thinking is not None:
            chances = np.where(thinking.is_known, thinking.probability, chances)
            idle_s = np.where(thinking.is_known, thinking.service_s * self.latency.writing, idle_s)
            output = _with_thoughts(demand, thinking)
            budgets = [None if isnan(budget) else int(budget) for budget in thinking.budgets.tolist()]
        if tries is not None:
            chances = self._chances.after_failures(chances, demand.task, tries.failed_models)
        latency_s = self._loaded_s(idle_s, output)
        # requests that share an engine delay each other alike
        externals_s = (latency_s - load.starting_s - idle_s).tolist()
        probability, latencies_s, idles_s = chances.tolist(), latency_s.tolist(), idle_s.tolist()
        tokens, buckets = demand.prompt_tokens.astype(np.int64).tolist(), demand.buckets.tolist()
        in_flight = np.rint(load.in_flight).astype(np.int64).tolist()
        slow = (latency_s > (deadline_at_s - now_s) / CANNOT_SHARE).nonzero()[0].tolist()
        exclusions: list[Exclusion | None] = [None] * len(self._names)
        counts = [0] * len(self._names)
        for row, exclusion in self._exclusions(demand, tries, now_s, slow, mended).items():
            exclusions[row] = exclusion
        for model, times in tries.counts.items() if tries is not None else ():
            counts[self._rows[model]] = times
        # by position, in the order of a candidate's fields, which is much the quickest
        columns = (self._names, probability, latencies_s, idles_s, tokens, buckets, in_flight, counts, exclusions)
        found = map(Candidate, *columns, budgets, externals_s)
        return list(found) if (only := demand.only) is None else [c for c in found if c.model in only]

    def has_read(self, demand: Demand, model: str) -> None:
        """Book that a model has read a request's prompt, so that it need not read it again in the next turn."""
        if self._has_prefix_cache[row := self._rows[model]]:
            self._prefixes.note(demand.prefixes, row, float(demand.prompt_tokens[row]))

    @property
    def latency_ratios(self) -> dict[str, float | None]:
        """By model, what was expected of recent attempts over what they took; None where none was made."""
        return {name: self.latency.ratio(row) for name, row in self._rows.items()}

    def spread(self, model: str) -> float:
        """By how much the logarithms of a model's attempts scatter about L."""
        return self.latency.spread(self._rows[model])

    def output_tokens(self, demand: Demand, model: str) -> float:
        """How long an answer of the model is expected to be."""
        return float(demand.output_tokens[self._rows[model]])

    def written_tokens(self, demand: Demand, model: str) -> float:
        """The same with the tokens of thinking."""
        output = demand.output_tokens if demand.thinking is None else _with_thoughts(demand, demand.thinking)
        return float(output[self._rows[model]])

    def longest_s(self, demand: Demand, candidate: Candidate) -> float:
        """Expected seconds of the longest answer that the candidate may give to the request now."""
        row = self._rows[candidate.model]
        room = max(1.0, float(self._context_tokens[row]) - candidate.prompt_tokens)
        most = np.full(len(self._names), min(room, demand.max_tokens or DEFAULT_MOST_TOKENS))
        idle_s = idle_latency_s(self.latency.speeds, prompt_tokens=demand.prompt_tokens, output_tokens=most)
        return float(self._loaded_s(idle_s, most)[row])

    def first_token_s(self, demand: Demand, model: str) -> float:
        """Expected seconds until the model's first token, where all that is under way comes before it."""
        idle_s = idle_latency_s(
            self.latency.speeds, prompt_tokens=demand.prompt_tokens, output_tokens=np.ones(len(self._names))
        )
        return float(self._loaded_s(idle_s, demand.output_tokens)[self._rows[model]])

    def _loaded_s(self, idle_s: Floats, output_tokens: Floats) -> Floats:
        factor, load = self.latency.others, self._tracker.load
        return loaded_latency_s(self._others(), idle_s=idle_s, output_tokens=output_tokens, load=load, factor=factor)

    def _others(self) -> tuple[Floats, Floats, Floats]:
        """What `others_s` makes of the load; made anew when that has changed."""
        if self._others_at != (now := self._tracker.num_changes):
            self._others_s = others_s(self.latency.profiled, load=self._tracker.load, slots=self._slots)
            self._others_at = now
        return self._others_s

    def forecast(self, demand: Demand, model: str, tries: Tries) -> Forecast | None:
        """What an attempt that is about to be sent should take; None where an engine has to start first."""
        row, load, profiled = self._rows[model], self._tracker.load, self.latency.profiled
        if load.starting_s[row] > 0:
            return None
        reads_s, waits_s, slows_s = self._others()
        tokens = self.written_tokens(demand, model)
        return Forecast(
            row=row,
            overhead_s=float(profiled.overhead_s[row]),
            read_s=float(profiled.prefill_s_per_token[row] * self._unread(demand, tries)[row]),
            before_s=float(reads_s[row] + waits_s[row] * tokens),
            write_s=float(profiled.decode_s_per_token[row]),
            beside_s=float(slows_s[row]),
            output_tokens=tokens,
        )

    def learn_length(self, demand: Demand, forecast: Forecast, output_tokens: int, *, is_cut: bool = False) -> None:
        """Let the length of an answer correct what its tenant's next ones should have.

        What the model was to think comes on top of that length, so it is taken off.
        """
        if is_cut and output_tokens <= forecast.output_tokens:
            return
        row, task = forecast.row, demand.task if demand.task in self._outputs else DEFAULT_TASK
        thoughts = 0.0 if demand.thinking is None else float(demand.thinking.tokens[row])
        lengths = self._lengths.setdefault((demand.tenant, task), self._outputs[task].copy())
        self._lengths.move_to_end((demand.tenant, task))
        if len(self._lengths) > MAX_LENGTHS:
            self._lengths.popitem(last=False)
        observed = min(max(output_tokens - thoughts, 1.0), _ODD_LENGTH * lengths[row])
        lengths[row] += _NEWEST_SHARE * (observed - lengths[row])

    def _idle_s(self, demand: Demand, tries: Tries | None) -> Floats:
        """Seconds on an idle engine, which may have read the prompt for an attempt before."""
        if tries is None or not (tries.answered or tries.earlier.wrong):
            return demand.idle_s
        unread = self._unread(demand, tries)
        return idle_latency_s(self.latency.speeds, prompt_tokens=unread, output_tokens=demand.output_tokens)

    def _unread(self, demand: Demand, tries: Tries) -> Floats:
        """Prompt tokens that no engine has in its cache from an attempt or a turn before."""
        rows = [self._rows[model] for model in {*tries.answered, *tries.earlier.wrong}]
        read = np.zeros(len(self._names)) if demand.read_tokens is None else demand.read_tokens.copy()
        read[rows] = np.maximum(read[rows], demand.prompt_tokens[rows] * self._has_prefix_cache[rows])
        return unread_tokens(demand.prompt_tokens, read_tokens=read, load=self._tracker.load)

    def _exclusions(
        self, demand: Demand, tries: Tries | None, now_s: float, slow: Sequence[int], mended: str | None
    ) -> dict[int, Exclusion | None]:
        """What speaks against models, by row; of several the weightiest. `slow` ones can hardly answer in time."""
        found: dict[int, Exclusion | None] = dict.fromkeys(slow, Exclusion.TOO_SLOW)
        found |= dict.fromkeys(self._tracker.unhealthy(now_s, demand.tenant), Exclusion.UNHEALTHY)
        if tries is not None:
            said = {model: tries.exclusion(model) for model in tries.counts}
            if mended is not None and said[mended] in ANSWERED:
                del said[mended]
            found |= {self._rows[model]: exclusion for model, exclusion in said.items()}
        # whoever waited for one of these would wait for ever
        found |= dict.fromkeys(self._tracker.not_running, Exclusion.NOT_RUNNING)
        return found | dict.fromkeys(demand.too_long, Exclusion.CONTEXT_EXCEEDED)


def _with_thoughts(demand: Demand, thinking: BudgetEffect) -> Floats:
    """Tokens to write, those of thinking included."""
    output = demand.output_tokens + thinking.tokens
    return output if demand.max_tokens is None else np.minimum(output, demand.max_tokens)


def profiles_of(models: Sequence[Model], profile: Profile) -> list[ModelProfile]:
    """What is known of each model, in their order."""
    return [profile.models.get(model.name, UNPROFILED) for model in models]


def _output_tokens(known: Sequence[ModelProfile], task: str) -> Floats:
    return np.array([one.output_tokens.get(task, DEFAULT_OUTPUT_TOKENS) for one in known])
