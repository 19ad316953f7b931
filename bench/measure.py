# SPDX-License-Identifier: MIT
"""Timing of whole commands: one run, and rounds of several that meet the same noise."""

import collections
import json
import re
import statistics
import subprocess
import tempfile

# wall, cpu: seconds (cpu: user and system time); memory: peak, MiB
Run = collections.namedtuple("Run", "status wall cpu memory out err")


def run_once(launcher, words):
    """launcher: bench/run-one."""
    with tempfile.TemporaryFile("w+") as note:
        done = subprocess.run(["sh", "-c", f'exec "$@" 3>&{note.fileno()}', "sh", launcher, *words],
                              capture_output=True, text=True, check=True, pass_fds=[note.fileno()])
        note.seek(0)
        status, wall, user, system, kib = map(int, note.read().split())
    # The tools' own figure, where they give one: without opening, closing and the last flush.
    said = re.search(r"Run completed in ([0-9.]+) seconds", done.stdout)
    wall = float(said.group(1)) * 1e6 if said else wall
    return Run(status, wall / 1e6, (user + system) / 1e6, kib / 1024, done.stdout, done.stderr)


class Rounds:
    """The runs of one row: {who: [Run]}."""

    def __init__(self):
        self.runs = collections.defaultdict(list)

    def median(self, who, figure):
        return statistics.median(getattr(run, figure) for run in self.runs[who])

    def ratio(self, above, below, figure):
        """Median of the rounds' ratios: each round's two runs stood next to each other."""
        pairs = zip(self.runs[above], self.runs[below])
        return statistics.median(max(getattr(a, figure), 1e-5) / max(getattr(b, figure), 1e-5)
                                 for a, b in pairs)


def run_rounds(launcher, commands, count, before=None, is_good=None):
    """
    commands: {who: words}, run one after the other, the other way round in every second round.
    before(who): called ahead of each run. Returns: Rounds, or None with a message printed.
    """
    rounds = Rounds()
    for i in range(count):
        order = list(commands) if i % 2 else list(reversed(commands))
        for who in order:
            if before:
                before(who)
            run = run_once(launcher, commands[who])
            if run.status != 0 and not (is_good and is_good(who, run)):
                print(f"{' '.join(commands[who])}: exit {run.status}: {run.err.strip()}", flush=True)
                return None
            rounds.runs[who].append(run)
    return rounds


def calls_of(words):
    """System calls of a command and all its threads; None where strace cannot."""
    with tempfile.NamedTemporaryFile("r", prefix="cairn-bench-") as note:
        done = subprocess.run(["strace", "-f", "-c", "-o", note.name, *words],
                              capture_output=True, check=False)
        total = re.search(r"([0-9]+)( +[0-9]+)? total$", note.read().strip())
    return int(total.group(1)) if done.returncode == 0 and total else None


def fio_use(words, is_write):
    """(CPU, wall) seconds of one request."""
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    job = json.loads(done.stdout)["jobs"][0]
    side = job["write" if is_write else "read"]
    wall = side["runtime"] / 1000 / side["total_ios"]
    return wall * (job["usr_cpu"] + job["sys_cpu"]) / 100, wall
