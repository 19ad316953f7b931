#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317  # the checks are called by name
# Static checks: layering and sizes of files, shell scripts, cppcheck, clang-tidy.
set -euo pipefail

cd "$(dirname "$0")/.."
status=0

# note WHAT COMMAND...: runs it, remembers a failure.
note() {
    local what=$1
    shift
    if "$@"; then echo "ok   $what"; else echo "FAIL $what"; status=1; fi
}

long_files() {
    ! git ls-files '*.c' '*.h' '*.py' | xargs wc -l |
        awk '$2 != "total" && $1 > 900 { print "  " $2 ": " $1 " lines"; found = 1 } END { exit !found }'
}

no_trailing_blanks() {
    ! git grep -nI '[[:blank:]]$' -- '*.c' '*.h' '*.py' '*.sh' '*.build' dev
}

# Files of the repository that this machine's build compiles: the other switch of coroutines is not.
compiled_files() {
    python3 -c '
import json, os
for unit in json.load(open("build/compile_commands.json")):
    print(os.path.relpath(os.path.join(unit["directory"], unit["file"])))
' | sort -u | grep -Fxf <(git ls-files '*.c')
}

tidy() {
    [ -f build/compile_commands.json ] || meson setup build >/dev/null
    ninja -C build --quiet
    compiled_files | grep -E '^(util|qapi|crypto|block|tools)/' |
        xargs -P "$(nproc)" -n 8 clang-tidy -p build --quiet 2>/dev/null
}

note "files are at most 900 lines" long_files
note "no trailing blanks" no_trailing_blanks
note "shell scripts" shellcheck -x dev scripts/*.sh tests/install/run.sh \
    tests/completion/capture.bash .ci/run
note "cppcheck" cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
    --suppressions-list=.cppcheck-suppressions -Iinclude -I. \
    --library=gtk util qapi crypto block tools
note "clang-tidy" tidy
exit $status
