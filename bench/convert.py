#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole-image work of cairn-img against the peer (qemu-img), in one table.

Each round runs both, one after the other in changing order, so that what else the machine does
meets both; the figure is the median of the rounds' ratios. CPU is user and system time of the
process. Results are compared once at the end of each workload.

    bench/convert.py [--quick] [--size MIB] [--rounds N] [--only TEXT] [--cairn PROGRAM]
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

KEY = "secret,id=sec0,data=123456"


class Workload:
    """A command line of either tool; check: arguments of a compare that must find no difference."""

    def __init__(self, name, args, check=None):
        self.name = name
        self.args = args
        self.check = check


def encrypted(path):
    return f"driver=qcow,file.filename={path},encrypt.key-secret=sec0"


WORKLOADS = [
    Workload("raw>qcow", "convert -f raw -O qcow {raw} {dst}", check="-f raw -F qcow {raw} {dst}"),
    Workload("qcow>raw", "convert -f qcow -O raw {qcow} {dst}", check="-f raw -F raw {raw} {dst}"),
    Workload("raw>raw", "convert -f raw -O raw {raw} {dst}", check="-f raw -F raw {raw} {dst}"),
    Workload("qcow>qcow", "convert -f qcow -O qcow {qcow} {dst}",
             check="-f raw -F qcow {raw} {dst}"),
    Workload("-c raw>qcow", "convert -c -f raw -O qcow {raw} {dst}",
             check="-f raw -F qcow {raw} {dst}"),
    Workload("compressed>raw", "convert -f qcow -O raw {packed} {dst}",
             check="-f raw -F raw {raw} {dst}"),
    Workload("raw>encrypted", f"convert --object {KEY} -f raw -O qcow "
             "-o encrypt.format=aes,encrypt.key-secret=sec0 {raw} {dst}"),
    Workload("encrypted>raw", f"convert --object {KEY} --image-opts -O raw {{crypt}} {{dst}}",
             check="-f raw -F raw {raw} {dst}"),
    Workload("compare raw=qcow", "compare -f raw -F qcow {raw} {qcow}"),
    Workload("create 1T", "create -q -f qcow {dst} 1T"),
]


def measure(program, args):
    """Wall seconds, CPU seconds and exit status of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run([program] + args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done


def failed(name, program, done):
    # The peer's "-c" is right but exits with 1 and no message.
    if done.returncode == 0 or (name.startswith("-c") and not done.stderr):
        return False
    print(f"{program}: {name}: exit {done.returncode}: {done.stderr.decode().strip()}",
          file=sys.stderr)
    return True


def expand(text, names):
    return [word.format(**names) for word in text.split()]


def result_differs(work, options, names):
    done = subprocess.run([options.peer, "compare"] + expand(work.check, names),
                          capture_output=True, check=False)
    if done.returncode != 0:
        print(f"{work.name}: the result differs: {done.stdout.decode().strip()}", file=sys.stderr)
    return done.returncode != 0


def print_row(name, walls, cpus):
    row = [name.ljust(18)]
    for times in (walls, cpus):
        ratio = statistics.median(p / c for p, c in zip(times["peer"], times["cairn"]))
        row += [f"{statistics.median(times[who]):9.3f}" for who in ("peer", "cairn")]
        row.append(f"{ratio:8.1f}x")
    print(" ".join(row), flush=True)


def run_workload(work, options, names):
    """Prints one row. Returns whether all went well."""
    walls = {"peer": [], "cairn": []}
    cpus = {"peer": [], "cairn": []}
    programs = {"peer": options.peer, "cairn": options.cairn}
    for i in range(options.rounds):
        for who in ("peer", "cairn") if i % 2 else ("cairn", "peer"):
            if os.path.exists(names["dst"]):
                os.unlink(names["dst"])
            wall, cpu, done = measure(programs[who], expand(work.args, names))
            if failed(work.name, programs[who], done):
                return False
            walls[who].append(wall)
            cpus[who].append(max(cpu, 1e-4))
            is_last = who == "cairn" and i == options.rounds - 1
            if is_last and work.check and result_differs(work, options, names):
                return False
    print_row(work.name, walls, cpus)
    return True


def prepare(options, folder):
    """The sources, made by the peer. Returns their names."""
    names = {name: os.path.join(folder, name)
             for name in ("raw", "qcow", "packed", "crypt", "dst")}
    subprocess.run([options.generator, names["raw"], str(options.size)], check=True)
    subprocess.run([options.peer, "convert", "-f", "raw", "-O", "qcow", names["raw"],
                    names["qcow"]], check=True)
    wanted = " ".join(work.name for work in options.workloads)
    if "compressed>raw" in wanted:
        subprocess.run([options.peer, "convert", "-c", "-f", "raw", "-O", "qcow", names["raw"],
                        names["packed"]], check=False)
    if "encrypted>raw" in wanted:
        subprocess.run([options.peer, "convert", "--object", KEY, "-f", "raw", "-O", "qcow", "-o",
                        "encrypt.format=aes,encrypt.key-secret=sec0", names["raw"], names["crypt"]],
                       check=True)
    names["crypt"] = encrypted(names["crypt"])
    return names


def parse_options():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description="cairn-img against qemu-img")
    parser.add_argument("--quick", action="store_true", help="32 MiB, one round")
    parser.add_argument("--size", type=int, metavar="MIB")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="names that contain it")
    parser.add_argument("--cairn", default=os.path.join(root, "build/tools/cairn-img"))
    parser.add_argument("--peer", default="qemu-img")
    parser.add_argument("--generator", default=os.path.join(root, "build/bench/mixed-data"))
    parser.add_argument("--dir", help="where to work (default: that of temporary files)")
    options = parser.parse_args()
    options.size = options.size or (32 if options.quick else 256)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.workloads = [work for work in WORKLOADS if options.only in work.name]
    return options


def main():
    options = parse_options()
    if not shutil.which(options.peer):
        print(f"{options.peer} is not installed", file=sys.stderr)
        return 77
    for program in (options.cairn, options.generator):
        if not os.path.exists(program):
            print(f"{program} is missing: build it first", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=options.dir) as folder:
        names = prepare(options, folder)
        print(f"{options.size} MiB of mixed data, {options.rounds} rounds")
        heads = ("peer s", "cairn s", "wall", "peer cpu", "cairn cpu", "cpu")
        print(" ".join(["".ljust(18)] + [head.rjust(9) for head in heads]))
        results = [run_workload(work, options, names) for work in options.workloads]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
