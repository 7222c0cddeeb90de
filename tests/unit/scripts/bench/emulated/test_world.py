import asyncio
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from profiles.measures.trial import Trial, TrialAttempt
from scripts.bench.emulated.figures import LoadedTrial, bars, figures
from scripts.bench.emulated.file import EmulationRecording, read_emulation, write_emulation
from scripts.bench.emulated.processes import config_of
from scripts.bench.emulated.run import EmulationOptions, _kept, _sendings, policies_of, report, undisturbed
from scripts.bench.emulated.server import RIGHT, WRONG, EmulatedAnswer, EmulatedModel, application, marked
from scripts.bench.emulated.world import EmulatedWorld, build
from scripts.replay.recorded.outcomes import RecordedError, RecordedOutcomes
from scripts.simulate.core.engine import Engine
from serve_app.config import AppConfig

PROMPTS = 80


def recorded(*, texts: bool = True) -> RecordedOutcomes:
    """Two models and two tasks, each right on its own; the second takes three times as long."""
    tasks = tuple("ab"[i % 2] for i in range(PROMPTS))
    is_a = np.array([task == "a" for task in tasks])
    chance = np.random.default_rng(0).random((2, PROMPTS))
    correct = (chance < np.where(np.array([is_a, ~is_a]), 0.9, 0.5)).astype(float)
    return RecordedOutcomes(
        name="made",
        models=("quick", "slow"),
        families=("quick", "slow"),
        is_research=np.array([False, False]),
        prompts=tuple(f"p{i}" for i in range(PROMPTS)),
        groups=tuple(f"p{i}" for i in range(PROMPTS)),
        tasks=tasks,
        languages=("en",) * PROMPTS,
        texts=("Which of these is it, and why?" * 4 if texts else "",) * PROMPTS,
        prompt_tokens=np.full(PROMPTS, 40.0),
        correct=correct,
        latency_s=np.array([[1.0], [3.0]]) * np.linspace(0.5, 1.5, PROMPTS),
        output_tokens=np.full((2, PROMPTS), np.nan),
        cost_usd=np.full((2, PROMPTS), np.nan),
    )


@pytest.fixture(scope="module")
def world() -> EmulatedWorld:
    return build(recorded(), size=2, seed=0, capacity_per_s=20.0)


def test_an_answer_takes_its_recorded_seconds_times_the_scale(world: EmulatedWorld) -> None:
    given = recorded()
    for row, model in enumerate(world.models):
        for prompt, answer in model.answers.items():
            column = given.prompts.index(prompt)
            took_s = (
                model.engine.prefill_s_per_token * answer.prompt_tokens
                + model.engine.decode_s_per_token * answer.output_tokens
            )
            assert took_s == pytest.approx(given.latency_s[row, column] * world.time_scale)
            assert answer.is_right == bool(given.correct[row, column])


def test_time_is_scaled_to_the_capacity(world: EmulatedWorld) -> None:
    assert world.bound.capacity_per_s == pytest.approx(20.0)


def test_what_the_router_knows_is_of_other_prompts_than_those_asked(world: EmulatedWorld) -> None:
    tried = sum(cell.tried for cell in world.profile.models["emulated-quick"].cells)
    assert tried + len(world.prompts) == PROMPTS
    assert world.profile.measured.assumed
    assert set(world.profile.models["emulated-slow"].output_tokens) == {"a", "b"}


def test_a_recording_without_texts_is_refused() -> None:
    with pytest.raises(RecordedError, match="no texts"):
        build(recorded(texts=False), size=2, seed=0, capacity_per_s=20.0)


OPTIONS = EmulationOptions(outcomes=Path("made"), loads=[0.5], seeds=1, models=2, block_s=2.0, capacity_per_s=20.0)


def test_a_block_asks_each_prompt_at_most_once_and_names_it(world: EmulatedWorld) -> None:
    sendings = _sendings(world, OPTIONS, 0.5, 0)
    assert 8 < len(sendings) < 35
    assert len({sending.prompt.id for sending in sendings}) == len(sendings)
    assert all(f"[prompt {s.prompt.id}]" in s.prompt.text for s in sendings)
    assert _sendings(world, OPTIONS, 0.5, 1) != sendings


def test_the_config_is_one_that_the_application_takes(world: EmulatedWorld, tmp_path: Path) -> None:
    config = AppConfig.model_validate(
        config_of(
            world.models,
            list(world.profile.models),
            deadline_s=30.0,
            port=8000,
            profile=tmp_path / "profile.json",
        )
    )
    assert [model.engine_config.name for model in config.models] == list(world.profile.models)
    assert config.models[0].engine_config.slots == 8


@pytest.mark.parametrize("text", ["laar", "fastest,threshold", "laar,fastest,fastest", "laar,best"])
def test_policies_are_compared_with_laar(text: str) -> None:
    with pytest.raises(ValueError, match="--policies"):
        policies_of(text)


MODEL = EmulatedModel(
    name="m0",
    engine=Engine(overhead_s=0.0, prefill_s_per_token=0.0, decode_s_per_token=0.0001, decode_growth=0.0, slots=2),
    answers={"p1": EmulatedAnswer(True, 40.0, 5.0), "p2": EmulatedAnswer(False, 40.0, 5.0)},
)


async def _asked(prompt: str, *, stream: bool = False, model: str = "m0") -> tuple[int, str]:
    runner = web.AppRunner(application([MODEL]))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    body = {"messages": [{"role": "user", "content": marked(prompt, "What is it?")}], "stream": stream}
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/{model}/v1/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            return response.status, await response.text()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("prompt", "stream", "status", "said"),
    [
        pytest.param("p1", False, 200, f'"{RIGHT}"', id="right"),
        pytest.param("p2", False, 200, f'"{WRONG}"', id="wrong"),
        pytest.param("p1", True, 200, "data: [DONE]", id="streamed"),
        pytest.param("p3", False, 400, "no recorded prompt", id="not recorded"),
    ],
)
def test_a_server_gives_the_recorded_answer(prompt: str, stream: bool, status: int, said: str) -> None:
    found, text = asyncio.run(_asked(prompt, stream=stream))
    assert found == status
    assert said in text


def trial(
    policy: str, prompt: str, elapsed_s: float, *, solved: bool = True, at_s: float = 0.0, late_s: float = 0.001
) -> Trial:
    made = TrialAttempt(model="m", started_s=0.0, latency_s=elapsed_s, correct=solved)
    return Trial(
        policy=policy,
        block=0,
        prompt_id=prompt,
        task="a",
        language="en",
        target_tokens=40,
        session="u",
        sent_s=at_s,
        elapsed_s=elapsed_s,
        tries=(made,),
        client_late_s=late_s,
    )


TRIALS = [
    LoadedTrial(load=0.5, seed=0, plays=1, trial=trial(policy, f"p{i}", seconds, at_s=float(i)))
    for policy, seconds in (("laar", 1.0), ("fastest", 2.0), ("threshold", 4.0))
    for i in range(20)
]


def test_laar_is_held_against_the_best_of_the_others() -> None:
    (point,) = figures(TRIALS, answerable={f"p{i}" for i in range(20)}, cap=2, fluid_s={0.5: 0.8})
    assert point["best_other"] == "fastest"
    assert point["laar_over_best"] == {"value": 0.5, "low": 0.5, "high": 0.5, "prompts": 18}
    assert point["policies"]["threshold"]["mean_s"] == 4.0
    # the first tenth of a block finds idle engines
    assert point["policies"]["laar"]["trials"] == 18
    assert [bar.ok for bar in bars([point])] == [True, True, True]


def test_an_unsolved_prompt_is_charged_all_attempts() -> None:
    trials = [
        LoadedTrial(load=0.5, seed=0, plays=1, trial=trial("laar", f"p{i}", 1.0, solved=i > 5)) for i in range(20)
    ]
    (point,) = figures([*trials, *TRIALS[20:]], answerable={f"p{i}" for i in range(20)}, cap=2, fluid_s={0.5: 0.8})
    # 14 in a second; 4 for a second and for the longest attempt of any policy
    assert point["policies"]["laar"]["mean_s"] == pytest.approx((14 * 1 + 4 * 5) / 18)


def test_figures_follow_from_the_raw_file(tmp_path: Path) -> None:
    recording = EmulationRecording(
        parameters={"models": ["x", "y"]},
        environment={},
        answerable=frozenset({f"p{i}" for i in range(20)}),
        fluid_s={0.5: 0.8},
        trials=TRIALS,
    )
    write_emulation(tmp_path / "raw.gz", recording)
    assert report(read_emulation(tmp_path / "raw.gz")).as_dict() == report(recording).as_dict()
    (tmp_path / "other").write_bytes(b"{}")
    with pytest.raises(ValueError, match="no recording"):
        read_emulation(tmp_path / "other")


def test_a_block_is_played_again_where_the_client_was_held_up() -> None:
    lates = [0.5, 0.05, 0.01, 0.0]

    async def play() -> list[Trial]:
        return [trial("laar", "p1", 1.0, late_s=lates.pop(0))]

    block, plays = asyncio.run(undisturbed(play))
    assert (block[0].client_late_s, plays) == (0.01, 3)


def test_a_client_that_was_held_up_all_the_time_falls_short() -> None:
    trials = [
        LoadedTrial(load=0.5, seed=0, plays=4, trial=trial(policy, f"p{i}", 1.0, late_s=0.05))
        for policy in ("laar", "fastest")
        for i in range(20)
    ]
    (point,) = figures(trials, answerable={f"p{i}" for i in range(20)}, cap=2, fluid_s={0.5: 0.8})
    assert point["played_again"] == 6
    assert [bar.ok for bar in bars([point])] == [True, True, False]


def test_a_run_that_is_gone_on_with_plays_only_the_disturbed_blocks_anew() -> None:
    held_up = [
        LoadedTrial(load=0.9, seed=0, plays=4, trial=trial("laar", f"p{i}", 1.0, late_s=0.05)) for i in range(20)
    ]
    before = EmulationRecording(
        parameters={"seeds": 1}, environment={}, answerable=frozenset(), fluid_s={}, trials=[*TRIALS, *held_up]
    )
    assert set(_kept(before, {"seeds": 1})) == {(0.5, 0, policy) for policy in ("laar", "fastest", "threshold")}
    with pytest.raises(ValueError, match="another run; seeds differ"):
        _kept(before, {"seeds": 2})
