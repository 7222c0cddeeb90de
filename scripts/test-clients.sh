#!/usr/bin/env bash
# Tries the clients of docs/clients.md against simulated engines, in an environment of their own, and writes the page's table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ -x .venv/bin/laar ]] || {
    echo "test-clients: the application is not in .venv; run scripts/setup.sh first" >&2
    exit 1
}
command -v npm >/dev/null || {
    echo "test-clients: npm is missing, and two of the clients need it" >&2
    exit 1
}
venv=.venv-clients
[[ -x $venv/bin/python ]] || .venv/bin/python -m venv "$venv"
"$venv/bin/python" -m pip install --quiet -r requirements/clients.txt
npm --prefix tests/clients/node ci --no-fund --no-audit --silent
# the house's options of pytest are for plugins that are not here, and the clients' own warnings are not ours to mend
exec "$venv/bin/python" -m pytest -o addopts= -W ignore tests/clients "$@"
