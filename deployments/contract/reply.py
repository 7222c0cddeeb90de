"""What a model deployment hands back to whoever asked it."""

import msgspec

from deployments.contract.verdict import ToolCall


class Reply(msgspec.Struct, frozen=True):
    """The end of one attempt: an OpenAI JSON body, or with a status from 400 up an OpenAI error body.

    `text` is what the model said, without what its engine keeps apart: its reasoning, its calls of tools, and the
    `refusal` with which it declined to answer. `finish_reason` says why it stopped. `invalid_request` marks a body that
    no model would take, so that it is not tried elsewhere.
    """

    status: int
    body: bytes
    text: str = ""
    prompt_tokens: int = 0
    output_tokens: int | None = None
    invalid_request: bool = False
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
