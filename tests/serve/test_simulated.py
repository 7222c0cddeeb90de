"""The simulated engine by itself, without the application around it."""

from types import SimpleNamespace

import msgspec
import pytest
from ray.serve.llm.openai_api_models import ChatCompletionRequest, ChatCompletionResponse

from deployments.engines.engine_configs import SimulatedSettings
from deployments.engines.simulated import _CHAT, SimulatedEngine
from deployments.router.text.language import language_of
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.profile import DEFAULT_TASK, load_profile
from tests.unit.scripts.bench.cost.test_peers import ask

pytestmark = pytest.mark.serve
NUM_PROMPTS = 400


async def share_of_right_answers(model: str) -> float:
    config = SimpleNamespace(model_id=model, engine_kwargs={})
    engine = SimulatedEngine(config, settings=SimulatedSettings(profile="simulated"), language_of=language_of)
    engine._latency = engine._latency.model_copy(update={"overhead_s": 0.0, "decode_s_per_token": 0.0})
    right = 0
    for number in range(NUM_PROMPTS):
        text = f'Where is the key of house number {number}? <sim answer="at home">'
        request = ChatCompletionRequest(model=model, messages=[{"role": "user", "content": text}])
        async for response in engine.chat(request):
            assert isinstance(response, ChatCompletionResponse)
            right += "at home" in (response.choices[0].message.content or "")
    return right / NUM_PROMPTS


@pytest.mark.parametrize(
    "model",
    [pytest.param("simulated-small", id="right-on-8-of-20"), pytest.param("simulated-large", id="right-on-18-of-20")],
)
async def test_correctness_is_drawn_from_what_the_router_believes_by_the_profile(model: str) -> None:
    believed = Capability(load_profile("simulated")).probability(model, Cell(DEFAULT_TASK, "en", 0))
    assert await share_of_right_answers(model) == pytest.approx(believed, abs=0.06)


async def test_instant_backend_answers_as_the_simulated_engine_does() -> None:
    status, headers, body = await ask("/v1/chat/completions")
    expected = _CHAT.response("simulated-instant", "[simulated] answer", 62, 2).model_dump(exclude_none=True)
    got = msgspec.json.decode(body)
    assert (status, headers[b"content-length"]) == (200, b"%d" % len(body))
    assert (got["choices"][0]["message"], got["usage"]) == (
        {name: expected["choices"][0]["message"][name] for name in ("role", "content")},
        expected["usage"],
    )
