"""One profile from two that were measured apart: on other days, for other languages, or of other models."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import product

from profiles.cell import Cell
from profiles.measuring.prompt_set import num_shared, union
from profiles.profile import UNKNOWN_LANGUAGE, CellCounts, CheckCounts, Measured, ModelProfile, PairCounts, Profile

_Period = tuple[datetime, datetime]


class MergeError(ValueError):
    """The profiles do not fit together; the message says what clashes, with both values."""


def merge_profiles(one: Profile, other: Profile, *, command: str) -> Profile:
    """All models of both; counts add up, and of what was fitted the newer profile's figures are taken.

    The older one's figures stay where the newer has none: characters per token of a language, curves of a task.
    Of two measured at the same time `other` counts as the newer. Raises MergeError.
    """
    older, newer = (other, one) if one.measured.at > other.measured.at else (one, other)
    _check(older, newer)
    names = sorted({*older.models, *newer.models})
    return Profile(
        version=1,
        measured=_measured(older.measured, newer.measured, command, seeds=_seeds(older) | _seeds(newer)),
        bucket_edges=newer.bucket_edges,
        models={name: _model(older.models.get(name), newer.models.get(name)) for name in names},
        pairs=_pairs((*older.pairs, *newer.pairs)),
        checks=merge_checks(older.checks, newer.checks),
    )


def merge_checks(older: Iterable[CheckCounts], newer: Iterable[CheckCounts]) -> tuple[CheckCounts, ...]:
    """What the newer ones say of a check in a language, and of others the older ones: a judge may have changed."""
    found = {(counts.check, counts.language): counts for counts in (*older, *newer)}
    return tuple(counts for _, counts in sorted(found.items()))


def _check(older: Profile, newer: Profile) -> None:
    for name, one, other in (
        ("bucket_edges", list(older.bucket_edges), list(newer.bucket_edges)),
        ("measured.temperature", older.measured.temperature, newer.measured.temperature),
        ("measured.assumed", older.measured.assumed, newer.measured.assumed),
    ):
        if one != other:
            raise MergeError(f"{name} differ: {one} and {other}; only profiles that agree on them can be merged")
    shared = _shared_cells(older, newer)
    _check_prompts(older, newer, shared)
    if shared and (both := _overlap(older.measured, newer.measured)):
        raise MergeError(
            f"both count live traffic from {both[0]:%FT%TZ} to {both[1]:%FT%TZ} and have {_told(shared[0])}: "
            "the same attempts would count twice; let one begin where the other ends, with --since"
        )


def _check_prompts(older: Profile, newer: Profile, shared: Sequence[tuple[str, Cell]]) -> None:
    """No prompt may count twice for a model; profiles that do not say which prompts they counted go by their seeds."""
    one, other = older.measured.prompts, newer.measured.prompts
    if one and other:
        if shared and (count := num_shared(one, other)):
            raise MergeError(
                f"both counted the same {count} prompts and have {_told(shared[0])}: "
                "they would count twice; measure other prompts"
            )
        return
    # where the language was not recognised, other prompts of the same seed may have come to the same cell
    known = [cell for cell in shared if cell[1][1] != UNKNOWN_LANGUAGE]
    if known and (seeds := _seeds(older) & _seeds(newer)):
        raise MergeError(
            f"both were measured with seed {min(seeds)} and have {_told(known[0])}: "
            "the same prompts would count twice; measure one of them with another seed"
        )


def _merged_prompts(older: Measured, newer: Measured) -> str:
    """Empty where one was measured without saying which prompts; live traffic has none to say."""
    is_silent = any(not m.prompts and (m.seed is not None or m.merged_seeds) for m in (older, newer))
    return "" if is_silent else union(older.prompts, newer.prompts)


def _seeds(profile: Profile) -> set[int]:
    seed = profile.measured.seed
    return {*profile.measured.merged_seeds, *(() if seed is None else (seed,))}


def _overlap(older: Measured, newer: Measured) -> _Period | None:
    """The first time that live traffic was counted for both; a period ends before its last moment."""
    both = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in product(older.log_periods, newer.log_periods)]
    return min((found for found in both if found[0] < found[1]), default=None)


def _shared_cells(older: Profile, newer: Profile) -> list[tuple[str, Cell]]:
    return [
        (name, key)
        for name in sorted(older.models.keys() & newer.models.keys())
        for key in sorted(_keys(older.models[name]) & _keys(newer.models[name]))
    ]


def _told(cell: tuple[str, Cell]) -> str:
    model, (task, language, bucket) = cell
    return f"{model}'s {task}, {language}, bucket {bucket}"


def _keys(model: ModelProfile) -> set[Cell]:
    return {counts.cell for counts in model.cells}


def _model(older: ModelProfile | None, newer: ModelProfile | None) -> ModelProfile:
    if older is None or newer is None:
        found = older or newer
        assert found is not None
        return found
    curves = {curve.key: curve for curve in (*older.thinking, *newer.thinking)}
    return ModelProfile(
        latency=newer.latency,
        chars_per_token={**older.chars_per_token, **newer.chars_per_token},
        chars_per_symbol_token=newer.chars_per_symbol_token,
        template_tokens=newer.template_tokens,
        output_tokens=_output_tokens(older, newer),
        cells=_cells((*older.cells, *newer.cells)),
        thinking=tuple(curves.values()),
    )


def _output_tokens(older: ModelProfile, newer: ModelProfile) -> Mapping[str, float]:
    """Means by task, weighted by how many prompts stand behind each."""
    found = {}
    for task in sorted({*older.output_tokens, *newer.output_tokens}):
        parts = [(m.output_tokens[task], _tried(m, task)) for m in (older, newer) if task in m.output_tokens]
        weight = sum(tried for _, tried in parts)
        found[task] = sum(mean * tried for mean, tried in parts) / weight if weight else parts[-1][0]
    return found


def _tried(model: ModelProfile, task: str) -> int:
    return sum(cell.tried for cell in model.cells if cell.task == task)


def _cells(cells: Iterable[CellCounts]) -> tuple[CellCounts, ...]:
    counts: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for one in cells:
        _add(counts[one.cell], one)
    return tuple(
        CellCounts(**cell._asdict(), correct=correct, tried=tried) for cell, (correct, tried) in sorted(counts.items())
    )


def _pairs(pairs: Iterable[PairCounts]) -> tuple[PairCounts, ...]:
    counts: dict[tuple[str, str, Cell], list[int]] = defaultdict(lambda: [0, 0])
    for pair in pairs:
        _add(counts[pair.failed, pair.model, pair.cell], pair)
    return tuple(
        PairCounts(failed=failed, model=model, **cell._asdict(), correct=correct, tried=tried)
        for (failed, model, cell), (correct, tried) in sorted(counts.items())
    )


def _add(count: list[int], cell: CellCounts) -> None:
    count[0] += cell.correct
    count[1] += cell.tried


def _measured(older: Measured, newer: Measured, command: str, *, seeds: set[int]) -> Measured:
    origins = [(m, "live traffic" if m.seed is None else f"seed {m.seed}") for m in (older, newer)]
    parts = [f"{m.at} on {m.hardware}, {origin}: {m.command}" for m, origin in origins]
    notes = [m.note for m in (older, newer) if m.note]
    return newer.model_copy(
        update={
            "command": command,
            "merged_seeds": tuple(sorted(seeds)),
            "prompts": _merged_prompts(older, newer),
            "log_periods": tuple(sorted({*older.log_periods, *newer.log_periods})),
            "workloads": tuple(sorted({*older.workloads, *newer.workloads})),
            "prompts_per_cell": max(older.prompts_per_cell, newer.prompts_per_cell),
            "note": " | ".join(["merged, latency of the last one", *parts, *notes]),
        }
    )
