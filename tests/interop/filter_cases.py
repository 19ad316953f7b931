# SPDX-License-Identifier: MIT
"""What both tools make of the filters copy-on-read, throttle, preallocate, compress, and of quorum. The form of
the cases is that of compare.py, that of the differences of differences.py."""

READ, WRITE, ZEROES = "'read 0 4k'", "'write -P 9 0 4k'", "'write -z 128k 4k'"

GROUP = "--object throttle-group,id=g"
THROTTLE = "driver=throttle,throttle-group=g"
COR = "driver=copy-on-read,file.driver=qcow,file.file.filename="
CHAIN = COR + "l3.qcow,file.node-name=t,file.backing.node-name=m,file.backing.backing.node-name=b"
COR_DEBUG = "driver=copy-on-read,file.driver=blkdebug,file.image.driver=qcow,file.image.file.filename=o.qcow"
COMPRESS = "driver=compress,file.driver=qcow,file.file.filename="
PRE = "driver=raw,file.driver=preallocate,file.file.filename=s.raw"


def io(options, *commands, flags=""):
    words = " ".join("-c " + command for command in commands)
    return f"{flags} --image-opts {options} {words}".strip()


def children(*names, driver="raw"):
    return "".join(f",children.{i}.driver={driver},children.{i}.file.filename={name}"
                   for i, name in enumerate(names))


def quorum(threshold, *names, driver="raw"):
    return f"driver=quorum,vote-threshold={threshold}" + children(*names, driver=driver)


def rules(text):
    return "".join(f",file.inject-error.0.{option}" for option in text.split())


def inject(child, image, text):
    """A raw child that fails as @text says."""
    return (f",children.{child}.driver=blkdebug,children.{child}.image.driver=raw,"
            f"children.{child}.image.file.filename={image}"
            + "".join(f",children.{child}.inject-error.0.{option}" for option in text.split()))


# ---- copy-on-read


def cor_cases():
    yield io(COR + "o.qcow", "'read 64k 4k'", "'read 1k 3k'", "map", "info", "length")
    yield io(COR + "o.qcow", "'read 4k 8k'", "map")
    yield io(COR + "o.qcow", WRITE, ZEROES, "'discard 256k 4k'", "flush", "'read -P 9 0 4k'", "map")
    yield io(COR + "o.qcow", "'read 0 1M'", "map")
    yield io(COR + "l5.qcow", "'read 0 300k'", "map")
    yield io(COR + "grown.qcow", "'read 1000k 100k'", "map")
    yield io(COR + "empty.qcow", "'read 0 64k'", "map")
    yield io("driver=copy-on-read,file.driver=raw,file.file.filename=s.raw", READ, "map")
    yield io("driver=copy-on-read,file.filename=o.qcow", READ, "length")
    yield "-f copy-on-read s.raw -c 'read 0 4k' -c length"
    yield io(COR + "o.qcow", READ, flags="-r")
    yield io(COR + "o.qcow,read-only=on", READ)
    yield io(COR + "o.qcow,file.read-only=on", READ)
    yield io(COR + "o.qcow,bogus=1", READ)
    yield io(COR + "o.qcow,bottom=nope", READ)
    yield io(COR + "o.qcow,bottom=", READ)
    yield io(COR + "o.qcow,node-name=c,bottom=c", READ)
    yield io("driver=copy-on-read", READ)
    yield io("driver=copy-on-read,file=nope", READ)
    for bottom in ("m", "b", "t"):
        yield io(CHAIN + f",bottom={bottom}", "'read 100k 4k'", "'read 200k 4k'", "'read 0 4k'", "map")
    for rule in ("event=cor_write errno=28", "event=pwritev iotype=write errno=28", "event=none iotype=write errno=5"):
        yield io(COR_DEBUG + rules(rule), READ, "map", flags="-t unsafe")
    yield io(f"driver=copy-on-read,file.{THROTTLE.replace(',', ',file.')},file.file.driver=qcow,"
             "file.file.file.filename=o.qcow", "'read 64k 4k'", "map", flags=GROUP)
    yield io("driver=copy-on-read,file.driver=compress,file.file.driver=qcow,file.file.file.filename=o.qcow",
             "'read 64k 4k'", "map")


# ---- throttle


def throttle_cases():
    disk = THROTTLE + ",file.driver=raw,file.file.filename=s.raw"
    yield io(disk, READ, WRITE, ZEROES, "flush", "map", "info", "length", "'write -c 0 64k'", flags=GROUP)
    yield io(disk, "'truncate 2M'", "length", flags=GROUP)
    yield io(THROTTLE + ",file.driver=qcow,file.file.filename=o.qcow", READ, WRITE, ZEROES, "map", "info",
             "'write -c 256k 512'", flags=GROUP)
    yield io("driver=qcow,file.driver=throttle,file.throttle-group=g,file.file.filename=q.qcow", READ, WRITE,
             flags=GROUP)
    yield io(disk, "'write -P 1 0 512'", "'write -P 2 512 512'", "'read -P 1 0 512'",
             flags="--object throttle-group,id=g,x-iops-total=1000,x-bps-write=1000000")
    yield io("driver=throttle,file.filename=s.raw", READ)
    yield io(THROTTLE + ",file.filename=s.raw", READ)
    yield io(THROTTLE, READ, flags=GROUP)
    yield io(THROTTLE + ",file.file.filename=s.raw", READ, flags=GROUP)
    yield io(disk + ",bogus=2", READ, flags=GROUP)
    yield io(disk, READ, flags="--object secret,id=g,data=x")
    yield "-f throttle s.raw -c length"


LIMITS = ["x-bps-total=-1", "x-bps-total=1k", "x-bps-total=0x10", "x-bps-total=", "x-bps-total=1.5",
          "x-bps-total=9223372036854775808", "x-bps-total=1,x-bps-read=1", "x-bps-read-max=100",
          "x-bps-read=1000,x-bps-read-max=100", "x-bps-read=1000,x-bps-read-max-length=10",
          "x-bps-read=1000,x-bps-read-max-length=0",
          "x-bps-read=1,x-bps-read-max=1000000000000000,x-bps-read-max-length=9",
          "x-bps-read=1000000000000001", "x-bps-read=1000000000000000", "x-iops-size=100", "x-iops-size=-1",
          "x-iops-total=10,x-iops-write=3", "x-iops-total=10,x-iops-size=4096", "limits.bps-total=10", "bps-total=10",
          "limits.iops-total=x", "limits.nope=1", "limits=5", "x-bps-read=5,x-bps-read-max=5,x-bps-read-max-length=2",
          "x-bps-write=6,x-bps-write-max=4,x-iops-total-max=4", "x-bps-read-max-length=1", "nope=1"]
JSON_LIMITS = ['"limits":{"bps-total":10}', '"limits":{"bps-total":"10"}', '"limits":{"bps-total":10,"bps-read":10}',
               '"limits":{"nope":10}', '"x-bps-read":5,"limits":{"bps-total":10}', '"limits":5', '"limits":{}',
               '"x-bps-read":"5"', '"x-bps-read":5.5', '"x-bps-read":null']


def object_cases():
    for limits in LIMITS:
        yield f"--object throttle-group,id=g,{limits} -f raw s.raw -c length"
    for limits in JSON_LIMITS:
        yield "--object '{\"qom-type\":\"throttle-group\",\"id\":\"g\"," + limits + "}' -f raw s.raw -c length"
    for objects in ("throttle-group", "throttle-group,id=9", "throttle-group,id=", "throttle-group,id=g"):
        yield f"--object {objects} {GROUP} -f raw s.raw -c length"
    yield f"--object secret,id=g,data=x {GROUP} -f raw s.raw -c length"
    yield f"{GROUP} --object secret,id=g,data=x -f raw s.raw -c length"
    yield "--object throttle-group,help"


# ---- quorum


def quorum_cases():
    three = quorum(2, "s.raw", "same.raw", "diff.raw")
    yield io(three, READ, "'read 64k 4k'", WRITE, "'read -P 9 0 4k'", ZEROES, "'discard 0 4k'", "flush", "map",
             "length")
    yield io(three + ",rewrite-corrupted=on", "'read 64k 4k'", "'read 0 1M'")
    yield io(quorum(3, "s.raw", "same.raw", "diff.raw"), READ, "'read 64k 4k'", "'read 0 1M'")
    yield io(three + ",read-pattern=fifo", "'read 64k 4k'", WRITE)
    yield io(three, "'write -c 0 64k'", "'truncate 2M'", "'alloc 0 1M'")
    yield io(quorum(1, "empty.qcow", "q.qcow", driver="qcow"), "map", WRITE, "'read -P 9 0 4k'")
    yield io(quorum(2, "s.raw", "same.raw") + ",blkverify=on", READ, WRITE, "'read -P 9 0 4k'")
    yield io(quorum(2, "s.raw", "diff.raw") + ",blkverify=on", READ, "'read 64k 4k'", "'read 128k 512'")
    yield io(quorum(2, "s.raw", "diff.raw") + ",blkverify=on,read-pattern=fifo", "'read 64k 4k'")
    for threshold in ("0", "-1", "x", "4", "3"):
        yield io(three.replace("threshold=2", f"threshold={threshold}"), "length")
    for options in (",read-pattern=bad", ",blkverify=on", ",bogus=1", ",rewrite-corrupted=x",
                    ",rewrite-corrupted=on,read-pattern=fifo"):
        yield io(three + options, "length")
    yield io(quorum(2, "s.raw", "same.raw") + ",blkverify=on,rewrite-corrupted=on", "length")
    yield io(quorum(2, "s.raw", "same.raw") + ",rewrite-corrupted=on", "length", flags="-r")
    yield io(quorum(2, "s.raw", "longer.raw"), "length")
    yield io("driver=quorum,vote-threshold=1", "length")
    yield io("driver=quorum,vote-threshold=1,file.filename=s.raw", "length")
    yield io("driver=quorum" + children("s.raw", "same.raw"), "length")
    for child in ("children.1.filename=s.raw", "children.x.filename=s.raw", "children.0.filename=s.raw",
                  "children.0=nope", "children.0.driver=raw"):
        yield io("driver=quorum,vote-threshold=1," + child, "length")
    commands = [READ, WRITE, "flush", "'discard 0 4k'", ZEROES, "'alloc 0 4k'"]
    for iotype in ("read", "write", "write-zeroes"):
        for failing in (1, 2, 3):
            options = "driver=quorum,vote-threshold=2"
            for child, image in enumerate(("s.raw", "same.raw", "diff.raw")):
                options += (inject(child, image, f"event=none iotype={iotype} errno={(5, 28, 5)[child]}")
                            if child < failing else
                            f",children.{child}.driver=raw,children.{child}.file.filename={image}")
            yield io(options, *commands, flags="-t unsafe")


# ---- preallocate, compress


def preallocate_cases():
    yield io(PRE, READ, WRITE, "'truncate 2M'", "'write -P 9 1500k 4k'", "'truncate 1200k'", "length", "info", "map")
    yield io("driver=qcow,file.driver=preallocate,file.file.filename=q.qcow", READ, WRITE, "'write -P 8 512k 64k'",
             "flush", "'read -P 8 512k 64k'", "length")
    yield io("driver=preallocate,file.driver=qcow,file.file.filename=o.qcow", READ, WRITE, "map")
    for option in ("prealloc-align=1000", "prealloc-align=1", "prealloc-align=0", "prealloc-align=1536",
                   "prealloc-align=-1", "prealloc-size=x", "prealloc-size=0", "prealloc-size=100", "bogus=1"):
        yield io(f"{PRE},file.{option}", WRITE)
    yield io("driver=preallocate", "length")
    yield io("driver=preallocate,file.filename=s.raw", "'write 1M 512'", "length")


def compress_cases():
    yield io(COMPRESS + "empty.qcow", "'write -P 3 0 4k'", "'write -P 5 100k 100'", "'read -P 3 0 4k'",
             "'read -P 5 100k 100'", "info", "length", "map")
    yield io(COMPRESS + "empty.qcow", "'write -P 4 8k 8k'", "'read -P 4 8k 8k'")
    yield io(COMPRESS + "c.qcow", READ, "map", flags="-r")
    yield io("driver=compress,file.driver=raw,file.file.filename=s.raw", WRITE)
    yield io("driver=compress,file.filename=s.raw", WRITE)
    yield io("driver=compress", WRITE)
    yield io(COMPRESS + "empty.qcow,bogus=1", WRITE)


IO_GROUPS = {
    "copy-on-read": cor_cases, "throttle": throttle_cases, "throttle-group": object_cases, "quorum": quorum_cases,
    "preallocate": preallocate_cases, "compress": compress_cases,
}

Q3 = quorum(2, "s.raw", "same.raw", "diff.raw")
TQ = THROTTLE + ",file.driver=qcow,file.file.filename=o.qcow"

IMG = f"""
info --image-opts {COR}o.qcow
info --image-opts driver=copy-on-read
info {GROUP} --image-opts {TQ}
info {GROUP} --output=json --image-opts {TQ}
info {GROUP} --backing-chain --image-opts {TQ}
info {GROUP} --image-opts driver=throttle,throttle-group=g,file.{TQ.replace(",", ",file.")}
info {GROUP} --image-opts driver=raw,file.driver=throttle,file.throttle-group=g,file.file.filename=s.raw
info {GROUP} --image-opts driver=throttle,throttle-group=g,file.driver=qcow,file.file.filename=orphan.qcow
info {GROUP} --image-opts driver=throttle,throttle-group=g,file.driver=qcow,file.file.filename=enc.qcow
info --image-opts {TQ}
info {GROUP} -f throttle s.raw
map {GROUP} --image-opts {TQ}
map {GROUP} --output=json --image-opts {TQ}
map {GROUP} --output=json --image-opts driver=throttle,throttle-group=g,file.driver=qcow,file.file.filename=l5.qcow
check {GROUP} --image-opts {TQ}
convert {GROUP} --image-opts -O raw {TQ} a
convert {GROUP} --image-opts -O qcow {TQ} a
convert {GROUP} -n --target-image-opts s.raw {THROTTLE},file.driver=qcow,file.file.filename=empty.qcow
convert {GROUP} -n --target-image-opts s.raw {THROTTLE},file.driver=raw,file.file.filename=longer.raw
compare {GROUP} --image-opts {TQ} driver=qcow,file.filename=o.qcow
compare {GROUP} --image-opts {TQ} driver=raw,file.filename=s.raw
commit {GROUP} --image-opts {TQ}
resize {GROUP} --image-opts {THROTTLE},file.driver=raw,file.file.filename=s.raw 2M
snapshot {GROUP} -l --image-opts {TQ}
create -f throttle a 1M
create -f copy-on-read a 1M
info --image-opts {Q3}
info --output=json --image-opts {Q3}
info --image-opts {Q3},read-pattern=quorum,blkverify=off,rewrite-corrupted=off
info 'json:{{"driver":"quorum","vote-threshold":2,"children":["a","b"]}}'
info 'json:{{"driver":"quorum","vote-threshold":1,"children":[{{"driver":"raw","node-name":"n","file":{{"driver":"file","filename":"s.raw"}}}},"n"]}}'
info 'json:{{"driver":"quorum","vote-threshold":1,"children":{{"0":{{"driver":"raw","file":{{"driver":"file","filename":"s.raw"}}}}}}}}'
info 'json:{{"driver":"quorum","vote-threshold":1,"children":[]}}'
map --output=json --image-opts {quorum(2, "s.raw", "same.raw")}
map --output=json --image-opts {quorum(1, "q.qcow", "empty.qcow", driver="qcow")}
map --image-opts {quorum(2, "s.raw", "same.raw")}
check --image-opts {Q3}
convert --image-opts -O raw {Q3} a
convert -n --target-image-opts z.raw {quorum(2, "s.raw", "same.raw")}
convert --image-opts -O raw {quorum(2, "s.raw", "longer.raw")} a
resize --image-opts {quorum(2, "s.raw", "same.raw")} 2M
create -f quorum a 1M
info --image-opts {PRE}
info --image-opts driver=preallocate,file.filename=s.raw,prealloc-size=1M
map --output=json --image-opts driver=preallocate,file.filename=s.raw
convert -n --target-image-opts s.raw driver=qcow,file.driver=preallocate,file.file.filename=empty.qcow
resize --image-opts {PRE} 2M
resize --shrink --image-opts {PRE} 512k
resize --preallocation=falloc --image-opts {PRE} 2M
info --image-opts {COMPRESS}c.qcow
map --output=json --image-opts {COMPRESS}c.qcow
convert -n --target-image-opts s.raw {COMPRESS}empty.qcow
info --object throttle-group,help
"""


def io_cases():
    for group, cases in IO_GROUPS.items():
        for text in cases():
            yield group, text


def img_cases():
    for text in IMG.strip().splitlines():
        yield "filters", text


def differs(why, **own):
    return {"why": why, **own}


UNCOPIED = "what no backing file reaches reads as zeros with or without a copy"

IO_DIFFERENCES = {
    io(COR + "grown.qcow", "'read 1000k 100k'", "map"): differs(
        UNCOPIED, stdout=r"read .*\n.*\n1000 KiB .* not allocated .*\n"
                         r"24 KiB .* allocated at offset 1000 KiB .*\n(.*\n)+"),
    io(COR + "empty.qcow", "'read 0 64k'", "map"): differs(
        UNCOPIED, stdout=r"read .*\n.*\n1 MiB \(0x100000\) bytes not allocated at offset 0 bytes \(0x0\)\n"),
    io(COR_DEBUG + rules("event=pwritev iotype=write errno=28"), READ, "map", flags="-t unsafe"): differs(
        "the copy is a write like others, and has the event", status=[1], stdout=r"read failed: No space .*\n(.*\n)+"),
    io(CHAIN + ",bottom=t", "'read 100k 4k'", "'read 200k 4k'", "'read 0 4k'", "map"): differs(
        "the image itself as the lowest node to copy from: then nothing is copied; the peer copies all",
        stdout=r"(read .*\n.*\n){3}300 KiB \(0x4b000\) bytes not allocated at offset 0 bytes .*\n(.*\n)+"),
    io(quorum(2, "s.raw", "diff.raw") + ",blkverify=on", READ, "'read 64k 4k'", "'read 128k 512'"): differs(
        "the peer's process ends at the first difference; a library must not",
        stdout=r"read .*\n.*\nread failed: Input/output error\nread .*\n.*\n"),
    io(COMPRESS + "empty.qcow", "'write -P 4 8k 8k'", "'read -P 4 8k 8k'"): differs(
        "the peer compresses one cluster at a time only, and fails for two", status=[0],
        stdout=r"wrote .*\n.*\nread .*\n.*\n", files=["empty.qcow"]),
}

INFO_ONLY = "who asks what an image is needs neither its backing file nor its key, filter or not"
HASH_ORDER = "the peer's order of keys is that of a hash; Cairn's is stable"
IMG_DIFFERENCES = {
    f"info {GROUP} --output=json --image-opts {TQ}": differs(
        HASH_ORDER, stdout=r'\{\n.*\n    "filename": "json:\{\\"driver\\": \\"throttle\\", (.*\n)+\}\n'),
    f"info --output=json --image-opts {Q3}": differs(
        HASH_ORDER, stdout=r'\{\n.*\n    "filename": "json:\{\\"driver\\": \\"quorum\\", .*'
        r'\\"children\\": \[(.*\n)+\}\n'),
    f"info {GROUP} --image-opts {THROTTLE},file.driver=qcow,file.file.filename=orphan.qcow": differs(
        INFO_ONLY, status=[0], stdout=r"image: .*\nfile format: throttle\n(.*\n)+", stderr=""),
    f"info {GROUP} --image-opts {THROTTLE},file.driver=qcow,file.file.filename=enc.qcow": differs(
        INFO_ONLY, status=[0], stdout=r"image: .*\nfile format: throttle\n(.*\n)+", stderr=""),
    f"convert -n --target-image-opts s.raw {COMPRESS}empty.qcow": differs(
        "the peer compresses one cluster at a time only, and fails for more", status=[0], stderr="",
        files=["empty.qcow", "s.raw"]),
}

HINTS = [
    ("stderr", r"Its items are children\.0, .*", "a list with holes: what it should be"),
    ("stderr", r"children\.0 has \d+ bytes, children\.\d has \d+\.", "children of different lengths are told"),
]
IO_ADDED_LINES = HINTS + [
    ("stderr", r"It is the node-name of the image or of one of its backing files\.", "what bottom has to be"),
    ("stderr", r"Its limits are bps-total, .*", "an unknown limit names the limits known"),
    ("stderr", r"qemu-io: warning: quorum '#block\d+': child \d \(.*\): .*", "who has lost a vote is reported"),
]
IMG_ADDED_LINES = HINTS[1:] + [
    ("stderr", r"qemu-img: warning: quorum '#block\d+': child \d \(.*\): .*", "who has lost a vote is reported"),
]
