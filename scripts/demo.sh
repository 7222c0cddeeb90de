#!/usr/bin/env bash
# One command from a bare machine with Python 3.11 to verified answers from two real models.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./scripts/setup.sh --no-dev
exec .venv/bin/laar demo "$@"
