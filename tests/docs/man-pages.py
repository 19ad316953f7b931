#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Man pages are well-formed, there is one for every driver, and it has the driver's options, as the tool lists
them. Arguments: cairn-img, then the pages."""

import json
import os
import re
import shutil
import subprocess
import sys

# Names of one driver under two.
SHARED_PAGES = {"host_cdrom": "file", "host_device": "file", "null-aio": "null-co"}


def formatted(page):
    """The page as plain text, and groff's complaints."""
    done = subprocess.run(["groff", "-t", "-man", "-ww", "-Tutf8", "-rLL=200n", page],
                          capture_output=True, text=True, check=False)
    text = re.sub("\x1b\\[[0-9;]*m", "", re.sub(".\b", "", done.stdout))
    return text.replace("\u2010", "-").replace("\u2212", "-"), done.stderr


def problems_of(pages):
    problems, texts = [], {}
    for page in pages:
        name = os.path.basename(page)
        texts[name], complaints = formatted(page)
        problems += ["%s: %s" % (name, line) for line in complaints.splitlines()]
        problems += ["%s: no section %s" % (name, title) for title in ("NAME", "SYNOPSIS")
                     if not re.search("(?m)^%s$" % title, texts[name])]
    return problems, texts


def driver_problems(program, texts):
    output = subprocess.run([program, "drivers", "--output=json"], capture_output=True, text=True,
                            check=True).stdout
    for driver in json.loads(output)["drivers"]:
        name = SHARED_PAGES.get(driver["name"], driver["name"])
        text = texts.get("cairn-%s.7" % name)
        if text is None:
            yield "there is no page of the driver %s" % driver["name"]
            continue
        for option in driver["runtime-options"]:
            if option["name"].replace("#", "N") + "=" not in text:
                yield "cairn-%s.7: no option %s" % (name, option["name"])


def main(program, *pages):
    if not shutil.which("groff"):
        print("skipped: groff is not installed")
        return 77
    problems, texts = problems_of(pages)
    problems += driver_problems(program, texts)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
