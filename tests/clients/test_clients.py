"""One test for each client: a verified answer through it, what it shows of the `laar` object, and its own retries."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import AT_HOME, BROKEN, HANGING, PAGE_ORIGIN, Note
from tests.served import KEY, ROOT, write_tokenizer

QUESTION = 'Where is it? <sim answer="at home">'
LAAR = {"verify": {"type": "contains", "value": "at home"}}
FAILS = {"deadline_s": 0.3}
Count = Callable[[], int]
NODE = Path(__file__).parent / "node"


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


@pytest.mark.parametrize(
    ("kind", "name", "how"),
    [
        pytest.param("OpenAIResponsesModel", "openai-agents", "", id="responses"),
        pytest.param(
            "OpenAIChatCompletionsModel",
            "openai-agents, chat completions",
            ", with `OpenAIChatCompletionsModel`",
            id="chat",
        ),
    ],
)
def test_openai_agents(app_url: str, ended: Count, note: Note, kind: str, name: str, how: str) -> None:
    import agents
    import openai

    agents.set_tracing_disabled(True)

    @agents.function_tool
    def weather(city: str) -> str:
        return f"rain in {city}"

    def ask(model: str, laar: Any, question: str = QUESTION, **more: Any) -> Any:
        # connections of one event loop are of no use in the next
        client = openai.AsyncOpenAI(base_url=f"{app_url}/v1", api_key=KEY)
        settings = agents.ModelSettings(temperature=0, extra_body={"laar": laar})
        asked = getattr(agents, kind)(model=model, openai_client=client)
        agent = agents.Agent(name="a", model=asked, model_settings=settings, **more)
        return asyncio.run(agents.Runner.run(agent, question))

    assert "at home" in str(ask("auto", LAAR).final_output)
    # the first model calls a tool that is not there; what the tool says goes back to a model
    turns = ask("auto", AUTO, ASK_TOOL, tools=[weather]).to_input_list()
    assert any("rain in Wien" in json.dumps(turn) for turn in turns)
    count = requests_of(lambda: ask(HANGING, FAILS), ended)
    assert count == 1
    note(
        name,
        "openai-agents",
        '`ModelSettings(extra_body={"laar": …})`' + how,
        "not shown; see the [log](log.md)",
        count,
    )


def test_llm(app_url: str, tmp_path: Path, ended: Count, note: Note) -> None:
    model = [{"model_id": "laar", "model_name": AT_HOME, "api_base": f"{app_url}/v1", "api_key_name": "laar"}]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(model))
    (tmp_path / "keys.json").write_text(json.dumps({"laar": KEY}))

    def ask(question: str) -> "subprocess.CompletedProcess[str]":
        llm = [str(Path(sys.executable).with_name("llm")), "-m", "laar", "--no-stream", question]
        return subprocess.run(llm, env={"LLM_USER_PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    done = ask(QUESTION)
    assert done.returncode == 0, done.stderr
    assert "at home" in done.stdout
    model[0]["model_name"] = BROKEN
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(model))
    before = ended()
    assert ask(QUESTION).returncode != 0
    count = ended() - before
    assert count == 1
    note(
        "simonw/llm",
        "llm",
        "not possible; a [name](#names) brings the check",
        "not shown; see the [log](log.md)",
        count,
    )


def test_page_in_a_browser(app_url: str) -> None:
    """As a browser asks for a page of another origin, through the proxy."""
    page = {"origin": PAGE_ORIGIN, "access-control-request-method": "POST"}
    asked = httpx.options(f"{app_url}/v1/chat/completions", headers=page)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, PAGE_ORIGIN)
    models = httpx.get(f"{app_url}/v1/models", headers={"origin": PAGE_ORIGIN, "authorization": f"Bearer {KEY}"})
    assert models.headers["access-control-allow-origin"] == PAGE_ORIGIN
    assert next(card for card in models.json()["data"] if card["id"] == AT_HOME)["root"] == "auto"


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
# the first model calls another one
ASK_TOOL = """How is it? <sim call="weather" arguments='{"city": "Wien"}'>"""
# what a model says after a tool has answered cannot be checked, and the model that hangs must not be asked for it
AUTO = {"verify": {"type": "auto"}, "max_attempts": 2}


def test_openai_responses(app_url: str, ended: Count, note: Note) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{app_url}/v1", api_key=KEY)
    answer = client.responses.create(
        model="auto", input=QUESTION, instructions="Be brief.", temperature=0, store=False, extra_body={"laar": LAAR}
    )
    assert "at home" in answer.output_text
    laar = (answer.model_extra or {})["laar"]
    assert is_verified(laar)
    assert (laar["ignored"], answer.status) == (["store"], "completed")
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0
    # a stream, as the client's own helper reads it
    with client.responses.stream(model="auto", input=QUESTION, temperature=0, extra_body={"laar": LAAR}) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "at home" in "".join(pieces) == final.output_text
    assert is_verified((final.model_extra or {})["laar"])
    # a tool, and its result
    tools: Any = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
    called: Any = client.responses.create(
        model="auto", input=ASK_TOOL, tools=tools, temperature=0, extra_body={"laar": AUTO}
    )
    assert is_verified(called.laar)
    assert (called.output[0].name, json.loads(called.output[0].arguments)) == ("weather", {"city": "Wien"})
    result: Any = {"type": "function_call_output", "call_id": called.output[0].call_id, "output": "rain"}
    told = client.responses.create(
        model="auto", input=[{"role": "user", "content": QUESTION}, *called.output, result], tools=tools, temperature=0
    )
    assert told.status == "completed"
    with pytest.raises(openai.BadRequestError, match="previous_response_id: laar has nothing that honours this field"):
        client.responses.create(model="auto", input=QUESTION, previous_response_id=answer.id)

    def fail() -> Any:
        return client.responses.create(model=HANGING, input=QUESTION, extra_body={"laar": FAILS})

    count = requests_of(fail, ended)
    assert count == 1
    goes_in = '`extra_body={"laar": …}`'
    note("openai (Python), `responses`", "openai", goes_in, "`answer.laar`, `event.response.laar`", count)


def test_anthropic(app_url: str, ended: Count, note: Note) -> None:
    import anthropic

    client = anthropic.Anthropic(base_url=app_url, api_key=KEY)
    messages: Any = [{"role": "user", "content": QUESTION}]

    def ask(**fields: Any) -> Any:
        asked = {
            "model": "auto",
            "max_tokens": 99,
            "messages": messages,
            "temperature": 0,
            "extra_body": {"laar": LAAR},
        }
        # none of its own in this client's types, and so sent beside the body
        body = fields.pop("extra_body", asked.pop("extra_body"))
        asked |= fields
        temperature = {"temperature": asked.pop("temperature")}
        return client.messages.create(**asked, extra_body={**temperature, **body})

    answer = ask(system="Be brief.")
    assert "at home" in answer.content[0].text
    assert is_verified(answer.laar)
    assert answer.stop_reason == "end_turn"
    laar = None
    pieces = []
    for event in ask(stream=True):
        laar = getattr(event, "laar", None) or laar
        pieces += [event.delta.text] if event.type == "content_block_delta" else []
    assert "at home" in "".join(pieces)
    assert is_verified(laar)
    with client.messages.stream(model="auto", max_tokens=99, messages=messages) as stream:
        assert stream.get_final_message().usage.output_tokens > 0
    tools: Any = [{"name": "weather", "input_schema": WEATHER}]
    called = ask(messages=[{"role": "user", "content": ASK_TOOL}], tools=tools, extra_body={"laar": AUTO})
    assert is_verified(called.laar)
    assert (called.stop_reason, called.content[0].input) == ("tool_use", {"city": "Wien"})
    result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "rain"}
    turns = [*messages, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    assert ask(messages=turns, tools=tools, extra_body={}).stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\].type: Invalid enum value 'bash_20250124'"):
        ask(tools=[{"type": "bash_20250124", "name": "bash"}])
    with pytest.raises(anthropic.AuthenticationError, match="a valid API key is needed"):
        anthropic.Anthropic(base_url=app_url, api_key="other").messages.create(
            model="auto", max_tokens=9, messages=messages
        )
    count = requests_of(lambda: ask(model=HANGING, extra_body={"laar": FAILS}), ended)
    assert count == 1
    note(
        "Anthropic (Python)", "anthropic", '`extra_body={"laar": …}`', "`answer.laar`, `event.laar` of the last", count
    )


def run_node(*args: str) -> Any:
    """What the script says of one call, as JSON."""
    node = ["node", str(NODE / "ask.mjs"), *args]
    done = subprocess.run(node, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_text(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


def node_version(package: str) -> str:
    return str(json.loads((NODE / "node_modules" / package / "package.json").read_text())["version"])


@pytest.mark.parametrize(
    ("client", "package", "goes_in", "comes_back", "default_count"),
    [
        pytest.param("openai (Node)", "openai", "`laar` beside `model`", "`answer.laar`, `chunk.laar`", 1, id="openai"),
        pytest.param(
            "Vercel AI SDK",
            "ai",
            "`providerOptions: {laar: {laar: …}}`, of a provider with this name",
            "`providerMetadata.laar`, by a `metadataExtractor`",
            3,
            id="ai",
        ),
    ],
)
def test_node(
    app_url: str,
    ended: Count,
    note: Note,
    client: str,
    package: str,
    goes_in: str,
    comes_back: str,
    default_count: int,
) -> None:
    def ask(how: str, model: str, laar: Any) -> Any:
        return run_node(package, how, f"{app_url}/v1", KEY, model, QUESTION, json.dumps(laar))

    for how in ("whole", "stream"):
        told = ask(how, "auto", LAAR)
        assert "at home" in told["text"]
        assert is_verified(told["laar"])

    def fail(how: str) -> int:
        before = ended()
        assert ask(how, HANGING, FAILS)["status"] == 504
        return ended() - before

    count = fail("whole")
    assert (count, fail("once")) == (default_count, 1)
    shown = "1" if count == 1 else f"{count}; 1 with `maxRetries: 0`"
    note(client, f"{package}@{node_version(package)}", goes_in, comes_back, shown)


def test_lm_eval(app_url: str, tmp_path: Path, ended: Count, note: Note) -> None:
    (tmp_path / "asked.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "at home"}) + "\n")
    # the answer of a simulated engine says so before it
    task = """
task: at_home
dataset_path: json
dataset_kwargs: {data_files: {test: asked.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "[simulated] at home word word word word word"
generation_kwargs: {until: ["\\n\\n"]}
metric_list: [{metric: exact_match}]
"""
    (tmp_path / "at_home.yaml").write_text(task)

    def run(model: str, **more: Any) -> tuple[float, int]:
        """The share of right answers, and how many requests reached laar."""
        given = {"model": model, "base_url": f"{app_url}/v1/chat/completions", "num_concurrent": 1, **more}
        args = ",".join(f"{name}={value}" for name, value in given.items())
        command = [str(Path(sys.executable).with_name("lm_eval")), "--model", "local-chat-completions"]
        command += ["--model_args", args, "--tasks", "at_home", "--include_path", str(tmp_path), "--output_path", "out"]
        environment = os.environ | {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
        before = ended()
        done = subprocess.run(
            [*command, "--apply_chat_template"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        found = sorted((tmp_path / "out").rglob("results*.json"))
        count = ended() - before
        if not found:
            return 0.0, count if done.returncode else -1
        share = json.loads(found.pop().read_text())["results"]["at_home"]["exact_match,none"]
        return float(share), count

    # the first model is wrong; the name brings the check
    assert run(AT_HOME) == (1.0, 1)
    shutil.rmtree(tmp_path / "out")
    _, count = run(BROKEN)
    assert count == 3
    goes_in = "not possible; a [name](#names) brings the check"
    note("lm-eval", "lm-eval", goes_in, "not shown; see the [log](log.md)", f"{count}, which `max_retries` sets")


def test_vllm_bench_serve(app_url: str, tmp_path: Path, ended: Count, note: Note) -> None:
    """The command of the application's own environment; it sends one request ahead of those that it measures."""
    python = ROOT / ".venv" / "bin" / "python"
    options = {
        "backend": "openai-chat",
        "base-url": app_url,
        "endpoint": "/v1/chat/completions",
        "model": "auto",
        "tokenizer": write_tokenizer(tmp_path),
        "dataset-name": "random",
        "num-prompts": 2,
        "random-input-len": 8,
        "random-output-len": 8,
        "result-dir": tmp_path,
        "result-filename": "found.json",
    }

    def run(**changes: Any) -> tuple[Any, int]:
        told = [text for name, value in {**options, **changes}.items() for text in (f"--{name}", str(value))]
        before = ended()
        done = subprocess.run(
            [str(python.with_name("vllm")), "bench", "serve", *told, "--save-result"],
            env=os.environ | {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads((tmp_path / "found.json").read_text()), ended() - before

    asked = json.dumps({"laar": LAAR | {"max_attempts": 2}})
    found, count = run(**{"extra-body": asked})
    assert (found["completed"], found["failed"], count) == (2, 0, 2)
    found, count = run(**{"extra-body": json.dumps({"laar": FAILS}), "model": HANGING, "num-prompts": 1})
    assert (found["completed"], found["failed"], count) == (0, 1, 1)
    version = run_text(str(python), "-c", "from importlib.metadata import version; print(version('vllm'))")
    note(
        "`vllm bench serve`",
        f"vllm@{version}",
        "`--extra-body '{\"laar\": …}'`",
        "not shown; see the [log](log.md)",
        count,
    )
