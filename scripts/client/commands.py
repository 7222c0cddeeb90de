"""The options of `laar up`, `check`, `ask`, `explain`, `status` and `feedback`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.client.options import DEFAULT_KEY_ENV, DEFAULT_URL, ApiKeyEnv, AsJson, Url, connected

Question = Annotated[str, typer.Argument(help="What to ask; - reads it from stdin.")]
Model = Annotated[str, typer.Option(help="The model to ask; auto lets laar choose.")]
Task = Annotated[str | None, typer.Option(help="A task that the profile may have figures for.")]
Worth = Annotated[float | None, typer.Option(help="Seconds of waiting that a correct answer is worth.")]
Deadline = Annotated[float | None, typer.Option(help="Seconds for everything, all attempts together.")]
Contains = Annotated[str | None, typer.Option(help="A right answer contains this text.")]
Regex = Annotated[str | None, typer.Option(help="A right answer matches this pattern (RE2).")]
Numeric = Annotated[float | None, typer.Option(help="The last number of a right answer is this one.")]
Schema = Annotated[
    Path | None, typer.Option(help="A right answer is JSON that meets the JSON Schema in this file.", dir_okay=False)
]
Verify = Annotated[str | None, typer.Option(help='Any other check, as JSON: \'{"type": "choice", ...}\'.')]


def check(
    config: Annotated[Path, typer.Argument(help="A Serve config, or the args of an application alone.")],
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server that a model is served by.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a config would start, and what is wrong with it, without starting anything.

    Exit status: 0 if it can be started, warnings or not; 1 if it cannot.
    """
    from scripts.client.report import check_file, print_check

    # checks of one's own may stand in the current folder
    sys.path.insert(0, os.getcwd())
    table = check_file(config, os.environ, asks_servers=not offline)
    print_check(table, as_json=as_json)
    raise typer.Exit(0 if table.is_sound else 1)


def up(
    config: Annotated[
        Path | None, typer.Option(help="A Serve config; else the servers of --remote, else the embedded models.")
    ] = None,
    remote: Annotated[
        list[str] | None,
        typer.Option(help="A server with OpenAI's protocol, as http://host:8001/v1; may be given several times."),
    ] = None,
    remote_key_env: Annotated[
        str | None, typer.Option(help="With --remote: environment variable with the key of these servers.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="With --remote: serve only these of the servers' models.")
    ] = None,
    max_model_len: Annotated[
        int | None, typer.Option(min=1, help="With --remote: context in tokens, for servers that do not say it.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="A profile of the models; it takes the place of the config's.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1, by default 8000.")] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the config and start nothing.")] = False,
    log_file: Annotated[Path, typer.Option(help="Where Ray and the models log to.")] = Path("laar-up.log"),
) -> None:
    """Serve models until Ctrl-C: by a config, or those of running servers, or the two embedded ones."""
    from scripts.client.up import start

    raise typer.Exit(
        start(
            config=config,
            remote=remote or [],
            remote_key_env=remote_key_env,
            only=only or [],
            max_model_len=max_model_len,
            profile=profile,
            port=port,
            only_prints=show,
            log_file=log_file,
        )
    )


def ask(
    question: Question,
    contains: Contains = None,
    regex: Regex = None,
    numeric: Numeric = None,
    schema: Schema = None,
    verify: Verify = None,
    model: Model = "auto",
    task: Task = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of the answer.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 lets each model answer once.")] = 0,
    worth_s: Worth = None,
    deadline_s: Deadline = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=100, help="Most attempts.")] = None,
    retry: Annotated[str | None, typer.Option(metavar="ID", help="Id of the request whose answer was wrong.")] = None,
    url: Url = DEFAULT_URL,
    api_key_env: ApiKeyEnv = DEFAULT_KEY_ENV,
    as_json: AsJson = False,
) -> None:
    """Ask a question: the answer goes to stdout as it comes, its attempts and verdicts to stderr.

    Exit status: 0; 1 if there is no answer; 3 if a check was asked for and no answer passed it.
    """
    from scripts.client import ask as asking

    body = _body(
        question,
        asking.AskedCheck(contains=contains, regex=regex, numeric=numeric, schema=schema, verify=verify),
        model=model,
        fields={"max_tokens": max_tokens, "temperature": temperature},
        options={
            "task": task,
            "worth_s": worth_s,
            "deadline_s": deadline_s,
            "max_attempts": max_attempts,
            "retry_of": retry,
        },
    )
    with connected("ask", url, api_key_env) as connection:
        raise typer.Exit(asking.ask(connection, body, as_json=as_json))


def explain(
    question: Question,
    contains: Contains = None,
    regex: Regex = None,
    numeric: Numeric = None,
    schema: Schema = None,
    verify: Verify = None,
    model: Model = "auto",
    task: Task = None,
    worth_s: Worth = None,
    deadline_s: Deadline = None,
    url: Url = DEFAULT_URL,
    api_key_env: ApiKeyEnv = DEFAULT_KEY_ENV,
    as_json: AsJson = False,
) -> None:
    """Show in which order the models would be asked, and the numbers behind it. Nothing is asked."""
    from scripts.client import ask as asking

    body = _body(
        question,
        asking.AskedCheck(contains=contains, regex=regex, numeric=numeric, schema=schema, verify=verify),
        model=model,
        fields={"temperature": 0},
        options={"task": task, "worth_s": worth_s, "deadline_s": deadline_s},
    )
    with connected("explain", url, api_key_env) as connection:
        asking.explain(connection, body, as_json=as_json)


def status(url: Url = DEFAULT_URL, api_key_env: ApiKeyEnv = DEFAULT_KEY_ENV, as_json: AsJson = False) -> None:
    """Show the models, their load and their latest verdicts, as one router replica sees them."""
    from scripts.client.status import show_status
    from scripts.tables import print_json

    with connected("status", url, api_key_env) as connection:
        found = connection.get("laar/status")
        if as_json:
            print_json(found)
        else:
            show_status(found)


def feedback(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request, as laar ask or laar log list show it.")],
    is_right: Annotated[
        bool | None, typer.Option("--right/--wrong", show_default=False, help="What you found of its answer.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key_env: ApiKeyEnv = DEFAULT_KEY_ENV,
    as_json: AsJson = False,
) -> None:
    """Say whether the answer to a request was right; laar learns from it."""
    from scripts.tables import print_json

    if is_right is None:
        raise typer.BadParameter("say whether the answer was right", param_hint="--right/--wrong")
    with connected("feedback", url, api_key_env) as connection:
        told = connection.post("laar/feedback", {"request_id": request_id, "correct": is_right})
        if as_json:
            print_json(told)
        else:
            print(f"noted: the answer to {told['request_id']} was {'right' if told['correct'] else 'wrong'}")


def _body(question: str, given: Any, *, model: str, fields: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The body of a chat request; what is None is left out."""
    try:
        verify = given.as_verify()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    text = sys.stdin.read() if question == "-" else question
    laar = {name: value for name, value in {**options, "verify": verify}.items() if value is not None}
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields, "laar": laar}
    return {name: value for name, value in body.items() if value is not None}
