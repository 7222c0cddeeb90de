"""Simulated figures as a person sees them; every table says that they are simulated."""

from collections.abc import Sequence

from rich.table import Table

from scripts.simulate.planning import ClusterPlan
from scripts.simulate.summary import Summary
from scripts.simulate.trials import PlanTarget

# What "Accuracy Is Speed" (arXiv 2604.15732) reports of LAAR: TTCA lower than that of each by this share.
PUBLISHED = {"load-aware": 0.31, "session-affinity": 0.49}


def run_table(found: Sequence[Summary], title: str) -> Table:
    """Times to the right answer in seconds; see `Summary` for the three ways to count."""
    table = Table("policy", "mean s", "p50", "p95", "penalised", "solved only", "success", title=f"simulated: {title}")
    for one in found:
        solved = _s(one.solved_ttca.mean_s)
        times = [_s(value) for value in (one.ttca.mean_s, one.ttca.p50_s, one.ttca.p95_s, one.penalised_s)]
        table.add_row(one.policy, *times, solved, f"{one.success:.3f}")
    return table


def engine_table(found: Sequence[Summary]) -> Table:
    table = Table("policy", "retried by", "attempts", "TTFT p50 s", "TPOT p50 ms", "busy", title="simulated: engines")
    for one in found:
        busy, pace = one.busy.values(), one.tpot.p50_s
        table.add_row(
            one.policy,
            one.loop,
            f"{one.attempts:.2f}",
            _s(one.ttft.p50_s),
            "" if pace is None else f"{1000 * pace:.1f}",
            f"{min(busy):.0%} to {max(busy):.0%}",
        )
    return table


def paper_table(found: Sequence[Summary]) -> Table:
    """LAAR's mean TTCA against the others', beside what was published of another cluster and other models."""
    table = Table(
        "LAAR lower than", "TTCA", "penalised", "published TTCA", title="simulated, from figures that are assumed"
    )
    by_name = {one.policy: one for one in found}
    ours = by_name.get("laar")
    for peer, published in PUBLISHED.items():
        theirs = by_name.get(peer)
        if ours is not None and theirs is not None and ours.ttca.mean_s and theirs.ttca.mean_s:
            gain, penalised = 1 - ours.ttca.mean_s / theirs.ttca.mean_s, 1 - ours.penalised_s / theirs.penalised_s
            table.add_row(peer, f"by {gain:.0%}", f"by {penalised:.0%}", f"by up to {published:.0%}")
    return table


def plan_table(plan: ClusterPlan, target: PlanTarget) -> Table:
    table = Table(
        "model", "replicas", "busy", title=f"simulated: {target.measure} TTCA {_s(plan.value_s)} s, cost {plan.cost:g}"
    )
    for name, many in plan.replicas.items():
        busy = plan.busy.get(name)
        table.add_row(name, str(many), "" if busy is None else f"{busy:.0%}")
    return table


def _s(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
