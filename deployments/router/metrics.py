"""Every metric laar exports, declared in one place; Ray puts `ray_` before each name."""

from collections.abc import Collection, Iterable

from ray.util.metrics import Counter, Gauge, Histogram

from deployments.router.attempts import Attempt
from deployments.router.job import Job

_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]


class RouterMetrics:
    """Labels are only configured model names, HTTP statuses and words of our own enums: the series stay few."""

    def __init__(self) -> None:
        self._requests = Counter(
            "laar_requests_total",
            description="Requests that ended, by HTTP status (499: the client left) and whether verified.",
            tag_keys=("status", "verified"),
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
        self._ttca_seconds = Histogram(
            "laar_ttca_seconds",
            description="Time-to-Correct-Answer: seconds from arrival to the first verified answer.",
            boundaries=_SECONDS,
        )
        self._drift = Gauge(
            "laar_model_drift",
            description="1 while a model's recent verdicts are outside what its profile supports, else 0.",
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

    def drifting(self, models: Iterable[str], drifting: Collection[str]) -> None:
        for model in models:
            self._drift.set(float(model in drifting), tags={"model": model})

    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        self._attempts.inc(tags={"model": attempt.model, "status": attempt.status.value})
        self._attempt_seconds.observe(attempt.latency_s, tags={"model": attempt.model})

    def request_ended(self, job: Job | None, status: int, duration_s: float) -> None:
        """Count a request; `job` is None for one that was refused before it could be routed."""
        is_verified = job is not None and job.log.is_verified
        self._requests.inc(tags={"status": str(status), "verified": "true" if is_verified else "false"})
        if is_verified:
            self._ttca_seconds.observe(duration_s)

    def log_written(self, num_records: int) -> None:
        self._log_written.inc(num_records)

    def log_dropped(self, num_records: int, reason: str) -> None:
        self._log_dropped.inc(num_records, tags={"reason": reason})

    def log_waits(self, spool_bytes: int, lag_s: float) -> None:
        self._log_spool_bytes.set(spool_bytes)
        self._log_lag_seconds.set(lag_s)
