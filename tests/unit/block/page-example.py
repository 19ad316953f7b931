# SPDX-License-Identifier: MIT
"""Copies the first C block of a page into a file: page-example.py PAGE OUT."""

import re
import sys


def main(page, out):
    with open(page, encoding="utf-8") as text:
        found = re.search(r"^```c\n(.*?)^```$", text.read(), re.DOTALL | re.MULTILINE)
    if not found:
        sys.exit("%s has no C block" % page)
    with open(out, "w", encoding="utf-8") as source:
        source.write(found.group(1))


main(*sys.argv[1:])
