#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scattered.py FILE [GIB]: a qcow disk of 100 GiB with a thousand extents a GiB, about 32 KiB each.

Each extent's first block is data; the rest are holes of the file, so that it takes little room.
"""

import random
import struct
import sys

CLUSTER, ENTRIES = 4096, 512
SPAN = CLUSTER * ENTRIES


def main():
    gib = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    chance = random.Random(1)
    size = gib << 30
    tables = size // SPAN
    at = (48 + tables * 8 + CLUSTER - 1) // CLUSTER * CLUSTER
    l1 = []
    with open(sys.argv[1], "wb") as file:
        for _ in range(tables):
            place, entries = at, [0] * ENTRIES
            at += CLUSTER
            for half in range(2):
                first = half * 256 + chance.randrange(1, 240)
                for i in range(first, first + chance.randrange(1, 15)):
                    if i < (half + 1) * 256:
                        entries[i] = at
                        if i == first:
                            file.seek(at)
                            file.write(bytes([1 + i % 255]) * 512)
                        at += CLUSTER
            file.seek(place)
            file.write(struct.pack(f">{ENTRIES}Q", *entries))
            l1.append(place)
        file.truncate(at)
        file.seek(0)
        file.write(struct.pack(">4sIQIIQBBHIQ", b"QFI\xfb", 1, 0, 0, 0, size, 12, 9, 0, 0, 48))
        file.write(struct.pack(f">{tables}Q", *l1))


if __name__ == "__main__":
    main()
