"""From the records of profiled attempts to a capability profile: counts, paired outcomes, latency, lengths."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from profiles.cell import Buckets, Cell
from profiles.measuring.measurement import Record
from profiles.measuring.thinking_fit import fit_thinking
from profiles.profile import UNKNOWN_LANGUAGE, CellCounts, Latency, Measured, ModelProfile, PairCounts, Profile


def fit_profile(records: Sequence[Record], *, bucket_edges: Sequence[int], measured: Measured) -> Profile:
    """The profile that the records support; every model must have answered at least once."""
    by_model: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_model[record.model].append(record)
    buckets = Buckets(tuple(bucket_edges))
    return Profile(
        version=1,
        measured=measured,
        bucket_edges=buckets.edges,
        models={model: _model(mine, buckets) for model, mine in sorted(by_model.items())},
        pairs=tuple(count_pairs(_pairs(standing(records)), buckets)),
    )


def standing(records: Iterable[Record]) -> list[Record]:
    """The records that show what a model is worth when its thinking is not limited.

    Asked without a budget, or where a model was asked with budgets only, with the largest of them.
    """
    by_model: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_model[record.model].append(record)
    found = []
    for mine in by_model.values():
        budgets = [r.thinking_tokens for r in mine if r.thinking_tokens is not None]
        free = max(budgets) if len(budgets) == len(mine) else None
        found += [r for r in mine if r.thinking_tokens == free]
    return found


def fit_latency(records: Sequence[Record]) -> Latency:
    """Non-negative least squares of latency on (1, prompt tokens, output tokens, output tokens * (n - 1)).

    Rows are weighted by the inverse of their latency, so that short requests are fitted as closely as long ones.
    """
    latency_s = np.array([r.latency_s for r in records])
    columns = [[1.0, r.prompt_tokens, r.output_tokens, r.output_tokens * (r.concurrency - 1)] for r in records]
    weights = 1.0 / np.maximum(latency_s, 1e-3)
    solution, _ = nnls(np.array(columns) * weights[:, None], latency_s * weights)
    overhead, prefill, decode, growth = (float(value) for value in solution)
    return Latency(
        overhead_s=overhead,
        prefill_s_per_token=prefill,
        decode_s_per_token=decode,
        decode_growth=growth / decode if decode > 0 else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFit:
    """Prompt tokens = template + prose characters / prose[language] + symbol characters / symbols."""

    template: float
    prose: dict[str, float]
    symbols: float


def fit_tokens(records: Sequence[Record]) -> TokenFit:
    """The tokens of a prompt from its characters, by weighted non-negative least squares."""
    languages = sorted({r.language for r in records})
    rows = [
        [
            *(r.num_chars * (1 - r.symbol_share) * (r.language == language) for language in languages),
            r.num_chars * r.symbol_share,
            1.0,
        ]
        for r in records
    ]
    tokens = np.array([r.prompt_tokens for r in records], dtype=float)
    weights = 1.0 / np.maximum(tokens, 1.0)
    solution, _ = nnls(np.array(rows) * weights[:, None], tokens * weights)
    # a coefficient of zero means the data cannot tell; a token is then taken to be as long as they come
    *per_token, symbols = (1.0 / float(value) if value > 0.05 else 20.0 for value in solution[:-1])
    prose = dict(zip(languages, per_token, strict=True))
    # data of no known language is mostly symbols, which are counted apart; its words are like those of the others
    named = [value for language, value in prose.items() if language != UNKNOWN_LANGUAGE]
    prose[UNKNOWN_LANGUAGE] = float(np.median(named or per_token))
    return TokenFit(template=float(solution[-1]), prose=prose, symbols=symbols)


def _model(records: Sequence[Record], buckets: Buckets) -> ModelProfile:
    tokens = fit_tokens(records)
    outputs: dict[str, list[int]] = defaultdict(list)
    counted = standing(records)
    for record in counted:
        outputs[record.task].append(record.output_tokens)
    return ModelProfile(
        latency=fit_latency(records),
        chars_per_token=tokens.prose,
        chars_per_symbol_token=tokens.symbols,
        template_tokens=round(tokens.template, 3),
        output_tokens={task: max(1.0, sum(n) / len(n)) for task, n in sorted(outputs.items())},
        cells=tuple(count_cells(counted, buckets)),
        thinking=fit_thinking(records, buckets),
    )


def count_cells(records: Iterable[Record], buckets: Buckets) -> list[CellCounts]:
    counts: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for record in records:
        count = counts[record.cell(buckets)]
        count[0] += record.correct
        count[1] += 1
    return [
        CellCounts(**cell._asdict(), correct=correct, tried=tried) for cell, (correct, tried) in sorted(counts.items())
    ]


def count_pairs(pairs: Iterable[tuple[str, Record]], buckets: Buckets) -> list[PairCounts]:
    """Outcomes of a second model beside the one that failed on the same prompt.

    The bucket is the second model's own, since it is asked with its own count of tokens.
    """
    counts: dict[tuple[str, str, Cell], list[int]] = defaultdict(lambda: [0, 0])
    for failed, other in pairs:
        count = counts[failed, other.model, other.cell(buckets)]
        count[0] += other.correct
        count[1] += 1
    return [
        PairCounts(failed=failed, model=model, **cell._asdict(), correct=correct, tried=tried)
        for (failed, model, cell), (correct, tried) in sorted(counts.items())
    ]


def _pairs(records: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """Each ordered pair of models on the prompts that the first one answered wrongly."""
    by_prompt: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_prompt[record.prompt_id].append(record)
    for answers in by_prompt.values():
        for failed in (r for r in answers if not r.correct):
            for other in (r for r in answers if r.model != failed.model):
                yield failed.model, other
