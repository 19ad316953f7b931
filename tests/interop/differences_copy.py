# SPDX-License-Identifier: MIT
"""Deliberate differences of the commands in cases_copy.py; see differences.py."""

SKIP_ENDS = "the peer says that it cannot skip, and then makes an empty file and exits with 0"
OWN_SOURCE = "the peer destroys what it is about to read"
VALIDATES_FIRST = "the peer has destroyed the target before it finds the mistake"
COUNTS_COPIED = "the peer takes skipped blocks off the count, and so copies less than was asked for"


def cannot_skip(*files):
    return {"why": SKIP_ENDS, "status": [1], "files": sorted(files),
            "stderr": r"qemu-img: \w\.raw: cannot skip to specified offset\n"
                      r"The image has \d+ bytes\.\n"}


def is_source(name, *files):
    return {"why": OWN_SOURCE, "status": [1], "files": sorted(files),
            "stderr": rf'qemu-img: {name}: error while creating output image: '
                      r'Failed to get "write" lock\nIs another process using the image .*\n'}


DIFFERENCES = {
    "dd if=s.raw of=a skip=2049": cannot_skip("s.raw"),
    "dd if=s.raw of=a skip=4096 count=1": cannot_skip("s.raw"),
    "dd if=s.raw of=a skip=7E bs=4k": cannot_skip("s.raw"),
    "dd if=u.raw of=a bs=100 skip=11": cannot_skip("u.raw"),
    "dd if=e.raw of=a skip=1": cannot_skip("e.raw"),
    "dd if=s.raw of=nodir/a skip=5000": {
        "why": SKIP_ENDS, "stderr": cannot_skip()["stderr"]},
    "dd if=s.raw of=a skip=5000 -O qcow": {
        "why": SKIP_ENDS, "stderr": cannot_skip()["stderr"], "files": ["s.raw"]},
    "dd if=s.raw of=a skip=1 count=2 bs=1000": {
        "why": COUNTS_COPIED, "files": ["a", "s.raw"],
        "stderr": r"qemu-img: warning: 'a' gets 2000 bytes: .*\n"},
    "dd if=s.raw of=a skip=2 count=3 bs=4k": {
        "why": COUNTS_COPIED, "files": ["a", "s.raw"]},
    "dd if=s.raw of=a skip=2 count=1 bs=4k": {
        "why": COUNTS_COPIED, "files": ["a", "s.raw"], "stderr": ""},
    "dd -O qcow if=s.raw of=a count=0": {"why": VALIDATES_FIRST, "files": ["s.raw"]},
    "dd -O qcow if=e.raw of=a": {"why": VALIDATES_FIRST, "files": ["e.raw"]},
    "dd if=s.raw of=s.raw": is_source(r"s\.raw", "s.raw"),
    "dd if=s.raw of=./s.raw": is_source(r"\./s\.raw", "s.raw"),
    "dd if=o.qcow of=s.raw": is_source(r"s\.raw", "o.qcow", "s.raw"),
    "dd if=corrupt.qcow of=a bs=1M": {
        "why": "the peer leaves a part of the image that looks whole",
        "files": ["corrupt.qcow"]},
}
