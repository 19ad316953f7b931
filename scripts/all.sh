#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that can be proved by running it, with whole counts. Ends with a line for each step.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
results=()
status=0

step() {
    local start=$SECONDS verdict=passed
    printf '\n=== ./dev %s\n' "$*"
    ./dev "$@" || { verdict=FAILED; status=1; }
    results+=("$(printf '%-8s %5d s  ./dev %s' $verdict $((SECONDS - start)) "$*")")
}

step test
step demo
step asan
step tsan
step clang
step i386
step valgrind
step crash
step crash --mutants
step hostile
step kill 1000
step fuzz 60
step coverage 90
step analyze
step lint

printf '\n'
printf '%s\n' "${results[@]}"
exit $status
