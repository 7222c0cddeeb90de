"""One test for each client: a verified answer through it, what it shows of the `laar` object, and its own retries."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import AT_HOME, HANGING, PAGE_ORIGIN, Note
from tests.served import KEY

QUESTION = 'Where is it? <sim answer="at home">'
LAAR = {"verify": {"type": "contains", "value": "at home"}}
FAILS = {"deadline_s": 0.3}
Count = Callable[[], int]


def is_verified(laar: Any) -> bool:
    """Whether a `laar` object says that an answer was found right."""
    laar = laar if isinstance(laar, dict) else dict(laar)
    return laar["verified"] is True and laar["attempts"][-1]["verdict"] == "correct"


def requests_of(call: Callable[[], Any], ended: Count) -> int:
    """How many requests reach laar of a call that fails."""
    before = ended()
    with pytest.raises(Exception, match=r"(?i)deadline|504|timed? ?out|error"):
        call()
    return ended() - before


def test_openai(app_url: str, ended: Count, note: Note) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{app_url}/v1", api_key=KEY)
    messages: Any = [{"role": "user", "content": QUESTION}]
    answer = client.chat.completions.create(model="auto", messages=messages, temperature=0, extra_body={"laar": LAAR})
    assert "at home" in (answer.choices[0].message.content or "")
    assert is_verified((answer.model_extra or {})["laar"])
    # OpenAI's own parameters are taken
    client.chat.completions.create(
        model="auto", messages=messages, store=True, metadata={"a": "b"}, service_tier="auto"
    )
    stream = client.chat.completions.create(
        model="auto", messages=messages, temperature=0, stream=True, extra_body={"laar": LAAR}
    )
    assert any(is_verified(chunk.laar) for chunk in stream if getattr(chunk, "laar", None))

    def fail() -> Any:
        return client.chat.completions.create(model=HANGING, messages=messages, extra_body={"laar": FAILS})

    count = requests_of(fail, ended)
    assert count == 1
    note("openai (Python)", "openai", '`extra_body={"laar": …}`', "`answer.laar`, `chunk.laar`", count)


def test_langchain(app_url: str, ended: Count, note: Note) -> None:
    from langchain_openai import ChatOpenAI

    def model(name: str, laar: Any) -> Any:
        return ChatOpenAI(
            base_url=f"{app_url}/v1",
            api_key=KEY,
            model=name,
            temperature=0,
            extra_body={"laar": laar},
            include_response_headers=True,
        )

    answer = model("auto", LAAR).invoke(QUESTION)
    assert "at home" in answer.content
    assert answer.response_metadata["headers"]["x-laar-verified"] == "true"
    count = requests_of(lambda: model(HANGING, FAILS).invoke(QUESTION), ended)
    assert count == 1
    how = '`response_metadata["headers"]`, with `include_response_headers=True`'
    note("LangChain ChatOpenAI", "langchain-openai", "`extra_body=` of the model", how, count)


def test_llama_index(app_url: str, ended: Count, note: Note) -> None:
    from llama_index.llms.openai_like import OpenAILike

    def model(name: str, laar: Any, **retrying: int) -> Any:
        return OpenAILike(
            model=name,
            api_base=f"{app_url}/v1",
            api_key=KEY,
            is_chat_model=True,
            temperature=0,
            additional_kwargs={"extra_body": {"laar": laar}},
            **retrying,
        )

    answer = model("auto", LAAR).complete(QUESTION)
    assert "at home" in answer.text
    assert is_verified(answer.raw.laar)
    count = requests_of(lambda: model(HANGING, FAILS).complete(QUESTION), ended)
    # a loop of its own around OpenAI's client, which does not read x-should-retry
    assert requests_of(lambda: model(HANGING, FAILS, max_retries=0).complete(QUESTION), ended) == 1
    goes_in = '`additional_kwargs={"extra_body": {"laar": …}}`'
    note(
        "LlamaIndex OpenAILike",
        "llama-index-llms-openai-like",
        goes_in,
        "`answer.raw.laar`",
        f"{count}; 1 with `max_retries=0`",
    )


def test_litellm(app_url: str, ended: Count, note: Note) -> None:
    import litellm

    def ask(name: str, laar: Any) -> Any:
        return litellm.completion(
            model=f"openai/{name}",
            api_base=f"{app_url}/v1",
            api_key=KEY,
            messages=[{"role": "user", "content": QUESTION}],
            temperature=0,
            extra_body={"laar": laar},
        )

    answer = ask("auto", LAAR)
    assert "at home" in answer.choices[0].message.content
    assert is_verified(answer.laar)
    count = requests_of(lambda: ask(HANGING, FAILS), ended)
    assert count == 1
    note("LiteLLM", "litellm", '`extra_body={"laar": …}`', "`answer.laar`", count)


def test_pydantic_ai(app_url: str, ended: Count, note: Note) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=f"{app_url}/v1", api_key=KEY)

    def ask(name: str, laar: Any) -> str:
        settings: Any = {"temperature": 0, "extra_body": {"laar": laar}}
        return str(Agent(OpenAIChatModel(name, provider=provider), model_settings=settings).run_sync(QUESTION).output)

    assert "at home" in ask("auto", LAAR)
    count = requests_of(lambda: ask(HANGING, FAILS), ended)
    assert count == 1
    goes_in = '`model_settings={"extra_body": {"laar": …}}`'
    note("pydantic-ai", "pydantic-ai-slim", goes_in, "not shown; see the [log](log.md)", count)


def test_dspy(app_url: str, ended: Count, note: Note) -> None:
    import dspy

    def model(name: str, laar: Any, **retrying: int) -> Any:
        return dspy.LM(
            f"openai/{name}",
            api_base=f"{app_url}/v1",
            api_key=KEY,
            temperature=0,
            cache=False,
            extra_body={"laar": laar},
            **retrying,
        )

    asked = model("auto", LAAR)
    assert "at home" in str(asked(QUESTION)[0])
    assert is_verified(asked.history[-1]["response"].laar)
    count = requests_of(lambda: model(HANGING, FAILS)(QUESTION), ended)
    assert requests_of(lambda: model(HANGING, FAILS, num_retries=0)(QUESTION), ended) == 1
    shown = f"{count}; 1 with `num_retries=0`"
    note("DSPy", "dspy", '`extra_body={"laar": …}` of the LM', '`lm.history[-1]["response"].laar`', shown)


def test_instructor(app_url: str, ended: Count, note: Note) -> None:
    import instructor
    import openai

    client = instructor.from_openai(
        openai.OpenAI(base_url=f"{app_url}/v1", api_key=KEY), mode=instructor.Mode.JSON_SCHEMA
    )

    def ask(name: str, laar: Any) -> Any:
        messages: Any = [{"role": "user", "content": QUESTION}]
        return client.chat.completions.create(
            model=name, response_model=None, messages=messages, temperature=0, extra_body={"laar": laar}
        )

    answer = ask("auto", LAAR)
    assert is_verified(answer.laar)
    count = requests_of(lambda: ask(HANGING, FAILS), ended)
    assert count == 1
    note("instructor", "instructor", '`extra_body={"laar": …}`', "`create_with_completion(…)[1].laar`", count)


def test_openai_agents(app_url: str, ended: Count, note: Note) -> None:
    import agents
    import openai

    agents.set_tracing_disabled(True)

    def ask(name: str, laar: Any) -> str:
        # connections of one event loop are of no use in the next
        client = openai.AsyncOpenAI(base_url=f"{app_url}/v1", api_key=KEY)
        settings = agents.ModelSettings(temperature=0, extra_body={"laar": laar})
        model = agents.OpenAIChatCompletionsModel(model=name, openai_client=client)
        agent = agents.Agent(name="a", model=model, model_settings=settings)
        return str(asyncio.run(agents.Runner.run(agent, QUESTION)).final_output)

    assert "at home" in ask("auto", LAAR)
    count = requests_of(lambda: ask(HANGING, FAILS), ended)
    assert count == 1
    goes_in = '`ModelSettings(extra_body={"laar": …})`, with `OpenAIChatCompletionsModel`'
    note("openai-agents", "openai-agents", goes_in, "not shown; see the [log](log.md)", count)


def test_llm(app_url: str, tmp_path: Path, note: Note) -> None:
    model = [{"model_id": "laar", "model_name": AT_HOME, "api_base": f"{app_url}/v1", "api_key_name": "laar"}]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(model))
    (tmp_path / "keys.json").write_text(json.dumps({"laar": KEY}))
    llm = [str(Path(sys.executable).with_name("llm")), "-m", "laar", "--no-stream", QUESTION]
    done = subprocess.run(llm, env={"LLM_USER_PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "at home" in done.stdout
    note(
        "simonw/llm",
        "llm",
        "not possible; a [name](#names) brings the check",
        "not shown; see the [log](log.md)",
        "not tried",
    )


def test_page_in_a_browser(app_url: str) -> None:
    """As a browser asks for a page of another origin, through the proxy."""
    page = {"origin": PAGE_ORIGIN, "access-control-request-method": "POST"}
    asked = httpx.options(f"{app_url}/v1/chat/completions", headers=page)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, PAGE_ORIGIN)
    models = httpx.get(f"{app_url}/v1/models", headers={"origin": PAGE_ORIGIN, "authorization": f"Bearer {KEY}"})
    assert models.headers["access-control-allow-origin"] == PAGE_ORIGIN
    assert next(card for card in models.json()["data"] if card["id"] == AT_HOME)["root"] == "auto"


def test_anthropic_is_refused_clearly(app_url: str) -> None:
    import anthropic

    client = anthropic.Anthropic(base_url=app_url, auth_token=KEY, max_retries=0)
    with pytest.raises(anthropic.NotFoundError, match="not_found"):
        client.messages.create(model="auto", max_tokens=9, messages=[{"role": "user", "content": QUESTION}])
