#!/usr/bin/env bash
# Makes .venv-bench with exact pins: the proxies that `laar bench peers` puts beside laar, whose pins exclude vLLM's.
# It may be killed at any point and may run again; where nothing changed it takes no time.
set -euo pipefail

usage="usage: scripts/setup-bench.sh
pip follows its own PIP_* variables and configuration."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/.venv-bench
pins=requirements/peers.txt

case ${1-} in
    "") ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) printf "unknown option '%s'\n%s\n" "$1" "$usage" >&2 && exit 2 ;;
esac

die() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

# one set-up at a time for this checkout
exec 9<scripts/setup-bench.sh
flock 9

# written last: without it, or with another list or place in it, .venv-bench is made anew
wanted="$venv $(sha256sum "$pins")"
if [[ $(cat "$venv/.stamp" 2>/dev/null) == "$wanted" ]]; then
    exit 0
fi
python=$(command -v python3.11) || die "no python3.11 on PATH"
rm -rf "$venv"
echo "[1/3] making .venv-bench"
"$python" -m venv "$venv" || die "no venv; Debian and Ubuntu have it in python3.11-venv"
echo "[2/3] installing $(grep -c '==' "$pins") pinned packages (a minute)"
"$venv/bin/python" -m pip install --no-input --progress-bar off --quiet --no-deps -r "$pins" ||
    die "pip must find every pin of $pins"
echo "[3/3] checking that they fit together"
"$venv/bin/python" -m pip check
echo "$wanted" >"$venv/.stamp"
