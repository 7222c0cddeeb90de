"""What a model deployment hands back to whoever asked it."""

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """The end of one attempt: an OpenAI JSON body, or with a status from 400 up an OpenAI error body.

    `invalid_request` marks a body that no model would take, so that nobody tries it elsewhere.
    """

    status: int
    body: bytes
    text: str = ""
    prompt_tokens: int = 0
    output_tokens: int | None = None
    invalid_request: bool = False
