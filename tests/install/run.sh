#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the library into a folder of its own, builds the examples against it by pkg-config alone, as an
# embedder does, and runs them. Prints TAP.
#
#   run.sh BUILD_DIR SOURCE_DIR
set -euo pipefail

build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0

# ok NAME COMMAND...: one case; its output is shown when it fails. In a function only the last
# command counts, as "if" turns "set -e" off: join them by &&.
ok() {
    local name=$1
    shift
    count=$((count + 1))
    if "$@" >"$work/log" 2>&1; then
        echo "ok $count - $name"
    else
        sed 's/^/# /' "$work/log"
        echo "not ok $count - $name"
    fi
}

DESTDIR=$work/root meson install -C "$build" --no-rebuild --quiet
PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name cairn.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
bin=$(dirname "$(find "$work/root" -path '*/bin/cairn-img')")

compile() {
    # shellcheck disable=SC2046,SC2086  # lists of words
    ${CC:-cc} ${CFLAGS:-} -Wall -Werror -o "$work/$1" "$source/examples/$1.c" \
        $(pkg-config --cflags --libs cairn)
}

for name in jobs main-loop memory-disk read-overlay; do
    ok "$name builds against the installed library" compile "$name"
done

make_overlay() {
    printf 0123456789 > "$work/key" &&
        head -c 1M /dev/urandom > "$work/base.raw" &&
        "$bin/cairn-img" create -q -f qcow -b base.raw -F raw \
            --object secret,id=s,file="$work/key" \
            -o encrypt.format=aes,encrypt.key-secret=s "$work/over.qcow" &&
        "$bin/cairn-io" --object secret,id=s,file="$work/key" --image-opts \
            -c 'write -P 0x77 0 256' \
            driver=qcow,file.filename="$work/over.qcow",encrypt.key-secret=s
}

read_overlay() {
    "$work/read-overlay" "$work/over.qcow" "$work/key" > "$work/out" &&
        head -n 1 "$work/out" | grep -q ': 1048576 bytes$' &&
        printf '77%.0s' {1..256} > "$work/want" &&
        head -c 512 "$work/base.raw" | tail -c 256 | od -An -v -tx1 | tr -d ' \n' >> "$work/want" &&
        tail -n +2 "$work/out" | tr -d '\n' | cmp - "$work/want"
}

pages_are_installed() {
    local page

    for page in "$source"/man/*.[1-9]; do
        find "$work/root" -name "$(basename "$page")" | grep . || return 1
    done
    for page in "$source"/docs/drivers/*.md; do
        find "$work/root" -name "cairn-$(basename "$page" .md).7" | grep . || return 1
    done
}

# Where the shells look. A build whose programs cannot run here has none.
completion_is_installed() {
    local path

    [ -f "$build/completion/cairn-img" ] || return 0
    for path in bash-completion/completions/cairn-{img,io} zsh/site-functions/_cairn-{img,io} \
        fish/vendor_completions.d/cairn-{img,io}.fish; do
        find "$work/root" -path "*/$path" | grep . || return 1
    done
    ! find "$work/root" -name '*qemu*' | grep .
}

ok "every man page is installed" pages_are_installed
ok "completion is installed for three shells" completion_is_installed
ok "the installed tools make an encrypted overlay" make_overlay
ok "read-overlay reads it" read_overlay
ok "memory-disk stacks qcow on a driver of its own" \
    sh -c "'$work/memory-disk' | grep 'kept in memory, mapped by qcow'"
ok "main-loop keeps 64 requests in flight" sh -c "'$work/main-loop' '$work/loop.qcow' | grep ': 0 errors'"
ok "what it wrote checks clean" "$bin/cairn-img" check "$work/loop.qcow"
make_pair() {
    "$bin/cairn-img" create -q -f qcow "$work/low.qcow" 8M &&
        "$bin/cairn-img" create -q -f qcow -b low.qcow -F qcow "$work/high.qcow" &&
        "$bin/cairn-io" -f qcow -c 'write -P 5 1M 4M' "$work/high.qcow"
}

# The guest writes 0x47; what was written before it, by make_pair, is now in the backing file.
run_jobs() {
    "$work/jobs" "$work/high.qcow" > "$work/said" &&
        cat "$work/said" &&
        grep -q 'done: that takes too long' "$work/said" &&
        grep -q '^second attempt: committed$' "$work/said" &&
        grep -q '^the guest wrote meanwhile$' "$work/said" &&
        "$bin/cairn-io" -f qcow -c 'read -P 5 1M 4M' "$work/low.qcow" &&
        "$bin/cairn-io" -f qcow -c 'read -P 0x47 0 1M' -c 'read -P 5 1M 4M' "$work/high.qcow" &&
        "$bin/cairn-img" check "$work/low.qcow" &&
        "$bin/cairn-img" check "$work/high.qcow"
}

ok "an overlay on a qcow is made" make_pair
ok "jobs cancels a commit, then ends it, under a guest that writes" run_jobs
echo "1..$count"
