"""The `laar` command, which says what is missing where only the server is installed."""

import sys
from importlib.util import find_spec

# what the extras `cli` and `plots` install, as it is imported
CLI = ("typer", "rich", "httpx", "psutil")
PLOTS = "matplotlib"


def main() -> None:
    if missing := [name for name in CLI if find_spec(name) is None]:
        sys.exit(f"laar: its commands need {', '.join(missing)}; help: pip install 'laar[cli]'")
    from scripts.commands import app

    try:
        app()
    except ModuleNotFoundError as error:
        if error.name != PLOTS:
            raise
        sys.exit(f"laar: this command draws, and needs {PLOTS}; help: pip install 'laar[plots]'")


if __name__ == "__main__":
    main()
