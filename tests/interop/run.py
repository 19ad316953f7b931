#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cairn-img and the peer on the same inputs, and compares stdout, stderr, exit status and the images
left behind. Then exchanges images of every kind both ways, and runs both against a busy image.

Exit status: 0 all agree, 1 some do not, 77 the peer is not installed."""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile

import busy
import cases
import compare
import debug_cases
import differences
import exchange
import filter_cases
import fixtures


def sort_keys(match):
    """The peer's order of keys in a made-up name is that of a hash."""
    return "json:" + json.dumps(json.loads(match.group(1)), sort_keys=True)


def normalize(text):
    """How many steps a progress line takes is nobody's contract, nor how often one is told; that it starts and
    ends is. Nor is time."""
    text = re.sub(r"(?<=^image: )json:(\{.*\})$", sort_keys, text, flags=re.M)
    text = re.sub(r"Run completed in \d+\.\d{3} seconds", "Run completed in SECONDS", text)
    text = re.sub(r"(    \((?!0\.00|100\.00)\d+\.\d+/100%\)\r)+", "", text)
    text = re.sub(r"(    \(0\.00/100%\)\r)+", r"\1", text)
    return re.sub(r"(    \(100\.00/100%\)\r){2,}", r"\1\1", text)


SUITE = compare.Suite("qemu-img", [*cases.all_cases(), *debug_cases.img_cases(), *filter_cases.img_cases()],
                      {**differences.DIFFERENCES, **debug_cases.IMG_DIFFERENCES,
                       **filter_cases.IMG_DIFFERENCES},
                      [*differences.ADDED_LINES, *filter_cases.IMG_ADDED_LINES], normalize)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="path of cairn-img")
    parser.add_argument("--peer", default="qemu-img")
    parser.add_argument("--only", help="run the cases that match this pattern")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", choices=["cases", "exchange", "busy", "all"], default="all")
    return parser.parse_args()


def main():
    options = parse_arguments()
    peer, peer_io = shutil.which(options.peer), shutil.which("qemu-io")
    if not peer or not peer_io:
        print("skipped: qemu-img and qemu-io (Debian: qemu-utils) are not installed")
        return compare.SKIP
    options.peer = options.peer_img = peer
    options.ours = os.path.abspath(options.ours)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cairn-interop-") as work:
        options.work = work
        base = fixtures.Fixtures(os.path.join(work, "fixtures"), peer, peer_io)
        if options.part in ("cases", "all"):
            failed += compare.run_cases(options, SUITE, base)
        if options.part in ("exchange", "all"):
            failed += exchange.run(options, base)
        if options.part in ("busy", "all"):
            failed += busy.run(options, base, lambda folder: compare.Answer(SUITE, folder))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
