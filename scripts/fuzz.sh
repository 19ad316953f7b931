#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs each libFuzzer target for some seconds under ASan and UBSan, from its seeds, one a processor. What it finds stays in
# build-fuzz/findings; a found input that is mended goes to tests/fuzz/corpus.
set -euo pipefail

seconds=$1
cd "$(dirname "$0")/.."
[ -f build-fuzz/build.ninja ] ||
    CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        >/dev/null
mapfile -t names < <(ls tests/fuzz/corpus)
ninja -C build-fuzz --quiet "${names[@]/#/tests/fuzz/fuzz-}"
mkdir -p build-fuzz/findings

run_target() {
    local name=$1 status=0
    local log=build-fuzz/$name.log work=build-fuzz/corpus/$name
    mkdir -p "$work"
    build-fuzz/tests/fuzz/fuzz-"$name" -max_total_time="$seconds" -max_len=40960 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix=build-fuzz/findings/"$name"- \
        "$work" "tests/fuzz/corpus/$name" >"$log" 2>&1 || { status=1; tail -n 60 "$log"; }
    echo "fuzz-$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s"
    return $status
}
export -f run_target
export seconds
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_target {}' || exit 1
echo "nothing found"
