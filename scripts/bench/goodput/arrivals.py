"""When requests come, and how long they are: seeded Poisson arrivals, or those of a recorded trace."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from profiles.arrays import Floats

# Rows of a trace that are read, and arrivals at one rate; the rest is refused, as it would fill the memory.
MOST_ROWS = 1_000_000
MOST_ARRIVALS = 20_000
_COLUMNS = ("at_s", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request: when it is due, in seconds since the window began, and its tokens."""

    at_s: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedArrivals:
    """Recorded arrivals. They have a rate of their own, the mean over all of them."""

    arrivals: Sequence[Arrival]

    @property
    def rate_per_s(self) -> float:
        return len(self.arrivals) / self.arrivals[-1].at_s

    def at_rate(self, rate_per_s: float, *, window_s: float, seed: int) -> list[Arrival]:
        """Arrivals with their bursts, from a place that the seed draws, the trace's clock set to that mean rate.

        At its end the trace begins anew. Every rate begins at the same place.
        """
        faster, whole_s = rate_per_s / self.rate_per_s, self.arrivals[-1].at_s
        begins = int(np.random.default_rng(seed).integers(len(self.arrivals)))
        first_s = self.arrivals[begins].at_s
        found = []
        for number in range(MOST_ARRIVALS + 1):
            rounds, place = divmod(begins + number, len(self.arrivals))
            arrival = self.arrivals[place]
            at_s = (rounds * whole_s + arrival.at_s - first_s) / faster
            if at_s >= window_s:
                break
            found.append(Arrival(at_s=at_s, prompt_tokens=arrival.prompt_tokens, output_tokens=arrival.output_tokens))
        return _bounded(found)


def poisson(rate_per_s: float, *, window_s: float, seed: int, prompt_tokens: int, output_tokens: int) -> list[Arrival]:
    """Arrivals at random times.

    A seed gives the same sequence at every rate, closer together at a higher one.
    """
    rng = np.random.default_rng(seed)
    if rate_per_s * window_s > MOST_ARRIVALS:
        raise ValueError(f"{rate_per_s:g} requests/s for {window_s:g} s; at most {MOST_ARRIVALS} requests are wanted")
    at_s = np.cumsum(rng.exponential(1.0, 2 * MOST_ARRIVALS)) / rate_per_s
    found = [
        Arrival(at_s=at, prompt_tokens=prompt_tokens, output_tokens=output_tokens)
        for at in at_s[at_s < window_s].tolist()
    ]
    return _bounded(found)


def read_trace(path: Path, *, most_prompt_tokens: int, most_output_tokens: int) -> RecordedArrivals:
    """Rows of `at_s,prompt_tokens,output_tokens`, gzipped or not; ValueError names the row that is wrong.

    Longer requests are cut to the most tokens. Some traces round times to steps; requests of one step are spread
    evenly over it.
    """
    rows = _rows(path)
    at_s = _spread(np.array([row[0] for row in rows]))
    return RecordedArrivals(
        arrivals=[
            Arrival(
                at_s=at - float(at_s[0]),
                prompt_tokens=max(1, min(most_prompt_tokens, round(read))),
                output_tokens=max(1, min(most_output_tokens, round(written))),
            )
            for at, (_, read, written) in zip(at_s.tolist(), rows, strict=True)
        ]
    )


def _rows(path: Path) -> list[tuple[float, float, float]]:
    found: list[tuple[float, float, float]] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                at_s, read, written = (float(row[name]) for name in _COLUMNS)
                is_good = isfinite(at_s + read + written) and read >= 0 and written >= 0
                if not is_good or (found and at_s < found[-1][0]):
                    raise ValueError(f"row {number}: finite numbers are wanted, the times ascending")
                found.append((at_s, read, written))
                if len(found) > MOST_ROWS:
                    raise ValueError(f"more than {MOST_ROWS} rows")
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: the columns {', '.join(_COLUMNS)} are wanted") from error
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error
    if len(found) < 2 or found[-1][0] <= found[0][0]:
        raise ValueError(f"{path}: at least two requests at different times are wanted")
    return found


def _spread(at_s: Floats) -> Floats:
    """Times that several requests share, spread evenly until the next time; those of the last one stay."""
    times, first, count = np.unique(at_s, return_index=True, return_counts=True)
    length = np.append(np.diff(times), 0.0)
    place = np.arange(len(at_s)) - np.repeat(first, count)
    spread: Floats = at_s + np.repeat(length, count) * place / np.repeat(count, count)
    return spread


def _bounded(found: list[Arrival]) -> list[Arrival]:
    if not 0 < len(found) <= MOST_ARRIVALS:
        raise ValueError(f"{len(found)} requests in a window; 1 to {MOST_ARRIVALS} are wanted")
    return found
