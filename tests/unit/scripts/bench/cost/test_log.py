from scripts.bench.cost import log


def test_size_of_a_record_is_that_of_its_frame_whatever_the_prompt() -> None:
    figures = log.run(rounds=2).figures
    sizes = figures["record_bytes"]
    assert sizes["runs"] == 2 * len(log.TOKENS)
    # a prompt of 64,000 tokens is in it as a hash and some counts
    assert 500 < sizes["min"] <= sizes["median"] <= sizes["max"] < 1000
