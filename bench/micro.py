#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the pieces of a request cost: nanoseconds, and instructions where valgrind is installed.

Time is the least of some rounds, by the clock. Instructions are those of twice as many runs less
those of as many, so what a start takes is not in them; they say the same whatever else the machine
does, but know nothing of the kernel, of other threads' turns, and of what is not in the cache.
"""

import argparse
import re
import shutil
import subprocess
import sys

CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
# Each case comes round to its start after a number of times that divides this.
COUNT_UNIT = 64


def output_of(words):
    return subprocess.run(words, capture_output=True, text=True, check=True)


def cases_of(micro):
    """[(name, times a round, bytes)]"""
    lines = output_of([micro, "--list"]).stdout.splitlines()
    return [(name, int(count), int(size)) for name, count, size in (line.split("\t")
                                                                   for line in lines)]


def instructions(micro, name, count):
    done = output_of([*CALLGRIND, micro, name, str(count)])
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def instructions_each(micro, name, count):
    count = max(count // 100 // COUNT_UNIT, 1) * COUNT_UNIT
    return (instructions(micro, name, 2 * count) - instructions(micro, name, count)) / count


def report(micro, name, count, size, counts_instructions):
    ns = float(output_of([micro, "--time", name]).stdout)
    rate = f"{size / ns * 1e9 / 2**20:8.0f}" if size else f"{'-':>8}"
    each = f"{instructions_each(micro, name, count):12.0f}" if counts_instructions else f"{'-':>12}"
    print(f"{name:34} {ns:11.1f} {rate} {each}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --micro", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains it")
    parser.add_argument("--smoke", action="store_true", help="do they work? some runs each")
    parser.add_argument("micro", metavar="PROGRAM", help="bench/micro, as built")
    options = parser.parse_args()
    cases = [case for case in cases_of(options.micro) if options.only in case[0]]
    if options.smoke:
        for name, _, _ in cases:
            output_of([options.micro, name, str(COUNT_UNIT)])
        return 0 if cases else 1
    print(f"{'':34} {'ns each':>11} {'MiB/s':>8} {'instructions':>12}")
    for name, count, size in cases:
        report(options.micro, name, count, size, bool(shutil.which("valgrind")))
    return 0 if cases else 1


if __name__ == "__main__":
    sys.exit(main())
