#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A page whose commands run as they stand, in order, in an empty folder, and answer as it says.

  tutorial.py [--write] FOLDER_OF_PROGRAMS PAGE

Blocks of the kind "console" count: "$ COMMAND", where a backslash at the end continues it, then what
it prints on both channels. A block marked "console exit=N" ends with that status, others with 0.
What differs from run to run (VARYING) is compared by its shape only. --write puts the answers into
the page; read the difference."""

import argparse
import os
import re
import subprocess
import sys
import tempfile

VARYING = [
    # Times and rates of cairn-io.
    (r"\d+:?[\d:.]+ sec \([\d.]+ \w+/sec and [\d.]+ ops/sec\)", "TIME sec (RATE and RATE)"),
    # What the host's file system takes for a file.
    (r"(?m)^disk size: .*$", "disk size: SOME"),
    (r"the file takes [\d.]+ \w+ of", "the file takes SOME of"),
    # How well this zlib compresses, and in which order the clusters came.
    (r"(?m)^\S+\t(?=small\.qcow$)", "SOME\t"),
    (r"(?m)^Image end offset: \d+$", "Image end offset: SOME"),
]

BLOCK = re.compile(r"(?m)^```console(?: exit=(\d+))?\n(.*?)^```$", re.S)


def steps_of(block):
    """(command as it stands, answer) for each command of a block."""
    parts = re.split(r"(?m)^\$ ((?:.*\\\n)*.*)\n", block)
    if parts[0]:
        raise ValueError("a block does not begin with a command: " + parts[0])
    return list(zip(parts[1::2], parts[2::2]))


def run(command, cwd, env):
    done = subprocess.run(["bash", "-c", command], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def shape(text):
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    return text


class Page:
    def __init__(self, text, tools, cwd):
        self.text = text
        self.cwd = cwd
        path = tools + os.pathsep + os.environ["PATH"]
        self.env = dict(os.environ, LC_ALL="C.UTF-8", PATH=path)
        self.count = 0
        self.problems = []

    def check_step(self, command, shown, status):
        """Runs one command; returns what it answered."""
        ended, answer = run(command, self.cwd, self.env)
        self.count += 1
        if ended != status:
            self.problems.append("%s\nended with %d, not %d:\n%s" % (command, ended, status, answer))
        elif shape(answer) != shape(shown):
            self.problems.append("%s\nanswered:\n%sthe page says:\n%s" % (command, answer, shown))
        return answer

    def run_block(self, match):
        """The block as it should be. Answers that differ only where they may are left alone."""
        steps = steps_of(match[2])
        out = []
        for i, (command, shown) in enumerate(steps):
            status = int(match[1] or 0) if i == len(steps) - 1 else 0
            answer = self.check_step(command, shown, status)
            out.append("$ %s\n%s" % (command, shown if shape(answer) == shape(shown) else answer))
        head = match[0].split("\n")[0]
        return head + "\n" + "".join(out) + "```"

    def run(self):
        return BLOCK.sub(self.run_block, self.text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="put the answers into the page")
    parser.add_argument("tools")
    parser.add_argument("page")
    args = parser.parse_args()
    with open(args.page, encoding="utf-8") as file:
        text = file.read()
    with tempfile.TemporaryDirectory(prefix="cairn-tutorial-") as cwd:
        page = Page(text, os.path.abspath(args.tools), cwd)
        renewed = page.run()
    if args.write and renewed != text:
        with open(args.page, "w", encoding="utf-8") as file:
            file.write(renewed)
    print("%d commands" % page.count, *page.problems, sep="\n")
    return 1 if page.problems or not page.count else 0


if __name__ == "__main__":
    sys.exit(main())
