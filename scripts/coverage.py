#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Branch coverage by folder, from an lcov file of llvm-cov.

Both sides of each condition count, as they stand in the source. What does not:
- assertions: one side of theirs must never be taken, and tests are not there to take it;
- what GLib's macros for memory hold inside (is the size a constant, does the product overflow):
  they are GLib's conditions, on lines that have none of their own;
- rules that only the crash harness's copy of the qcow driver can leave out: constants here.
"""

import argparse
import collections
import os
import re
import sys

GROUPS = ('block', 'block/drivers/qcow', 'qapi', 'crypto')
ALSO_SHOWN = ('util',)
ASSERTION = re.compile(r'\bg_(assert|return_if|return_val_if|warn_if)\w*')
GLIB_MEMORY = re.compile(r'\bg_((try_)?(new|renew|malloc_n)0?|clear_pointer|strdup|memdup2)\s*\(')
OWN_CONDITION = re.compile(r'\b(if|while|for|switch|case)\b|&&|\|\||\?')
MUTANT = re.compile(r'\bQCOW_MUTANT\(')


def source_lines(path):
    try:
        with open(path, encoding='utf-8') as file:
            return file.readlines()
    except OSError:
        return []


def is_assertion(lines, number):
    """Whether the statement that line @number belongs to begins as an assertion."""
    for at in range(number, max(number - 4, 0), -1):
        text = lines[at - 1] if at <= len(lines) else ''
        if ASSERTION.search(text):
            return True
        if at < number and text.rstrip().endswith((';', '{', '}')):
            return False
    return False


def is_left_out(lines, number):
    text = lines[number - 1] if number <= len(lines) else ''
    return (is_assertion(lines, number) or bool(MUTANT.search(text))
            or bool(GLIB_MEMORY.search(text) and not OWN_CONDITION.search(text)))


def read_branches(lcov):
    """{file: {(line, block, branch): taken}}, the sides of one condition in several programs joined."""
    files = collections.defaultdict(dict)
    path = None
    lines = []
    with open(lcov, encoding='utf-8') as file:
        for line in file:
            line = line.strip()
            if line.startswith('SF:'):
                path = os.path.relpath(os.path.realpath(line[3:]))
                lines = source_lines(path)
            elif line.startswith('BRDA:'):
                number, block, branch, taken = line[5:].split(',')
                if is_left_out(lines, int(number)):
                    continue
                key = (int(number), block, branch)
                count = 0 if taken == '-' else int(taken)
                files[path][key] = files[path].get(key, 0) + count
    return files


def in_group(path, group):
    if group == 'block' and path.startswith('block/drivers/') and 'qcow' not in path:
        return False
    return path.startswith(group + '/')


def print_row(name, branches):
    taken = sum(count > 0 for count in branches)
    share = 100.0 * taken / len(branches) if branches else 100.0
    print(f'{name:40} {taken:6} of {len(branches):6}  {share:5.1f} %')
    return share


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('lcov')
    parser.add_argument('--least', type=float, default=0, help='per cent that each group must have')
    parser.add_argument('--files', action='store_true', help='a line for each file, and what is missing')
    args = parser.parse_args()
    files = read_branches(args.lcov)

    if args.files:
        for path, branches in sorted(files.items()):
            print_row(path, list(branches.values()))
            missing = sorted({key[0] for key, count in branches.items() if count == 0})
            print('    lines', ' '.join(map(str, missing)))
        return 0
    worst = 100.0
    for group in GROUPS + ALSO_SHOWN:
        branches = [count for path, all_ in files.items() if in_group(path, group)
                    for count in all_.values()]
        share = print_row(group + '/', branches)
        worst = worst if group in ALSO_SHOWN else min(worst, share)
    return 0 if worst >= args.least else 1


if __name__ == '__main__':
    sys.exit(main())
