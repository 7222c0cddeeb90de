#!/usr/bin/env bash
# Makes .venv with exact pins and prepares the embedded models; where nothing changed it takes a second or two.
# It may be killed at any point and may run twice at once.
set -euo pipefail

usage="usage: scripts/setup.sh [--no-dev] [--no-models]
  --no-dev     leave out what only checks and tests need, PostgreSQL and Chromium among it
  --no-models  do not prepare the embedded models
Models go to \$LAAR_CACHE_DIR, else ~/.cache/laar. Packages are found as pip's PIP_* variables and configuration say."

cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/.venv
log=$venv/setup.log
# stands from before the first change to .venv until after the last: a .venv that holds it is made anew
unfinished=$venv/.unfinished

# what is imported first is compiled then, and only once
unset PYTHONDONTWRITEBYTECODE

wants_dev=1 wants_models=1
for option in "$@"; do
    case $option in
        --no-dev) wants_dev=0 ;;
        --no-models) wants_models=0 ;;
        -h | --help) echo "$usage" && exit 0 ;;
        *) printf "unknown option '%s'\n%s\n" "$option" "$usage" >&2 && exit 2 ;;
    esac
done

die() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

find_python() {
    local name
    for name in python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    die "no Python 3.11 among python3.11, python3 and python; install one and put it on PATH"
}

# Whether .venv was finished, stands where it was made and runs.
is_sound() {
    [[ ! -e $unfinished ]] && grep -qsF "$venv" "$venv/bin/activate" &&
        "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

# A part of .venv carries a stamp that says which file it was made from.
stamp_of() { sha256sum "$1"; }
is_stale() { ((makes_venv)) || [[ $(cat "$venv/.stamp-$1" 2>/dev/null) != $(stamp_of "$2") ]]; }
stamp() { stamp_of "$2" >"$venv/.stamp-$1"; }

# pip is silent for minutes while it unpacks
count_installed() { find "$venv/lib" -maxdepth 3 -name '*.dist-info' | wc -l; }

# The child that is waited for leads a session of its own, so that it and its children can be stopped together.
child=
trap 'kill -- "-$child" 2>/dev/null; echo "set-up: stopped; the next run starts over" >&2; exit 130' HUP INT TERM

# Runs a command: what it says goes to the log, and every 10 s one line tells how far it is.
watched() {
    local line told last="" beat=$SECONDS
    exec 3< <(exec setsid "$@" 2>&1)
    child=$!
    while true; do
        if IFS= read -r -t 2 -u 3 line; then
            # pip says this of every folder of packages that its configuration names and this machine lacks
            [[ $line == "WARNING: Location '"*"is ignored"* ]] && continue
            printf '%s\n' "$line" >>"$log"
            last=${line##*$'\r'} # a progress bar rewrites its line
        elif (($? > 128)); then # timed out; a line may have begun
            printf '%s' "$line" >>"$log"
        else
            break
        fi
        if ((SECONDS - beat >= 10)); then
            beat=$SECONDS
            told=${last:-...}
            [[ $last != "Installing collected"* && $last != *" uninstalled "* && $last != "Prepared "* && $last != "Resolved "* ]] || told="installing: $(count_installed) packages are in place"
            printf '      %3d s  %.90s\n' $((SECONDS - began)) "$told"
        fi
    done
    exec 3<&-
    wait "$child"
}

# step MESSAGE HINT COMMAND...
step() {
    local message=$1 hint=$2 began=$SECONDS
    shift 2
    number=$((number + 1))
    echo "[$number/$steps] $message"
    if ! watched "$@"; then
        printf -- '--- the end of %s:\n' "$log" >&2
        tail -n 30 "$log" >&2
        die "failed: $message${hint:+$'\n'help: $hint}"
    fi
    printf '      %3d s  done\n' $((SECONDS - began))
}

pins() { grep -c '==' "$1"; }

# uv unpacks several packages at once, which pip does one after the other; without uv, pip does it all.
uv_home=$venv/.uv
find_uv() {
    local options="" certificates
    [[ -x $uv_home/bin/uv ]] ||
        "$venv/bin/python" -m pip install -q --no-input --no-deps --target "$uv_home" -r requirements/setup.txt >>"$log" 2>&1 || return 1
    options=$("$venv/bin/python" -m pip config list 2>>"$log" | "$venv/bin/python" scripts/uv_options.py 2>>"$log") || return 1
    mapfile -t uv_options <<<"$options"
    certificates=$("$venv/bin/python" -m pip config get global.cert 2>/dev/null) || certificates=${PIP_CERT:-}
    [[ -z $certificates ]] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$certificates}
    # its cache is linked into .venv, and so takes no room of its own
    export UV_CACHE_DIR=$uv_home/cache UV_NO_PROGRESS=1
}

pip_install() {
    local pip=("$venv/bin/python" -m pip install --no-input --progress-bar off)
    find_uv && pip=("$uv_home/bin/uv" pip install --python "$venv/bin/python" "${uv_options[@]}")
    step "$1" "every pin must be found; a folder that holds torch's CPU build can be named in PIP_FIND_LINKS" \
        "${pip[@]}" --no-deps "${@:2}"
    rm -rf "$uv_home/cache"
}

# Tests start a PostgreSQL of their own from Debian's package.
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null; }
install_postgres() {
    local install="apt-get install -qy --no-install-recommends postgresql"
    step "installing Debian's PostgreSQL for tests" "tests/serve needs it; by hand: apt-get install postgresql" \
        env DEBIAN_FRONTEND=noninteractive sh -c "$install || { apt-get update -q && $install; }"
}

# The tests of the page drive Debian's Chromium.
has_chromium() { command -v chromium >/dev/null; }
install_chromium() {
    local install="apt-get install -qy --no-install-recommends chromium"
    step "installing Debian's Chromium for tests" "tests/browser needs it; by hand: apt-get install chromium" \
        env DEBIAN_FRONTEND=noninteractive sh -c "$install || { apt-get update -q && $install; }"
}

# Tests of alerts and dashboard ask Debian's Prometheus, which is only unpacked: installed, it would run for ever.
has_prometheus() { [[ -x $venv/prometheus/usr/bin/promtool ]]; }
unpack_prometheus() {
    # shellcheck disable=SC2016 # the inner shell expands it
    local unpack='cd "$1" && apt-get download -q prometheus && dpkg -x prometheus_*.deb prometheus && rm prometheus_*.deb'
    step "unpacking Debian's Prometheus for tests" "tests of alerts and dashboard need it, and are skipped without" \
        sh -c "$unpack" sh "$venv"
}

# A broken torchvision or a missing kernel shows here, not at the first request.
imports='
import torch, ray, ray.serve.llm
from vllm.platforms import current_platform
from vllm.v1.engine.async_llm import AsyncLLM
current_platform.import_kernels()
torch.ops._C.silu_and_mul
'

# Preparing the models takes one core, and so has the other one tried the packages meanwhile.
prepare=("$venv/bin/python" -m deployments.engines.embedded)
import_and_prepare() {
    # shellcheck disable=SC2016 # the inner shell expands it
    step "importing torch, ray and vllm, and preparing the embedded models" \
        "a broken torchvision in .venv spoils this; removing .venv starts over" \
        bash -c '"$1" -c "$2" & imports=$!; shift 2; "$@"; prepared=$?; wait "$imports" && exit "$prepared"' \
        _ "$venv/bin/python" "$imports" "${prepare[@]}"
}

# one set-up at a time for this checkout; the lock goes with the last process that holds it
exec 9<scripts/setup.sh
if ! flock -n 9; then
    echo "another set-up is at work here; waiting for it"
    setsid flock 9 &
    child=$!
    wait "$child"
fi

makes_venv=0 installs_run=0 installs_project=0 installs_dev=0 installs_postgres=0 installs_chromium=0 unpacks_prometheus=0
is_sound || makes_venv=1
is_stale run requirements/cpu.txt && installs_run=1
is_stale project pyproject.toml && installs_project=1
((wants_dev)) && is_stale dev requirements/dev.txt && installs_dev=1
if ((wants_dev)) && ! has_postgres; then
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        installs_postgres=1
    else
        echo "set-up: PostgreSQL is missing, and tests/serve needs it; as root: apt-get install postgresql" >&2
    fi
fi
if ((wants_dev)) && ! has_chromium && ((EUID == 0)) && command -v apt-get >/dev/null; then
    installs_chromium=1
fi
if ((wants_dev)) && ! has_prometheus && ((EUID == 0)) && command -v apt-get >/dev/null; then
    unpacks_prometheus=1
fi

number=0
steps=$((makes_venv + 2 * installs_run + installs_project + installs_dev + installs_postgres + installs_chromium + unpacks_prometheus))
((installs_run)) || steps=$((steps + wants_models))

python=$venv/bin/python
if ((makes_venv)); then
    python=$(find_python)
fi
if ((installs_run)); then
    "$python" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null ||
        die "libnuma.so.1 is missing, and vLLM's CPU kernels need it; Debian and Ubuntu have it in libnuma1"
fi
if ((makes_venv)); then
    # without this file it no longer counts as sound, should the removal be cut short
    rm -f "$venv/bin/activate"
    rm -rf "$venv"
fi
if ((installs_run || installs_project || installs_dev)); then
    mkdir -p "$venv"
    touch "$unfinished"
    : >"$log"
fi
if ((makes_venv)); then
    step "making .venv" "Debian and Ubuntu put venv into a package of its own, python3.11-venv" "$python" -m venv "$venv"
fi
if ((installs_run)); then
    pip_install "installing $(pins requirements/cpu.txt) pinned packages (minutes)" -r requirements/cpu.txt
    if ((wants_models)); then
        import_and_prepare
        wants_models=0
    else
        step "importing torch, ray and vllm" "a broken torchvision in .venv spoils this; removing .venv starts over" \
            "$venv/bin/python" -c "$imports"
    fi
    stamp run requirements/cpu.txt
fi
if ((installs_project)); then
    # and the name under which the command vllm looks its CPU build up
    pip_install "installing the project" --no-build-isolation -e . ./requirements/vllm
    stamp project pyproject.toml
fi
if ((installs_dev)); then
    pip_install "installing $(pins requirements/dev.txt) pinned packages for checks and tests" -r requirements/dev.txt
    stamp dev requirements/dev.txt
fi
rm -f "$unfinished"
((!installs_postgres)) || install_postgres
((!installs_chromium)) || install_chromium
((!unpacks_prometheus)) || unpack_prometheus
if ((wants_models)); then
    step "preparing the embedded models" "" "${prepare[@]}"
fi
