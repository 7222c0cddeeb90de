"""The one place where a request is judged before any model is asked: what laar cannot honour is refused by name."""

from dataclasses import dataclass

from deployments.contract.errors import ClientError, LogOffError, UnknownModelError
from deployments.router.http.request import AUTO, MAX_SHOWN_CHARS, Endpoint, RoutedRequest, parse_request
from deployments.verifier.checks import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the application has for requests: its models by name, those of them that can be held to a thinking budget,
    the operator's own checks, and whether there is an attempt log."""

    models: tuple[str, ...]
    thinkers: frozenset[str]
    custom_checks: frozenset[str]
    has_log: bool
    max_body_bytes: int

    def answering(self, request: RoutedRequest) -> tuple[str, ...]:
        """The models that may answer the request."""
        return self.models if request.model == AUTO else (request.model,)


def admit(body: bytes, endpoint: Endpoint, offer: Offer) -> RoutedRequest:
    """The request in a body; a ClientError that names the field at fault if it cannot be honoured."""
    request = parse_request(body, endpoint=endpoint, max_body_bytes=offer.max_body_bytes)
    refuse_unknown_model(request.model, offer)
    _refuse_impossible_budget(request, offer)
    if request.options.retry_of is not None and not offer.has_log:
        raise LogOffError("laar.retry_of: the operator has turned the attempt log off", param="laar.retry_of")
    _refuse_impossible_check(request, offer)
    return request


def refuse_unknown_model(model: str, offer: Offer) -> None:
    if model != AUTO and model not in offer.models:
        known = ", ".join(f"'{name}'" for name in (AUTO, *offer.models))
        raise UnknownModelError(f"model: unknown model '{model[:MAX_SHOWN_CHARS]}'; known: {known}", param="model")


def _refuse_impossible_budget(request: RoutedRequest, offer: Offer) -> None:
    if request.thinking_token_budget is not None and not offer.thinkers.intersection(offer.answering(request)):
        who = "no model" if request.model == AUTO else f"not '{request.model}'"
        message = f"thinking_token_budget: {who} can be held to it; models that can: {sorted(offer.thinkers)}"
        raise ClientError(message, param="thinking_token_budget")


def _refuse_impossible_check(request: RoutedRequest, offer: Offer) -> None:
    has = Catalogue(models=offer.models, answering=offer.answering(request), custom_checks=offer.custom_checks)
    if (refusal := request.options.verify.refusal(has)) is not None:
        field = f"laar.verify.{refusal.field}"
        raise ClientError(f"{field}: {refusal.message}", param=field)
