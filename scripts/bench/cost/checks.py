"""`laar bench checks`: how long a check can hold up a router, at the largest sizes that run there.

Texts are hostile ones, and so are patterns, which are compiled when a request is read.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import msgspec

from deployments.contract.patterns import MAX_PATTERN_CHARS
from deployments.contract.verdict import Evidence, OtherAnswer, ToolCall
from deployments.verifier.checks import SPEC, Check, Place, check, read_spec
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
# for what takes RE2 or Rust's regex longest to compile, as much as is not left to the verifier
PATTERNS: Mapping[str, str] = {
    "classes": "\\p{L}",
    "negated classes": "\\P{Lu}",
    "classes in brackets": "[^\\p{Ll}\\p{Sc}]",
    "loops of classes": "(?:[^\\p{L}]*|x)",
    "any characters": ".",
    "words": "\\w",
    "no words": "\\W",
    "letters": "ſ",
    "choices": "(?:größer|a)",
    "ranges": "[\\x{80}-\\x{ffff}]",
}
SHORT_TEXTS = ("aé 7", "Straße und 42 щ " * 40)


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
    pattern = max(new_patterns(rounds=rounds), key=lambda one: one.blocks_ms)
    figures["new pattern"] = {
        "pattern": f"{pattern.part}, {pattern.count} times",
        "read_ms": round(pattern.read_ms, 3),
        "check_ms": round(pattern.check_ms, 3),
    }
    bars.append(Bar(name="blocks_ms new pattern", value=pattern.blocks_ms, limit=LIMIT_MS, kind="max"))
    return Report(
        bench="checks", parameters={"rounds": rounds, "languages": list(LANGUAGES)}, figures=figures, bars=bars
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPattern:
    """A pattern that the router has not met before: to read the request that has it, then to make the first check."""

    part: str
    count: int
    read_ms: float
    check_ms: float

    @property
    def blocks_ms(self) -> float:
        return max(self.read_ms, self.check_ms)


def new_patterns(*, rounds: int, parts: Mapping[str, str] = PATTERNS) -> Iterator[NewPattern]:
    """Each part once, twice, four times and so on; with and without case, as a part of the answer and as all of it."""
    for name, part in parts.items():
        for number in range((MAX_PATTERN_CHARS // len(part)).bit_length()):
            for ignore_case, full_match in product((False, True), repeat=2):
                asked = {"type": "regex", "ignore_case": ignore_case, "full_match": full_match}
                # another one each time, as compiled patterns are kept
                pattern = part * (1 << number)
                times = [_first_met(asked | {"pattern": f"{pattern}|{again}"}) for again in range(rounds)]
                read_ms, check_ms = map(min, zip(*times, strict=True))
                yield NewPattern(part=name, count=1 << number, read_ms=read_ms, check_ms=check_ms)


def _first_met(asked: Mapping[str, Any]) -> tuple[float, float]:
    """Milliseconds to read a specification, and for the slowest of its checks that are made in a router."""
    spec_json, begun_s = msgspec.json.encode(asked), time.thread_time()
    try:
        spec: Check = read_spec(spec_json)
        _ = spec.fallible_name
    except ValueError:
        return 1000 * (time.thread_time() - begun_s), 0.0
    read_s, checks_s = time.thread_time() - begun_s, list[float]()
    for text in SHORT_TEXTS:
        evidence, begun_s = _evidence(spec, text, "en"), time.thread_time()
        if spec.place(evidence) is Place.INLINE:
            spec.is_refuted(evidence)
            check(spec, evidence)
        checks_s.append(time.thread_time() - begun_s)
    return 1000 * read_s, 1000 * max(checks_s)


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
