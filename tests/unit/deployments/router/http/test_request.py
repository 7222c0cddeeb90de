import json
import random
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contract.errors import BodyTooLargeError, ClientError, UnknownFieldError
from deployments.router.http.fields import IGNORED_FIELDS, OPEN_FIELDS, REFUSED_FIELDS
from deployments.router.http.request import (
    NOT_VERIFIED,
    PART_TOKENS,
    Endpoint,
    RoutedRequest,
    endpoint_of,
    parse_feedback,
    parse_request,
    with_retry_header,
)
from deployments.router.settings import Limits
from deployments.verifier.checks import SPEC, Spec

CHAT = b'{"model":"auto","messages":[{"role":"user","content":"Hi"}]%s}'


def parse(body: bytes, endpoint: Endpoint = Endpoint.CHAT) -> RoutedRequest:
    return parse_request(body, endpoint=endpoint, limits=Limits(max_body_bytes=10_000))


def chat(more: bytes = b"") -> bytes:
    return CHAT % more


def test_body_is_kept_as_it_came() -> None:
    body = chat(b' , "temperature" : 0')
    assert parse(body).body is body


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b'"store":true', id="store"),
        pytest.param(b'"metadata":{"a":"b"}', id="metadata"),
        pytest.param(b'"service_tier":"auto"', id="service_tier"),
        pytest.param(b'"prompt_cache_key":"k"', id="prompt_cache_key"),
        pytest.param(b'"prompt_cache_retention":"24h"', id="prompt_cache_retention"),
        pytest.param(b'"safety_identifier":"u"', id="safety_identifier"),
        pytest.param(b'"prediction":{"type":"content","content":"Hi"}', id="prediction"),
        pytest.param(b'"modalities":["text"]', id="modalities"),
        pytest.param(b'"verbosity":"medium"', id="verbosity"),
        pytest.param(b'"best_of":1', id="best_of"),
    ],
)
def test_field_that_changes_no_answer_is_taken_told_and_goes_no_further(field: bytes) -> None:
    found = parse(chat(b"," + field + b' , "temperature" : 0.50'))
    name = field.split(b'"')[1].decode()
    assert found.ignored == (name,)
    assert json.loads(found.body) == json.loads(chat(b',"temperature":0.5'))
    assert b"0.50" in found.body


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(b'"verbosity":"low"', 'say in the prompt how long .*; "medium" alone is taken', id="verbosity"),
        pytest.param(b'"modalities":["text","audio"]', r'answers are text only; \["text"\] alone', id="modalities"),
        pytest.param(b'"best_of":3', "use n; 1 alone is taken", id="best_of"),
        pytest.param(b'"functions":[]', "use tools$", id="functions"),
        pytest.param(b'"function_call":"none"', "use tool_choice$", id="function_call"),
        pytest.param(b'"audio":{"voice":"x"}', "answers are text only$", id="audio"),
        pytest.param(b'"web_search_options":{}', "models do not search$", id="web_search_options"),
    ],
)
def test_field_that_no_engine_honours_is_refused_with_what_to_do_instead(field: bytes, message: str) -> None:
    with pytest.raises(UnknownFieldError, match="^" + field.split(b'"')[1].decode() + ": .*" + message):
        parse(chat(b"," + field))


@pytest.mark.parametrize("name", sorted(IGNORED_FIELDS | REFUSED_FIELDS.keys()))
def test_null_asks_for_nothing(name: str) -> None:
    found = parse(chat(b',"%b":null' % name.encode()))
    assert (found.ignored, json.loads(found.body)) == ((), json.loads(chat()))


def test_no_tokens_are_an_answer_only_where_a_prompt_is_scored() -> None:
    scored = b'{"model":"m","prompt":"Hi","max_tokens":0,"echo":true,"logprobs":1}'
    assert parse(scored, Endpoint.COMPLETIONS).max_tokens == 0
    for body, endpoint, name in (
        (b'{"model":"m","prompt":"Hi","max_tokens":0}', Endpoint.COMPLETIONS, "max_tokens"),
        (chat(b',"max_tokens":0,"echo":true'), Endpoint.CHAT, "max_tokens"),
        (chat(b',"max_completion_tokens":0'), Endpoint.CHAT, "max_completion_tokens"),
    ):
        with pytest.raises(ClientError, match=f"^{name}: 0 tokens are no answer; 0 is for completions with echo"):
            parse(body, endpoint)


def test_prompt_that_cannot_be_routed_is_refused_with_a_way_out() -> None:
    for prompt in (b"[1,2]", b'["a","b"]', b"[[1],[2]]"):
        with pytest.raises(ClientError, match=r"^prompt: with model 'auto' it must be one string, .* name a model$"):
            parse(b'{"model":"auto","prompt":%b}' % prompt, Endpoint.COMPLETIONS)


def test_check_that_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(ClientError, match=r"^laar: not valid JSON: .utf-8"):
        parse(chat(b',"laar":{"verify":{"type":"exact","value":"\xed\xa0\x80"}}'))


def test_feedback_takes_the_id_in_either_spelling() -> None:
    plain = "laar-5b1f2e3d00004abc8def0123456789ab"
    for spelling in (plain, "5b1f2e3d-0000-4abc-8def-0123456789ab", f"{plain}.{'a' * 40}"):
        body = json.dumps({"request_id": spelling, "correct": True}).encode()
        assert parse_feedback(body).request_id == plain


def test_texts_of_the_user_are_told_from_those_of_others() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text",'
        b'"text":"Wie"}]},{"role":"assistant","content":"So"},{"role":"tool","content":"42","tool_call_id":"a"}]}'
    )
    assert parse(body).user_texts == ("Wie",)
    assert parse(body).texts == ("Be brief.", "Wie", "So", "42")


def test_texts_are_the_contents_in_order() -> None:
    body = (
        b'{"model":"auto","messages":[{"role":"system","content":"Be brief."},{"role":"assistant"},'
        b'{"role":"user","content":[{"type":"text","text":"What"},{"type":"image_url","image_url":{"url":"x"}},'
        b'{"type":"text","text":"is it?"}]}]}'
    )
    assert parse(body).texts == ("Be brief.", "What", "is it?")


def test_completion_prompt_is_the_text() -> None:
    assert parse(b'{"model":"auto","prompt":"Hi"}', Endpoint.COMPLETIONS).texts == ("Hi",)


def test_named_model_takes_lists_of_prompts() -> None:
    assert parse(b'{"model":"m","prompt":["a","b"]}', Endpoint.COMPLETIONS).texts == ("a", "b")
    assert parse(b'{"model":"m","prompt":[1,2]}', Endpoint.COMPLETIONS).texts == ()


@pytest.mark.parametrize(
    ("more", "is_repeatable"),
    [
        pytest.param(b"", False, id="temperature-of-the-engine"),
        pytest.param(b',"temperature":0', True, id="greedy"),
        pytest.param(b',"temperature":0.7', False, id="sampled"),
        pytest.param(b',"temperature":0.7,"seed":0', True, id="seed-zero-is-a-seed"),
    ],
)
def test_repeatable_requests_are_told(more: bytes, is_repeatable: bool) -> None:
    assert parse(chat(more)).is_repeatable is is_repeatable


def test_newer_name_of_the_token_limit_wins() -> None:
    assert parse(chat(b',"max_tokens":5,"max_completion_tokens":7')).max_tokens == 7


def test_options_default_to_no_verification() -> None:
    request = parse(chat())
    assert not request.wants_verification
    assert request.options.max_attempts is None


def test_options_are_read() -> None:
    more = b',"laar":{"verify":{"type":"exact","value":"x"},"max_attempts":3,"deadline_s":1.5,"language":"de"}'
    options = parse(chat(more)).options
    assert (options.max_attempts, options.deadline_s, options.language) == (3, 1.5, "de")
    assert options.verify.type == "exact"


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        pytest.param(b"", ClientError, "body", id="empty"),
        pytest.param(b"[1]", ClientError, "body", id="not-an-object"),
        pytest.param(chat()[:-1], ClientError, "body", id="cut-off"),
        pytest.param(b'{"model":"auto","messages":"\xff"}', ClientError, "messages", id="bad-utf8"),
        pytest.param(b"x" * 10_001, BodyTooLargeError, "body", id="too-large"),
        pytest.param(b'{"messages":[]}', ClientError, "model", id="no-model"),
        pytest.param(b'{"model":3,"messages":[]}', ClientError, "model", id="model-not-a-string"),
        pytest.param(b'{"model":"auto"}', ClientError, "messages", id="no-messages"),
        pytest.param(b'{"model":"auto","messages":[]}', ClientError, "messages", id="empty-messages"),
        pytest.param(b'{"model":"auto","messages":[{"content":"x"}]}', ClientError, "messages[0].role", id="no-role"),
        pytest.param(
            b'{"model":"auto","messages":[{"role":"user","content":5}]}',
            ClientError,
            "messages[0].content",
            id="content-a-number",
        ),
        pytest.param(chat(b',"colour":1'), UnknownFieldError, "colour", id="unknown-field"),
        pytest.param(chat(b',"temperature":"hot"'), ClientError, "temperature", id="temperature-a-string"),
        pytest.param(chat(b',"temperature":NaN'), ClientError, "body", id="nan"),
        pytest.param(chat(b',"laar":[]'), ClientError, "laar", id="laar-a-list"),
        pytest.param(chat(b',"laar":{"verfy":1}'), UnknownFieldError, "laar.verfy", id="laar-unknown-key"),
        pytest.param(chat(b',"laar":{"max_attempts":0}'), ClientError, "laar.max_attempts", id="attempts-zero"),
        pytest.param(chat(b',"laar":{"deadline_s":-1}'), ClientError, "laar.deadline_s", id="deadline-negative"),
        pytest.param(chat(b',"laar":{"task":"a b"}'), ClientError, "laar.task", id="task-with-space"),
        pytest.param(
            chat(b',"laar":{"verify":{"type":"magic"}}'), ClientError, "laar.verify.type", id="verify-unknown"
        ),
        pytest.param(
            chat(b',"n":2,"laar":{"verify":{"type":"exact","value":"x"}}'), ClientError, "n", id="many-answers-verified"
        ),
    ],
)
def test_bad_request_names_its_field(body: bytes, error: type[ClientError], param: str) -> None:
    with pytest.raises(error, match=r".+") as caught:
        parse(body)
    assert caught.value.param == param
    assert type(caught.value) is error


def test_routed_prompt_must_be_one_string() -> None:
    with pytest.raises(ClientError, match="prompt: with model 'auto' it must be one string"):
        parse(b'{"model":"auto","prompt":["a"]}', Endpoint.COMPLETIONS)


def test_deep_nesting_is_refused_not_crashed() -> None:
    deep = b'{"model":"auto","messages":' + b"[" * 4000 + b"]" * 4000 + b"}"
    with pytest.raises(ClientError, match="body: nested too deeply"):
        parse(deep)


@pytest.mark.parametrize(
    ("body", "endpoint", "other_tokens"),
    [
        pytest.param(chat(), Endpoint.CHAT, 0, id="text"),
        pytest.param(chat(b',"tools":[{"function":{"name":"' + b"n" * 400 + b'"}}]'), Endpoint.CHAT, 106, id="tools"),
        pytest.param(b'{"model":"m","prompt":[[1,2],[3]]}', Endpoint.COMPLETIONS, 3, id="token-ids"),
        pytest.param(b'{"model":"m","prompt":[1,2]}', Endpoint.COMPLETIONS, 2, id="one-prompt-of-token-ids"),
    ],
)
def test_prompt_beside_its_texts_is_counted(body: bytes, endpoint: Endpoint, other_tokens: int) -> None:
    request = parse(body, endpoint)
    assert request.other_tokens == other_tokens
    assert request.is_plain_text is (other_tokens == 0)


def test_image_counts_the_same_whatever_its_bytes() -> None:
    image = b'{"type":"image_url","image_url":{"url":"' + b"x" * 4000 + b'"}}'
    request = parse(b'{"model":"auto","messages":[{"role":"user","content":[' + image + b"]}]}")
    assert request.other_tokens == PART_TOKENS


def test_call_of_a_tool_counts_by_its_own_characters_however_the_text_is_escaped() -> None:
    call = b'"tool_calls":[{"function":{"name":"find","arguments":"' + b"a" * 76 + b'"}}]'
    text = b"\\u4f60" * 50
    request = parse(b'{"model":"auto","messages":[{"role":"assistant","content":"' + text + b'",' + call + b"}]}")
    assert request.texts == ("你" * 50,)
    assert request.other_tokens == 20


def test_truncated_prompt_is_not_the_whole_text() -> None:
    request = parse(chat(b',"truncate_prompt_tokens":5'))
    assert (request.other_tokens, request.is_plain_text) == (0, False)


@pytest.mark.parametrize("number", [pytest.param(b"0", id="zero"), pytest.param(b"1" + b"0" * 400, id="400-digits")])
def test_token_limit_has_bounds(number: bytes) -> None:
    with pytest.raises(ClientError, match="max_tokens"):
        parse(chat(b',"max_tokens":' + number))


@pytest.mark.parametrize(
    ("more", "match"),
    [
        pytest.param(b',"priority":1', "priority: this field is not open to callers", id="closed"),
        pytest.param(b',"response_format":{"a":"' + b"x" * 33_000 + b'"}', "format: 33.* at most 32768", id="big"),
        pytest.param(b',"echo":true,"laar":{"verify":{"type":"exact","value":"x"}}', "echo: an answer", id="echo"),
    ],
)
def test_what_a_caller_may_not_ask_is_refused(more: bytes, match: str) -> None:
    with pytest.raises(ClientError, match=match):
        parse_request(chat(more), endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=100_000))


def test_message_of_an_error_does_not_repeat_what_is_long() -> None:
    body = chat(b',"laar":{"verify":{"type":"' + b"x" * 200_000 + b'"}}')
    with pytest.raises(ClientError, match=r"there is no type 'x{63}; known types are none") as caught:
        parse_request(body, endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=2_000_000))
    assert len(str(caught.value)) < 500


def test_endpoint_is_told_by_the_top_level_keys() -> None:
    assert endpoint_of(chat()) is Endpoint.CHAT
    assert endpoint_of(b'{"model":"m","prompt":"x","laar":{"messages":1}}') is Endpoint.COMPLETIONS
    with pytest.raises(ClientError, match=r"^messages: this field is needed, or `prompt` for a completion"):
        endpoint_of(b'{"model":"auto"}')


def test_a_message_of_ours_has_no_name_of_a_python_exception() -> None:
    with pytest.raises(ClientError, match=r"^laar\.verify\.value: value 0 has no visible character"):
        parse(chat(b', "laar": {"verify": {"type": "exact", "value": " "}}'))


@pytest.mark.parametrize(
    ("laar", "message"),
    [
        pytest.param(
            b'{"verify":{"value":"x"}}',
            "laar.verify.type: is missing; known types are none, exact, contains, regex, numeric, math, "
            "choice, json_schema, tool_call, auto, grounded, agreement, judge, custom",
            id="type-missing",
        ),
        pytest.param(b'{"verify":{"type":"exact","valu":"x"}}', "laar.verify.valu: unknown key", id="typo-first"),
        pytest.param(
            b'{"verify":{"type":"exact","value":3}}',
            "laar.verify.value: Input should be a valid string, got 3",
            id="value-number",
        ),
        pytest.param(
            b'{"verify":{"type":"exact","value":[]}}',
            "laar.verify.value: Tuple should have at least 1 item after validation, not 0",
            id="value-empty-list",
        ),
        pytest.param(
            b'{"verify":{"type":"exact","value":["a",3]}}',
            "laar.verify.value.1: Input should be a valid string, got 3",
            id="value-in-list",
        ),
        pytest.param(
            b'{"verify":{"type":7}}',
            "laar.verify.type: there is no type 7; known types are none, exact, contains, regex, numeric, math, "
            "choice, json_schema, tool_call, auto, grounded, agreement, judge, custom",
            id="type-number",
        ),
        pytest.param(
            b'{"verfy":{}}',
            "laar.verfy: unknown key; known: verify, max_attempts, deadline_s, task, language, session, policy, "
            "retry_of, tried, worth_s, client_retries, notice_s, target",
            id="known-keys-named",
        ),
        pytest.param(
            b'{"target":{"probability":1.5,"by_s":5}}',
            "laar.target.probability: Input should be less than or equal to 1, got 1.5",
            id="target-beyond-certainty",
        ),
        pytest.param(
            b'{"target":{"probability":0,"by_s":5}}',
            "laar.target.probability: Input should be greater than 0, got 0",
            id="target-of-nothing",
        ),
        pytest.param(
            b'{"target":{"probability":0.9,"by_s":0}}',
            "laar.target.by_s: Input should be greater than 0, got 0",
            id="target-at-once",
        ),
        pytest.param(b'{"target":{"probability":0.9}}', "laar.target.by_s: Field required", id="target-without-time"),
        pytest.param(
            b'{"target":{"probability":0.9,"by_s":5,"cost":1}}', "laar.target.cost: unknown key", id="target-of-more"
        ),
        pytest.param(
            b'{"target":0.9}',
            "laar.target: Input should be an object, got 0.9",
            id="target-number",
        ),
    ],
)
def test_mistake_in_the_laar_object_says_what_is_known(laar: bytes, message: str) -> None:
    with pytest.raises(ClientError, match=f"^{re.escape(message)}$"):
        parse(chat(b',"laar":' + laar))


def test_unknown_policy_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ClientError, match=r"^laar\.policy: Input should be 'laar', .* or 'threshold', got 'fast'"):
        parse(chat(b',"laar":{"policy":"fast"}'))


def test_policy_for_a_named_model_is_refused() -> None:
    body = chat(b',"laar":{"policy":"fastest"}')
    assert parse(body).options.policy == "fastest"
    with pytest.raises(ClientError, match=r"^laar\.policy: there is nothing to choose for model 'small'; 'auto' is"):
        parse(body.replace(b'"auto"', b'"small"'))


def test_earlier_request_is_named_by_its_id() -> None:
    earlier = "laar-0123456789abcdef0123456789abcdef"
    assert parse(chat(b',"laar":{"retry_of":"' + earlier.encode() + b'"}')).options.retry_of == earlier


def test_earlier_request_may_be_named_by_a_header_where_the_body_names_none() -> None:
    first, second = "laar-" + "0" * 32, "laar-" + "1" * 32
    assert with_retry_header(parse(chat()), first).options.retry_of == first
    named = parse(chat(b',"laar":{"retry_of":"' + second.encode() + b'"}'))
    assert with_retry_header(named, first).options.retry_of == second
    assert with_retry_header(named, None) == named
    with pytest.raises(ClientError, match=r"^x-laar-retry-of: String should match pattern"):
        with_retry_header(parse(chat()), "laar-1")


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        pytest.param(b"", "", id="chance"),
        pytest.param(b',"temperature":0,"seed":7', "greedy", id="greedy"),
        pytest.param(b',"seed":7', "7 None None", id="seed"),
        pytest.param(b',"temperature":0.5,"seed":7,"top_p":0.9', "7 0.5 0.9", id="all"),
    ],
)
def test_draw_that_is_asked_for_is_told(fields: bytes, sampling: str) -> None:
    assert parse(chat(fields)).sampling == sampling


@pytest.mark.parametrize(
    "earlier", ["", "laar-1", "laar-" + "F" * 32, "laar-" + "0" * 33, "laar-" + "0" * 32 + ".short"]
)
def test_earlier_request_without_the_shape_of_an_id_is_refused(earlier: str) -> None:
    with pytest.raises(ClientError, match=r"^laar\.retry_of: String should match pattern"):
        parse(chat(b',"laar":{"retry_of":"' + earlier.encode() + b'"}'))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"{", "body: not valid JSON", id="no-json"),
        pytest.param(b"[]", "body: Expected `object`", id="no-object"),
        pytest.param(b'{"request_id":"laar-1","correct":true}', "request_id: String should match", id="no-id"),
        pytest.param(b'{"request_id":"laar-%032d"}' % 0, "correct: Field required", id="no-verdict"),
        pytest.param(b'{"request_id":"laar-%032d","correct":"yes"}' % 0, "correct: Input should", id="text"),
        pytest.param(
            b'{"id":"laar-%032d","correct":true}' % 0, "id: unknown key; known: request_id, correct$", id="typo"
        ),
    ],
)
def test_mistake_in_feedback_is_named(body: bytes, message: str) -> None:
    with pytest.raises(ClientError, match=f"^{message}"):
        parse_feedback(body)


def test_message_of_a_user_needs_content() -> None:
    with pytest.raises(ClientError, match=r"messages\[0\].content: a message of role 'user' needs this field"):
        parse(b'{"model":"auto","messages":[{"role":"user"}]}')


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("9007199254740993", id="past-2-53"),
        pytest.param("0.12345678901234567890123", id="long-decimal"),
        pytest.param("1e400", id="beyond-a-float"),
    ],
)
def test_a_number_to_be_verified_is_kept_as_it_is_written(number: str) -> None:
    body = b'{"model": "m", "prompt": "x", "laar": {"verify": {"type": "numeric", "value": %s}}}' % number.encode()
    request = parse(body, Endpoint.COMPLETIONS)
    spec = SPEC.validate_json(request.options.verify.model_dump_json())
    assert spec.value == Decimal(number)


# -- whatever is sent -------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
# fields that are read here, with values that may or may not fit them
FIELDS = {
    "model": st.just("auto") | st.just("m") | VALUES,
    "messages": st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"])}, optional={"content": VALUES}),
        max_size=3,
    )
    | VALUES,
    "prompt": VALUES,
    "temperature": st.just(0) | VALUES,
    "n": st.just(1) | VALUES,
    "laar": st.fixed_dictionaries({"verify": st.fixed_dictionaries({"type": st.just("exact"), "value": VALUES})})
    | VALUES,
    "tools": VALUES,
}
OBJECTS = st.fixed_dictionaries({}, optional=FIELDS).map(lambda fields: json.dumps(fields).encode())
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.text(max_size=40)}), min_size=1)


def read_or_refused(body: bytes, endpoint: Endpoint) -> RoutedRequest | ClientError:
    try:
        return parse(body, endpoint)
    except ClientError as error:
        return error


@given(body=st.binary(max_size=200) | OBJECTS, endpoint=st.sampled_from(Endpoint))
def test_every_body_is_read_or_refused_with_the_field_at_fault(body: bytes, endpoint: Endpoint) -> None:
    found = read_or_refused(body, endpoint)
    if isinstance(found, ClientError):
        assert found.http_status == 400
        assert found.param
        assert 0 < len(str(found)) < 1000
    else:
        assert (found.body, found.endpoint) == (body, endpoint)
        assert all(isinstance(text, str) for text in found.texts)
        assert found.other_tokens >= 0


@given(messages=MESSAGES, indent=st.sampled_from([None, 0, 3]), is_ascii=st.booleans(), order=st.randoms())
def test_spacing_escapes_and_order_of_keys_change_nothing(
    messages: list[dict[str, str]], indent: int | None, is_ascii: bool, order: random.Random
) -> None:
    fields = [("model", "auto"), ("messages", messages), ("temperature", 0), ("laar", {"task": "sums"})]
    order.shuffle(fields)
    found = parse_request(
        json.dumps(dict(fields), indent=indent, ensure_ascii=is_ascii).encode(),
        endpoint=Endpoint.CHAT,
        limits=Limits(max_body_bytes=10**6),
    )
    assert found.texts == tuple(message["content"] for message in messages)
    assert (found.is_repeatable, found.is_plain_text, found.options.task) == (True, True, "sums")


KNOWN = OPEN_FIELDS["chat"] | IGNORED_FIELDS | REFUSED_FIELDS.keys() | {"laar"}


@given(st.text(min_size=1, max_size=200).filter(lambda name: name not in KNOWN))
def test_field_that_is_not_open_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownFieldError) as found:
        parse(json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}], name: None}).encode())
    assert found.value.param == name[:64]


# -- the check to be made

AUTO = b',"laar":{"verify":{"type":"auto"}}'
FORMAT = b',"response_format":{"type":"json_object"}'
DEFAULT = SPEC.validate_python({"type": "auto"})


@pytest.mark.parametrize(
    ("more", "default", "expected"),
    [
        pytest.param(b"", NOT_VERIFIED, "none", id="nobody-asks"),
        pytest.param(AUTO + FORMAT, NOT_VERIFIED, "json_schema", id="asked-and-derived"),
        pytest.param(AUTO, NOT_VERIFIED, "auto", id="asked-but-nothing-follows"),
        pytest.param(FORMAT, DEFAULT, "json_schema", id="default-and-derived"),
        pytest.param(b"", DEFAULT, "none", id="default-but-nothing-follows"),
        pytest.param(b',"laar":{"verify":{"type":"none"}}' + FORMAT, DEFAULT, "none", id="turned-off"),
        pytest.param(b',"laar":{"verify":{"type":"exact","value":"a"}}', DEFAULT, "exact", id="own-before-default"),
        pytest.param(b',"n":2' + FORMAT, DEFAULT, "none", id="default-that-cannot-be-made"),
    ],
)
def test_a_request_is_checked_as_it_asks_else_as_the_operator_wants(more: bytes, default: Spec, expected: str) -> None:
    found = parse_request(
        chat(more), endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=10_000), default_verify=default
    )
    assert found.verify.model_dump()["type"] == expected
    assert found.wants_verification is (expected != "none")
