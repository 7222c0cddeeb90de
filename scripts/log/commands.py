"""The options of `laar log`."""

import logging
from typing import Annotated

import typer

from scripts.options import LOG_URL_ENV

log = typer.Typer(no_args_is_help=True, help="Query and look after the attempt log.")

LogUrl = Annotated[
    str | None, typer.Option("--url", help="The log's database, without a password; else what --url-env names.")
]
LogUrlEnv = Annotated[
    str, typer.Option("--url-env", help="Environment variable with the database's URL; unset means the local SQLite.")
]
Since = Annotated[str | None, typer.Option(help="From when on: 90s, 15m, 24h, 7d, or an ISO date and time (UTC).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and no table.")]
OnlyModel = Annotated[str | None, typer.Option(help="Only this model.")]
OnlyTask = Annotated[str | None, typer.Option(help="Only this task.")]
OnlyLanguage = Annotated[str | None, typer.Option(help="Only this language.")]
OnlyPolicy = Annotated[
    str | None, typer.Option(help="Only requests that this policy chose for, their own or the application's.")
]


@log.command("list")
def log_list(
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    policy: OnlyPolicy = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
    since: Since = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Show at most this many attempts, the latest ones.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest attempts."""
    from scripts.log import actions

    wanted = actions.ListFilter(model=model, task=task, language=language, verdict=verdict, policy=policy, since=since)
    actions.run(url, url_env, lambda store: actions.show_attempts(store, wanted, limit=limit, as_json=as_json))


@log.command("show")
def log_show(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request's id, or how it begins.")],
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    as_json: AsJson = False,
) -> None:
    """One request with all its attempts, and its texts where the log keeps them."""
    from scripts.log import actions

    actions.run(url, url_env, lambda store: actions.show_request(store, request_id, as_json=as_json))


@log.command("tail")
def log_tail(
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    policy: OnlyPolicy = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
) -> None:
    """Attempts as they come, one JSON object a line, until interrupted."""
    from scripts.log import actions

    wanted = actions.ListFilter(model=model, task=task, language=language, verdict=verdict, policy=policy)
    actions.run(url, url_env, lambda store: actions.follow(store, wanted))


@log.command("stats")
def log_stats(
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    policy: OnlyPolicy = None,
    since: Since = "24h",
    as_json: AsJson = False,
) -> None:
    """Accuracy by model, language and bucket; TTCA with retries and feedback; arrival rate and task mix."""
    from scripts.log import actions

    wanted = actions.ListFilter(model=model, task=task, language=language, policy=policy, since=since)
    actions.run(url, url_env, lambda store: actions.show_stats(store, wanted, as_json=as_json))


@log.command("keys")
def log_keys(
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    profile: Annotated[
        str | None, typer.Option(help="The routers' profile, path or name; without it every chance begins alike.")
    ] = None,
    since: Annotated[str, typer.Option(help="From when on, as `router.learning.replay_days` tells routers.")] = "30d",
    as_json: AsJson = False,
) -> None:
    """Whose verdicts and feedback moved the chances of which model, and how far, as routers learn them."""
    from profiles.profile import load_profile
    from scripts.log import actions, keys

    # what drifts is not asked here
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    actions.run(
        url,
        url_env,
        lambda store: keys.show_keys(store, load_profile(profile), since=since, as_json=as_json),
    )


@log.command("undo-key")
def log_undo_key(
    key: Annotated[str, typer.Argument(help="The key's id as `laar log keys` shows it, or how it begins.")],
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    back: Annotated[bool, typer.Option("--back", help="Let the key teach again, also what it said before.")] = False,
) -> None:
    """Let routers learn nothing of a key, neither of what it has said nor of what it says."""
    from scripts.log import actions, keys

    whole = actions.run(url, url_env, lambda store: keys.undo_key(store, key, back=back))
    print(f"key {whole} teaches {'again' if back else 'nothing any more'}; routers follow within seconds")


@log.command("prune")
def log_prune(
    older_than: Annotated[str, typer.Option(help="Age of what is deleted: 12h, 90d, or before an ISO date.")],
    url: LogUrl = None,
    url_env: LogUrlEnv = LOG_URL_ENV,
    as_json: AsJson = False,
) -> None:
    """Delete old rows."""
    from scripts.log import actions

    actions.run(url, url_env, lambda store: actions.prune(store, older_than, as_json=as_json))


@log.command("migrate")
def log_migrate(url: LogUrl = None, url_env: LogUrlEnv = LOG_URL_ENV) -> None:
    """Make the tables or bring them up to date; routers do so themselves when they start."""
    from scripts.log import actions

    actions.run(url, url_env, actions.migrate, needs_tables=False)
