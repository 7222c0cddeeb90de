"""What a request has cost with all its attempts, by what engines counted and by the models' prices."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from deployments.router.attempt.tries import Attempt, Status
from deployments.router.model import Price
from deployments.router.tenants.allowance import Cost

_NO_PRICE = Price()


def cost_of(attempts: Iterable[Attempt], prices: Mapping[str, Price]) -> Cost:
    """The cost of attempts and of the judges of their answers.

    One that failed costs nothing, and one that was cut what it has written until then.
    """
    tokens, spend = 0, 0.0
    for model, read, written in chain.from_iterable(map(_used, attempts)):
        price = prices.get(model, _NO_PRICE)
        tokens += read + written
        spend += price.of(read, written)
    return Cost(tokens=tokens, spend=spend)


def _used(attempt: Attempt) -> Iterator[tuple[str, int, int]]:
    """Each model that worked for an attempt, with the tokens that it read and wrote."""
    if attempt.status is Status.ERROR or attempt.is_fault_of_model:
        return
    reply = attempt.reply
    read = (reply.prompt_tokens if reply is not None else 0) or attempt.prompt_tokens
    written = (reply.output_tokens if reply is not None else None) or _held_tokens(attempt)
    yield attempt.model, read, written
    yield from attempt.judges


def _held_tokens(attempt: Attempt) -> int:
    if attempt.reply is None:
        return attempt.written_tokens
    return sum(chunk.num_tokens for chunk in attempt.reply.chunks)
