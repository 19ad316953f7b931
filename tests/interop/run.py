#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cairn-img and the peer on the same inputs, and compares stdout, stderr, exit status and the images
left behind. Then exchanges images of every kind both ways, and runs both against a busy image.

Exit status: 0 all agree, 1 some do not, 77 the peer is not installed."""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import busy
import cases
import differences
import exchange
import fixtures

PROG = "qemu-img"       # both speak under this name, so that messages can be compared
SKIP = 77
TIMEOUT = 120           # seconds; a hang is a failure


class Answer:
    """What one tool said and left behind."""

    def __init__(self, folder):
        self.folder = folder
        self.status = []
        self.stdout = ""
        self.stderr = ""

    def run(self, program, text):
        for step in text.split(" ;; "):
            done = subprocess.run([PROG, *shlex.split(step)], executable=program,
                                  cwd=self.folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT, env={**os.environ, "LC_ALL": "C.UTF-8"})
            self.status.append(done.returncode)
            self.stdout += done.stdout.decode(errors="backslashreplace")
            self.stderr += done.stderr.decode(errors="backslashreplace")
        self.stdout = normalize(self.stdout)

    def files(self):
        return sorted(os.path.relpath(os.path.join(top, name), self.folder)
                      for top, _, names in os.walk(self.folder) for name in names)


def normalize(text):
    """How many steps a progress line takes is nobody's contract; that it starts and ends is."""
    return re.sub(r"(    \((?!0\.00|100\.00)\d+\.\d+/100%\)\r)+", "", text)


def same_bytes(a, b):
    return subprocess.run(["cmp", "-s", a, b]).returncode == 0


def describe(peer, path):
    done = subprocess.run([peer, "info", "-U", "--output=json", path], capture_output=True,
                          text=True)
    if done.returncode:
        return None
    info = json.loads(done.stdout)
    keys = ("format", "virtual-size", "encrypted", "backing-filename", "cluster-size")
    return {key: info.get(key) for key in keys}


def image_arguments(name, info):
    if info["encrypted"]:
        return f"driver=qcow,file.filename={name},encrypt.key-secret=s"
    return f"driver={info['format']},file.filename={name}"


def compare_image(peer, ours, theirs, name):
    """Judged by the peer: same format, size and content."""
    a, b = os.path.join(ours.folder, name), os.path.join(theirs.folder, name)
    if same_bytes(a, b):
        return None
    info_a, info_b = describe(peer, a), describe(peer, b)
    if info_a != info_b:
        return f"{name}: {info_a} is not {info_b}"
    if info_a is None:
        return f"{name}: not the same bytes"
    backing = info_a["backing-filename"]
    if backing and not os.path.exists(os.path.join(ours.folder, backing)):
        return None
    done = subprocess.run([peer, "compare", "-U", "--object", fixtures.SECRET, "--image-opts",
                           image_arguments(a, info_a), image_arguments(b, info_b)],
                          capture_output=True, text=True)
    return f"{name}: {done.stdout}{done.stderr}" if done.returncode else None


def compare_files(peer, ours, theirs):
    if ours.files() != theirs.files():
        return f"files {ours.files()} are not {theirs.files()}"
    for name in ours.files():
        problem = compare_image(peer, ours, theirs, name)
        if problem:
            return problem
    return None


class AddedLines:
    """Lines that Cairn says beyond what the peer does, taken out of the comparison."""

    def __init__(self):
        self.used = set()

    def strip(self, part, text):
        kept = []
        for line in text.splitlines(True):
            rule = self.rule_of(part, line.rstrip("\n"))
            if rule is None:
                kept.append(line)
            else:
                self.used.add(rule)
        return "".join(kept)

    @staticmethod
    def rule_of(part, line):
        for number, (of_part, pattern, _) in enumerate(differences.ADDED_LINES):
            if of_part == part and re.fullmatch(pattern, line):
                return number
        return None

    def unused(self):
        return [rule[1] for number, rule in enumerate(differences.ADDED_LINES)
                if number not in self.used]


ADDED = AddedLines()


def problems_of(peer, ours, theirs, different):
    """Lines that tell where the answers differ, with the deliberate ones taken out."""
    found = []
    for part in ("status", "stdout", "stderr"):
        mine, peers = getattr(ours, part), getattr(theirs, part)
        if part in different:
            wanted = different[part]
            agrees = mine == wanted if part == "status" else re.fullmatch(wanted, mine, re.S)
            if not agrees:
                found.append(f"{part}: {mine!r} is not the deliberate {wanted!r}")
            elif mine == peers:
                found.append(f"{part}: no longer differs: take the entry out of the table")
        elif mine != peers and (part == "status" or ADDED.strip(part, mine) != peers):
            found.append(f"{part}:\n    ours   {mine!r}\n    theirs {peers!r}")
    if "files" not in different:
        problem = compare_files(peer, ours, theirs)
        found += [problem] if problem else []
    elif ours.files() != different["files"]:
        found.append(f"files: {ours.files()} are not the deliberate {different['files']}")
    elif not different.get("varies") and different["files"] == theirs.files() and \
            compare_files(peer, ours, theirs) is None:
        found.append("files: no longer differ: take the entry out of the table")
    return found


def run_case(options, base, number, text):
    answers = []
    for side, program in (("ours", options.ours), ("theirs", options.peer)):
        folder = os.path.join(options.work, f"{number}-{side}")
        os.mkdir(folder)
        base.copy_to(folder, base.names_in(text))
        answer = Answer(folder)
        try:
            answer.run(program, text)
        except subprocess.TimeoutExpired:
            answer.stderr += f"(killed after {TIMEOUT} seconds)"
        answers.append(answer)
    found = problems_of(options.peer, *answers, differences.DIFFERENCES.get(text, {}))
    for answer in answers:
        shutil.rmtree(answer.folder)
    return found


def run_cases(options, base):
    chosen = [(number, group, text) for number, (group, text) in enumerate(cases.all_cases())
              if not options.only or re.search(options.only, f"{group}: {text}")]
    unknown = set(differences.DIFFERENCES) - {text for _, text in cases.all_cases()}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [(text, pool.submit(run_case, options, base, number, text))
                for number, _, text in chosen]
        for text, job in jobs:
            found = job.result()
            failed += bool(found)
            if found:
                print(f"DIFFERS {text}")
                print("\n".join("  " + line for line in found))
    for pattern in ADDED.unused() if not options.only else []:
        failed += 1
        print(f"UNUSED among the added lines: {pattern}")
    for text in sorted(unknown):
        failed += 1
        print(f"UNKNOWN CASE in the table of differences: {text}")
    print(f"{len(chosen)} invocations compared, {failed} differ")
    return failed


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
        return SKIP
    options.peer = peer
    options.ours = os.path.abspath(options.ours)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cairn-interop-") as work:
        options.work = work
        base = fixtures.Fixtures(os.path.join(work, "fixtures"), peer, peer_io)
        if options.part in ("cases", "all"):
            failed += run_cases(options, base)
        if options.part in ("exchange", "all"):
            failed += exchange.run(options, base)
        if options.part in ("busy", "all"):
            failed += busy.run(options, base, Answer)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
