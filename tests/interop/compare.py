# SPDX-License-Identifier: MIT
"""Runs one of our tools and the peer's on the same inputs, and compares stdout, stderr, exit status and the
images left behind.

A case is a text: the arguments as a shell would split them. " ;; " separates steps; " << " in a step starts
what it gets on standard input, with \\n for the end of a line. A case's name is its text."""

import collections
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess

import canary
import fixtures

SKIP = 77
TIMEOUT = 120           # seconds; a hang is a failure

# prog: both tools speak under this name, so that messages can be compared. cases: (group, text) pairs.
# differences, added_lines: as in differences.py. normalize: takes out of stdout what is nobody's contract.
Suite = collections.namedtuple("Suite", "prog cases differences added_lines normalize")


class Answer:
    """What one tool said and left behind."""

    def __init__(self, suite, folder):
        self.suite = suite
        self.folder = folder
        self.status = []
        self.stdout = ""
        self.stderr = ""

    def run(self, program, text):
        for step in text.split(" ;; "):
            words, _, typed = canary.put_into(step).partition(" << ")
            done = subprocess.run([self.suite.prog, *shlex.split(words)], executable=program,
                                  cwd=self.folder, input=typed.replace("\\n", "\n").encode(),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT, env={**os.environ, "LC_ALL": "C.UTF-8"})
            self.status.append(done.returncode)
            self.stdout += done.stdout.decode(errors="backslashreplace")
            self.stderr += done.stderr.decode(errors="backslashreplace")
        self.stdout = self.suite.normalize(self.stdout)

    def files(self):
        return sorted(os.path.relpath(os.path.join(top, name), self.folder)
                      for top, _, names in os.walk(self.folder) for name in names)


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

    def __init__(self, rules):
        self.rules = rules
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

    def rule_of(self, part, line):
        for number, (of_part, pattern, _) in enumerate(self.rules):
            if of_part == part and re.fullmatch(pattern, line):
                return number
        return None

    def unused(self):
        return [rule[1] for number, rule in enumerate(self.rules)
                if number not in self.used]


def problems_of(peer_img, ours, theirs, different, added):
    """Lines that tell where the answers differ, with the deliberate ones taken out."""
    found = canary.leaks(ours)
    for part in ("status", "stdout", "stderr"):
        mine, peers = getattr(ours, part), getattr(theirs, part)
        if part in different:
            wanted = different[part]
            agrees = mine == wanted if part == "status" else re.fullmatch(wanted, mine, re.S)
            if not agrees:
                found.append(f"{part}: {mine!r} is not the deliberate {wanted!r}")
            elif mine == peers:
                found.append(f"{part}: no longer differs: take the entry out of the table")
        elif mine != peers and (part == "status" or added.strip(part, mine) != peers):
            found.append(f"{part}:\n    ours   {mine!r}\n    theirs {peers!r}")
    if "files" not in different:
        problem = compare_files(peer_img, ours, theirs)
        found += [problem] if problem else []
    elif ours.files() != different["files"]:
        found.append(f"files: {ours.files()} are not the deliberate {different['files']}")
    elif not different.get("varies") and different["files"] == theirs.files() and \
            compare_files(peer_img, ours, theirs) is None:
        found.append("files: no longer differ: take the entry out of the table")
    return found


def run_case(options, suite, added, base, number, text):
    answers = []
    for side, program in (("ours", options.ours), ("theirs", options.peer)):
        folder = os.path.join(options.work, f"{number}-{side}")
        os.mkdir(folder)
        base.copy_to(folder, base.names_in(text))
        answer = Answer(suite, folder)
        try:
            answer.run(program, text)
        except subprocess.TimeoutExpired:
            answer.stderr += f"(killed after {TIMEOUT} seconds)"
        answers.append(answer)
    found = problems_of(options.peer_img, *answers, suite.differences.get(text, {}), added)
    for answer in answers:
        shutil.rmtree(answer.folder)
    return found


def run_cases(options, suite, base):
    added = AddedLines(suite.added_lines)
    chosen = [(number, group, text) for number, (group, text) in enumerate(suite.cases)
              if not options.only or re.search(options.only, f"{group}: {text}")]
    unknown = set(suite.differences) - {text for _, text in suite.cases}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [(text, pool.submit(run_case, options, suite, added, base, number, text))
                for number, _, text in chosen]
        for text, job in jobs:
            found = job.result()
            failed += bool(found)
            if found:
                print(f"DIFFERS {text}")
                print("\n".join("  " + line for line in found))
    for pattern in added.unused() if not options.only else []:
        failed += 1
        print(f"UNUSED among the added lines: {pattern}")
    for text in sorted(unknown):
        failed += 1
        print(f"UNKNOWN CASE in the table of differences: {text}")
    print(f"{len(chosen)} invocations compared, {failed} differ")
    return failed
