"""`laar bench goodput`: streams from any OpenAI server at several rates, and what they are worth to their readers.

Servers that are compared get the same requests at the same times, one server after the other at each rate, and in the
other order at the next rate.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any

import aiohttp
import msgspec

from profiles.measures.goodput import Reader, ServiceLimits
from profiles.workloads.prose import prose
from scripts.bench.goodput.arrivals import Arrival, RecordedArrivals, poisson
from scripts.bench.goodput.figures import DeliveryRules, LoadPoint, bars, figures
from scripts.bench.goodput.file import LoadRecording
from scripts.bench.goodput.streams import HttpServer, StreamedRequest, StreamLimits, StreamServer, play
from scripts.environment import environment
from scripts.report import Report

# Each rate has prompts of its own: a prompt that came before would be found in a prefix cache.
_PROMPTS_PER_RATE = 100_000
_CONNECT_S = 10.0


_SHAPES = {"rises": "only rises", "falls": "only falls", "level": "stays level"}


class LoadError(Exception):
    """The server cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is asked of each server; of a trace, the tokens are those of its requests, at most the given ones."""

    rates_per_s: Sequence[float]
    window_s: float
    prompt_tokens: int
    output_tokens: int
    seed: int
    limits: StreamLimits
    objective: ServiceLimits
    reader: Reader
    trace: RecordedArrivals | None = None
    trace_name: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def arrivals(self, rate_per_s: float) -> list[Arrival]:
        """Those of one window."""
        if self.trace is not None:
            return self.trace.at_rate(rate_per_s, window_s=self.window_s, seed=self.seed)
        return poisson(
            rate_per_s,
            window_s=self.window_s,
            seed=self.seed,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
        )

    def as_parameters(self) -> dict[str, Any]:
        return {
            "rates_per_s": list(self.rates_per_s),
            "window_s": self.window_s,
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
            "seed": self.seed,
            "trace": self.trace_name,
            "limits": asdict(self.limits),
            # JSON has no word for a limit that is not asked for
            "objective": {name: s if s < inf else None for name, s in asdict(self.objective).items()},
            "reader": asdict(self.reader),
            "extra_body": dict(self.extra_body),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredServer:
    """One server of a comparison, by a name for the report, and the model that it is asked for."""

    name: str
    server: StreamServer
    model: str


async def measure(plan: LoadPlan, servers: Sequence[MeasuredServer], *, nonce: str) -> LoadRecording:
    """Every rate at every server; `nonce` begins each prompt, so that no run finds another's in a prefix cache.

    LoadError where a server does not answer a first request, which is not counted.
    """
    arrivals = [plan.arrivals(rate) for rate in plan.rates_per_s]
    for one in servers:
        await _warm_up(plan, one, nonce)
    points = []
    for index, rate in enumerate(plan.rates_per_s):
        for one in servers if index % 2 == 0 else reversed(servers):
            requests = await play(one.server, arrivals[index], _Bodies(plan, one.model, nonce, index), plan.limits)
            points.append(LoadPoint(server=one.name, rate_per_s=rate, requests=requests))
            print(f"{one.name}, {rate:g} requests/s: {_told(requests)}")
    named = {one.name: one.model for one in servers}
    return LoadRecording(parameters=plan.as_parameters() | {"models": named}, environment=environment(), points=points)


def report(recording: LoadRecording) -> Report:
    """All figures, from the raw data alone."""
    parameters = recording.parameters
    given = {name: limit_s for name, limit_s in parameters["objective"].items() if limit_s is not None}
    rules = DeliveryRules(
        window_s=parameters["window_s"], objective=ServiceLimits(**given), reader=Reader(**parameters["reader"])
    )
    found = figures(recording.points, rules)
    return Report(
        bench="goodput", parameters=parameters, figures=found, bars=bars(found), measured_on=recording.environment
    )


def rates_of(text: str, trace: RecordedArrivals | None) -> list[float]:
    """The rates of `--rates` in ascending order, else that of the trace; ValueError for what is no rate."""
    if not text.strip() and trace is not None:
        return [trace.rate_per_s]
    try:
        found = sorted(float(rate) for rate in text.split(","))
    except ValueError:
        raise ValueError(f"--rates: {text!r}; numbers with commas between are wanted") from None
    if not all(0 < rate < inf for rate in found) or len(set(found)) < len(found):
        raise ValueError(f"--rates: {text!r}; different numbers above 0 are wanted")
    return found


def urls_of(given: Sequence[str]) -> dict[str, str]:
    """Servers by name, which is the URL itself where none is given; ValueError for what is no URL."""
    found = {}
    for text in given:
        before, _, _ = text.partition("://")
        name, is_named, _ = before.partition("=")
        url = text[len(name) + 1 :] if is_named else text
        if not url.startswith(("http://", "https://")) or (is_named and not name):
            raise ValueError(f"--url: {text!r}; http://HOST:PORT or NAME=http://HOST:PORT is wanted")
        url = url.rstrip("/").removesuffix("/v1")
        if (name := name if is_named else url) in found:
            raise ValueError(f"--url: {name!r} is there twice")
        found[name] = url
    return found


def extra_body_of(text: str) -> dict[str, Any]:
    """ValueError for what is no JSON object."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"--extra-body: a JSON object is wanted: {error}") from None


def key_of(name: str | None, environ: Mapping[str, str]) -> str | None:
    """The API key in the variable; ValueError where it is empty."""
    if name is None:
        return None
    if not (key := environ.get(name, "").strip()):
        raise ValueError(f"--key-env: the environment variable {name} is empty")
    return key


def show(figures: Mapping[str, Any]) -> None:
    """A line for each rate, and what is found, on the terminal."""
    for name, server in figures["servers"].items():
        for point in server["points"]:
            told = [f"smooth goodput {point['smooth_tokens_per_s']:.1f} tokens/s"]
            told += [f"goodput {point['goodput_per_s']:.2f}/s ({point['slo_attainment']:.0%} of arrivals)"]
            told += [f"TTFT p95 {point['ttft_s']['p95']:.2f} s"] if point["ttft_s"] else []
            print(f"{name}, {point['rate_per_s']:g} requests/s: {', '.join(told)}")
        best = server["operating_point"]
        if server["shape"] is not None:
            is_peak = "the peak" if best["is_peak"] else f"no peak: with load it {_SHAPES[server['shape']]}"
            print(f"{name}: most smooth goodput at {best['rate_per_s']:g} requests/s, {is_peak}")
    for one in figures["compared"]:
        for measure in ("smooth_tokens_per_s", "goodput_per_s"):
            rates = [f"{row['rate_per_s']:g}" for row in one["rates"] if row[measure]["is_told_apart"]]
            print(f"{one['second']} against {one['first']}, {measure}: told apart at {', '.join(rates) or 'no rate'}")


async def ask_servers(
    plan: LoadPlan, urls: Mapping[str, str], *, model: str | None, api_key: str | None
) -> LoadRecording:
    """`measure` over HTTP; without a model, each server must have just one."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    # the client's own limit counts; one of the connector would let requests wait unseen
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        servers = [
            MeasuredServer(
                name=name, server=HttpServer(session=session, url=url), model=model or await _only_model(session, url)
            )
            for name, url in urls.items()
        ]
        return await measure(plan, servers, nonce=secrets.token_hex(4))


@dataclass(frozen=True, slots=True)
class _Bodies:
    """The body of each request of one rate."""

    plan: LoadPlan
    model: str
    nonce: str
    index: int

    def __call__(self, number: int, arrival: Arrival) -> dict[str, Any]:
        seed = (self.plan.seed * len(self.plan.rates_per_s) + self.index) * _PROMPTS_PER_RATE + number
        text = f"{self.nonce}{number} {prose('en', arrival.prompt_tokens, seed=seed).text}"
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": arrival.output_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.plan.extra_body,
        }


async def _warm_up(plan: LoadPlan, one: MeasuredServer, nonce: str) -> None:
    first = replace(plan.arrivals(plan.rates_per_s[0])[0], at_s=0.0)
    (found,) = await play(one.server, [first], _Bodies(plan, one.model, f"{nonce}-first-", 0), plan.limits)
    if found.how != "complete":
        raise LoadError(f"{one.name} gave no whole answer to a first request: {found.how}, {found.reason}")


class _Card(msgspec.Struct):
    id: str


class _Cards(msgspec.Struct):
    data: list[_Card]


async def _only_model(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(f"{url}/v1/models") as response:
            models = [card.id for card in msgspec.json.decode(await response.read(), type=_Cards).data]
    except (aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
        raise LoadError(f"{url} does not list its models: {type(error).__name__}; help: --model") from error
    if len(models) != 1:
        raise LoadError(f"{url} has the models {models}; help: --model names one")
    return models[0]


def _told(requests: Sequence[StreamedRequest]) -> str:
    complete = sum(request.how == "complete" for request in requests)
    return f"{complete} of {len(requests)} answers whole"
