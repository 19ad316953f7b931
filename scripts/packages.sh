# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154  # top comes from ./dev
# Makes sure that the packages of packages/LIST.txt are there. Sourced by ./dev.

# packages_of LIST...: the names, one a line.
packages_of() {
    local list
    for list in "$@"; do
        grep -v '^#' "$top/packages/$list.txt"
    done | sort -u
}

packages_missing() {
    local name
    packages_of "$@" | while read -r name; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed' ||
            echo "$name"
    done
}

# need_packages LIST...: installs what is missing, or names it and stops.
need_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        echo "dev: this is not a Debian system: the packages below are not checked." >&2
        packages_of "$@" | sed 's/^/  /' >&2
        return 0
    fi
    missing=$(packages_missing "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "dev: these packages are missing, and installing them needs root and apt:" >&2
        echo "  apt-get install $missing" >&2
        exit 1
    fi
    echo "+ apt-get install $missing" >&2
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing \
        >/dev/null 2>&1 || {
        DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing \
            >/dev/null
    }
}
