"""Every metric laar exports, declared in one place; Ray puts `ray_` before each name."""

from collections.abc import Collection, Iterable, Mapping

from ray.util.metrics import Counter, Gauge, Histogram

from deployments.budgets.controller import Controller
from deployments.router.attempt.breaker import BreakerState
from deployments.router.attempt.served_request import DeliveryMode, ServedRequest
from deployments.router.attempt.tries import FROM_OUTCOME, Attempt, Status
from deployments.router.page.recent import RecentWindow
from profiles.measures.goodput import Meter, Reader

_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
_TOKEN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5]
_CHECK_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30, 60]
_TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
_ATTEMPTS = [1, 2, 3, 4, 5, 7, 10, 20]
_SOLVE_SECONDS = [0.0001, 0.001, 0.01, 0.1, 1, 10]
# stands in a label for a curve that holds for all languages, or all lengths
_EVERY = "all"

_BREAKER_VALUES = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


class RouterMetrics:
    """Labels are only names from the config and the profile, HTTP statuses and words of our own enums.

    So the series stay few, whatever callers send.
    """

    def __init__(self, reader: Reader, recent: RecentWindow) -> None:
        """What is told of attempts and requests goes into the window of the `recent` ones too."""
        self._reader, self._recent = reader, recent
        self._versions, self._profiled, self._under_way = dict[str, str](), frozenset[str](), 0
        self._requests = Counter(
            "laar_requests_total",
            description="Requests that ended, by HTTP status (499: the client left), error code and whether verified.",
            tag_keys=("status", "verified", "code"),
        )
        self._attempts = Counter(
            "laar_attempts_total",
            description="Attempts by model and how they ended.",
            tag_keys=("model", "status"),
        )
        self._attempt_seconds = Histogram(
            "laar_attempt_seconds",
            description="Seconds from sending an attempt to its verdict, by model.",
            boundaries=_SECONDS,
            tag_keys=("model",),
        )
        self._request_attempts = Histogram(
            "laar_request_attempts",
            description="Attempts of one request.",
            boundaries=_ATTEMPTS,
        )
        self._in_flight = Gauge("laar_in_flight_requests", description="Requests under way at this router replica.")
        self._tasks = Gauge(
            "laar_router_tasks",
            description="asyncio tasks of this router replica: requests under way, and loops beside them.",
        )
        self._verdicts = Counter(
            "laar_verdicts_total",
            description="Verdicts by model, type of check, verdict and its reason.",
            tag_keys=("model", "check", "verdict", "reason"),
        )
        self._chances = Histogram(
            "laar_chance",
            description="Q of attempts found correct or wrong: of those near 0.8, four fifths should be correct.",
            boundaries=_TENTHS,
            tag_keys=("model", "verdict"),
        )
        self._tokens = Counter(
            "laar_tokens_total",
            description="Tokens that engines read and wrote, by model; attempts that were retried included.",
            tag_keys=("model", "kind"),
        )
        self._decision_seconds = Histogram(
            "laar_decision_seconds",
            description="Seconds that the choice of a model took.",
            boundaries=_CHECK_SECONDS,
        )
        self._check_seconds = Histogram(
            "laar_check_seconds",
            description="Seconds from asking for a verdict to having it, by type of check.",
            boundaries=_CHECK_SECONDS,
            tag_keys=("check",),
        )
        self._replicas = Gauge(
            "laar_model_replicas",
            description="Replicas of a model that run, or its servers that answer.",
            tag_keys=("model",),
        )
        self._available = Gauge(
            "laar_model_available",
            description="1 while a model may be asked; 0 while none of it runs, or it rests after failures.",
            tag_keys=("model",),
        )
        self._info = Gauge(
            "laar_info",
            description="Always 1; the labels say which laar, profile and limits this router replica has.",
            tag_keys=("version", "profile", "limits"),
        )
        self._model_profiled = Gauge(
            "laar_model_profiled",
            description="1 while the profile has a model; 0 while it is taken to be right half of the time.",
            tag_keys=("model",),
        )
        self._refuted = Counter(
            "laar_refuted_early_total",
            description="Attempts that were ended because the beginning of the answer ruled it out, by model.",
            tag_keys=("model",),
        )
        self._spared_seconds = Counter(
            "laar_refuted_early_seconds_total",
            description="Seconds that the rest of refuted answers was expected to take, by model.",
            tag_keys=("model",),
        )
        self._spared_tokens = Counter(
            "laar_refuted_early_tokens_total",
            description="Tokens that the rest of refuted answers was expected to have, by model.",
            tag_keys=("model",),
        )
        self._ttca_seconds = Histogram(
            "laar_ttca_seconds",
            description="Time-to-Correct-Answer: seconds from arrival to the first verified answer.",
            boundaries=_SECONDS,
        )
        self._ttft_seconds = Histogram(
            "laar_ttft_seconds",
            description="Seconds from arrival to the first token that the client gets, by the way it gets the answer.",
            boundaries=_SECONDS,
            tag_keys=("way",),
        )
        self._tpot_seconds = Histogram(
            "laar_tpot_seconds",
            description="Seconds per token after the first: (t_n - t_1) / (n - 1); streams of two tokens and more.",
            boundaries=_TOKEN_SECONDS,
            tag_keys=("way",),
        )
        self._benefit = Counter(
            "laar_smooth_goodput_tokens_total",
            description="Tokens delivered less the price of having let the reader wait; its rate is smooth goodput.",
            tag_keys=("way", "verified"),
        )
        self._drift = Gauge(
            "laar_model_drift",
            description="1 while a model's recent verdicts are outside what its profile supports, else 0.",
            tag_keys=("model",),
        )
        self._breaker = Gauge(
            "laar_breaker_state",
            description="0 while a model is asked by all, 0.5 while one request probes it, 1 while it is left alone.",
            tag_keys=("model",),
        )
        self._latency_ratio = Gauge(
            "laar_latency_ratio",
            description="Seconds expected of a model's recent attempts over those they took, at this router replica.",
            tag_keys=("model",),
        )
        self._log_written = Counter(
            "laar_log_written_total",
            description="Requests and feedback that the attempt log's database has taken, replays included.",
        )
        self._log_dropped = Counter(
            "laar_log_dropped_total",
            description="Records that the attempt log has lost, by reason.",
            tag_keys=("reason",),
        )
        self._log_spool_bytes = Gauge(
            "laar_log_spool_bytes", description="Bytes that wait in the journals for the attempt log's database."
        )
        self._log_lag_seconds = Gauge(
            "laar_log_lag_seconds", description="Age of the oldest record of this replica that waits."
        )
        self._file_reads = Counter(
            "laar_file_reads_total",
            description="Changes of files that routers follow, by file and whether they were taken or refused.",
            tag_keys=("file", "outcome"),
        )
        self._thinking_budget = Gauge(
            "laar_thinking_budget_tokens",
            description="Thinking tokens that a request gets, by model and by the profile's curve that it falls under.",
            tag_keys=("model", "task", "language", "bucket"),
        )
        self._thinking_arrivals = Gauge(
            "laar_thinking_arrivals_per_second",
            description="Attempts per second at one replica that thinking budgets are planned for, by model.",
            tag_keys=("model",),
        )
        self._thinking_plans = Counter(
            "laar_thinking_plans_total",
            description="Times that thinking budgets were looked at anew, by model and what came of it.",
            tag_keys=("model", "outcome"),
        )
        self._thinking_plan_seconds = Histogram(
            "laar_thinking_plan_seconds",
            description="Seconds that one look at the thinking budgets of all models took.",
            boundaries=_SOLVE_SECONDS,
        )

    def rests_on(self, versions: Mapping[str, str], profiled: Iterable[str]) -> None:
        """Which laar, profile and limits count from now on, and which models the profile has."""
        if self._versions:
            self._info.set(0.0, tags=self._versions)
        self._versions, self._profiled = dict(versions), frozenset(profiled)
        self._info.set(1.0, tags=self._versions)

    def seen(self, running: Mapping[str, int], unavailable: Collection[str], num_tasks: int) -> None:
        """How many of each model run, and which may not be asked. Ray exports a gauge only after it was set anew."""
        self._in_flight.set(self._under_way)
        self._tasks.set(num_tasks)
        if self._versions:
            self._info.set(1.0, tags=self._versions)
        for model, number in running.items():
            self._replicas.set(number, tags={"model": model})
            self._available.set(float(model not in unavailable), tags={"model": model})
            self._model_profiled.set(float(model in self._profiled), tags={"model": model})

    def under_way(self, number: int) -> None:
        self._under_way = number

    def decided(self, seconds: float) -> None:
        self._decision_seconds.observe(seconds)

    def checked(self, check: str, seconds: float) -> None:
        self._check_seconds.observe(seconds, tags={"check": check})

    def drifting(self, models: Iterable[str], drifting: Collection[str]) -> None:
        for model in models:
            self._drift.set(float(model in drifting), tags={"model": model})

    def breakers(self, states: Mapping[str, BreakerState]) -> None:
        for model, state in states.items():
            self._breaker.set(_BREAKER_VALUES[state], tags={"model": model})

    def latency_ratios(self, ratios: Mapping[str, float | None]) -> None:
        for model, ratio in ratios.items():
            if ratio is not None:
                self._latency_ratio.set(ratio, tags={"model": model})

    def attempt_ended(self, served: ServedRequest, attempt: Attempt) -> None:
        self._recent.attempt_ended(attempt)
        self._attempts.inc(tags={"model": attempt.model, "status": attempt.status.value})
        self._attempt_seconds.observe(attempt.latency_s, tags={"model": attempt.model})
        if attempt.status in FROM_OUTCOME.values():
            tags = {"model": attempt.model, "verdict": attempt.status.value}
            self._verdicts.inc(tags=tags | {"check": served.check_type, "reason": attempt.reason})
            if attempt.status is not Status.UNKNOWN:
                self._chances.observe(attempt.probability, tags=tags)
        if attempt.reply is not None:
            for kind, number in (("prompt", attempt.reply.prompt_tokens), ("output", attempt.reply.output_tokens)):
                if number:
                    self._tokens.inc(number, tags={"model": attempt.model, "kind": kind})
        if attempt.spared is not None:
            self._refuted.inc(tags={"model": attempt.model})
            self._add(self._spared_seconds, attempt.model, attempt.spared.seconds)
            self._add(self._spared_tokens, attempt.model, attempt.spared.tokens)

    def _add(self, counter: Counter, model: str, value: float) -> None:
        # a counter of Ray's refuses 0
        if value > 0:
            counter.inc(value, tags={"model": model})

    def planned(self, controller: Controller, seconds: float) -> None:
        """Show the present thinking budgets."""
        self._thinking_plan_seconds.observe(seconds)
        for model, plan in controller.plan.items():
            self._thinking_plans.inc(tags={"model": model, "outcome": plan.outcome.value})
            self._thinking_arrivals.set(plan.arrivals.per_s, tags={"model": model})
            for curve, budget in zip(controller.curves(model), plan.budgets, strict=True):
                bucket = _EVERY if curve.bucket is None else str(curve.bucket)
                tags = {"model": model, "task": curve.task, "language": curve.language or _EVERY, "bucket": bucket}
                self._thinking_budget.set(budget, tags=tags)

    def request_ended(
        self, served: ServedRequest | None, status: int, duration_s: float, meter: Meter, code: str = ""
    ) -> None:
        """Count a request; `served` is None for one that was refused before it could be routed."""
        if served is not None:
            self._recent.request_ended(served, status, duration_s)
            self._delivered(served, meter)
            self._request_attempts.observe(len(served.log.attempts))
        is_verified = served is not None and served.log.is_verified
        self._requests.inc(tags={"status": str(status), "verified": "true" if is_verified else "false", "code": code})
        if served is not None and is_verified:
            self._ttca_seconds.observe(duration_s + served.log.earlier.since_s)

    def _delivered(self, served: ServedRequest, meter: Meter) -> None:
        mode = served.delivery_mode
        if (ttft_s := meter.ttft_s) is not None:
            self._ttft_seconds.observe(ttft_s, tags={"way": mode.value})
        if mode is not DeliveryMode.WHOLE and (tpot_s := meter.tpot_s) is not None:
            self._tpot_seconds.observe(tpot_s, tags={"way": mode.value})
        # a counter of Ray's refuses 0
        if (benefit := meter.benefit(self._reader)) > 0:
            tags = {"way": mode.value, "verified": "true" if served.log.is_verified else "false"}
            self._benefit.inc(benefit, tags=tags)

    def file_read(self, name: str, *, is_taken: bool) -> None:
        """`name` is one that the program gives the file, not its path."""
        self._file_reads.inc(tags={"file": name, "outcome": "taken" if is_taken else "refused"})

    def log_written(self, num_records: int) -> None:
        self._log_written.inc(num_records)

    def log_dropped(self, num_records: int, reason: str) -> None:
        self._log_dropped.inc(num_records, tags={"reason": reason})

    def log_waits(self, spool_bytes: int, lag_s: float) -> None:
        self._log_spool_bytes.set(spool_bytes)
        self._log_lag_seconds.set(lag_s)
