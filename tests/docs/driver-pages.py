#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The pages of drivers tell the truth: the options they list are those of the schema, and their examples
run, in order, in an empty folder.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile


def section(text, title):
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    return match.group(1) if match else ""


def listed_options(text):
    names = set()
    for row in re.findall(r"^\| (`[^|]*) \|", section(text, "Options"), flags=re.M):
        names.update(re.findall(r"`([^`]+)`", row))
    return names


def member_names(structs, members, prefix=""):
    names = set()
    for member in members:
        name = prefix + member["name"]
        kind = member["type"]
        if isinstance(kind, list):
            kind, name = kind[0], name + ".N"
        if kind in structs:
            names |= member_names(structs, structs[kind]["members"], name + ".")
        else:
            names.add(name)
    return names


def schema_options(schema, driver):
    structs = {entry["struct"]: entry for entry in schema if "struct" in entry}
    for entry in structs.values():
        if entry.get("driver") == driver and entry.get("options") == "runtime":
            return member_names(structs, entry["members"])
    return set()


def failed_examples(text, tools):
    env = dict(os.environ, PATH=tools + os.pathsep + os.environ["PATH"])
    failures = []
    with tempfile.TemporaryDirectory(prefix="cairn-docs-") as folder:
        for line in re.findall(r"^    (cairn-.*)$", section(text, "Examples"), flags=re.M):
            done = subprocess.run(line, shell=True, cwd=folder, env=env, check=False,
                                  capture_output=True, text=True)
            if done.returncode:
                failures.append(f"{line}: {done.returncode}, {done.stderr.strip()}")
    return failures


def check_page(path, schema, tools):
    driver = os.path.splitext(os.path.basename(path))[0]
    with open(path, encoding="utf-8") as page:
        text = page.read()
    problems = failed_examples(text, tools)
    listed, known = listed_options(text), schema_options(schema, driver)
    problems += [f"the option {name} is missing" for name in sorted(known - listed)]
    problems += [f"there is no option {name}" for name in sorted(listed - known)]
    return [f"{os.path.basename(path)}: {problem}" for problem in problems]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schema", required=True, action="append", help="may be repeated")
    parser.add_argument("--tools", required=True, help="the folder of the programs")
    parser.add_argument("pages", nargs="+")
    args = parser.parse_args()
    schema = []
    for path in args.schema:
        with open(path, encoding="utf-8") as file:
            schema += json.load(file)
    problems = [p for page in args.pages
                for p in check_page(page, schema, os.path.abspath(args.tools))]
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
