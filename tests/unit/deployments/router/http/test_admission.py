import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from deployments.contract.errors import ClientError, UnknownModelError
from deployments.contract.secret import Secrets
from deployments.router.http.admission import Offer, admit
from deployments.router.http.request import Endpoint, RoutedRequest
from deployments.router.model import Medium
from deployments.router.settings import Limits
from deployments.router.tenants.tenant import Tenant
from deployments.verifier.checks import SPEC

OFFER = Offer(
    models=("plain", "thinker"),
    thinkers=frozenset({"thinker"}),
    custom_checks=frozenset({"short"}),
    limits=Limits(max_body_bytes=10_000),
)


def ask(offer: Offer = OFFER, model: str = "auto", **fields: Any) -> RoutedRequest:
    return admit(body(model, **fields), Endpoint.CHAT, offer)


def body(model: str = "auto", **fields: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}).encode()


def verify(spec: dict[str, Any], model: str = "auto") -> RoutedRequest:
    return ask(model=model, laar={"verify": spec})


def test_request_that_can_be_honoured_is_taken() -> None:
    assert ask(model="plain", temperature=0).model == "plain"


def part(type_: str) -> dict[str, Any]:
    return {"type": type_, type_: {"url": "https://example.org/x"}}


def with_parts(*types: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *map(part, types)]}]


SEES = replace(OFFER, media={"plain": frozenset(), "thinker": frozenset({Medium.IMAGE})})


@pytest.mark.parametrize(
    ("model", "types", "message"),
    [
        pytest.param("plain", ["image_url"], "'plain' does not read image", id="named"),
        pytest.param("auto", ["input_audio"], "no model reads audio", id="auto"),
        pytest.param("auto", ["image_url", "video_url"], "no model reads image and video", id="both-at-once"),
        pytest.param("auto", ["image_url"], None, id="auto-can"),
        pytest.param("thinker", ["image_url", "image_url"], None, id="named-can"),
        pytest.param("plain", [], None, id="text"),
    ],
)
def test_what_no_model_reads_is_refused(model: str, types: list[str], message: str | None) -> None:
    if message is None:
        assert ask(SEES, model, messages=with_parts(*types)).model == model
        return
    with pytest.raises(ClientError, match=f"^messages: {message}; an operator tells by models"):
        ask(SEES, model, messages=with_parts(*types))


def test_a_part_that_also_has_a_text_is_still_an_image() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "x"}, "text": "What is this?"}]
    with pytest.raises(ClientError, match="'plain' does not read image"):
        ask(SEES, "plain", messages=[{"role": "user", "content": parts}])


def test_models_that_do_not_see_cannot_agree_about_an_image() -> None:
    with pytest.raises(ClientError, match="two models must answer"):
        ask(SEES, messages=with_parts("image_url"), laar={"verify": {"type": "agreement"}})


def test_unknown_model_is_told_which_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r"unknown model 'big'; known: 'auto', 'plain', 'thinker'"):
        ask(model="big")


@pytest.mark.parametrize(
    ("offer", "model", "policy", "told"),
    [
        pytest.param(OFFER, "auto", {}, None, id="laar"),
        pytest.param(OFFER, "plain", {}, "there is nothing to choose for model 'plain'; 'auto' is needed", id="named"),
        pytest.param(OFFER, "auto", {"policy": "fastest"}, "policy 'fastest' does not look at it", id="asked-for"),
        pytest.param(replace(OFFER, policy="round-robin"), "auto", {}, "policy 'round-robin' does", id="configured"),
        pytest.param(replace(OFFER, policy="round-robin"), "auto", {"policy": "laar"}, None, id="laar-asked-for"),
    ],
)
def test_target_that_no_choice_would_follow_is_refused(
    offer: Offer, model: str, policy: dict[str, str], told: str | None
) -> None:
    laar: dict[str, Any] = {"target": {"probability": 0.9, "by_s": 5}, **policy}
    if told is None:
        assert ask(offer, model, laar=laar).options.target is not None
        return
    with pytest.raises(ClientError, match=f"^laar.target: {told}"):
        ask(offer, model, laar=laar)


@pytest.mark.parametrize("model", [pytest.param("thinker", id="by name"), pytest.param("auto", id="auto")])
def test_budget_that_some_model_can_honour_is_taken(model: str) -> None:
    assert ask(model=model, thinking_token_budget=10).thinking_token_budget == 10


@pytest.mark.parametrize(
    ("offer", "model", "told"),
    [
        pytest.param(OFFER, "plain", r"not 'plain' .* models that can: \['thinker'\]", id="by name"),
        pytest.param(
            Offer(
                models=("a",),
                thinkers=frozenset(),
                custom_checks=frozenset(),
                limits=Limits(max_body_bytes=999),
            ),
            "auto",
            r"no model can be held to it; models that can: \[\]",
            id="auto",
        ),
    ],
)
def test_budget_that_no_model_could_honour_is_refused(offer: Offer, model: str, told: str) -> None:
    with pytest.raises(ClientError, match="thinking_token_budget: " + told) as found:
        ask(offer, model=model, thinking_token_budget=10)
    assert found.value.param == "thinking_token_budget"


def test_tried_models_must_be_known() -> None:
    assert ask(laar={"tried": ["plain"]}).options.tried == ("plain",)
    with pytest.raises(UnknownModelError, match=r"^laar\.tried\.1: unknown model 'big'; known: 'plain', 'thinker'$"):
        ask(laar={"tried": ["plain", "big"]})


@pytest.mark.parametrize(
    ("model", "spec", "field"),
    [
        pytest.param("auto", {"type": "judge", "model": "nobody"}, "laar.verify.model", id="judge"),
        pytest.param("plain", {"type": "agreement"}, "laar.verify.by", id="agreement"),
        pytest.param("auto", {"type": "custom", "name": "long"}, "laar.verify.name", id="custom"),
    ],
)
def test_check_that_cannot_be_made_is_refused_with_its_field(model: str, spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ClientError, match=field) as found:
        verify(spec, model)
    assert found.value.param == field


def test_check_that_can_be_made_is_taken() -> None:
    assert verify({"type": "custom", "name": "short"}).wants_verification


DEFAULT = replace(OFFER, default_verify=SPEC.validate_python({"type": "agreement"}))
NUMERIC, TOOLS = ({"type": "agreement", "by": "numeric"}, {"type": "tool_call", "calls": [{"name": "f"}]})
NAMED = replace(OFFER, names={"auto-numeric": SPEC.validate_python(NUMERIC), "auto-f": SPEC.validate_python(TOOLS)})
OPTIONS = "Which one?\nA) red\nB) green"


@pytest.mark.parametrize(
    ("model", "expected"), [pytest.param("auto", True, id="two-may-answer"), pytest.param("plain", False, id="one-may")]
)
def test_default_check_is_made_where_it_can_be(model: str, expected: bool) -> None:
    assert ask(DEFAULT, model=model).wants_verification is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [pytest.param("auto", "agreement", id="two-may-answer"), pytest.param("plain", "auto", id="one-may")],
)
def test_derived_check_that_cannot_be_made_leaves_the_one_asked_for(model: str, expected: str) -> None:
    messages = [{"role": "user", "content": OPTIONS}]
    request = ask(model=model, messages=messages, laar={"verify": {"type": "auto"}})
    assert request.verify.model_dump()["type"] == expected


def test_calls_are_checked_only_where_there_are_tools() -> None:
    spec = {"verify": {"type": "tool_call", "calls": [{"name": "f"}]}}
    with pytest.raises(ClientError, match=r"^laar\.verify\.calls: the request has no 'tools' to call$"):
        ask(laar=spec)
    assert ask(laar=spec, tools=[{"type": "function", "function": {"name": "f"}}]).has_tools


def test_tenant_is_offered_its_models_alone() -> None:
    mine = Tenant(id="t", name="t", models=frozenset({"plain"}))
    with pytest.raises(UnknownModelError, match=r"unknown model 'thinker'; known: 'auto', 'plain'$"):
        admit(body(model="thinker"), Endpoint.CHAT, OFFER, mine)
    assert admit(body(), Endpoint.CHAT, OFFER, mine).tenant == mine
    judged = {"verify": {"type": "judge", "model": "thinker", "criteria": "Is it right?"}}
    with pytest.raises(ClientError, match="thinker"):
        admit(body(laar=judged), Endpoint.CHAT, OFFER, mine)


def test_prompts_of_tenants_are_kept_apart_in_a_prefix_cache_whatever_the_client_says() -> None:
    offer = replace(OFFER, secrets=Secrets(b"of the operator"))

    def salt(tenant_id: str, **fields: Any) -> str | None:
        return admit(body(**fields), Endpoint.CHAT, offer, Tenant(id=tenant_id, name="t")).cache_salt

    salts = [salt("a"), salt("b"), salt("a", cache_salt="x"), salt("b", cache_salt="x")]
    assert len(set(salts)) == 4
    assert salts[0] == salt("a")
    # without keys there is nobody to keep apart
    assert (salt(""), salt("", cache_salt="x")) == (None, "x")


def test_name_of_the_operators_stands_for_auto_with_its_check() -> None:
    found = ask(NAMED, "auto-numeric")
    assert (found.model, found.verify) == ("auto", NAMED.names["auto-numeric"])
    assert found == with_fields(ask(NAMED, laar={"verify": NUMERIC}), body=found.body)


def test_check_of_a_request_goes_before_that_of_the_name() -> None:
    assert not ask(NAMED, "auto-numeric", laar={"verify": {"type": "none"}}).wants_verification
    assert ask(NAMED, "auto-numeric", laar={"deadline_s": 3}).options.deadline_s == 3


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        pytest.param("auto-f", {}, "laar.verify.calls", id="no-tools"),
        pytest.param("auto-numeric", {"n": 2}, "n", id="several-answers"),
    ],
)
def test_check_of_a_name_is_made_or_refused(name: str, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientError, match=param) as found:
        ask(NAMED, name, **fields)
    assert found.value.param == param


def test_names_are_among_what_is_known() -> None:
    with pytest.raises(UnknownModelError, match=r"known: 'auto', 'auto-numeric', 'auto-f', 'plain', 'thinker'"):
        ask(NAMED, "auto-json")
    with pytest.raises(UnknownModelError, match=r"^laar\.tried\.0: unknown model 'auto-f'"):
        ask(NAMED, laar={"tried": ["auto-f"]})
