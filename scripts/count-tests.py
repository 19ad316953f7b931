#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the cases of "meson test" runs: prints PASSED FAILED SKIPPED.

Reads the junit files that meson leaves in each build folder named. A program
that reports cases (TAP) counts by its cases, another as one.
"""
import sys
import xml.etree.ElementTree as ET


def count(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for folder in sys.argv[1:]:
        for i, n in enumerate(count(f"{folder}/meson-logs/testlog.junit.xml")):
            totals[i] += n
    print(*totals)


if __name__ == "__main__":
    main()
