"""What a request has cost with all its attempts, by what engines counted and by the models' prices."""

from collections.abc import Iterable, Mapping

from deployments.router.attempt.tries import Attempt, Status
from deployments.router.model import Price
from deployments.router.tenants.allowance import Cost

_NO_PRICE = Price()
_PER_MILLION = 1e-6


def cost_of(attempts: Iterable[Attempt], prices: Mapping[str, Price], *, streamed_tokens: int) -> Cost:
    """The cost of attempts; of an answer that went straight to its client only the `streamed_tokens` are known."""
    tokens, spend = 0, 0.0
    for attempt in attempts:
        reply = attempt.reply
        read = (reply.prompt_tokens if reply is not None else 0) or attempt.prompt_tokens
        written = (reply.output_tokens or _held_tokens(attempt)) if reply is not None else streamed_tokens
        if attempt.status is Status.ERROR and reply is not None:
            continue
        price = prices.get(attempt.model, _NO_PRICE)
        tokens += read + written
        spend += _PER_MILLION * (read * price.prompt_per_million + written * price.output_per_million)
    return Cost(tokens=tokens, spend=spend)


def _held_tokens(attempt: Attempt) -> int:
    return sum(chunk.num_tokens for chunk in attempt.reply.chunks) if attempt.reply is not None else 0
