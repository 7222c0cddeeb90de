#!/usr/bin/env bash
# One command from a bare machine with Python 3.11 to verified answers from two real models.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# in the background and waited for, because a shell that waits for a command in front passes no signal on to it
setup=
trap '[[ -z $setup ]] || { kill "$setup" && wait "$setup"; } 2>/dev/null; exit 130' HUP INT TERM
./scripts/setup.sh --no-dev &
setup=$!
wait "$setup"
trap - HUP INT TERM
exec .venv/bin/laar demo "$@"
