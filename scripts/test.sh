#!/usr/bin/env bash
# Sets up, checks, then runs the unit, study, serve, browser and e2e tests, each in a pytest of its own; exits 1 if anything fails.
set -euo pipefail

usage="usage: scripts/test.sh [--unit] [--study] [--serve] [--browser] [--pages] [--e2e]
  With no option: checks and all five but pages. With options: only the suites named, without the checks.
  --unit   plain Python, a minute
  --study  published figures against their raw data, and statistics; a minute
  --serve  Ray Serve with the simulated engine and PostgreSQL, minutes
  --browser  the page in Debian's Chromium, before simulated engines; two minutes
  --pages  the code blocks of the tutorial and the how-tos, before two small servers; three minutes
  --e2e    Ray Serve with both embedded models on vLLM, minutes"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
suites=()
for option in "$@"; do
    case $option in
        --unit | --study | --serve | --browser | --pages | --e2e) suites+=("${option#--}") ;;
        -h | --help) echo "$usage" && exit 0 ;;
        *) printf "unknown option '%s'\n%s\n" "$option" "$usage" >&2 && exit 2 ;;
    esac
done
checks=0
((${#suites[@]})) || { checks=1 && suites=(unit study serve browser e2e); }

# nothing is to be looked for or told outside this machine
export HF_HUB_OFFLINE=1 RAY_USAGE_STATS_ENABLED=0 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
# dozens of processes load the same modules; each is compiled once
unset PYTHONDONTWRITEBYTECODE

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
exit_code=0
times=()

# timed NAME COMMAND...: what it prints is shown and kept; processor time is that of all its processes
timed() {
    local name=$1 outcome=passed wall user system TIMEFORMAT='%0R %U %S'
    shift
    echo "== $name"
    { time { "$@" 2>&1 | tee "$results/$name"; }; } 2>"$results/time" || { outcome=FAILED && exit_code=1; }
    read -r wall user system <"$results/time"
    times+=("$(printf '%-6s %5d s  %7.1f s of processor time  %s' "$name" "$wall" \
        "$(awk "BEGIN { print $user + $system }")" "$outcome")")
}

setup=(scripts/setup.sh)
[[ " ${suites[*]} " == *" e2e "* ]] || setup+=(--no-models)
timed setup "${setup[@]}"
((exit_code == 0)) || exit 1

((!checks)) || timed check scripts/check.sh
for suite in "${suites[@]}"; do
    # serve's tests share one cluster, and e2e's models all cores
    spread=()
    [[ $suite != unit && $suite != study ]] || spread=(--numprocesses logical --dist worksteal)
    timed "$suite" .venv/bin/python -m pytest "${spread[@]}" "tests/$suite"
done

# last come the times, then pytest's own closing lines
echo "== results"
printf '%s\n' "${times[@]}"
for suite in "${suites[@]}"; do
    tail -n 1 "$results/$suite"
done
exit "$exit_code"
