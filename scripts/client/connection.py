"""A running laar application as its commands reach it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0
# an answer may take as long as the application lets it
ANSWER_TIMEOUT_S = 86_400.0


class ApplicationError(Exception):
    """The application did not answer, or answered with an error; the message is for the person at the terminal."""


class Connection:
    """The HTTP API below `url`, which may end in /v1."""

    def __init__(self, url: str, api_key_env: str) -> None:
        key = os.environ.get(api_key_env, "").strip()
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)

    def get(self, path: str) -> Any:
        return self._whole("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._whole("POST", path, body)

    @contextmanager
    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[Iterator[str]]:
        """The data of server-sent events, as they come; comments are left out."""
        with (
            self._told(),
            httpx.stream("POST", self._at(path), json=body, headers=self._headers, timeout=self._timeout) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise self._refusal(response)
            yield (line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: "))

    def _whole(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        with self._told():
            response = httpx.request(method, self._at(path), json=body, headers=self._headers, timeout=self._timeout)
            if response.status_code != 200:
                raise self._refusal(response)
            return response.json()

    def _at(self, path: str) -> str:
        return f"{self._url}/v1/{path}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError:
            message = f"nothing answers at {self._url}; laar up starts an application, --url names another one"
            raise ApplicationError(message) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApplicationError(f"{self._url}: {error or type(error).__name__}") from error
        except ValueError as error:
            raise ApplicationError(f"{self._url}: its answer is no JSON; is that a laar application?") from error

    def _refusal(self, response: httpx.Response) -> ApplicationError:
        try:
            error = response.json()["error"]
            said = f"{error['message']} ({error['code']})"
        except (ValueError, KeyError, TypeError):
            said = f"{response.text[:200]!r}; is {self._url} a laar application?"
        hint = "; --api-key-env names the variable with your key" if response.status_code == 401 else ""
        return ApplicationError(f"{response.status_code}: {said}{hint}")
