#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit suite as a 32-bit program: what holds 64-bit numbers of images in narrower types shows there. Debian's GLib for i386
# cannot stand beside the machine's own for building, so a small Debian of that kind is made in build-i386/root.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD/build-i386/root
if [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" != 0 ]; then
    echo "i386: skipped, needs root on an x86-64 machine"
    exit 0
fi
if [ ! -e build-i386/made ]; then
    rm -rf build-i386
    mkdir build-i386
    packages=$(grep -hv '^#' packages/build.txt | grep -v libedit | paste -sd,)
    debootstrap --arch=i386 --variant=minbase --include="$packages" bookworm "$root" >build-i386/debootstrap.log
    touch build-i386/made
fi
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
mkdir -p "$root/src"
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$root/src"
chroot "$root" setarch i386 sh -c '
    cd /src
    [ -f build/build.ninja ] || meson setup build -Dwerror=true >/dev/null
    ninja -C build --quiet
    meson test -C build --no-rebuild --quiet --print-errorlogs --timeout-multiplier 4 --suite unit'
