#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Branch coverage of the whole suite, by folder: built by clang with counters, run, and joined over all programs.
# Fails below LEAST per cent. What is missing, line by line: scripts/coverage.py --files build-coverage/all.lcov
set -euo pipefail

least=$1
cd "$(dirname "$0")/.."
out=build-coverage
[ -f $out/build.ninja ] ||
    CC=clang meson setup $out -Dc_args='-fprofile-instr-generate -fcoverage-mapping' \
        -Dc_link_args=-fprofile-instr-generate >/dev/null
ninja -C $out --quiet
rm -rf $out/prof
mkdir $out/prof
LLVM_PROFILE_FILE=$PWD/$out/prof/%4m.profraw \
    meson test -C $out --no-rebuild --timeout-multiplier 4 --quiet >$out/test.log 2>&1 ||
    { tail -n 30 $out/test.log; exit 1; }

# The programs of the tests each hold a copy of the library; "-object" stands before all but the first. That of the
# mutants is another library.
mapfile -t objects < <(python3 -c '
import json, os
def is_program(word):
    return os.path.isfile(word) and open(word, "rb").read(4) == b"\x7fELF"
tests = json.load(open("build-coverage/meson-info/intro-tests.json"))
words = sorted({word for test in tests for word in test["cmd"]
                if "/build-coverage/" in word and is_program(word)
                and not word.endswith("/crash-mutants")})
for at, word in enumerate([*words, "build-coverage/lib/libcairn.so"]):
    print(*(["-object"] if at else []), word, sep="\n")
')
find $out/prof -name '*.profraw' >$out/profiles
llvm-profdata merge -sparse -f $out/profiles -o $out/all.profdata
llvm-cov export -format=lcov -instr-profile $out/all.profdata "${objects[@]}" \
    -ignore-filename-regex='/tests/|/tools/|/include/|/usr/' >$out/all.lcov 2>$out/cov.err
python3 scripts/coverage.py --least "$least" $out/all.lcov
