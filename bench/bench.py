#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cairn-img against the peer (qemu-img) and against what the machine can do, in one table.

Each round runs both, one after the other in changing order, so that what else the machine does
meets both; a figure is the median of the rounds' ratios. Results are compared once a row.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import measure
import rows

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.dirname(os.path.abspath(__file__))


def encrypted(path):
    return f"driver=qcow,file.filename={path},encrypt.key-secret=sec0"


class Sources:
    """The images that rows read, each made by the peer when first asked for."""

    def __init__(self, options, folder):
        self.options = options
        self.names = {name: os.path.join(folder, name)
                      for name in ("raw", "qcow", "packed", "crypt", "raw_w", "qcow_w",
                                   "scattered", "fresh", "dst", "other")}
        self.made = set()

    def peer(self, words, may_fail=False):
        subprocess.run([self.options.peer, *words.format(**self.names).split()],
                       check=not may_fail, stdout=subprocess.DEVNULL)

    def make(self, name):
        to_qcow = "convert -f raw -O qcow {raw} "
        if name == "raw":
            subprocess.run([self.options.generator, self.names["raw"], str(self.options.size)],
                           check=True)
        elif name == "raw_w":
            shutil.copyfile(self.names["raw"], self.names["raw_w"])
        elif name == "qcow":
            self.peer(f"{to_qcow}{{qcow}}")
        elif name == "qcow_w":          # nothing is left to be allocated
            self.peer("convert -S 0 -f raw -O qcow {raw} {qcow_w}")
        elif name == "packed":
            self.peer("convert -c -f raw -O qcow {raw} {packed}", may_fail=True)
        elif name == "crypt":
            self.peer(f"convert --object {rows.KEY} -f raw -O qcow {rows.AES} {{raw}} {{crypt}}")
        elif name == "scattered":
            subprocess.run([sys.executable, os.path.join(HERE, "scattered.py"),
                            self.names["scattered"], "1" if self.options.smoke else "100"],
                           check=True)
        self.made.add(name)

    def need(self, names):
        for name in names.split():
            if name not in self.made:
                self.make(name)

    def words(self, text, count=0, **more):
        names = {**self.names, "crypt": encrypted(self.names["crypt"]), "count": count, **more}
        return text.format(**names).split()


class Table:
    """Rows as they are measured, with what they were to reach."""

    HEADS = ("peer s", "cairn s", "faster", "target", "of limit", "target", "MiB", "most", "")
    WIDTHS = (8, 8, 8, 7, 9, 7, 6, 5, 7)

    def __init__(self, judges):
        self.judges = judges
        self.done = []
        print(" ".join(["".ljust(26)] + [h.rjust(w) for h, w in zip(self.HEADS, self.WIDTHS)]))

    def add(self, row, figures):
        verdict = self.verdict(row, figures) if self.judges else "ran"
        self.done.append({"row": row.name, "verdict": verdict, **figures})
        cells = [f"{figures['peer']:.3f}", f"{figures['cairn']:.3f}", f"{figures['faster']:.1f}x",
                 f"{row.faster:g}x", f"{figures['limit']:.2f}" if "limit" in figures else "-",
                 f"{row.most:g}" if row.most else "-", f"{figures['memory']:.1f}",
                 f"{row.memory:g}" if row.memory else "-", verdict]
        print(" ".join([row.name.ljust(26)] + [c.rjust(w) for c, w in zip(cells, self.WIDTHS)]),
              flush=True)

    @staticmethod
    def verdict(row, figures):
        is_met = (figures["faster"] >= row.faster
                  and ("limit" not in figures or figures["limit"] <= row.most)
                  and (not row.memory or figures["memory"] <= row.memory))
        return "met" if is_met else "MISSED"


def result_differs(row, sources, options):
    done = subprocess.run([options.peer, "compare", *sources.words(row.check)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{row.name}: the result differs: {done.stdout.strip()}")
    return done.returncode != 0


def fio_cpu(row, sources, count):
    """Seconds of CPU time that fio takes for one request."""
    image = sources.names["raw_w" if "write" in row.fio else "raw"]
    words = sources.words(rows.FIO, 10 * count, fio=row.fio, image=image)     # a second or so
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    job = json.loads(done.stdout)["jobs"][0]
    side = job["write" if "write" in row.fio else "read"]
    share = (job["usr_cpu"] + job["sys_cpu"]) / 100
    return side["runtime"] / 1000 * share / side["total_ios"]


def limit_of(row, rounds, sources, options, count):
    """Times the limit, or None."""
    if row.limit:
        return rounds.ratio("cairn", "limit", "wall")
    if row.fio and shutil.which("fio") and not options.smoke:
        nothing = measure.run_once(options.launcher, [options.cairn, "--version"])
        each = (rounds.median("cairn", "cpu") - nothing.cpu) / count
        return each / fio_cpu(row, sources, count)
    return None


def run_row(row, sources, options, table):
    """Returns whether the row did what it is for; how fast is another matter."""
    count = max(row.count // options.fewer, 1)
    sources.need(row.needs)
    words = sources.words(row.words, count)
    commands = {"peer": [options.peer, *words, *row.peer_more.split()],
                "cairn": [options.cairn, *words]}
    if row.peer_more:           # options stand before the image
        commands["peer"] = [options.peer, words[0], *row.peer_more.split(), *words[1:]]
    if row.limit:
        commands["limit"] = sources.words(row.limit)

    def before(who):
        measure.remove(sources.names["dst"])
        measure.remove(sources.names["other"])
        if row.fresh:
            sources.peer(f"create -q -f qcow {{fresh}} {row.fresh}")

    rounds = measure.run_rounds(options.launcher, commands, min(row.rounds or options.rounds,
                                                                options.most_rounds), before,
                                lambda who, run: who == "peer" and row.may_fail and not run.err)
    if not rounds:
        return False
    if row.check:
        measure.remove(sources.names["dst"])
        measure.run_once(options.launcher, commands["cairn"])
        if result_differs(row, sources, options):
            return False
    figures = {"peer": rounds.median("peer", row.by), "cairn": rounds.median("cairn", row.by),
               "faster": rounds.ratio("peer", "cairn", row.by),
               "memory": rounds.median("cairn", "memory"),
               "peer_memory": rounds.median("peer", "memory"),
               "cpu": rounds.median("cairn", "cpu"), "peer_cpu": rounds.median("peer", "cpu")}
    limit = limit_of(row, rounds, sources, options, count)
    if limit is not None:
        figures["limit"] = limit
    table.add(row, figures)
    return True


def print_objects(options):
    """What is loaded at start, but for libc, libm, the loader and the library itself."""
    done = subprocess.run(["ldd", options.cairn], capture_output=True, text=True, check=False)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    own = ("linux-vdso", "libc.so", "libm.so", "/lib", "libcairn")
    others = [name for name in names if not name.startswith(own)]
    print(f"shared objects: {len(others)} of at most 8: {' '.join(others)}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 MiB, one round, fewer requests")
    parser.add_argument("--smoke", action="store_true", help="does it work? 2 MiB, no verdicts")
    parser.add_argument("--size", type=int, metavar="MIB")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name contains it")
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
    chosen = [row for row in rows.ROWS if options.only in row.name
              and (row.quick or not options.quick)]
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=options.dir) as folder:
        sources = Sources(options, folder)
        print(f"{options.size} MiB of mixed data, {options.rounds} rounds; "
              f"limit: cp, or fio's CPU time")
        table = Table(not options.smoke)
        results = [run_row(row, sources, options, table) for row in chosen]
    print_objects(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(table.done, file, indent=1)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
