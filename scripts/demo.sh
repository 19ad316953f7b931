#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The main job on real input, each command shown before it runs. Keeps its folder with KEEP=1.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$top/build/tools:/usr/sbin:/sbin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/cairn-demo.XXXXXX")
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
cd "$work"

say() { printf '\n# %s\n' "$*"; }

# Shows a command, its words quoted where a shell needs it, and runs it.
run() {
    printf '$'
    for word in "$@"; do
        case $word in
            *[[:space:]]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    echo
    "$@"
}

# same_bytes A B: fails, with a word, unless the files are equal.
same_bytes() {
    printf '$ cmp %s %s\n' "$1" "$2"
    cmp "$1" "$2" && echo "equal, byte for byte"
}

say "An ext4 file system made of files of this machine; the disk is 4 MiB longer than it."
mkdir files
cp -r /usr/share/common-licenses files/
cp "$top"/include/cairn/*.h "$top/README.md" files/
run mke2fs -q -F -t ext4 -d files disk.raw 60M
run truncate -s 64M disk.raw

say "raw -> qcow: plain, compressed, and encrypted with a key from a secret object."
run cairn-img convert -f raw -O qcow disk.raw plain.qcow
run cairn-img convert -c -f raw -O qcow disk.raw small.qcow
printf 'correct horse' > key.txt
run cairn-img convert -f raw -O qcow --object secret,id=sec0,file=key.txt \
    -o encrypt.format=aes,encrypt.key-secret=sec0 disk.raw secret.qcow
run ls -s --block-size=K disk.raw plain.qcow small.qcow secret.qcow

say "All three hold what the raw image holds."
run cairn-img compare -f raw -F qcow disk.raw plain.qcow
run cairn-img compare -f raw -F qcow disk.raw small.qcow
run cairn-img convert --object secret,id=sec0,file=key.txt --image-opts -O raw \
    driver=qcow,file.filename=secret.qcow,encrypt.key-secret=sec0 back.raw
same_bytes disk.raw back.raw

say "An overlay keeps its base as it is: write through it, and look."
run cairn-img create -f qcow -b small.qcow -F qcow overlay.qcow
run cairn-io -f qcow -c 'write -P 0x5a 62M 64k' -c 'read -P 0x5a 62M 64k' overlay.qcow
run cairn-img info --backing-chain overlay.qcow
run cairn-img map --output=json -s 62M overlay.qcow
run cairn-img check overlay.qcow
run cairn-img check small.qcow

say "The chain back to raw, against the same write made by other means."
run cairn-img convert -f qcow -O raw overlay.qcow chain.raw
cp --sparse=always disk.raw expected.raw
head -c 65536 /dev/zero | tr '\0' '\132' |
    dd of=expected.raw bs=64k seek=992 conv=notrunc status=none
same_bytes expected.raw chain.raw

if command -v qemu-img >/dev/null; then
    say "The peer reads the same."
    run qemu-img compare -f raw -F qcow expected.raw overlay.qcow
    run qemu-img compare -f raw -F qcow disk.raw plain.qcow
else
    say "qemu-img is not installed: the peer is not asked."
fi
if command -v e2fsck >/dev/null; then
    say "And the file system is whole."
    run e2fsck -fn chain.raw
fi
say "Done."
