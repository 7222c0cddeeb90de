import asyncio
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from profiles.profile import NO_PROFILE
from scripts.bench.emulated.router import router_of
from scripts.bench.emulated.server import RIGHT, EmulatedAnswer, EmulatedModel, application, marked
from scripts.simulate.core.engine import Engine
from serve_app.config import AppConfig

QUICK = Engine(overhead_s=0.0, prefill_s_per_token=0.0, decode_s_per_token=0.0001, decode_growth=0.0, slots=2)
MODELS = [
    EmulatedModel(name=name, engine=QUICK, answers={"p1": EmulatedAnswer(is_right, 40.0, 5.0)})
    for name, is_right in (("m0", False), ("m1", True))
]


async def _asked(tmp_path: Path) -> dict[str, Any]:
    runner = web.AppRunner(application(MODELS))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    (tmp_path / "profile.json").write_text(NO_PROFILE.model_dump_json())
    remote = [
        {"model_id": m.name, "urls": [f"http://127.0.0.1:{port}/{m.name}/v1"], "max_model_len": 8192} for m in MODELS
    ]
    args = {
        "profile": str(tmp_path / "profile.json"),
        "models": [{"engine": "remote", "remote": one} for one in remote],
        "log": {"enabled": False},
    }
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": marked("p1", "What is it?")}],
        "temperature": 0,
        "laar": {"verify": {"type": "contains", "value": RIGHT}, "policy": "round-robin"},
    }
    app = router_of(AppConfig.model_validate(args)).app("test")
    try:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://laar") as http:
                found = [(await http.post("/v1/chat/completions", json=body)).json() for _ in range(2)]
                return {"answers": found}
    finally:
        await runner.cleanup()


def test_the_real_router_asks_on_until_a_recorded_answer_is_right(tmp_path: Path) -> None:
    found = asyncio.run(_asked(tmp_path))
    tries = [[(a["model"], a["verdict"]) for a in answer["laar"]["attempts"]] for answer in found["answers"]]
    assert sorted(tries, key=len) == [[("m1", "correct")], [("m0", "wrong"), ("m1", "correct")]]
