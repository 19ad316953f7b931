# SPDX-License-Identifier: MIT
"""What both tools make of the testing drivers: null-co, null-aio, blkdebug, blklogwrites,
blkverify. The form of the cases
is that of compare.py, that of the differences of differences.py."""

DISK = "driver=raw,file.driver=blkdebug,file.image.filename=s.raw"
UNMAP = DISK + ",discard=unmap,file.discard=unmap,file.image.discard=unmap"
CHECK = ("driver=blkverify,raw.filename=z.raw,test.driver=blkdebug,test.image.driver=null-co,test.image.size=256k,"
         "test.image.read-zeroes=on")
NULL = "driver=null-co,size=1M"
LOGGED = "driver=blklogwrites,file.driver=file,file.filename=z.raw,log.driver=file,log.filename="

READ, WRITE, ZEROES = "'read 0 512'", "'write 0 512'", "'write -z 0 4k'"


def rules(kind, *texts, prefix="file."):
    """Options: rules("inject-error", "event=none errno=5", ...) numbers them."""
    return "".join(f",{prefix}{kind}.{number}.{option}" for number, text in enumerate(texts)
                   for option in text.split())


def inject(*texts, prefix="file."):
    return rules("inject-error", *texts, prefix=prefix)


def states(*texts):
    return rules("set-state", *texts)


def io(options, *commands, flags=""):
    words = " ".join("-c " + command for command in commands)
    return f"{flags} --image-opts {options} {words}".strip()


def nul_cases():
    yield io(NULL, READ, WRITE, "'write -f 0 4k'", ZEROES, "'write -zu 0 4k'", "'write -zn 0 4k'", "'discard 0 4k'",
             "flush", "length")
    yield io(NULL, "'write 1M 512'", "'write -c 0 4k'", "map", "'alloc 0 4k'", "'read 1 3'", "'truncate 2M'", "length")
    yield io(NULL + ",read-zeroes=on", "'write -P 3 0 4k'", "'read -P 0 0 4k'", "map")
    yield io("driver=raw,file.driver=null-aio,file.latency-ns=1000", READ, WRITE, "'aio_write 0 4k'", "aio_flush")
    yield io("driver=null-co,size=1000", "length", "'read 999 1'", "'read 1023 1'", "'write 1000 24'", "'read 1024 1'")
    yield io("driver=null-co,latency-ns=-1", "length")
    yield "-r -f raw null-co:// -c length -c 'write 0 1'"
    yield "-f raw null-co: -c length"
    yield "-f raw null-aio://x -c length"
    yield "-f raw null-co:// -c info"


def type_cases():
    for iotype in ("read", "write", "write-zeroes"):
        yield io(DISK + inject(f"event=none iotype={iotype} errno=28"), READ, WRITE, ZEROES, "flush", "'alloc 0 1M'",
                 "'truncate 1M'", "length")
    yield io(UNMAP + inject("event=none iotype=discard"), READ, "'discard 0 64k'", "'write -zu 0 64k'")
    yield io(DISK + inject("event=none iotype=block-status"), READ, "'alloc 0 1M'", "map")
    yield io(DISK + inject("event=none iotype=flush"), WRITE, "flush", flags="-t writeback")
    yield io(DISK + inject("event=none iotype=flush"), WRITE, "flush", flags="-t unsafe")
    yield io(DISK + inject("event=none"), READ, WRITE, ZEROES, "'alloc 0 1M'", "'truncate 1M'")
    yield io(DISK + inject("event=none immediately=on"), READ, "'aio_read 0 512'", "aio_flush")
    yield io(DISK + inject("event=pwritev_done"), WRITE, READ, flags="-t unsafe")


def rule_cases():
    quiet = "-t unsafe"     # the flush at the end does not meet a rule
    yield io(DISK + inject("event=none sector=3"), "'read 0 1536'", "'read 1536 512'", "'read 2048 512'", "'read 0 4k'",
             "'read 1535 2'", "'read 1535 1'", "'write 0 4k'", ZEROES, flags=quiet)
    yield io(DISK + inject("event=none sector=3 once=on"), "'read 0 512'", "'read 0 4k'", "'read 0 4k'")
    yield io(DISK + inject("event=write_aio"), READ, WRITE, READ, WRITE, flags=quiet)
    yield io(DISK + inject("event=write_aio once=on"), WRITE, WRITE, READ, flags=quiet)
    yield io(DISK + inject("event=write_aio once=on errno=28", "event=write_aio once=on errno=5"), WRITE, WRITE, WRITE)
    yield io(DISK + inject("event=write_aio errno=0", "event=write_aio errno=5"), WRITE, WRITE)
    yield io(DISK + inject("event=none errno=28", "event=write_aio errno=5 once=on"), READ, WRITE, READ, flags=quiet)
    yield io(DISK + inject("event=write_aio errno=5", "event=read_aio errno=28 state=7"), WRITE, READ, flags=quiet)
    yield io(DISK + inject("event=write_aio errno=28", "event=pwritev errno=5"), WRITE, READ, flags=quiet)
    yield io(DISK + states("event=write_aio state=1 new_state=2", "event=write_aio state=2 new_state=3")
             + inject("event=write_aio state=3"), WRITE, WRITE, WRITE, WRITE, flags=quiet)
    yield io(DISK + states("event=write_aio new_state=2", "event=write_aio new_state=3")
             + inject("event=read_aio state=2 errno=2", "event=read_aio state=3 errno=3"), WRITE, READ, flags=quiet)
    yield io(DISK + states("event=write_aio new_state=2") + inject("event=none state=2"), WRITE, WRITE, READ)


def event_cases():
    """Each event makes the next read fail: so the write before it had that event."""
    for event in ("pwritev", "pwritev_zero", "pwritev_done", "pwritev_rmw_head", "pwritev_rmw_after_head",
                  "pwritev_rmw_tail", "pwritev_rmw_after_tail", "write_aio", "flush_to_os", "flush_to_disk"):
        for command in ("write 0 512", "write 1 3", "write 1 511", "write 0 3", "write 1 1022", "write -z 0 4k",
                        "write -z 1 3", "write -z 1 8k"):
            yield io(DISK + ",file.align=512" + inject(f"event={event} iotype=write errno=28"),
                     f"'{command}'", "'write 4k 512'", flags="-t unsafe")


def limit_cases():
    for options in ("align=0", "align=3", "align=513", "align=2147483648", "align=x", "align=-1",
                    "max-transfer=1k,file.align=4k", "max-transfer=2147483647", "opt-write-zero=3G", "opt-write-zero=1k,file.align=4096",
                    "max-write-zero=64k,file.opt-write-zero=128k", "max-write-zero=100k,file.opt-write-zero=64k",
                    "max-discard=8E", "opt-discard=64k,file.max-discard=192k"):
        yield io(f"{DISK},file.{options}", "length")
    yield io(DISK + ",file.max-transfer=4k" + inject("event=none iotype=write sector=8"), "'write 0 4k'",
             "'write 0 64k'")
    for iotype in ("write", "write-zeroes"):
        yield io(DISK + ",file.opt-write-zero=64k" + inject(f"event=none iotype={iotype}"), ZEROES, "'write -z 0 64k'",
                 "'write -z 4k 128k'", "'write -z 64k 100k'")
    yield io("driver=blkdebug,image.filename=s.raw", "'truncate 2M'", "length", "'truncate 1M'")


def option_cases():
    for text in ("event=foo", "event=none iotype=foo", "event=none errno=x", "event=none once=x", "event=none bogus=1",
                 "errno=5", "event=none errno=-5", "event=none sector=-2"):
        yield io(DISK + inject(text), WRITE)
    for options in (",file.inject-error.1.event=none", ",file.inject-error=none", ",file.inject_error.0.event=none",
                    ",file.config=", ",file.config=nope", ",file.bogus=1", ",file.take-child-perms.0=foo",
                    ",file.take-child-perms=write", ",file.set-state.0.new_state=1"):
        yield io(DISK + options, WRITE)
    yield io(DISK + ",file.take-child-perms.0=write", WRITE)
    yield io(DISK + ",file.take-child-perms.0=write", "length", flags="-r")
    yield io(DISK + ",file.unshare-child-perms.0=resize", WRITE)
    yield io(DISK + ",file.config=rules.cfg" + inject("event=none errno=5"), WRITE, WRITE, flags="-t unsafe")
    yield "-t unsafe -f raw blkdebug:rules.cfg:s.raw -c 'write 0 512' -c 'read 0 512' -c 'write 0 512'"
    yield "-f raw blkdebug:bad-event.cfg:s.raw -c length"
    yield "-f raw blkdebug:bad-name.cfg:s.raw -c length"
    yield "-f raw blkdebug:no-event.cfg:s.raw -c length"
    yield "-f raw blkdebug:no-group.cfg:s.raw -c length"
    yield "-f raw blkdebug:nope:s.raw -c length"
    yield "-f raw blkdebug:.:s.raw -c length"
    yield "-f raw blkdebug:s.raw -c length"
    yield "-f raw blkdebug: -c length"
    yield "-f raw blkdebug:: -c length"
    yield "-f raw blkdebug::: -c length"
    yield "-f raw blkdebug::nope -c length"


def verify_cases():
    yield ("-f raw blkverify:s1m.raw:empty.qcow -c 'write -P 1 0 4k' -c 'read -P 1 0 4k' -c 'write -P 3 1 3'"
           " -c 'read -P 3 1 3' -c flush -c map")
    yield "-f raw blkverify:z.raw:same256.raw -c 'discard 4k 4k' -c 'write -c 0 64k' -c 'read 0 64k'"
    yield "-r -f raw blkverify:full.raw:z.raw -c 'read 512 512'"
    yield "-r -f raw blkverify:full.raw:z.raw -c 'read 700 5000' -c length"
    yield io(CHECK + inject("event=none iotype=write", prefix="test."), WRITE)
    yield io(CHECK + inject("event=none iotype=read", prefix="test."), WRITE, READ)
    yield "-r -f raw blkverify:z.raw:z.raw -c 'write 0 512' -c length"
    yield "-f raw blkverify:z.raw -c length"
    yield "-f raw blkverify: -c length"
    yield "-f raw blkverify::z.raw -c length"
    yield "-f raw blkverify:nope:z.raw -c length"
    yield "-f raw blkverify:z.raw:nope -c length"
    yield "-r -f raw blkverify:z.raw:s.raw -c length"


def log_cases():
    """The logs are compared byte for byte."""
    late = "-t writeback -d unmap"
    log = LOGGED + "e.raw"
    yield io(log, WRITE, "'write -P 3 32k 1k'", ZEROES, "'write -zu 8k 4k'", "'discard 16k 4k'", "flush", flags=late)
    yield io(log, "'write -P 3 32k 1k'", "'write 1 3'", "'write -z 700 3'", "'read 0 4k'",
             "length", flags=late)
    yield io(log, WRITE, "'truncate 512k'", "'write 300k 4k'", "length", flags=late)
    yield io(log + ",log-super-update-interval=2", WRITE, WRITE, WRITE, flags=late)
    yield io(log + ",log-append=on", WRITE, "flush", WRITE, flags=late)
    yield io(log, WRITE, "'discard 0 4k'", flags=late) + " ;; " + io(log + ",log-append=on", WRITE, ZEROES, flags=late)
    yield io(log, WRITE, WRITE, flags=late) + " ;; " + io(log, ZEROES, flags=late)
    yield io(log + ",log-sector-size=4k", "'write 4k 8k'", "'discard 64k 4k'", flags=late)
    yield io("driver=qcow,file." + LOGGED.replace(",", ",file.").replace("z.raw", "empty.qcow") + "e.raw", "'read 0 4k'",
             flags="-r")
    yield io(log, "'read 0 4k'", flags="-r")
    yield io("driver=blklogwrites", "length")
    yield io("driver=blklogwrites,file.driver=file,file.filename=z.raw", "length")
    yield io(LOGGED + "nope", "length")
    yield io(LOGGED + "s.raw,log-append=on", "length")
    for option in ("log-sector-size=0", "log-sector-size=513", "log-sector-size=16M", "log-sector-size=x",
                   "log-super-update-interval=0", "log-super-update-interval=x", "log-append=x", "bogus=1",
                   "log-append=on,log-sector-size=512"):
        yield io(f"{log},{option}", "length")


IO_GROUPS = {
    "null": nul_cases, "blkdebug types": type_cases, "blkdebug rules": rule_cases, "blkdebug events": event_cases,
    "blkdebug limits": limit_cases, "blkdebug options": option_cases, "blkverify": verify_cases,
    "blklogwrites": log_cases,
}

FAULTY = DISK + inject("event=none iotype=read sector=100")

IMG = f"""
info null-co://
info --output=json null-co://
info null-aio://
info null-co:foo
info -f null-co null-co://
info -f null-co s.raw
info --image-opts driver=null-co
info --image-opts driver=null-co,size=0
info --image-opts driver=raw,file.driver=null-co
info --image-opts file.driver=null-aio,file.latency-ns=5
info --image-opts driver=null-co,size=9223372036854775807
info --image-opts driver=null-co,size=8E
info --image-opts driver=null-co,filename=null-co://
map null-co://
map --output=json null-co://
map --output=json --image-opts {NULL},read-zeroes=on
map --output=json --image-opts driver=raw,file.{NULL.replace(",", ",file.")}
map --output=json --image-opts driver=null-co,size=1000
compare --image-opts driver=null-co,read-zeroes=on driver=null-aio,read-zeroes=on
check null-co://
create -f raw null-co:// 1M
create -f null-co a 1M
create -f qcow null-co:// 1M
convert s.raw null-co://
convert -n -O raw s.raw null-co://
convert --image-opts -O raw {NULL},read-zeroes=on a
info blkdebug::s.raw
info --output=json blkdebug::s.raw
info -f blkdebug blkdebug::s.raw
info -f blkdebug q.qcow
info blkdebug::q.qcow
info blkdebug:rules.cfg:q.qcow
info blkdebug::file:s.raw
info blkdebug::null-co://
info blkdebug::blkdebug::s.raw
info blkdebug::o.qcow
info blkdebug::./s.raw
info --image-opts driver=blkdebug
info --image-opts driver=blkdebug,image=x
info --image-opts driver=blkdebug,x-image=s.raw
info --image-opts driver=blkdebug,x-image=s.raw,image.driver=file
info --image-opts driver=blkdebug,x-image=s.raw,image.filename=q.qcow
info --image-opts driver=blkdebug,filename=s.raw
info --image-opts driver=blkdebug,image.driver=qcow,image.file.filename=q.qcow
info --image-opts driver=qcow,file.driver=blkdebug,file.image.filename=q.qcow
info --image-opts driver=blkdebug,node-name=a,x-image=s.raw,image.node-name=a
map --output=json blkdebug::s.raw
map --output=json -f blkdebug blkdebug::s.raw
map --output=json blkdebug::o.qcow
map --output=json --image-opts {DISK + inject("event=none iotype=block-status")}
check -f raw blkdebug::s.raw
create -f raw blkdebug::s.raw 1M
create -f blkdebug blkdebug::s.raw 1M
convert -O qcow blkdebug::s.raw a
convert -f raw -O raw blkdebug::s.raw a
convert -n -O raw s.raw blkdebug::same.raw
convert s.raw blkdebug::a
convert --image-opts -O raw {FAULTY} a
convert --salvage --image-opts -O raw {FAULTY} a
compare --image-opts {FAULTY} driver=raw,file.filename=same.raw
info --image-opts {LOGGED}e.raw
info blkverify:z.raw:z.raw
info --output=json blkverify:s1m.raw:empty.qcow
info -f blkverify blkverify:z.raw:z.raw
info blkverify:full.raw:z.raw
info blkverify:z.raw:s.raw
info --image-opts driver=blkverify
info --image-opts driver=blkverify,raw.filename=z.raw
info --image-opts driver=blkverify,raw.filename=z.raw,test.filename=z.raw
info --image-opts driver=blkverify,x-raw=z.raw,x-image=z.raw
info --image-opts driver=blkverify,raw.filename=z.raw,test.driver=raw,test.file.filename=z.raw
map --output=json blkverify:s1m.raw:empty.qcow
create -f raw blkverify:z.raw:z.raw 1M
"""


def io_cases():
    for group, cases in IO_GROUPS.items():
        for text in cases():
            yield group, text


def img_cases():
    for text in IMG.strip().splitlines():
        yield "testing drivers", text


NAMES_OPTION = "the message names the option in full"
NAMES_LINE = "the message names the file and the line"
SENSELESS = "a number that makes no sense is refused"
TELLS_FAILURE = "a failed flush is told, not only counted"
ENDS_ITSELF = "the peer's process ends at the first difference; a library must not"
SAME_LENGTH = "the peer opens sides of different lengths, and may crash on them"
REOPENS = "a name has to open the same node again: this one leaves out the driver"
PRECISE = "the peer names the start of the request"
REFUSED = {"status": [1], "stdout": ""}


def differs(why, **own):
    return {"why": why, **own}


def refused(message):
    return r"qemu-io: can't open(?: device \S+)?: " + message + r"\n"


def on_disk(options):
    return io(DISK + options, WRITE)


LOGS_LENGTH = "the peer's log does not tell of a changed length"

IO_DIFFERENCES = {
    "-f raw null-co:// -c info": differs(
        "a disk without clusters is described as raw files are; the peer fails without a word", status=[0],
        stdout="format name: raw\ncluster size: 0 bytes\nvm state offset: 0 bytes\n"),
    io(LOGGED + "e.raw", WRITE, "'truncate 512k'", "'write 300k 4k'", "length", flags="-t writeback -d unmap"): differs(
        LOGS_LENGTH, files=["e.raw", "z.raw"]),
    io(DISK + inject("event=none iotype=flush"), WRITE, "flush", flags="-t writeback"): differs(
        TELLS_FAILURE, stderr="qemu-io: flush failed: .*\nqemu-io: closing failed: .*\n"),
    io(DISK + inject("event=none"), READ, WRITE, ZEROES, "'alloc 0 1M'", "'truncate 1M'"): differs(
        TELLS_FAILURE, stderr="qemu-io: closing failed: .*\n"),
    on_disk(inject("event=none errno=x")): differs(
        NAMES_OPTION, stderr=refused(r"Parameter 'inject-error\.0\.errno' expects a number")),
    on_disk(inject("event=none once=x")): differs(
        NAMES_OPTION, stderr=refused(r"Parameter 'inject-error\.0\.once' expects 'on' or 'off'")),
    on_disk(inject("event=none bogus=1")): differs(
        NAMES_OPTION,
        stderr=refused(r"Block protocol 'blkdebug' doesn't support the option 'inject-error\.0\.bogus'\n.*")),
    on_disk(inject("errno=5")): differs(
        NAMES_OPTION, stderr=refused(r"Parameter 'inject-error\.0\.event' is missing")),
    on_disk(",file.set-state.0.new_state=1"): differs(
        NAMES_OPTION, stderr=refused(r"Parameter 'set-state\.0\.event' is missing")),
    on_disk(",file.inject-error.1.event=none"): differs(
        NAMES_OPTION, stderr=refused(r"Parameter 'inject-error\.1\.event' is unexpected")),
    on_disk(",file.take-child-perms.0=foo"): differs(
        NAMES_OPTION, stderr=refused("invalid parameter value: foo\nAccepted values of .*")),
    on_disk(inject("event=none errno=-5")): differs(
        SENSELESS, stderr=refused("Parameter 'errno' must be between 0 and 4095"), **REFUSED),
    on_disk(inject("event=none sector=-2")): differs(
        SENSELESS, stderr=refused(r"Parameter 'sector' must be between -1 and \d+"), files=["s.raw"], **REFUSED),
    "-f raw blkdebug:bad-event.cfg:s.raw -c length": differs(
        NAMES_LINE, stderr=refused(r"bad-event\.cfg:2: invalid parameter value: foo")),
    "-f raw blkdebug:bad-name.cfg:s.raw -c length": differs(
        NAMES_LINE, stderr=refused(r"bad-name\.cfg:3: Parameter 'bogus' is unexpected")),
    "-f raw blkdebug:no-event.cfg:s.raw -c length": differs(
        NAMES_LINE, stderr=refused(r"no-event\.cfg:1: Missing event name for rule")),
    "-f raw blkdebug:no-group.cfg:s.raw -c length": differs(
        NAMES_LINE, stderr=refused(r"no-group\.cfg:1: no group defined")),
    "-r -f raw blkverify:full.raw:z.raw -c 'read 512 512'": differs(
        ENDS_ITSELF, stdout="read failed: Input/output error\n"),
    "-r -f raw blkverify:full.raw:z.raw -c 'read 700 5000' -c length": differs(
        ENDS_ITSELF, stdout="read failed: Input/output error\n256 KiB\n"),
    io(CHECK + inject("event=none iotype=write", prefix="test."), WRITE): differs(
        ENDS_ITSELF, stdout="write failed: Input/output error\n"),
    io(CHECK + inject("event=none iotype=read", prefix="test."), WRITE, READ): differs(
        ENDS_ITSELF, stdout="wrote .*\nread failed: Input/output error\n"),
    "-r -f raw blkverify:z.raw:s.raw -c length": differs(
        SAME_LENGTH, stderr=refused("The raw copy has 262144 bytes, the image 1048576"), **REFUSED),
}
for tail_event in ("pwritev_rmw_tail", "pwritev_rmw_after_tail"):
    IO_DIFFERENCES[io(DISK + ",file.align=512" + inject(f"event={tail_event} iotype=write errno=28"), "'write -z 1 8k'",
                      "'write 4k 512'", flags="-t unsafe")] = differs(
        "what has been zeroed of a request that fails is nobody's promise", files=["s.raw"])

IMG_DIFFERENCES = {
    "info --image-opts driver=null-co,size=9223372036854775807": differs(
        SENSELESS, stderr=r"qemu-img: Could not open '\S+': Parameter 'size' must be at most \d+\n"),
    "info --image-opts driver=null-co,size=8E": differs(
        SENSELESS, stderr=r"qemu-img: Could not open '\S+': Parameter 'size' must be at most \d+\n", **REFUSED),
    "map --output=json --image-opts driver=null-co,size=1000": differs(
        "what lies behind the last byte reads as zeros",
        stdout=r'\[\{ "start": 0, "length": 1000, "depth": 0, "present": false, "zero": false, "data": false\},\n'
               r'\{ "start": 1000, "length": 24, "depth": 0, "present": true, "zero": true, .*\}\]\n'),
    "info --image-opts driver=blkdebug,image.driver=qcow,image.file.filename=q.qcow": differs(
        REOPENS, stdout=r'image: json:\{"driver": "blkdebug", "image": \{"driver": "qcow", .*\}\}\}\n.*'),
    "info --image-opts driver=blkverify,raw.filename=z.raw,test.driver=raw,test.file.filename=z.raw": differs(
        REOPENS, stdout=r'image: json:\{"driver": "blkverify", "raw": .*, "test": .*\}\}\}\n.*'),
    f"convert --image-opts -O raw {FAULTY} a": differs(
        PRECISE, stderr="qemu-img: error while reading at byte 51200: Input/output error\n",
        files=["s.raw"]),
    f"compare --image-opts {FAULTY} driver=raw,file.filename=same.raw": differs(
        PRECISE, stderr=r"qemu-img: Error while reading offset 51200 of \S+: Input/output error\n"),
    "info blkverify:full.raw:z.raw": differs(
        ENDS_ITSELF, stderr="blkverify: read .*\nqemu-img: Could not open .*: Input/output error\n"),
    "info blkverify:z.raw:s.raw": differs(
        SAME_LENGTH, stderr="qemu-img: Could not open .*: The raw copy has 262144 bytes, the image 1048576\n"),
}
