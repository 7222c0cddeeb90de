from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from profiles.measures.goodput import Reader, ServiceLimits
from scripts.bench.goodput.arrivals import Arrival
from scripts.bench.goodput.figures import DeliveryRules, LoadPoint, bars, figures
from scripts.bench.goodput.file import LoadRecording, read_recording, write_recording
from scripts.bench.goodput.streams import How, StreamedRequest

RULES = DeliveryRules(
    window_s=10.0,
    objective=ServiceLimits(ttft_s=1.0, tpot_s=0.2),
    reader=Reader(pace_s=0.1, alpha=10.0, bound_s=30.0),
)


def streamed(first_s: float, *, tokens: int = 10, how: How = "complete") -> StreamedRequest:
    """Tokens every tenth of a second from the first one on."""
    arrival = Arrival(at_s=0.0, prompt_tokens=5, output_tokens=tokens)
    times_s = tuple(first_s + 0.1 * i for i in range(tokens))
    return StreamedRequest(arrival=arrival, how=how, token_times_s=times_s, num_events=tokens, prompt_tokens=5)


def point(rate: float, requests: Sequence[StreamedRequest], server: str = "a") -> LoadPoint:
    return LoadPoint(server=server, rate_per_s=rate, requests=requests)


def window(rate: float, first_s: Callable[[int], float], server: str = "a") -> LoadPoint:
    return point(rate, [streamed(first_s(number)) for number in range(round(10 * rate))], server)


def test_figures_of_one_rate_by_hand() -> None:
    requests = [
        streamed(0.1),  # in time: 10 tokens of benefit
        streamed(0.6),  # half a second late: 10 - 5
        streamed(1.1),  # misses TTFT, a second late: 0
        streamed(0.1, tokens=4, how="cut off"),  # costs the bound
        streamed(0.0, tokens=0, how="refused"),
    ]
    found = figures([point(0.5, requests)], RULES)["servers"]["a"]["points"][0]
    assert found["ended"] == {"complete": 3, "cut off": 1, "refused": 1}
    assert found["slo_attainment"] == 0.4
    assert found["goodput_per_s"] == 0.2
    assert found["smooth_tokens_per_s"] == pytest.approx(1.5)
    assert (found["tokens"], found["tokens_per_s"]) == (34, 3.4)
    assert found["ttft_s"]["number"] == 4
    assert found["tpot_s"]["p50"] == pytest.approx(0.1)
    assert found["tbt_s"]["number"] == 30
    assert found["mean_prompt_tokens"] == 5


SOON, LATE = (lambda _: 0.1), (lambda _: 1.0)


@pytest.mark.parametrize(
    ("points", "shape", "rate"),
    [
        pytest.param([window(2, SOON), window(8, SOON), window(16, LATE)], "peaks", 8, id="peaks"),
        pytest.param([window(2, SOON), window(4, SOON), window(16, SOON)], "rises", 16, id="never full"),
        pytest.param([window(8, SOON), window(10, LATE), window(16, LATE)], "falls", 8, id="full from the start"),
        pytest.param(
            [window(8, lambda n: 0.1 + n % 5 / 5), window(8.1, lambda n: 0.1 + n % 5 / 5)], "level", 8.1, id="alike"
        ),
    ],
)
def test_a_peak_has_a_rate_told_apart_on_both_sides(points: list[LoadPoint], shape: str, rate: float) -> None:
    found = figures(points, RULES)["servers"]["a"]
    assert (found["shape"], found["operating_point"]["rate_per_s"]) == (shape, rate)
    assert found["operating_point"]["is_peak"] is (shape == "peaks")


def test_servers_are_told_apart_only_where_they_differ() -> None:
    ours = [window(2, SOON), window(8, lambda n: 0.1 + 0.9 * (n % 2))]
    theirs = [window(2, SOON, "b"), window(8, lambda n: 0.1 + 0.3 * (n % 2), "b")]
    (compared,) = figures([*ours, *theirs], RULES)["compared"]
    same, other = compared["rates"]
    assert (compared["first"], compared["second"]) == ("a", "b")
    assert same["smooth_tokens_per_s"] == {"difference": 0.0, "interval": [0.0, 0.0], "is_told_apart": False}
    assert other["smooth_tokens_per_s"]["is_told_apart"]
    # 40 of 80 requests wait 0.6 s less, each second worth ten tokens, in ten seconds
    assert other["smooth_tokens_per_s"]["difference"] == pytest.approx(24.0)


def test_neighbours_that_wait_together_widen_the_interval() -> None:
    apart = figures([window(10, lambda n: 0.1 + 0.9 * (n % 2))], RULES)["servers"]["a"]["points"][0]
    together = figures([window(10, lambda n: 0.1 + 0.9 * (n // 50))], RULES)["servers"]["a"]["points"][0]
    assert apart["smooth_tokens_per_s"] == pytest.approx(together["smooth_tokens_per_s"])
    (low, high), (wide_low, wide_high) = apart["smooth_interval_per_s"], together["smooth_interval_per_s"]
    assert wide_high - wide_low > 3 * (high - low)


def test_bars_fall_short_for_an_error_and_where_no_peak_is_seen() -> None:
    full = figures([window(2, SOON), window(8, SOON), window(16, LATE)], RULES)
    assert [bar.ok for bar in bars(full)] == [True, True, True]
    broken = [window(2, SOON), window(8, SOON), point(16, [streamed(0.1, how="error")] * 160)]
    assert [bar.ok for bar in bars(figures(broken, RULES))] == [False, True, True]
    assert [bar.ok for bar in bars(figures([window(2, SOON), window(4, SOON), window(8, SOON)], RULES))][-1] is False
    assert len(bars(figures([window(2, SOON)], RULES))) == 2


def test_a_recording_read_again_gives_the_same_figures(tmp_path: Path) -> None:
    points = [window(2, SOON), point(4, [streamed(0.3, how="cut off"), streamed(0.0, tokens=0, how="refused")])]
    path = tmp_path / "raw.jsonl.gz"
    recording = LoadRecording(parameters={"window_s": 10.0}, environment={"cpu": "x"}, points=points)
    write_recording(path, recording)
    found = read_recording(path)
    assert figures(found.points, RULES) == figures(points, RULES)
    assert (found.parameters, found.environment) == (recording.parameters, recording.environment)


@pytest.mark.parametrize("text", [b"", b"{}\n", b'{"laar_goodput": 1}'], ids=["empty", "no head", "no gzip"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "raw.jsonl.gz"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="no recording"):
        read_recording(path)
