#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cairn-img against the peer (qemu-img) and against what the machine can do, in one table.

Each round runs both, one after the other in changing order, so that what else the machine does
meets both; a figure is the median of the rounds' ratios. Results are compared once a row.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import measure
import report
import rows
import sources

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OBJECTS_MOST = 8
# Comes with libc, or is the library itself.
OBJECTS_OWN = ("linux-vdso", "libc.so", "libm.so", "/lib", "libcairn")


class Bench:
    def __init__(self, options, images, table):
        self.options, self.images, self.table = options, images, table

    def run(self, row):
        self.images.need(row.needs)
        if isinstance(row, rows.Calls):
            self.run_calls(row)
        elif not self.run_row(row):
            self.table.add(row.name, {}, {}, report.FAILED)

    def run_calls(self, row):
        """The difference of two runs: what a start takes is in both."""
        figures = {}
        if shutil.which("strace"):
            once, twice = (measure.calls_of([self.options.cairn, *self.images.words(
                row.words, count=row.count * times)]) for times in (1, 2))
            if once is not None and twice is not None:
                figures["of_limit"] = (twice - once) / row.count
        self.table.add(row.name, figures, {"of_limit": row.most})

    def commands(self, row, count):
        words = self.images.words(row.words, count=count)
        commands = {"cairn": [self.options.cairn, *words]}
        if row.faster and not (row.slow_peer and self.options.quick):
            # options stand before the image
            commands["peer"] = [self.options.peer, words[0], *row.peer_more.split(), *words[1:]]
        if row.limit:
            commands["limit"] = self.images.words(row.limit)
        return commands

    def run_row(self, row):
        """Returns whether the row did what it is for; how fast is another matter."""
        options = self.options
        count = max(row.count // options.fewer, 1)
        commands = self.commands(row, count)
        if row.peer_more and not self.peer_can(self.commands(row, 1)["peer"]):
            self.table.add(row.name, {}, {"faster": row.faster}, report.NOT_RUN)
            return True

        def before(_):
            self.images.remove_results()
            if row.fresh:
                self.images.peer(f"create -q -f qcow {{fresh}} {row.fresh}")

        rounds = measure.run_rounds(
            options.launcher, commands, min(row.rounds or options.rounds, options.most_rounds),
            before, lambda who, run: who == "peer" and row.may_fail and not run.err)
        if not rounds or not self.is_right(row, rounds, commands):
            return False
        figures = {"cairn": rounds.median("cairn", row.by), "cpu": rounds.median("cairn", "cpu"),
                   "wall": rounds.median("cairn", "wall"),
                   "memory": rounds.median("cairn", "memory"), "by": row.by}
        bounds = {"memory": row.memory or None}
        if "peer" in commands:
            figures |= {"peer": rounds.median("peer", row.by),
                        "peer_cpu": rounds.median("peer", "cpu"),
                        "faster": rounds.ratio("peer", "cairn", row.by),
                        "cpu_faster": rounds.ratio("peer", "cairn", "cpu"),
                        "peer_memory": rounds.median("peer", "memory")}
            bounds["memory"] = row.memory or figures["peer_memory"] + rows.TABLE_CACHE
        bounds |= {"faster": row.faster or None, "of_limit": row.most or None}
        figures["of_limit"] = self.of_limit(row, rounds, count)
        self.table.add(row.name, figures, {k: b for k, b in bounds.items() if b is not None})
        return True

    @staticmethod
    def peer_can(words):
        """Its other engines are not there in each kernel and sandbox."""
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def is_right(self, row, rounds, commands):
        """Whether the peer finds in the result what it is to be; the last run need not be ours."""
        if row.same_lines and "peer" in commands:
            ours, theirs = ([line for line in rounds.runs[who][0].out.splitlines()
                             if row.same_lines in line] for who in ("cairn", "peer"))
            if not ours or ours != theirs:
                print(f"{row.name}: {ours} is not the peer's {theirs}")
                return False
        if not row.check or (row.slow_peer and not self.options.smoke):
            return True
        self.images.remove_results()
        subprocess.run(commands["cairn"], check=True, capture_output=True)
        done = subprocess.run([self.options.peer, *self.images.words(row.check)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{row.name}: the result differs: {done.stdout.strip()}{done.stderr.strip()}")
        return done.returncode == 0

    def of_limit(self, row, rounds, count):
        """Times what the limit takes, or None."""
        if row.limit:
            return rounds.ratio("cairn", "limit", "wall")
        if not row.fio or not shutil.which("fio") or self.options.smoke:
            return None
        is_write = "write" in row.fio
        cpu, wall = measure.fio_use(self.images.words(
            rows.FIO, fio=row.fio, image=self.images.names["raw_w" if is_write else "raw"],
            count=count if row.fio_depth else 10 * count,       # a second or so
            engine="io_uring" if row.fio_depth else "psync", depth=row.fio_depth or 1,
            direct=int(row.fio_depth > 0)), is_write)
        if row.fio_depth:
            return rounds.median("cairn", "wall") / count / wall
        start = measure.run_once(self.options.launcher, [self.options.cairn, "--version"])
        return (rounds.median("cairn", "cpu") - start.cpu) / count / cpu


def loaded_objects(program):
    """What is loaded at start, but for the own."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    return [name for name in names if not name.startswith(OBJECTS_OWN)]


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="64 MiB, one round, fewer requests, no peer where it takes a minute")
    parser.add_argument("--smoke", action="store_true", help="does it work? 2 MiB, no verdicts")
    parser.add_argument("--size", type=int, metavar="MIB")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name contains it")
    parser.add_argument("--list", action="store_true", help="print the rows' names")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too")
    parser.add_argument("--cairn", default=os.path.join(ROOT, "build-bench/tools/cairn-img"))
    parser.add_argument("--peer", default="qemu-img")
    parser.add_argument("--programs", default=os.path.join(ROOT, "build-bench/bench"),
                        help="folder of mixed-data and run-one")
    parser.add_argument("--dir", help="where to work (default: that of temporary files)")
    options = parser.parse_args()
    small = options.quick or options.smoke
    options.size = options.size or (2 if options.smoke else 64 if options.quick else 256)
    options.rounds = options.rounds or (1 if small else 3)
    options.most_rounds = 1 if options.smoke else 1000
    options.fewer = 100 if options.smoke else 4 if options.quick else 1
    options.generator = os.path.join(options.programs, "mixed-data")
    options.launcher = os.path.join(options.programs, "run-one")
    return options


def main():
    options = parse_options()
    if not shutil.which(options.peer):
        print(f"{options.peer} is not installed", file=sys.stderr)
        return 77
    for program in (options.cairn, options.generator, options.launcher):
        if not os.path.exists(program):
            print(f"{program} is missing: build it first", file=sys.stderr)
            return 1
    objects = loaded_objects(options.cairn)
    chosen = [row for row in rows.all_rows(any("libdeflate" in name for name in objects))
              if options.only in row.name]
    if options.list:
        print("\n".join(row.name for row in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=options.dir) as folder:
        images = sources.Sources(folder, options.peer, options.generator, options.size,
                                 1 if options.smoke else 100)
        print(f"{options.size} MiB of mixed data, {options.rounds} rounds; limit: cp, fio's CPU "
              f"time, fio's io_uring at depth 64, or one call a request")
        table = report.Table(not options.smoke)
        bench = Bench(options, images, table)
        for row in chosen:
            bench.run(row)
    print(f"shared objects: {len(objects)} of at most {OBJECTS_MOST}: {' '.join(objects)}")
    is_right = table.close(options.json)
    return 0 if is_right and len(objects) <= OBJECTS_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
