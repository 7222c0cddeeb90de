"""Builds the messages of a chat request."""

from collections.abc import Mapping
from typing import Any

from deployments.router.dialects.exchange import NULL


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def image_part(url: str, detail: str | None = None) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url} | ({} if detail is None else {"detail": detail})}


def function_tool(name: str, description: str | None, parameters: Any, strict: bool | None) -> dict[str, Any]:
    told = {"name": name, "description": description, "parameters": parameters, "strict": strict}
    return {"type": "function", "function": {key: value for key, value in told.items() if _is_said(value)}}


def json_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A response format of an answer by this schema."""
    return {"type": "json_schema", "json_schema": {key: value for key, value in fields.items() if _is_said(value)}}


def _is_said(value: object) -> bool:
    return value is not None and value != NULL


class Messages:
    """The messages so far. What an assistant thought, said and called in a row is one message of chat.

    Chat wants a tool's result behind the message that calls the tool.
    """

    def __init__(self) -> None:
        self._all: list[dict[str, Any]] = []
        # of the assistant's message that is being written, by field
        self._pieces: dict[str, list[str]] = {}

    def done(self) -> list[dict[str, Any]]:
        """All of them; none may be added after that."""
        self._end_turn()
        return self._all

    def add(self, role: str, content: Any, **more: Any) -> None:
        self._end_turn()
        self._all.append({"role": role, "content": content, **more})

    def thought(self, text: str) -> None:
        self._write("reasoning", text)

    def said(self, text: str) -> None:
        self._write("content", text)

    def called(self, id_: str, name: str, arguments: str) -> None:
        call = {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        self._assistant().setdefault("tool_calls", []).append(call)

    def answered(self, id_: str, content: Any) -> None:
        """A tool has answered a call."""
        self.add("tool", content, tool_call_id=id_)

    def _write(self, key: str, text: str) -> None:
        self._assistant()
        self._pieces.setdefault(key, []).append(text)

    def _assistant(self) -> dict[str, Any]:
        """The assistant's message if that is the last one, else a new one."""
        if not self._all or self._all[-1]["role"] != "assistant":
            self._all.append({"role": "assistant"})
        return self._all[-1]

    def _end_turn(self) -> None:
        """Join what the assistant said once: piece by piece it would take the square of its length."""
        for key, pieces in self._pieces.items():
            self._all[-1][key] = "".join(pieces)
        self._pieces = {}
