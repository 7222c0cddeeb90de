"""Where pip is told to look for packages, as options of uv, which does not read pip's configuration.

It runs before anything is installed: `pip config list | python scripts/uv_options.py` prints an option a line, and ends
with status 3 where pip's configuration has what uv has no option for.
"""

import ast
import sys
from collections.abc import Iterable

# by pip's name: uv's, and whether there may be several values
_OPTIONS = {
    "find-links": ("--find-links", True),
    "index-url": ("--index-url", False),
    "extra-index-url": ("--extra-index-url", True),
    "trusted-host": ("--allow-insecure-host", True),
}
_NOT_UVS = frozenset({"proxy", "client-cert", "keyring-provider", "no-index", "no-binary", "only-binary"})
# the first index that has a package need not have its pin
_ALWAYS = ("--index-strategy=unsafe-best-match",)


def uv_options(lines: Iterable[str]) -> list[str] | None:
    """The options for what `pip config list` prints; None where uv cannot do the same."""
    found: dict[str, list[str]] = {}
    for line in lines:
        place, _, value = line.strip().partition("=")
        name = place.rpartition(".")[2]
        if name in _NOT_UVS:
            return None
        if name in _OPTIONS:
            option, is_many = _OPTIONS[name]
            values = ast.literal_eval(value).split()
            # the environment comes before the files
            found[option] = [*found.get(option, []), *values] if is_many else found.get(option) or values[:1]
    return [*_ALWAYS, *(f"{option}={value}" for option, values in found.items() for value in dict.fromkeys(values))]


if __name__ == "__main__":
    options = uv_options(sys.stdin)
    if options is None:
        sys.exit(3)
    print("\n".join(options))
