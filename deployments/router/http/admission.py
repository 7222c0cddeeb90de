"""The one place where a request is judged before any model is asked: what laar cannot honour is refused by name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as with_fields

from deployments.contract.errors import ClientError, UnknownModelError
from deployments.contract.secret import NO_SECRET, Secrets
from deployments.router.choice.policy import PolicyName
from deployments.router.http.request import AUTO, MAX_SHOWN_CHARS, NOT_VERIFIED, Endpoint, RoutedRequest, parse_request
from deployments.router.model import Medium
from deployments.router.settings import Limits
from deployments.router.tenants.tenant import ANYBODY, Tenant
from deployments.verifier.checks import Catalogue, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the application has for requests: its models by name, those of them that can be held to a thinking budget,
    the operator's own checks, the check of requests that name none, the media that models read besides text, the
    operator's names with the check of each, and the policy of requests that name none."""

    models: tuple[str, ...]
    thinkers: frozenset[str]
    custom_checks: frozenset[str]
    limits: Limits
    secrets: Secrets = NO_SECRET
    default_verify: Spec = NOT_VERIFIED
    media: Mapping[str, frozenset[Medium]] = field(default_factory=dict)
    names: Mapping[str, Spec] = field(default_factory=dict)
    policy: PolicyName = "laar"

    @property
    def known(self) -> tuple[str, ...]:
        """All that a request may name as its model."""
        return (AUTO, *self.names, *self.models)

    def to(self, tenant: Tenant) -> "Offer":
        """What of it one tenant may use."""
        if tenant.models is None:
            return self
        return replace(self, models=tenant.of(self.models), thinkers=self.thinkers & tenant.models)

    def salt(self, request: RoutedRequest, tenant: Tenant) -> str | None:
        """What keeps the tenant's prompts apart in an engine's prefix cache; a client may keep them apart further."""
        own = request.cache_salt
        return self.secrets.digest("cache salt", f"{tenant.id} {own or ''}") if tenant.id else own

    def answering(self, request: RoutedRequest) -> tuple[str, ...]:
        """The models that may answer the request."""
        asked = self.models if request.model == AUTO else (request.model,)
        return tuple(model for model in asked if request.media <= self.media.get(model, frozenset()))


def admit(body: bytes, endpoint: Endpoint, offer: Offer, tenant: Tenant = ANYBODY) -> RoutedRequest:
    """The request in a body; a ClientError that names the field at fault if it cannot be honoured."""
    offer = offer.to(tenant)
    request = parse_request(
        body, endpoint=endpoint, limits=offer.limits, default_verify=offer.default_verify, names=offer.names
    )
    refuse_unknown_model(request.model, offer.known)
    _refuse_unread_media(request, offer)
    _refuse_impossible_budget(request, offer)
    _refuse_impossible_target(request, offer)
    for index, model in enumerate(request.options.tried):
        refuse_unknown_model(model, offer.models, field=f"laar.tried.{index}")
    return _with_possible_check(with_fields(request, tenant=tenant, cache_salt=offer.salt(request, tenant)), offer)


def refuse_unknown_model(model: str, known: Collection[str], *, field: str = "model") -> None:
    if model not in known:
        shown = ", ".join(f"'{name}'" for name in known)
        raise UnknownModelError(f"{field}: unknown model '{model[:MAX_SHOWN_CHARS]}'; known: {shown}", param=field)


def _refuse_unread_media(request: RoutedRequest, offer: Offer) -> None:
    """A model of texts alone would answer with an error, or without having seen the rest."""
    if request.media and not offer.answering(request):
        who = "no model reads" if request.model == AUTO else f"'{request.model}' does not read"
        message = f"messages: {who} {' and '.join(sorted(request.media))}; an operator tells by models[].media who does"
        raise ClientError(message, param="messages")


def _refuse_impossible_budget(request: RoutedRequest, offer: Offer) -> None:
    if request.thinking_token_budget is not None and not offer.thinkers.intersection(offer.answering(request)):
        who = "no model" if request.model == AUTO else f"not '{request.model}'"
        message = f"thinking_token_budget: {who} can be held to it; models that can: {sorted(offer.thinkers)}"
        raise ClientError(message, param="thinking_token_budget")


def _refuse_impossible_target(request: RoutedRequest, offer: Offer) -> None:
    policy = request.options.policy or offer.policy
    if request.options.target is None or (request.model == AUTO and policy == "laar"):
        return
    what = f"policy '{policy}' does not look at it; 'laar' is needed"
    if request.model != AUTO:
        what = f"there is nothing to choose for model '{request.model}'; 'auto' is needed"
    raise ClientError(f"laar.target: {what}", param="laar.target")


def _with_possible_check(request: RoutedRequest, offer: Offer) -> RoutedRequest:
    """The request with a check that can be made: one that it asks for itself is refused, any other one left out."""
    has = Catalogue(
        models=offer.models,
        answering=offer.answering(request),
        custom_checks=offer.custom_checks,
        has_tools=request.has_tools,
    )
    refusal = request.verify.refusal(has)
    if refusal is None:
        return request
    if request.verify is request.options.verify:
        field = f"laar.verify.{refusal.field}"
        raise ClientError(f"{field}: {refusal.message}", param=field)
    return with_fields(request, verify=request.options.verify)
