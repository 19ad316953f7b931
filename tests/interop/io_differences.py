# SPDX-License-Identifier: MIT
"""Where cairn-io answers otherwise than the peer on purpose; the form is that of differences.py."""

ADDED_LINES = [
    ("stderr", r"It is the id of a secret with the password: .*", "where the missing key comes from"),
    ("stderr", r"The option '\w+' is neither\.", "an option that nobody knows is named"),
    ("stderr", r"qemu-io: Unexpected argument: .*", "what is one too many is named"),
    ("stderr", r"A command is given by -c 'COMMAND'\.", "the option that is missing is named"),
    ("stderr", r"The image ends at offset \d+ \(.*\)\.", "a range that ends after the image names the limit"),
    ("stderr", r"A compressed write is one cluster, of \d+ bytes here, or the shorter one at the image's end\.",
     "what is wrong with the argument is said"),
    ("stderr", r"Its own options are: [\w., -]+\.", "an unknown option names the options known"),
    ("stderr", r"Did you mean '[\w.-]+'\?", "a misspelt name brings the nearest known one"),
    ("stderr", r"Accepted values: raw, base64", "a refused value names those accepted"),
    ("stderr", r"Accepted values of '[\w.-]+': [\w, -]+", "a refused value names those accepted"),
    ("stderr", r"Known types: [\w, -]+", "an unknown type names the types known"),
]

OWN_WORDS = "help is each tool's own text"
NAMES_ARGUMENT = "sleep names its argument"
AIO_STATUS = "the peer's exit status hides that an asynchronous request failed"
WRITES_OVER_DATA = ("a compressed write on an allocated cluster: the peer puts the deflated bytes into the plain "
                    "cluster, and garbage is read back")
IGNORES_DISCARD = "data is given away only by who asks for it: discard=ignore is the default"

UNKNOWN_OPTION = "an option that the node does not have is named as such, with those that it has"
NOTHING_TO_COPY = "copy-on-read leaves out what no backing file reaches: it reads as zeros in any case"
WHICH_NODE = "says twice what it looked for, as everywhere else; the peer forgets it once here"
NO_NODE = r"qemu-io: Cannot find device='x' nor node-name='x'\n"
FIXED_WINDOW = "the window of a raw disk does not move under its user"

RESULT = r"{} {}/{} bytes at offset {}\n.*; TIME \(RATE\)\n"


def result(verb, count, offset):
    return RESULT.format(verb, count, count, offset)


def differs(why, **own):
    return {"why": why, **own}


def on_q(command):
    return f'-f qcow q.qcow -c "{command}"'


DIFFERENCES = {
    "-c help": differs(NAMES_ARGUMENT, stdout=r"(\w+ .*SUMMARY\n){26}\nUse 'help commandname' for extended help\.\n"),
    "-c ?": differs(NAMES_ARGUMENT, stdout=r"(\w+ .*SUMMARY\n){26}\nUse 'help commandname' for extended help\.\n"),
    "-c 'help read'": differs(OWN_WORDS, stdout=r"read \[.*SUMMARY\n\n( .*\n|\n)+"),
    "-c 'help aio_write'": differs(OWN_WORDS, stdout=r"aio_write \[.*SUMMARY\n\n( .*\n|\n)+"),
    "--image-opts s.raw": differs(
        "a bare first word is a node's name, as in the other tools; the peer takes it for an option that is on",
        stderr=r"qemu-io: can't open: Cannot find device='s.raw' nor node-name='s.raw'\n"
               r"A word alone names a node; the file is file\.filename=s\.raw\n"),
    "--image-opts driver=file,filename=s.raw -c 'read 0 512' -c info": differs(
        "the peer prints the name twice for protocols",
        stdout=result("read", 512, 0) + r"format name: file\ncluster size: 0 bytes\n"
               r"vm state offset: 0 bytes\n"),
    on_q("read -a 0 1"): differs(
        "the peer's usage line names -a, which it then refuses", status=[0], stderr="",
        stdout=result("read", 1, 0)),
    on_q("truncate 1 2"): differs(
        "a word too many is an error, not ignored", stderr="",
        stdout=r"truncate \[-m prealloc_mode\] off -- SUMMARY\n"),
    on_q("truncate -m off"): differs(
        "the peer crashes", status=[1], stdout=r"truncate \[-m prealloc_mode\] off -- SUMMARY\n"),
    on_q("write -c 0 4k"): differs(WRITES_OVER_DATA, files=["q.qcow"]),
    on_q("write -c 512 4k"): differs(
        "the peer stores the data at the cluster's start and says that all is well", status=[1],
        stdout=r"write failed: Invalid argument\n", files=["q.qcow"]),
    '-f qcow oq.qcow -c "write -c -P 3 64k 512"': differs(
        WRITES_OVER_DATA, files=["oq.qcow", "q.qcow"]),
    "-f qcow odd.qcow -c 'write -c -P 1 999424 1k'": differs(WRITES_OVER_DATA, files=["odd.qcow"]),
    "--object secret,id=s,data=abc --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s"
    ' -c "write -c 0 4k"': differs(
        "compressed data would lie there unencrypted", status=[1],
        stdout=r"write failed: Operation not supported\n", files=["enc.qcow"]),
    "--object secret,id=s,data=abc --image-opts driver=qcow,file.filename=q.qcow,encrypt.key-secret=s"
    " -c length": differs(
        "a secret that serves nothing is a mistake that somebody should hear of",
        stderr=r"qemu-io: warning: 'q\.qcow' is not encrypted: the secret 's' is not used\n"),
    '-f raw s.raw -c "discard 0 64k"': differs(IGNORES_DISCARD, files=["s.raw"]),
    "-f raw s.raw -c 'write -P 7 0 64k' -c 'discard 0 64k' -c 'read -P 7 0 64k'": differs(
        IGNORES_DISCARD, status=[0], files=["s.raw"],
        stdout=result("wrote", 65536, 0) + result("discard", 65536, 0) + result("read", 65536, 0)),
    '-f raw u.raw -c "discard 0 512"': differs(IGNORES_DISCARD, files=["u.raw"]),
    "-d unmap -c 'open -o driver=raw s.raw' -c 'discard 0 64k' -c map": differs(
        IGNORES_DISCARD + ", of \"open\" too, which has a -d of its own", files=["s.raw"]),
    "-f qcow q.qcow -c 'aio_read 2M 4k'": differs(AIO_STATUS, status=[1]),
    "-f qcow q.qcow -c 'aio_write 2M 4k' -c aio_flush": differs(AIO_STATUS, status=[1]),
    "-f qcow q.qcow -c 'aio_read -P 7 0 4k' -c aio_flush -c length": differs(AIO_STATUS, status=[1]),
    on_q("aio_write -z 0 3G"): differs(AIO_STATUS, status=[1]),
    "-c 'open -o bogus=1 s.raw'": differs(
        "nothing is opened, so nothing is guessed and warned of",
        stderr=r"qemu-io: can't open device s.raw: Block format 'raw' does not support the option 'bogus'\n"
               r"Its own options are: .*\n"),
    "-c 'open -r -o read-only=off,driver=raw s.raw' -c 'write 0 1'": differs(
        "-r is the last word", status=[1], stdout="", stderr=r"qemu-io: Block node is read-only\n",
        files=["s.raw"]),
    "-c 'help reopen'": differs(OWN_WORDS, stdout=r"reopen \[.*SUMMARY\n\n( .*\n|\n)+"),
    "-k -n -f raw s.raw -c 'reopen -c writeback' -c 'read 0 512'": differs(
        "aio=native is refused without cache.direct=on at reopening as at opening; the peer forgets to ask",
        status=[1], stderr=r"qemu-io: aio=native was specified, but it requires cache\.direct=on, .*\n"),
    "-f raw s.raw -c 'reopen -o foo=1'": differs(
        UNKNOWN_OPTION, stderr=r"qemu-io: Block format 'raw' does not support the option 'foo'\n"
                               r"Its own options are: .*\n"),
    "-f raw s.raw -c 'reopen -o a=1 -o b=2'": differs(
        UNKNOWN_OPTION, stderr=r"qemu-io: Block format 'raw' does not support the option 'a'\n"
                               r"Its own options are: .*\n"),
    "-f raw s.raw -c 'reopen -c writeback -o cache.writeback=on'": differs(
        UNKNOWN_OPTION, stderr=r"qemu-io: Block format 'raw' does not support the option 'cache\.writeback'\n"
                               r"Its own options are: .*\n"),
    "-f raw s.raw -c 'reopen -o read-only=on' -c 'write -P 1 0 1'": differs(
        "means what -r does; the peer says which node it cannot change under its user", stdout="",
        stderr=r"qemu-io: Block node is read-only\n", files=["s.raw"]),
    "-f raw s.raw -c 'reopen -o detect-zeroes=unmap' -c 'write -P 0 0 64k'": differs(
        IGNORES_DISCARD, status=[1],
        stderr=r"qemu-io: setting detect-zeroes to unmap is not allowed without setting discard operation to "
               r"unmap\n"),
    "-f raw s.raw -c 'reopen -o offset=512' -c length -c 'read 1047552 512'": differs(
        FIXED_WINDOW, status=[1], stdout=r"1 MiB\n" + result("read", 512, 1047552),
        stderr=r"qemu-io: Cannot change the option 'offset'\n"),
    "-f raw s.raw -c 'reopen -o offset=2M' -c length": differs(
        FIXED_WINDOW, stderr=r"qemu-io: Cannot change the option 'offset'\n"),
    "-f raw s.raw -c 'reopen -o size=512' -c length -c 'read 512 1'": differs(
        FIXED_WINDOW, stdout=r"1 MiB\n" + result("read", 1, 512),
        stderr=r"qemu-io: Cannot change the option 'size'\n"),
    "-f raw s.raw -c 'reopen -o ,'": differs(
        "an option without a name is none", stderr=r"qemu-io: Invalid option list: ,\n"),
    "-s -f raw s.raw -c info": differs(
        "the temporary overlay is a qcow, and the peer's a qcow2",
        stdout=r"format name: qcow\ncluster size: 64 KiB\nvm state offset: 0 bytes\n"),
    "-s -f qcow q.qcow -c 'discard 0 64k' -c 'read 0 64k' -c map": differs(
        IGNORES_DISCARD, stdout=result("discard", 65536, 0) + result("read", 65536, 0)
        + r"1 MiB \(0x100000\) bytes not allocated at offset 0 bytes \(0x0\)\n"),
    "-s -f raw e.raw -c length": differs(
        "the smallest qcow has a sector", status=[1], stdout="",
        stderr=r"qemu-io: can't open device e\.raw: Could not create temporary overlay: Image size is too small, "
               r"cannot be zero length\n"),
    "-s --image-opts driver=qcow,read-only=on,file.filename=q.qcow -c 'write -P 1 0 512'": differs(
        "the overlay can be written although the image cannot", status=[0], stderr="",
        stdout=result("wrote", 512, 0)),
    "-s -f raw s.raw -c 'reopen -r' -c 'write 0 1' -c 'reopen -w' -c 'write 0 1'": differs(
        "the peer has lost its temporary file's name", stdout=result("wrote", 1, 0),
        stderr=r"qemu-io: Block node is read-only\n"),
    "-f raw s.raw -c 'reopen -o file=x'": differs(WHICH_NODE, stderr=NO_NODE),
    "-f qcow o.qcow -c 'reopen -o backing=x'": differs(WHICH_NODE, stderr=NO_NODE),
    "-f qcow q.qcow -c 'reopen -o backing=x'": differs(WHICH_NODE, stderr=NO_NODE),
    "-c 'open s.raw' -c close -c 'open s.raw' -c length": differs(
        "a warning is given once", stderr=r"WARNING: Image format [^\n]*\n {9}[^\n]*\n {9}[^\n]*\n"),
    "-C -f qcow grown.qcow -c 'read 1000k 48k' -c 'read -P 0 1100k 4k' -c map": differs(
        NOTHING_TO_COPY,
        stdout=result("read", 49152, 1024000) + result("read", 4096, 1126400)
        + r"1000 KiB \(0xfa000\) bytes not allocated at offset 0 bytes \(0x0\)\n"
          r"24 KiB \(0x6000\) bytes     allocated at offset 1000 KiB \(0xfa000\)\n"
          r"476 KiB \(0x77000\) bytes not allocated at offset 1 MiB \(0x100000\)\n"
          r"4 KiB \(0x1000\) bytes     allocated at offset 1\.465 MiB \(0x177000\)\n"
          r"544 KiB \(0x88000\) bytes not allocated at offset 1\.469 MiB \(0x178000\)\n"),
    "-C -f qcow q.qcow -c 'read 0 1M' -c map": differs(
        NOTHING_TO_COPY,
        stdout=result("read", 1048576, 0) + r"64 KiB \(0x10000\) bytes     allocated at offset 0 .*not allocated.*"),
    "-C --image-opts driver=qcow,read-only=on,file.filename=o.qcow -c 'read 0 64k'": differs(
        "the image is opened before anything is put above it",
        stderr=r"qemu-io: can't open: Block node is read-only\n"),
    "-C -f qcow o.qcow -c 'reopen -r' -c 'read 0 512' -c 'write -P 1 64k 100' -c map": differs(
        "the same words as at opening, and no node's number",
        stderr=r"qemu-io: Can't use copy-on-read on read-only device\n"),
    "-f raw blkdebug::s.raw -c 'break pwritev A' -c 'aio_write -P 1 0 512' -c 'wait_break A' -c 'remove_break A'": differs(
        "the peer lets the request go on, and says that there was none", status=[0],
        stdout=r"blkdebug: Suspended request 'A'\nblkdebug: Resuming request 'A'\n" + result("wrote", 512, 0)),
}
