"""The capability profile: what was measured of each model, as a versioned JSON document."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from profiles.cell import Buckets, Cell
from profiles.strict import Strict

UNKNOWN_LANGUAGE = "unknown"
DEFAULT_TASK = "default"
PACKAGED = Path(__file__).parent
# How far floor + gain may be above 1: what rounding to a few digits in a file leaves.
PROBABILITY_TOLERANCE = 1e-6


class Latency(Strict):
    """Coefficients of the time one attempt takes on an engine that serves `n` requests at once.

    `overhead_s + prefill_s_per_token * prompt + decode_s_per_token * (1 + decode_growth * (n - 1)) * output`
    """

    overhead_s: NonNegativeFloat
    prefill_s_per_token: NonNegativeFloat
    decode_s_per_token: NonNegativeFloat
    decode_growth: NonNegativeFloat = Field(
        default=0.0,
        description="Relative growth of the time per output token for each further running request.",
    )


class Counts(Strict):
    """How many of the tried prompts were answered correctly; a probability only after smoothing."""

    correct: NonNegativeInt
    tried: NonNegativeInt

    @model_validator(mode="after")
    def _correct_within_tried(self) -> Self:
        if self.correct > self.tried:
            raise ValueError(f"correct ({self.correct}) must not exceed tried ({self.tried})")
        return self


class CellCounts(Counts):
    """One model in one cell."""

    task: str = DEFAULT_TASK
    language: str
    bucket: NonNegativeInt

    @property
    def cell(self) -> Cell:
        return Cell(self.task, self.language, self.bucket)


class PairCounts(CellCounts):
    """Outcomes of `model` on just those prompts that `failed` answered wrongly."""

    failed: str
    model: str


class VerdictTally(Strict):
    """What a check said of answers that were labelled alike."""

    correct: NonNegativeInt = 0
    wrong: NonNegativeInt = 0
    unknown: NonNegativeInt = 0

    @property
    def total(self) -> int:
        return self.correct + self.wrong + self.unknown

    def of(self, said: bool | None) -> int:
        return self.unknown if said is None else self.correct if said else self.wrong

    def __add__(self, other: "VerdictTally") -> "VerdictTally":
        return VerdictTally(
            correct=self.correct + other.correct,
            wrong=self.wrong + other.wrong,
            unknown=self.unknown + other.unknown,
        )


class CheckCounts(Strict):
    """What a check said of labelled answers in one language, of the `right` ones and of the `wrong` ones."""

    check: str = Field(description="Its type, with the judges' or the custom check's name: 'judge:gemma'.")
    language: str
    right: VerdictTally = VerdictTally()
    wrong: VerdictTally = VerdictTally()


class ThinkingPoint(Counts):
    """What was seen at one budget of thinking tokens."""

    budget: NonNegativeInt
    mean_latency_s: NonNegativeFloat


CurveParameter = Literal["base_s", "token_s", "gain", "rate", "floor"]


class ThinkingCurve(Strict):
    """What a budget of `l` thinking tokens costs a model and brings on one task, for l up to `max_tokens`.

    Alone on the engine an attempt takes `base_s + token_s * l` seconds, and it is correct with probability
    `floor + gain * (1 - exp(-rate * l))`. Without a language or a bucket it holds for all that have no curve of
    their own. `intervals` holds the parameters' confidence intervals, `points` what they were fitted to.
    """

    task: str = DEFAULT_TASK
    language: str | None = None
    bucket: NonNegativeInt | None = None
    base_s: NonNegativeFloat
    token_s: PositiveFloat
    gain: float = Field(ge=0, le=1)
    rate: PositiveFloat
    floor: float = Field(ge=0, le=1)
    max_tokens: PositiveInt = Field(description="The largest budget that was measured.")
    intervals: Mapping[CurveParameter, tuple[float, float]] = Field(default_factory=dict)
    points: tuple[ThinkingPoint, ...] = ()

    @property
    def key(self) -> tuple[str, str | None, int | None]:
        return self.task, self.language, self.bucket

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.floor + self.gain > 1 + PROBABILITY_TOLERANCE:
            raise ValueError(f"floor ({self.floor}) + gain ({self.gain}) must not exceed 1")
        for name, (low, high) in self.intervals.items():
            if low > high:
                raise ValueError(f"intervals.{name}: [{low}, {high}] must ascend")
        budgets = [point.budget for point in self.points]
        if repeated := _repeated(budgets):
            raise ValueError(f"points: more than one for the budgets {repeated}")
        if budgets and max(budgets) > self.max_tokens:
            raise ValueError(f"points: budget {max(budgets)} must not exceed max_tokens ({self.max_tokens})")
        return self


class ModelProfile(Strict):
    latency: Latency
    chars_per_token: Annotated[Mapping[str, PositiveFloat], Field(min_length=1)] = Field(
        description="Characters of prose per token by language; 'unknown' serves every language not named."
    )
    chars_per_symbol_token: PositiveFloat = Field(
        description="Characters per token where digits, punctuation and mixed identifiers stand."
    )
    template_tokens: NonNegativeFloat = Field(
        default=0.0, description="Tokens that the chat template adds to every prompt."
    )
    output_tokens: Mapping[str, PositiveFloat] = Field(
        default_factory=dict, description="Mean number of generated tokens by task."
    )
    cells: tuple[CellCounts, ...] = ()
    thinking: tuple[ThinkingCurve, ...] = Field(
        default=(), description="What thinking costs and brings, for models whose engine limits it."
    )

    @model_validator(mode="after")
    def _has_each_curve_once(self) -> Self:
        if repeated := _repeated([curve.key for curve in self.thinking]):
            raise ValueError(f"thinking: more than one curve for the same (task, language, bucket): {repeated}")
        return self

    @model_validator(mode="after")
    def _names_unknown_language(self) -> Self:
        if UNKNOWN_LANGUAGE not in self.chars_per_token:
            raise ValueError(
                f"chars_per_token has {sorted(self.chars_per_token)}; it must also have '{UNKNOWN_LANGUAGE}'"
            )
        return self


class Measured(Strict):
    """How, when and on what the figures came about; `assumed` marks figures that were not measured."""

    assumed: bool = False
    at: str
    hardware: str
    software: Mapping[str, str]
    command: str
    workloads: tuple[str, ...]
    seed: int | None = Field(description="Of the prompts; none where live traffic was counted.")
    merged_seeds: tuple[int, ...] = Field(default=(), description="Of all that were merged, if this is a merger.")
    prompts: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9+/]{8})*$")] = Field(
        default="", description="The prompts that were counted, as `profiles.measuring.prompt_set` writes them."
    )
    log_periods: tuple[tuple[AwareDatetime, AwareDatetime], ...] = Field(
        default=(), description="From when to when live traffic was counted, of all that were merged."
    )
    temperature: NonNegativeFloat
    prompts_per_cell: NonNegativeInt
    note: str = ""


class Profile(Strict):
    version: Literal[1]
    measured: Measured
    bucket_edges: tuple[int, ...] = Field(
        min_length=1, description="Upper edges of the prompt-length buckets in tokens, inclusive, ascending."
    )
    models: Mapping[str, ModelProfile]
    pairs: tuple[PairCounts, ...] = ()
    checks: tuple[CheckCounts, ...] = ()

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.bucket_edges)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        edges = self.bucket_edges
        if list(edges) != sorted(set(edges)) or edges[0] <= 0:
            raise ValueError(f"bucket_edges must be positive and strictly ascending, got {list(edges)}")
        cells = [(name, cell) for name, model in self.models.items() for cell in model.cells]
        cells += [(pair.model, pair) for pair in self.pairs]
        for name, cell in cells:
            if cell.bucket > len(edges):
                raise ValueError(f"{name}: bucket {cell.bucket} is out of range; allowed: 0 to {len(edges)}")
        for name, model in self.models.items():
            for curve in model.thinking:
                if curve.bucket is not None and curve.bucket > len(edges):
                    raise ValueError(
                        f"{name}: thinking bucket {curve.bucket} is out of range; allowed: 0 to {len(edges)}"
                    )
        unknown = {n for pair in self.pairs for n in (pair.failed, pair.model)} - set(self.models)
        if unknown:
            raise ValueError(f"pairs name unknown models {sorted(unknown)}; known: {sorted(self.models)}")
        return self


def _repeated(values: Sequence[Any]) -> list[Any]:
    """The values that stand there more than once, in the order of their first appearance."""
    return [value for value, count in Counter(values).items() if count > 1]


# Stands in where nothing was measured yet: no model is known, so all are taken alike.
NO_PROFILE = Profile(
    version=1,
    measured=Measured(
        assumed=True,
        at="never",
        hardware="none",
        software={},
        command="none",
        workloads=(),
        seed=0,
        temperature=0,
        prompts_per_cell=0,
    ),
    bucket_edges=(128, 512, 2048, 8192, 32768),
    models={},
)


def profile_path(source: str) -> Path:
    """Where the profile is that a source names."""
    packaged = PACKAGED / f"{source}.json"
    return packaged if "/" not in source and packaged.is_file() else Path(source)


def load_profile(source: str | None) -> Profile:
    """Read a profile from a path, or by bare name one that ships with laar (`embedded`); None gives `NO_PROFILE`.

    Raises FileNotFoundError when neither exists and pydantic.ValidationError when it breaks the schema.
    """
    if source is None:
        return NO_PROFILE
    path = profile_path(source)
    if not path.is_file():
        known = sorted(p.stem for p in PACKAGED.glob("*.json"))
        raise FileNotFoundError(f"profile '{source}' is neither a file nor one that ships with laar; known: {known}")
    return Profile.model_validate_json(path.read_bytes())
