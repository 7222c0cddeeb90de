#!/usr/bin/env bash
# Every check that needs no test run: format, lint, types, shell. People, hooks and CI run this one script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=.venv/bin
[[ -x $bin/ruff && -x $bin/mypy && -x $bin/shellcheck ]] || {
    echo "check: the tools are not in .venv; run scripts/setup.sh first" >&2
    exit 1
}

failed=()
check() {
    echo "-- $*"
    "$@" || failed+=("$1 ${2-}")
}

check "$bin/ruff" format --check .
check "$bin/ruff" check .
check "$bin/mypy"
check "$bin/shellcheck" scripts/*.sh .ci/run

if ((${#failed[@]})); then
    printf 'check: failed:' >&2
    printf ' %s;' "${failed[@]##*/}" >&2
    echo >&2
    exit 1
fi
echo "check: all passed"
