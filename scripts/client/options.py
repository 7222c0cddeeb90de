"""Options that the commands for a running application share, and what they do with its errors."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from scripts.client.connection import DEFAULT_URL, ApplicationError, Connection

Url = Annotated[str, typer.Option(envvar="LAAR_URL", help="The running application.")]
ApiKeyEnv = Annotated[str, typer.Option(help="Environment variable with your API key; unset means no key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else.")]

DEFAULT_KEY_ENV = "LAAR_API_KEY"

__all__ = ["DEFAULT_KEY_ENV", "DEFAULT_URL", "ApiKeyEnv", "AsJson", "Url", "connected"]


@contextmanager
def connected(command: str, url: str, api_key_env: str) -> Iterator[Connection]:
    """A connection whose errors are one line on stderr and the exit status 1."""
    try:
        yield Connection(url, api_key_env)
    except ApplicationError as error:
        print(f"laar {command}: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
