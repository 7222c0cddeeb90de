"""Requests that belong together: a client that was not content asked again, and named what it had asked before."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One request; `correct` is what its client said, else what was verified, else None."""

    request_id: str
    retry_of: str | None
    api_key_hash: str
    duration_s: float
    correct: bool | None


@dataclass(slots=True)
class Chain:
    """A first request and its retries; `total_s` counts up to the first correct answer."""

    num_requests: int
    total_s: float
    is_solved: bool

    def add(self, link: ChainLink) -> None:
        """A retry of what is already correct adds nothing."""
        self.num_requests += 1
        if not self.is_solved:
            self.total_s += link.duration_s
            self.is_solved = bool(link.correct)


def chains(links: Iterable[ChainLink]) -> list[Chain]:
    """The chains of requests given by time of arrival.

    A retry of a request that is not among them, or that came with another API key, begins a chain.
    """
    found: list[Chain] = []
    chain_of: dict[tuple[str, str], Chain] = {}
    for link in links:
        chain = chain_of.get((link.api_key_hash, link.retry_of or ""))
        if chain is None:
            chain = Chain(0, 0.0, False)
            found.append(chain)
        chain.add(link)
        chain_of[link.api_key_hash, link.request_id] = chain
    return found


def ttcas_s(found: Iterable[Chain]) -> list[float]:
    """Time-to-Correct-Answer of every chain that has a correct answer."""
    return [chain.total_s for chain in found if chain.is_solved]
