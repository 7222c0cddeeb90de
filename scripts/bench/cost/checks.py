"""`laar bench checks`: how long a check can hold up a router, at the largest sizes that run there, on hostile texts."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deployments.contract.verdict import Evidence, OtherAnswer, ToolCall
from deployments.verifier.checks import SPEC, Check, Place, check
from scripts.report import Bar, Report

LIMIT_MS = 2.0
MAX_CHARS = 1 << 17
LANGUAGES = ("en", "zh", "tr")

Text = Callable[[int], str]


def _repeated(text: str) -> Text:
    longest = text * (MAX_CHARS // len(text) + 1)
    return lambda size: longest[:size]


def _drawn(alphabet: str) -> Text:
    longest = "".join(random.Random(0).choices(alphabet, k=MAX_CHARS))  # noqa: S311  (a text)
    return lambda size: longest[:size]


def _range(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last)))


def _objects(size: int) -> str:
    return "[" + '{"a":1.5},' * (max(0, size - 11) // 10) + '{"a":1.5}]'


TEXTS: Mapping[str, Text] = {
    "prose": _repeated("The quick brown fox met 12 lazy dogs on Monday, said Anna. "),
    "german": _repeated("Übergrößenträger kosten 1.234,5 Euro, und das ist viel. "),
    "chinese": _drawn(_range(0x4E00, 0x9FFF) + "，。！？：１２"),
    "thai": _drawn(_range(0xE01, 0xE3A)),
    "arabic": _repeated("الجَوَابُ هُوَ ٤٢٫٥ فَقَط، وَلَيْسَ ٧. "),
    "marks": _repeated("a" + "\u0301\u0323" * 14),
    "few marks": _repeated("a\u0301\u0323\u0301"),
    "ligatures": _repeated("ﷺ"),
    "squared words": _repeated("㌔"),
    "fractions": _repeated("½⅔"),
    "mathematical letters": _drawn(_range(0x1D400, 0x1D7FF)),
    "any letters": _drawn(_range(0xA0, 0x2FFF)),
    "one digit": _repeated("1"),
    "digits": _drawn("0123456789., '-"),
    "sums": _repeated("1/2^3 ½ + minus 5 million × 10^4, "),
    "percents": _repeated("50% -$3,5k "),
    "latex": _repeated("\\frac{1}{2} \\boxed{9{,}500} $x^2$ "),
    "letters": _repeated("A B, not C or D. "),
    "denials": _repeated("The answer is not A, but B. "),
    "quotes": _repeated('"a'),
    "back-ticks": _repeated("`a"),
    "stars": _repeated("**a** "),
    "stars alone": _repeated("*"),
    "angles": _repeated("<"),
    "marks of thinking": _repeated("<think>x</think>"),
    "brackets": _repeated("["),
    "spaces": _repeated("a  "),
    "codes": _repeated("k-77ab a_b x@y "),
    "json": _objects,
}
SPECS: Mapping[str, Mapping[str, Any]] = {
    "exact": {"type": "exact", "value": "Paris"},
    "exact with many values": {"type": "exact", "value": ["größer" * 150] * 64},
    "contains": {"type": "contains", "value": "1"},
    "contains with many values": {"type": "contains", "value": [f"aa{i}" for i in range(64)]},
    "regex": {"type": "regex", "pattern": "\\b(a|b)+\\b"},
    "regex with many states": {"type": "regex", "pattern": "[a-z]{200}x$"},
    "numeric last": {"type": "numeric", "value": 5},
    "numeric any": {"type": "numeric", "value": 5, "which": "any"},
    "choice": {"type": "choice", "value": "A"},
    "json_schema": {"type": "json_schema", "schema": {"type": "array", "items": {"required": ["a"]}}},
    "tool_call": {"type": "tool_call", "calls": [{"name": "f", "schema": {"items": {"required": ["a"]}}}]},
    "grounded": {"type": "grounded"},
    "agreement by text": {"type": "agreement", "by": "text"},
    "agreement by numeric": {"type": "agreement", "by": "numeric"},
    "agreement by choice": {"type": "agreement", "by": "choice"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestAnswer:
    """A check of the largest answer of one kind of text that runs in a router."""

    text: str
    language: str
    size_chars: int
    place_ms: float
    check_ms: float


def run(*, rounds: int) -> Report:
    """The slowest text of each check, each timed `rounds` times of which the quickest counts."""
    found = {name: list(longest(spec, rounds=rounds)) for name, spec in SPECS.items()}
    worst = {name: max(cases, key=lambda one: one.check_ms) for name, cases in found.items() if cases}
    figures = {
        name: {
            "text": one.text,
            "language": one.language,
            "size_chars": one.size_chars,
            "place_ms": round(one.place_ms, 3),
            "check_ms": round(one.check_ms, 3),
        }
        for name, one in worst.items()
    }
    bars = [
        Bar(name=f"blocks_ms {name}", value=one.place_ms + one.check_ms, limit=LIMIT_MS, kind="max")
        for name, one in worst.items()
    ]
    return Report(
        bench="checks", parameters={"rounds": rounds, "languages": list(LANGUAGES)}, figures=figures, bars=bars
    )


def longest(
    asked: Mapping[str, Any], *, rounds: int, texts: Mapping[str, Text] = TEXTS, languages: Sequence[str] = LANGUAGES
) -> Iterator[LongestAnswer]:
    """For every kind of text and language; nothing where no size runs in a router."""
    spec: Check = SPEC.validate_python(asked)
    for name, text in texts.items():
        for language in languages:
            size = _largest_inline(spec, text, language)
            if size == 0:
                continue
            evidence = _evidence(spec, text(size), language)
            yield LongestAnswer(
                text=name,
                language=language,
                size_chars=size,
                place_ms=_quickest_ms(spec.place, evidence, rounds),
                check_ms=_quickest_ms(partial(check, spec), evidence, rounds),
            )


def _largest_inline(spec: Check, text: Text, language: str) -> int:
    """The largest size that is not sent elsewhere, to a sixteenth."""
    low, high = 0, MAX_CHARS
    while high - low > 1 + low // 16:
        middle = (low + high) // 2
        if spec.place(_evidence(spec, text(middle), language)) is Place.INLINE:
            low = middle
        else:
            high = middle
    return low


def _evidence(spec: Check, text: str, language: str) -> Evidence:
    return Evidence(
        answer=text,
        prompt=text if spec.needs_prompt else "",
        language=language,
        model="m",
        others=(OtherAnswer(model="other", answer=text),) if spec.needs_others else (),
        tool_calls=(ToolCall(name="f", arguments=text),) if spec.reads_calls else (),
    )


def _quickest_ms(work: Callable[[Evidence], object], evidence: Evidence, rounds: int) -> float:
    times: list[float] = []
    for _ in range(rounds):
        # of this thread's processor, so that what else the machine does is not counted
        begun_s = time.thread_time()
        work(evidence)
        times.append(time.thread_time() - begun_s)
    return 1000 * min(times)
