# SPDX-License-Identifier: MIT
"""What is measured, against what, and what it is to reach."""

import dataclasses

from sources import AES, KEY

CP = "cp --sparse=never --reflink=never {raw} {other}"
# A request can take no less than a loop of system calls, or a ring of them.
FIO = ("fio --name=x --ioengine={engine} --bs=4k --iodepth={depth} --rw={fio} --direct={direct} "
       "--filename={image} --number_ios={count} --norandommap --invalidate=0 "
       "--output-format=json")
TABLE_CACHE = 32        # MiB: l2-cache-size where nothing else is said


@dataclasses.dataclass
class Row:
    name: str
    words: str                  # of either tool
    faster: float = 0           # times, than the peer; 0: the peer cannot, or it is not compared
    by: str = "wall"            # what is compared: wall or cpu
    limit: str = ""             # a command that does the least
    most: float = 0             # times what the limit takes
    memory: float = 0           # MiB at most; 0: the peer's and the cache of tables
    check: str = ""             # words of a compare that must find no difference
    same_lines: str = ""        # the output's lines with this text are those of the peer
    fresh: str = ""             # an image made anew before each run: its size
    needs: str = "raw"          # sources
    rounds: int = 0             # 0: as asked for
    count: int = 0              # of requests: {count}
    fio: str = ""               # the limit is fio's work on as many requests: its --rw
    fio_depth: int = 0          # 0: one at a time, by CPU time; else a ring, by wall time
    peer_more: str = ""         # more words for the peer
    may_fail: bool = False      # the peer's exit status says nothing
    slow_peer: bool = False     # takes a minute: not with --quick


@dataclasses.dataclass
class Calls:
    """How many system calls a request takes."""
    name: str
    words: str
    most: float
    needs: str
    count: int = 500


def convert(name, words, faster, most, to="{dst}", **more):
    return Row(name, f"convert {words} {to}", faster, limit=CP, most=most, **more)


TO_RAW = "compare -f raw -F raw {raw} {dst}"
TO_QCOW = "compare -f raw -F qcow {raw} {dst}"
TO_CRYPT = (f"compare --image-opts --object {KEY} driver=raw,file.filename={{raw}} "
            "{dst_crypt}")


def whole_images(has_libdeflate):
    return [
        convert("raw -> qcow", "-f raw -O qcow {raw}", 30, 1.2, check=TO_QCOW),
        convert("qcow -> raw", "-f qcow -O raw {qcow}", 15, 1.2, check=TO_RAW, needs="raw qcow"),
        convert("qcow -> qcow", "-f qcow -O qcow {qcow}", 50, 1.3, check=TO_QCOW,
                needs="raw qcow"),
        convert("raw -> raw", "-f raw -O raw {raw}", 1.2, 1.1, check=TO_RAW),
        convert("raw -> encrypted", f"--object {KEY} -f raw -O qcow {AES} {{raw}}", 20, 2.5,
                check=TO_CRYPT),
        convert("encrypted -> raw", f"--object {KEY} --image-opts -O raw {{crypt}}", 15, 1.6,
                check=TO_RAW, needs="raw crypt"),
        Row("raw -> -c, " + ("libdeflate" if has_libdeflate else "zlib"),
            "convert -c -f raw -O qcow {raw} {dst}", 12 if has_libdeflate else 6, check=TO_QCOW,
            may_fail=True),
        Row("compressed -> raw", "convert -f qcow -O raw {packed} {dst}", 10, check=TO_RAW,
            needs="raw packed"),
        Row("compare raw = qcow", "compare -f raw -F qcow {raw} {qcow}", 20, limit=CP, most=1,
            needs="raw qcow"),
        Row("create 1 TiB", "create -q -f qcow {dst} 1T", 30, by="cpu", needs=""),
    ]


SCATTERED = [
    Row("map, 100,000 extents", "map --output=json {scattered}", 60, memory=16, rounds=1,
        needs="scattered", slow_peer=True),
    Row("convert, the same", "convert -f qcow -O raw {scattered} {dst}", 60, memory=64, rounds=1,
        needs="scattered", slow_peer=True,
        check="compare -f qcow -F raw {scattered} {dst}"),
    Row("check, the same", "check {scattered}", memory=16, needs="scattered", rounds=1),
    Row("info, the same", "info {scattered}", 2, by="cpu", memory=4, needs="scattered",
        same_lines="virtual size"),
]

SMALL = [
    Row("--version", "--version", 2, by="cpu", memory=4, needs="", rounds=20),
    Row("info", "info {qcow}", 2, by="cpu", memory=4, needs="raw qcow", rounds=20,
        same_lines="virtual size"),
]


def requests(name, image, faster, size, count, flags="", **more):
    fmt = "raw" if image.startswith("{raw") else "qcow"
    return Row(name, f"bench -f {fmt} -c {{count}} -s {size} {flags} {image}", faster, count=count,
               **more)


def deep(name, image, flags, fio):
    """64 at once past the page cache: the peer's threads, and each engine of its own."""
    more = {"needs": "raw " + image.strip("{}"), "rounds": 5}
    return [
        requests(f"{name}, depth 64 direct", image, 2.5, 4096, 20000, f"-d 64 {flags} -t none",
                 fio=fio, fio_depth=64, **more),
        requests("  against its native", image, 1, 4096, 20000, f"-d 64 {flags} -t none",
                 peer_more="-i native", **more),
        requests("  against its io_uring", image, 1, 4096, 20000, f"-d 64 {flags} -t none",
                 peer_more="-i io_uring", **more),
    ]


REQUESTS = [
    requests("read 4k, raw", "{raw}", 8, 4096, 50000, "-d 1", fio="randread", most=1.3),
    requests("write 4k, raw", "{raw_w}", 7, 4096, 50000, "-d 1 -w", fio="randwrite", most=1.3,
             needs="raw raw_w"),
    requests("read 4k, qcow", "{qcow}", 6, 4096, 50000, "-d 1", needs="raw qcow"),
    requests("write 4k, qcow", "{qcow_w}", 5, 4096, 50000, "-d 1 -w", needs="raw qcow_w"),
    requests("read 64k, qcow", "{qcow}", 12, 65536, 4000, "-d 1", needs="raw qcow"),
    requests("write 64k, qcow", "{qcow_w}", 12, 65536, 2000, "-d 1 -w", needs="raw qcow_w"),
    # 4080 requests of 64 KiB are 255 MiB; tables stand in between them, one in 2 MiB.
    Calls("calls a read of 64k, qcow", "bench -f qcow -c {count} -s 65536 -d 1 {qcow_w}", 1.1,
          "raw qcow_w"),
    Calls("calls a write of 64k, qcow", "bench -f qcow -c {count} -s 65536 -d 1 -w {qcow_w}", 1.1,
          "raw qcow_w"),
    requests("new clusters 4k", "{fresh}", 10, 4096, 2000, "-d 1 -w", fresh="256M", needs=""),
    requests("new clusters 64k", "{fresh}", 20, 65536, 200, "-d 1 -w", fresh="256M", needs=""),
    *deep("read 4k", "{raw}", "", "randread"),
    *deep("write 4k", "{raw_w}", "-w", "randwrite"),
]


def all_rows(has_libdeflate):
    return whole_images(has_libdeflate) + SCATTERED + SMALL + REQUESTS
