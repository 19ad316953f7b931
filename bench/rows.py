# SPDX-License-Identifier: MIT
"""What is measured, against what, and what it is to reach."""

import dataclasses

KEY = "secret,id=sec0,data=123456"
AES = "-o encrypt.format=aes,encrypt.key-secret=sec0"
CP = "cp --sparse=never --reflink=never {raw} {other}"
# A request can take no less than a loop of system calls.
FIO = ("fio --name=x --ioengine=psync --bs=4k --iodepth=1 --rw={fio} --filename={image} "
       "--number_ios={count} --norandommap --invalidate=0 --output-format=json")


@dataclasses.dataclass
class Row:
    name: str
    words: str                  # of either tool
    faster: float = 0           # times, than the peer
    by: str = "wall"            # what is compared: wall or cpu
    limit: str = ""             # a command that does the least
    most: float = 0             # times what the limit takes
    memory: float = 0           # MiB at most
    check: str = ""             # words of a compare that must find no difference
    fresh: str = ""             # an image made anew before each run: its size
    needs: str = "raw"          # sources
    rounds: int = 0             # 0: as asked for
    count: int = 0              # of requests: {count}
    fio: str = ""               # the limit is fio's CPU time for as many requests: its --rw
    peer_more: str = ""         # more words for the peer
    may_fail: bool = False      # the peer's exit status says nothing
    quick: bool = True          # also with --quick


def convert(name, words, faster, most, **more):
    return Row(name, f"convert {words} {{dst}}", faster, limit=CP, most=most, **more)


TO_RAW = "-f raw -F raw {raw} {dst}"
TO_QCOW = "-f raw -F qcow {raw} {dst}"

WHOLE_IMAGES = [
    convert("raw -> qcow", "-f raw -O qcow {raw}", 30, 1.2, check=TO_QCOW),
    convert("qcow -> raw", "-f qcow -O raw {qcow}", 15, 1.2, check=TO_RAW, needs="raw qcow"),
    convert("qcow -> qcow", "-f qcow -O qcow {qcow}", 50, 1.3, check=TO_QCOW, needs="raw qcow"),
    convert("raw -> raw", "-f raw -O raw {raw}", 1.2, 1.1, check=TO_RAW),
    convert("raw -> encrypted", f"--object {KEY} -f raw -O qcow {AES} {{raw}}", 20, 2.5),
    convert("encrypted -> raw", f"--object {KEY} --image-opts -O raw {{crypt}}", 15, 1.6,
            check=TO_RAW, needs="raw crypt"),
    Row("raw -> compressed", "convert -c -f raw -O qcow {raw} {dst}", 12, check=TO_QCOW,
        may_fail=True),
    Row("compressed -> raw", "convert -f qcow -O raw {packed} {dst}", 10, check=TO_RAW,
        needs="raw packed"),
    Row("compare raw = qcow", "compare -f raw -F qcow {raw} {qcow}", 20, limit=CP, most=1,
        needs="raw qcow"),
    Row("create 1 TiB", "create -q -f qcow {dst} 1T", 30, by="cpu", needs=""),
]

SCATTERED = [
    Row("map of 100,000 extents", "map --output=json {scattered}", 60, memory=16, needs="scattered",
        rounds=1),
    Row("convert of 100,000 extents", "convert -f qcow -O raw {scattered} {dst}", 60, memory=64,
        needs="scattered", rounds=1, quick=False),
]

SMALL = [
    Row("--version", "--version", 2, by="cpu", memory=4, needs="", rounds=20),
    Row("info", "info {qcow}", 2, by="cpu", memory=4, needs="raw qcow", rounds=20),
]


def requests(name, image, faster, size, count, flags="", **more):
    fmt = "qcow" if "qcow" in image or image == "{fresh}" else "raw"
    return Row(name, f"bench -f {fmt} -c {{count}} -s {size} {flags} {image}", faster, count=count,
               **more)


REQUESTS = [
    requests("read 4k, raw", "{raw}", 8, 4096, 50000, "-d 1", fio="randread", most=1.3),
    requests("write 4k, raw", "{raw_w}", 7, 4096, 50000, "-d 1 -w", fio="randwrite", most=1.3,
             needs="raw raw_w"),
    requests("read 4k, qcow", "{qcow}", 6, 4096, 50000, "-d 1", needs="raw qcow"),
    requests("write 4k, qcow", "{qcow_w}", 5, 4096, 50000, "-d 1 -w", needs="raw qcow qcow_w"),
    requests("read 64k, qcow", "{qcow}", 12, 65536, 4000, "-d 1", needs="raw qcow"),
    requests("write 64k, qcow", "{qcow_w}", 12, 65536, 2000, "-d 1 -w", needs="raw qcow qcow_w"),
    requests("new clusters 4k", "{fresh}", 10, 4096, 2000, "-d 1 -w", fresh="256M", needs=""),
    requests("new clusters 64k", "{fresh}", 20, 65536, 200, "-d 1 -w", fresh="256M", needs=""),
    requests("read 4k depth 64 direct", "{raw}", 2.5, 4096, 20000, "-d 64 -t none"),
    requests("write 4k depth 64 direct", "{raw_w}", 2.5, 4096, 20000, "-d 64 -w -t none",
             needs="raw raw_w"),
    requests("the same read, peer's best", "{raw}", 1, 4096, 20000, "-d 64 -t none",
             peer_more="-i native"),
]

ROWS = WHOLE_IMAGES + SCATTERED + SMALL + REQUESTS
