#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs each libFuzzer target for some seconds under ASan and UBSan, from its seeds. What it finds stays in
# build-fuzz/findings; a found input that is mended goes to tests/fuzz/corpus.
set -euo pipefail

seconds=$1
cd "$(dirname "$0")/.."
[ -f build-fuzz/build.ninja ] ||
    CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        >/dev/null
ninja -C build-fuzz --quiet
mkdir -p build-fuzz/findings
status=0
for seeds in tests/fuzz/corpus/*/; do
    name=$(basename "$seeds")
    work=build-fuzz/corpus/$name
    mkdir -p "$work"
    echo "+ fuzz-$name for $seconds s"
    build-fuzz/tests/fuzz/fuzz-"$name" -max_total_time="$seconds" -max_len=40960 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=0 -verbosity=0 -artifact_prefix=build-fuzz/findings/"$name"- \
        "$work" "$seeds" || status=1
done
[ "$status" = 0 ] && echo "nothing found"
exit $status
