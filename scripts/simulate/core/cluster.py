"""The replicas of a simulated cluster, and how a request finds one of its model's."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.simulate.core.engine import Engine, Host, Replica, slowdowns

# Of all models together.
MAX_REPLICAS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Models in order, each with its engine and number of replicas.

    With `has_prefix_cache` a prompt is read once by a replica. A replica that fails (on average after `mtbf_s`, 0 for
    never) comes back after `mttr_s` on average; its requests are lost, which is seen `detect_s` later.
    """

    models: tuple[str, ...]
    engines: tuple[Engine, ...]
    replicas: tuple[int, ...]
    has_prefix_cache: bool = True
    verify_s: float = 0.0
    mtbf_s: float = 0.0
    mttr_s: float = 60.0
    detect_s: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.models) == len(self.engines) == len(self.replicas) >= 1:
            raise ValueError(
                f"{len(self.models)} models, {len(self.engines)} engines, {len(self.replicas)} replica counts"
            )
        if min(self.replicas) < 1:
            raise ValueError(f"replicas: {list(self.replicas)} given; every model needs at least 1")
        if sum(self.replicas) > MAX_REPLICAS:
            raise ValueError(f"replicas: {sum(self.replicas)} in all; at most {MAX_REPLICAS}")

    @classmethod
    def of(cls, engines: Mapping[str, Engine], replicas: Mapping[str, int] | None = None) -> "Cluster":
        """One replica of every model, or as many as given."""
        counts = tuple(1 if replicas is None else replicas[name] for name in engines)
        return cls(models=tuple(engines), engines=tuple(engines.values()), replicas=counts)


class Fleet:
    """All replicas by model; `pick` takes the better one of two, as Ray Serve does."""

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        host = Host() if any(engine.host_share > 0 for engine in cluster.engines) else None
        self.by_model: list[list[Replica]] = []
        for model, (engine, wanted) in enumerate(zip(cluster.engines, cluster.replicas, strict=True)):
            slower = slowdowns(engine)
            self.by_model.append([Replica(engine, model=model, slowdown=slower, host=host) for _ in range(wanted)])
        self.all: Sequence[Replica] = [replica for mine in self.by_model for replica in mine]
        self._up = [list(mine) for mine in self.by_model]
        self._draw = rng.random

    def pick(self, model: int) -> Replica | None:
        """Of two replicas drawn at random the one with fewer requests; None while none is up."""
        up = self._up[model]
        size = len(up)
        if size == 1:
            return up[0]
        if size == 0:
            return None
        first = int(self._draw() * size)
        second = int(self._draw() * (size - 1))
        second += second >= first
        one, other = up[first], up[second]
        return other if other.in_flight < one.in_flight else one

    def refresh(self, model: int) -> int:
        """Take over which replicas of a model are up; how many."""
        self._up[model] = [replica for replica in self.by_model[model] if replica.is_up]
        return len(self._up[model])
