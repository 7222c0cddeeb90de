"""Two OpenAI servers, as the pages suppose them: each has one model, which answers like the real one of that name."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORTS = {"gemma-3-270m": 8001, "smollm2-135m": 8002}
# what a prompt holds, and what gemma-3-270m says then; the other model is always wrong
ANSWERS = {
    "Österreich": "Die Hauptstadt von Österreich ist Wien. Sie liegt im Norden des Landes und ist die größte Stadt"
    " Österreichs. Sie liegt an der Donau.",
    "Austria": "The capital of Austria is Vienna.",
    "2 + 3": "2 + 3 = 5",
    "rain": "Rain is water that falls.",
    "Deutschland": "Berlin",
    "Frankreich": "Paris",
    "Italien": "Rom",
    "Spanien": "Madrid",
    "Portugal": "Lissabon",
    "Polen": "Warschau",
    "Ungarn": "Budapest",
    "Norwegen": "Oslo",
    "Schweden": "Stockholm",
}
WRONG = "It is a beautiful city."
# the better model is the slower one, as the real one is
LATENCY_S = {"gemma-3-270m": 0.12, "smollm2-135m": 0.05}


@contextmanager
def model_servers() -> Iterator[None]:
    with ExitStack() as stack:
        for model, port in PORTS.items():
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", port), _handler(model)))
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield


def _answer(model: str, prompt: str) -> str:
    if model == "smollm2-135m":
        return WRONG
    return next((answer for held, answer in ANSWERS.items() if held in prompt), WRONG)


def _handler(model: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing of it is looked at."""

        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": model, "object": "model", "max_model_len": 4096}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            time.sleep(LATENCY_S[model])
            text = _answer(model, asked["messages"][-1]["content"])
            base = {"id": "a", "created": 0, "model": model}
            usage = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
            if not asked.get("stream"):
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                self._send({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
                return
            kind = {"object": "chat.completion.chunk"}
            choices = [
                {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None},
                {"index": 0, "delta": {}, "finish_reason": "stop"},
            ]
            events: list[dict[str, Any]] = [{**base, **kind, "choices": [choice]} for choice in choices]
            if (asked.get("stream_options") or {}).get("include_usage"):
                events.append({**base, **kind, "choices": [], "usage": usage})
            lines = [f"data: {json.dumps(event)}\n\n" for event in events]
            self._write("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())

        def _send(self, body: dict[str, Any]) -> None:
            self._write("application/json", json.dumps(body).encode())

        def _write(self, media_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
