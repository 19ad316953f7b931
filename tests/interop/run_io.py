#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cairn-io and the peer on the same inputs, and compares stdout, stderr, exit status and the images left
behind.

Exit status: 0 all agree, 1 some do not, 77 the peer is not installed."""

import argparse
import os
import re
import shutil
import sys
import tempfile

import compare
import debug_cases
import filter_cases
import fixtures
import io_cases
import io_differences
import io_node_cases


COMMANDS = (r"abort|aio_flush|aio_read|aio_write|alloc|break|close|discard|flush|help|info|length|map|open|q|"
            r"quit|read|readv|remove_break|reopen|resume|sigraise|sleep|truncate|wait_break|write|writev|\?")


def normalize(text):
    """Times and rates; the sentences that describe commands and options are each tool's own."""
    text = re.sub(r"; (\d\d\.\d\d sec|\d+:\d\d:\d\d\.\d\d) "
                  r"\((\d+(\.\d{3}|\.\d{6})? (bytes|[KMGTPE]iB))/sec and \d+\.\d{4} ops/sec\)",
                  "; TIME (RATE)", text)
    text = re.sub(r"^((?:qemu-io> )?\d+,\d+),\d+:\d\d:\d\d\.\d\d,\d+\.\d{3},\d+\.\d{3}$",
                  r"\1,TIME,RATE", text, flags=re.M)
    text = re.sub(rf"^((?:{COMMANDS})\b.*?) +-- .+$", r"\1 -- SUMMARY", text, flags=re.M)
    text = re.sub(r"^Usage: qemu-io \[OPTION.*", "USAGE", text, flags=re.S | re.M)
    return re.sub(r"^qemu-io version .*", "VERSION", text, flags=re.S)


CASES = [*io_cases.all_cases({**io_cases.GROUPS, **io_node_cases.GROUPS}), *debug_cases.io_cases(),
         *filter_cases.io_cases()]
SUITE = compare.Suite("qemu-io", CASES,
                      {**io_differences.DIFFERENCES, **debug_cases.IO_DIFFERENCES,
                       **filter_cases.IO_DIFFERENCES},
                      [*io_differences.ADDED_LINES, *filter_cases.IO_ADDED_LINES], normalize)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="path of cairn-io")
    parser.add_argument("--peer", default="qemu-io")
    parser.add_argument("--only", help="run the cases that match this pattern")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main():
    options = parse_arguments()
    options.peer, options.peer_img = shutil.which(options.peer), shutil.which("qemu-img")
    if not options.peer or not options.peer_img:
        print("skipped: qemu-img and qemu-io (Debian: qemu-utils) are not installed")
        return compare.SKIP
    options.ours = os.path.abspath(options.ours)
    with tempfile.TemporaryDirectory(prefix="cairn-interop-io-") as work:
        options.work = work
        base = fixtures.Fixtures(os.path.join(work, "fixtures"), options.peer_img, options.peer)
        return 1 if compare.run_cases(options, SUITE, base) else 0


if __name__ == "__main__":
    sys.exit(main())
