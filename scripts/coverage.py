#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Branch coverage by folder, from an lcov file of llvm-cov.

Both sides of each condition count, as they stand in the source. Assertions do not: one side of
theirs must never be taken, and tests are not there to take it.
"""

import argparse
import collections
import os
import re
import sys

GROUPS = ('block', 'block/drivers/qcow', 'qapi', 'crypto', 'util')
ASSERTION = re.compile(r'\bg_(assert|return_if|return_val_if|warn_if)\w*')


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
                if is_assertion(lines, int(number)):
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
    for group in GROUPS:
        branches = [count for path, all_ in files.items() if in_group(path, group)
                    for count in all_.values()]
        worst = min(worst, print_row(group + '/', branches))
    return 0 if worst >= args.least else 1


if __name__ == '__main__':
    sys.exit(main())
