from pathlib import Path
from typing import Any, get_args

import pytest

from deployments.router.choice.policy import PolicyName
from scripts.bench.ttca.plan import CONTENDERS, TtcaPlan, blocks_of, order_of, prompts_of, read_plan

PUBLISHED = Path(__file__).parents[5] / "docs/results/plan.yaml"


def plan(**other: Any) -> TtcaPlan:
    values: dict[str, Any] = {
        "parts": [{"workload": "lookup", "languages": ["en", "de"], "tokens": [90, 300], "prompts": 3}],
        "seed": 7,
        "policies": ["laar", "load-aware"],
    }
    return TtcaPlan.model_validate(values | other)


def test_every_policy_of_the_router_can_be_a_contender() -> None:
    assert {contender.policy for contender in CONTENDERS.values()} - {None} == set(get_args(PolicyName))


def test_every_prompt_is_in_one_block_and_once() -> None:
    made = plan(blocks=4)
    dealt = blocks_of(made, prompts_of(made))
    assert [len(block) for block in dealt] == [3, 3, 3, 3]
    assert {sending.prompt.id for block in dealt for sending in block} == {p.id for p in prompts_of(made)}


def test_poisson_arrivals_come_at_the_rate_and_the_same_each_time() -> None:
    made = plan(
        parts=[{"workload": "lookup", "languages": ["en"], "tokens": [90], "prompts": 1000}],
        mode="poisson",
        rate_per_s=2.0,
        blocks=1,
    )
    (block,) = blocks_of(made, prompts_of(made))
    times = [sending.due_s for sending in block if sending.due_s is not None]
    assert len(times) == 1000
    assert times == sorted(times)
    assert times[-1] == pytest.approx(500, rel=0.1)
    assert times == [sending.due_s for sending in blocks_of(made, prompts_of(made))[0]]


def test_trace_goes_on_from_block_to_block(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("\n".join(str(number * number) for number in range(12)))
    made = plan(mode="trace", trace=str(trace), blocks=2)
    first, second = blocks_of(made, prompts_of(made))
    assert [sending.due_s for sending in first] == [0, 1, 4, 9, 16, 25]
    assert [sending.due_s for sending in second] == [0, 13, 28, 45, 64, 85]


def test_trace_goes_on_where_a_longer_block_ended(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("\n".join(str(number * number) for number in range(12)))
    blocks = blocks_of((made := plan(mode="trace", trace=str(trace), blocks=5)), prompts_of(made))
    due = [[sending.due_s for sending in block] for block in blocks]
    assert due == [[0, 1, 4], [0, 7, 16], [0, 13], [0, 17], [0, 21]]


def test_trace_that_is_too_short_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("0 1 2")
    made = plan(mode="trace", trace=str(trace))
    with pytest.raises(ValueError, match="3 times; 4 more are wanted from number 0 on"):
        blocks_of(made, prompts_of(made))


def test_order_of_policies_does_not_depend_on_which_are_left_out() -> None:
    everyone = plan(policies=["laar", "load-aware", "fastest"])
    few = plan(policies=["fastest", "laar"])
    for block in range(5):
        assert [p for p in order_of(everyone, block) if p != "load-aware"] == order_of(few, block)
    assert len({tuple(order_of(everyone, block)) for block in range(20)}) > 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param({"policies": ["quickest"]}, r"unknown \['quickest'\]; known: \['laar'", id="unknown-policy"),
        pytest.param({"policies": ["laar", "laar"]}, "names one twice", id="policy-twice"),
        pytest.param({"policies": ["ray"]}, "single_model is missing", id="ray-without-model"),
        pytest.param({"rate_per_s": 1.0}, "goes with mode poisson; mode is closed", id="rate-in-a-closed-loop"),
        pytest.param({"mode": "trace"}, "goes with mode trace", id="trace-without-file"),
        pytest.param({"sed": 1}, "Extra inputs are not permitted", id="unknown-key"),
    ],
)
def test_plan_that_makes_no_sense_is_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**other)


def test_prompt_in_two_parts_is_refused() -> None:
    part = {"workload": "lookup", "languages": ["en"], "tokens": [90], "prompts": 1}
    with pytest.raises(ValueError, match=r"two parts share: \['lookup-en-90-7000'\]"):
        prompts_of(plan(parts=[part, part]))


def test_what_is_wrong_with_a_plan_is_told_with_the_key_and_what_was_given(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("parts: [{workload: lookup, languages: [en], prompts: 0}]\nseed: 3\npolicies: [laar]\n")
    with pytest.raises(ValueError, match=r"parts\.0\.prompts: Input should be greater than 0 \(0 given\)"):
        read_plan(file)
