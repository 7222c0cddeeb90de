#!/usr/bin/env bash
# Builds the site of the documentation into site/, from an environment of its own; a broken link or a page outside the nav fails it.
set -euo pipefail

usage="usage: scripts/docs.sh [--serve]
  --serve  show the site at http://127.0.0.1:8080 and follow changes
The first run makes .venv-docs. pip follows its own PIP_* variables and configuration."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/.venv-docs
pins=requirements/docs.txt

command=(build --strict)
case ${1-} in
    "") ;;
    --serve) command=(serve --strict --dev-addr 127.0.0.1:8080) ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) printf "unknown option '%s'\n%s\n" "$1" "$usage" >&2 && exit 2 ;;
esac

# written last: without it, or with another list or place in it, .venv-docs is made anew
wanted="$venv $(sha256sum "$pins")"
if [[ $(cat "$venv/.stamp" 2>/dev/null) != "$wanted" ]]; then
    python=$(command -v python3.11) || { echo "docs: no python3.11 on PATH" >&2 && exit 1; }
    rm -rf "$venv"
    echo "making .venv-docs: $(grep -c '==' "$pins") pinned packages"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --no-input --progress-bar off --quiet --no-deps -r "$pins" \
        2> >(grep -v "^WARNING: Location .* is ignored" >&2)
    "$venv/bin/python" -m pip check
    echo "$wanted" >"$venv/.stamp"
fi
# the theme's advertisement of its successor
export NO_MKDOCS_2_WARNING=1
exec "$venv/bin/python" -m mkdocs "${command[@]}"
