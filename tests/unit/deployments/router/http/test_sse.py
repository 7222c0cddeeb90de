import json

from hypothesis import given
from hypothesis import strategies as st

from deployments.contract.reply import Chunk
from deployments.router.http import sse

OPEN = Chunk(b'data: {"choices":[{"index":0,"delta":{"content":"Par"},"finish_reason":null}]}\n\n', text="Par")
LAST = b'data: {"choices": [{"delta": {"content": "is"}, "finish_reason": "stop"}]}\n\n'


def test_laar_goes_into_the_event_that_closes_the_choice() -> None:
    chunk = Chunk(OPEN.events + LAST, finish_reason="stop")
    before, after, _ = sse.with_laar(chunk, b'{"verified":true}').events.split(b"\n\n")
    assert before + b"\n\n" == OPEN.events
    assert json.loads(after.removeprefix(b"data: "))["laar"] == {"verified": True}


def test_chunk_that_closes_nothing_stays_as_it_is() -> None:
    assert sse.with_laar(OPEN, b"{}") is OPEN


def test_laar_is_appended_to_a_json_object() -> None:
    for body in (b'{"id":"x","a":1}\n', b' { "id" : "x" , "a":1}', b'{"id":7,"a":1}', b'{"id":null,"a":1}', b'{"a":1}'):
        found = sse.json_with_laar(body, b'{"verified":null}', "laar-1")
        assert found == b'{"id":"laar-1","a":1,"laar":{"verified":null}}'


def test_every_event_but_an_error_gets_the_id_of_the_request() -> None:
    told = b'data: {"id":"x","a":1}\n\ndata: { "id": "y", "b":2}\n\ndata: {"c":3}\n\ndata: {"error":{}}\n\n: hm\n\n'
    written = (
        b'data: {"id":"L","a":1}\n\ndata: {"id":"L","b":2}\n\ndata: {"id":"L","c":3}\n\ndata: {"error":{}}\n\n: hm\n\n'
    )
    assert sse.with_id(told + sse.DONE.events, "L") == written + sse.DONE.events


def test_id_within_an_answer_stays() -> None:
    told = b'data: {"id":"x","choices":[{"delta":{"content":"data: {\\"id\\":\\"z\\",}"}}]}\n\n'
    assert sse.with_id(told, "x") == told


def test_error_ends_the_stream() -> None:
    found = sse.error_chunk(b'{"error":{}}')
    assert (found.events, found.is_last) == (b'data: {"error":{}}\n\ndata: [DONE]\n\n', True)


@given(fields=st.dictionaries(st.text(), st.text(), min_size=1), indent=st.sampled_from([None, 0]))
def test_any_object_takes_the_laar_object(fields: dict[str, str], indent: int | None) -> None:
    fields.pop("laar", None)
    fields["id"] = "x"
    event = b"data: " + json.dumps(fields, indent=indent).replace("\n", " ").encode() + b"\n\n"
    out = sse.with_laar(Chunk(event, finish_reason="stop"), b'{"a":1}').events
    assert json.loads(out.removeprefix(b"data: ")) == fields | {"laar": {"a": 1}}
