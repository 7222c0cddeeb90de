import gzip
from pathlib import Path

import pytest

from scripts.bench.goodput.arrivals import Arrival, poisson, read_trace


def at(at_s: float, prompt_tokens: int = 10, output_tokens: int = 5) -> Arrival:
    return Arrival(at_s=at_s, prompt_tokens=prompt_tokens, output_tokens=output_tokens)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_higher_rate_brings_the_same_arrivals_closer_together() -> None:
    slow = poisson(1.0, window_s=40, seed=3, prompt_tokens=10, output_tokens=5)
    fast = poisson(4.0, window_s=40, seed=3, prompt_tokens=10, output_tokens=5)
    assert [arrival.at_s for arrival in fast[: len(slow)]] == pytest.approx([arrival.at_s / 4 for arrival in slow])
    assert 25 < len(slow) < 55
    assert 125 < len(fast) < 195
    assert slow[-1].at_s < 40


@pytest.mark.parametrize(("rate", "window_s"), [(1e6, 60.0), (1e-9, 1.0)], ids=["too many", "none"])
def test_a_window_has_a_bounded_number_of_requests(rate: float, window_s: float) -> None:
    with pytest.raises(ValueError, match=r"are wanted"):
        poisson(rate, window_s=window_s, seed=0, prompt_tokens=10, output_tokens=5)


def test_requests_that_share_a_time_of_a_trace_are_spread_until_the_next_time(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "at_s,prompt_tokens,output_tokens\n3,10,5\n3,10,5\n3,10,5\n6,10,5\n7,10,5\n")
    trace = read_trace(path, most_prompt_tokens=99, most_output_tokens=99)
    assert list(trace.arrivals) == [at(0.0), at(1.0), at(2.0), at(3.0), at(4.0)]


def test_a_trace_is_played_at_another_rate_with_its_bursts_and_cut_lengths(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(
        gzip.compress(b"at_s,prompt_tokens,output_tokens,more\n0,500,0,x\n1,7,900,x\n2,10,5,x\n8,10,5,x\n")
    )
    trace = read_trace(path, most_prompt_tokens=99, most_output_tokens=50)
    assert trace.rate_per_s == 0.5
    # twice as fast, from the third request on, and then from the start again
    found = trace.at_rate(1.0, window_s=4.0, seed=4)
    assert found == [at(0.0), at(3.0), at(3.0, 99, 1), at(3.5, 7, 50)]


def test_a_seed_draws_where_a_trace_begins(tmp_path: Path) -> None:
    rows = "".join(f"{i * i},{i + 1},5\n" for i in range(20))
    path = written(tmp_path / "t.csv", f"at_s,prompt_tokens,output_tokens\n{rows}")
    trace = read_trace(path, most_prompt_tokens=99, most_output_tokens=99)
    first = {seed: trace.at_rate(trace.rate_per_s, window_s=50, seed=seed)[0] for seed in range(6)}
    assert {arrival.at_s for arrival in first.values()} == {0.0}
    assert len({arrival.prompt_tokens for arrival in first.values()}) > 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("at_s,prompt_tokens\n1,2\n", "columns", id="a column is missing"),
        pytest.param("at_s,prompt_tokens,output_tokens\n1,2\n", "columns", id="a value is missing"),
        pytest.param("at_s,prompt_tokens,output_tokens\n2,2,2\n1,2,2\n", "row 3", id="not ascending"),
        pytest.param("at_s,prompt_tokens,output_tokens\n1,2,nan\n", "row 2", id="not a number"),
        pytest.param("at_s,prompt_tokens,output_tokens\n1,-2,2\n", "row 2", id="negative"),
        pytest.param("at_s,prompt_tokens,output_tokens\n1,x,2\n", "could not convert", id="a word"),
        pytest.param("at_s,prompt_tokens,output_tokens\n1,2,2\n1,2,2\n", "different times", id="one time only"),
        pytest.param("", "different times", id="empty"),
    ],
)
def test_a_trace_that_cannot_be_played_is_refused(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_trace(written(tmp_path / "t.csv", text), most_prompt_tokens=9, most_output_tokens=9)
