"""What OpenAI servers elsewhere say of themselves: which models they serve, and how long a context each has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from deployments.engines.engine_configs import RemoteConfig
from serve_app.faults import Finding, did_you_mean, shown

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that a server lists; None where it does not say how long its context is."""

    name: str
    context_tokens: int | None


class ServerError(Exception):
    """A server does not say what it serves; the message says why."""


def served_models(url: str, *, api_key: str) -> list[ServedModel]:
    """What `GET URL/models` lists; raises ServerError."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        response = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=TIMEOUT_S, trust_env=False)
        cards = response.json()["data"] if response.status_code == 200 else []
        found = [_served(card) for card in cards]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(f"it cannot be reached: {error or type(error).__name__}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError("its answer to GET /models is not in OpenAI's form") from error
    if response.status_code != 200:
        hint = "; the URL should end in /v1" if response.status_code == 404 else ""
        raise ServerError(f"it answers GET /models with status {response.status_code}{hint}")
    return found


def _served(card: Mapping[str, object]) -> ServedModel:
    context = card.get("max_model_len")
    return ServedModel(name=str(card["id"]), context_tokens=context if isinstance(context, int) else None)


def server_findings(models: Sequence[tuple[int, RemoteConfig]], keys: Mapping[str, str]) -> Iterator[Finding]:
    """What the servers of a config say against it; `keys` has the API keys by model."""
    for index, model in models:
        for place, url in enumerate(map(str, model.settings.urls)):
            key = f"models.{index}.remote.urls.{place}"
            try:
                served = served_models(url, api_key=keys.get(model.name, ""))
            except ServerError as error:
                yield Finding(key=key, value=shown(url), message=str(error), mend="start that server, or mend the URL")
                continue
            yield from _against(model, {found.name: found for found in served}, f"models.{index}.remote", shown(url))


def _against(model: RemoteConfig, served: Mapping[str, ServedModel], key: str, url: str) -> Iterator[Finding]:
    name = model.source
    if (found := served.get(name)) is None:
        message = f"{url} does not serve it"
        yield Finding(key=f"{key}.served_model", value=name, message=message, mend=did_you_mean(name, served))
    elif found.context_tokens is not None and found.context_tokens < model.context_tokens:
        yield Finding(
            key=f"{key}.max_model_len",
            value=str(model.context_tokens),
            message=f"the model at {url} has a context of {found.context_tokens} tokens",
            mend=f"write {found.context_tokens}",
        )
