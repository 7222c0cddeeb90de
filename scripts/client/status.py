"""`laar status`: what one router replica says of its models, on a terminal."""

import sys
from collections.abc import Mapping
from typing import Any

from scripts.tables import Column, print_table


def show_status(status: Mapping[str, Any]) -> None:
    """The models to stdout; requests and alarms to stderr."""
    print_table(model_columns(status["models"]))
    requests = status["requests"]
    ttca = ""
    if requests["ttca_p50_s"] is not None:
        times = f"half within {requests['ttca_p50_s']:.2f} s, 95 % within {requests['ttca_p95_s']:.2f} s"
        ttca = f"; time to a correct answer: {times}"
    print(
        f"\nthe latest {requests['ended']} requests: {requests['verified']} of {requests['with_check']} checked ones"
        f" verified, {requests['failed']} failed{ttca}",
        file=sys.stderr,
    )
    for alarm in status["alarms"]:
        where = f"on task {alarm['task']}" if alarm["task"] is not None else "on all tasks together"
        what = f"drift of {alarm['cause']}: {alarm['model']} answers {alarm['direction']} than measured {where}"
        print(what, file=sys.stderr)


def model_columns(models: list[Mapping[str, Any]]) -> list[Column]:
    def count(title: str, rank: int, name: str) -> Column:
        return Column(title=title, rank=rank, cells=[str(model[name]) for model in models], is_number=True)

    latencies = [model["mean_latency_s"] for model in models]
    return [
        Column(title="model", rank=0, cells=[model["model"] for model in models]),
        Column(title="state", rank=0, cells=[state(model) for model in models]),
        count("replicas", 5, "replicas"),
        count("in flight", 1, "in_flight"),
        count("attempts", 6, "attempts"),
        count("correct", 2, "correct"),
        count("wrong", 3, "wrong"),
        count("unknown", 8, "unknown"),
        count("failed", 7, "failed"),
        Column(
            title="mean",
            rank=4,
            cells=[f"{latency_s:.2f} s" if latency_s is not None else "-" for latency_s in latencies],
            is_number=True,
        ),
    ]


def state(model: Mapping[str, Any]) -> str:
    if model["replicas"] == 0:
        return "not running"
    if not model["is_healthy"]:
        return "not asked"
    if model["is_drifting"]:
        return "drifts"
    return "well" if model["is_profiled"] else "not profiled"
