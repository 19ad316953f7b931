# SPDX-License-Identifier: MIT
"""Where Cairn answers otherwise than the peer on purpose.

DIFFERENCES: key: the case's text. "why" is the reason; the other keys are Cairn's own answer: "status" a
list, "stdout" and "stderr" patterns that must match whole, "files" the names left behind. Each takes
the place of the comparison of that part. "varies": the peer's own files do. A part that no longer differs fails the run, so
that the table stays true.

ADDED_LINES: (part, pattern, reason): whole lines that Cairn adds anywhere; they are left out of the
comparison. One that no case shows fails a full run."""

import cases_secrets
import differences_copy
import differences_graph
import differences_manage
import differences_options

VALIDATES_FIRST = "the peer has destroyed the target before it finds the mistake"
NO_BACKING_FORMAT = (r"qemu-img: a: Backing file specified without backing format\n"
                     r"Detected format of ")
NO_PLAIN_PATH = r"qemu-img: warning: The backing file name '.*' is no plain path: .*\n"
RAW_UNTOUCHED = "the peer allocates the first block of a new raw file; Cairn leaves it a hole"

ADDED_LINES = [
    ("stderr", r"This process itself has it open already\.", "there is no other process to look for"),
    ("stderr", r"It is the id of a secret with the password: .*", "where the missing key comes from"),
    ("stderr", r"The file of that name is \./\S+", "a colon that was meant for a file's name"),
    ("stderr", r"The option '\w+' is neither\.", "an option that nobody knows is named"),
    ("stderr", r"A word alone names a node; the file is file\.filename=\S+", "how a file is named"),
    ("stderr", r"Options of '\w+' here: [\w., -]+", "an unknown option names the options known"),
    ("stderr", r"Its own options are: [\w., -]+\.", "an unknown option names the options known"),
    ("stderr", r"Accepted values: raw, base64", "a refused value names those accepted"),
    ("stderr", r"Accepted values of '[\w.-]+': [\w, -]+", "a refused value names those accepted"),
    ("stderr", r"A secret has: [\w, ]+", "an unknown property names the properties known"),
    ("stderr", r"Known types: [\w, -]+", "an unknown type names the types known"),
    ("stderr", r"'(luks|foo|)' is not known; supported: aes", "a refused format names those supported"),
    ("stderr", r"Did you mean '[\w.-]+'\?", "a misspelt name brings the nearest known one"),
    ("stderr", r"Formats of new images: qcow, raw", "an unknown format names those known"),
    ("stderr", r"Operands: if=INPUT of=OUTPUT .*", "dd names its operands"),
    ("stderr", r"An overlay that takes the writes keeps .* create -f qcow -b FILE -F \w+ NEWFILE",
     "what does the work of a snapshot is named"),
    ("stderr", r"Name it: -F FORMAT.*\.", "the option that is missing is named"),
    ("stderr", r"The target is the source itself, or a backing file of it\.",
     "the lock's own question would lead astray"),
    ("stderr", r"Options of '\w+' stand after its name\.", "an option before its command"),
    ("stderr", r"The file name stands before the size: \S+ \S+", "a name and a size that are swapped"),
    ("stderr", r"The request at offset \d+ reaches past the end of the image, .*",
     "a request past the end names the limit"),
    ("stderr", r"qemu-img: warning: '.*' (has|gets) \d+ bytes: zeros are added up to .*",
     "padding to a whole sector is said"),
    ("stderr", r"qemu-img: warning: -o size= has no effect: --size .*",
     "an option without effect is warned of"),
    ("stdout", r"  cluster_size=<size>    - Cluster size: 512 to 64k, a power of two",
     "an option of Cairn's own"),
]


CHECKS_QCOW = "the peer has no checks for qcow"


def untouched(*files):
    return {"why": VALIDATES_FIRST, "files": sorted(files)}


def compressed():
    return {"why": "the peer fails without a word though its output is right", "status": [0]}


def wrong_arguments():
    return {"why": "1 would mean that the images differ", "status": [2]}


def empty_map():
    return {"why": "the peer prints an entry of length 0", "stdout": r"\[\]\n"}


def checked(status, stdout, stderr=""):
    return {"why": CHECKS_QCOW, "status": [status], "stdout": stdout, "stderr": stderr}


def prints_newline(text):
    return {"why": "the peer forgets the newline of its last line",
            "stderr": text + r"If that is right, name it: -F \w+ \(backing_fmt=\w+\)\.\n"}


DIFFERENCES = {
    "-T foo info z.raw": {"why": "there are no trace events to know", "stderr": ""},
    "--trace foo info z.raw": {"why": "there are no trace events to know", "stderr": ""},
    "compare z.raw z.raw z.raw -Z": wrong_arguments(),
    "compare z.raw": wrong_arguments(),
    "compare": wrong_arguments(),
    "compare s.raw": wrong_arguments(),
    "compare s.raw s.raw s.raw": wrong_arguments(),
    "compare -t none s.raw s.raw": wrong_arguments(),
    "compare -Z a b": wrong_arguments(),
    "compare -f": wrong_arguments(),
    "create -o preallocation=metadata a 64k": untouched(),
    "create -f qcow a 0": untouched(),
    "create -f qcow a 1E": {
        "why": "the peer makes an image that nothing can open", "status": [1],
        "stderr": r"qemu-img: a: Image too large\nThe qcow format holds at most .*\n", "files": []},
    "create -f qcow -b q.qcow a": prints_newline(NO_BACKING_FORMAT + r"qcow\.\n"),
    "create -f qcow -b s.raw a": prints_newline(NO_BACKING_FORMAT + r"raw\.\n"),
    "create -f qcow -o backing_file=s.raw a": prints_newline(NO_BACKING_FORMAT + r"raw\.\n"),
    "create -f qcow -b ./s.raw -F raw s.raw 1M": {
        "why": "the peer compares names, and overwrites the backing file", "status": [1],
        "stdout": "", "files": ["s.raw"],
        "stderr": r"qemu-img: s\.raw: Error: Trying to create an image with the same .*\n"},
    "create -f qcow -b enc.qcow -F qcow a": {
        "why": "the same but for the recorded format; it cannot be compared without the key",
        "files": ["a", "enc.qcow"]},
    "create -f qcow -b e.raw -F raw a": untouched("e.raw"),
    "create -f qcow -o encrypt.format=foo a 1M": untouched(),
    "create -f qcow -o encrypt.format= a 1M": untouched(),
    "create -f qcow -o encrypt.format=aes,encrypt.key-secret= a 1M": untouched(),
    "create -f qcow -o preallocation=metadata a 1M": untouched(),
    "create -f qcow -b file:s.raw -F raw a ;; info a": {
        "why": "a name that will not be followed is warned of; the format is recorded",
        "stdout": r"(.*\n)+backing file: file:s\.raw\nbacking file format: raw\n",
        "stderr": NO_PLAIN_PATH},
    "create -f qcow -b 'json:{\"driver\":\"raw\",\"file.filename\":\"s.raw\"}' -F raw a": {
        "why": "a name that will not be followed is warned of", "stderr": NO_PLAIN_PATH},
    "create -f qcow -o encryption=on a 1M": untouched(),
    "create -f qcow -o encrypt.format=aes a 1M": untouched(),
    "create -f qcow -o encrypt.format=luks a 1M": untouched(),
    "create -f qcow -o encrypt.key-secret=s a 1M": untouched(),
    "create -f qcow -o encrypt.format=aes,encrypt.key-secret=nope a 1M": untouched(),
    "create a 1M ;; create a 2M ;; info a": {
        "why": RAW_UNTOUCHED, "stdout": r"(.*\n)+disk size: 0 B\n"},
    "create -f qcow -b s.raw -F raw a ;; info a": {
        "why": "Cairn records the backing format and prints it",
        "stdout": r"(.*\n)+backing file: s\.raw\nbacking file format: raw\n"},
    "create -f qcow -b odd.raw -F raw a ;; info a": {
        "why": "Cairn records the backing format and prints it",
        "stdout": r"(.*\n)+backing file: odd\.raw\nbacking file format: raw\n"},
    "info two.qcow2": {
        "why": "not built in, and not to be taken for raw", "status": [1], "stdout": "",
        "stderr": r"qemu-img: Could not open 'two\.qcow2': Format 'qcow2' is not supported by"
                  r" this build\n.*"},
    "check q.qcow": {
        "why": CHECKS_QCOW, "status": [0], "stderr": "",
        "stdout": r"No errors were found on the image\.\n\d+/256 = \d+\.\d\d% allocated, "
                  r"\d+\.\d\d% fragmented, 0\.00% compressed clusters\nImage end offset: \d+\n"},
    "check c.qcow": {
        "why": CHECKS_QCOW, "status": [0], "stderr": "",
        "stdout": r"No errors were found on the image\.\n\d+/256 = \d+\.\d\d% allocated, "
                  r"\d+\.\d\d% fragmented, \d+\.\d\d% compressed clusters\n"
                  r"Image end offset: \d+\n"},
    "check --output=json q.qcow": {
        "why": CHECKS_QCOW, "status": [0], "stderr": "",
        "stdout": r'\{\n    "image-end-offset": \d+,\n    "total-clusters": 256,\n'
                  r'    "check-errors": 0,\n    "allocated-clusters": \d+,\n'
                  r'    "filename": "q\.qcow",\n    "format": "qcow"(,\n'
                  r'    "fragmented-clusters": \d+)?\n\}\n'},
    "check -q q.qcow": {"why": CHECKS_QCOW, "status": [0], "stderr": ""},
    "check o.qcow": {
        "why": CHECKS_QCOW, "status": [0], "stderr": "",
        "stdout": r"No errors were found on the image\.\n(.*\n)+"},
    "check corrupt.qcow": checked(
        2, r"\n1 errors were found on the image\.\nData may be corrupted, .*\n(.*\n){2}",
        r"ERROR: the stream at offset 0x\w+ does not give the cluster at guest offset 0xb0000\n"),
    "check empty.qcow": checked(
        0, r"No errors were found on the image\.\nImage end offset: \d+\n"),
    "check oq.qcow": checked(0, r"No errors were found on the image\.\n(.*\n)+"),
    "check l5.qcow": checked(0, r"No errors were found on the image\.\n(.*\n)+"),
    "map -s 2M --output=json z.raw": empty_map(),
    "map --output=json e.raw": empty_map(),
    "map --output=json /dev/zero": empty_map(),
    "map --output=json -s 1M s.raw": empty_map(),
    "map --output=json --start-offset=0 --max-length=0 s.raw": empty_map(),
    "convert -O qcow e.raw a": untouched("e.raw"),
    "convert -t foo s.raw a": untouched("s.raw"),
    "convert -O qcow -o encrypt.format=aes,encrypt.key-secret=s s.raw a": untouched("s.raw"),
    "convert -O qcow -o encrypt.format=aes s.raw a": untouched("s.raw"),
    "convert -c -O qcow s.raw a": compressed(),
    "convert -c -S 64k -O qcow s.raw a": compressed(),
    "convert -c -S 0 -O qcow s.raw a": compressed(),
    "convert -c -m 1 -O qcow s.raw a": compressed(),
    "convert -c -O qcow z.raw a": compressed(),
    "convert -c -O qcow odd.raw a": compressed(),
    "convert -c -n -O qcow s.raw empty.qcow": compressed(),
    "convert -c -n --target-image-opts s.raw driver=qcow,file.filename=empty.qcow": compressed(),
    "convert -B s.raw -F raw -O qcow -c o.qcow a": compressed(),
    "convert -c -O qcow s.raw odd.raw a": compressed(),
    "convert --salvage -c -O qcow corrupt.qcow a": compressed(),
    "convert -c -W -O qcow s.raw a": {
        "why": "the peer's output is corrupt, or not, as it happens", "status": [0],
        "files": ["a", "s.raw"], "varies": True},
    "convert corrupt.qcow a": {
        "why": "the peer leaves a part of the image that looks whole",
        "files": ["corrupt.qcow"]},
    "convert -O qcow -o size=3M s.raw a": {
        "why": "an option without effect is warned of",
        "stderr": r"qemu-img: warning: -o size= has no effect: .*\n"},
    "convert -O qcow -F raw s.raw a": {
        "why": "an option without effect is warned of",
        "stderr": r"qemu-img: warning: -F has no effect without a backing file\n"},
    "convert -O qcow -B nope.raw -F raw s.raw a": untouched("s.raw"),
    "convert -B nope -F raw -O qcow o.qcow a": untouched("o.qcow", "s.raw"),
    "convert -o preallocation=metadata s.raw a": untouched("s.raw"),
    "convert -O qcow -o encryption=on s.raw a": untouched("s.raw"),
    "convert -O qcow --object secret,id=s,data=abc -o encrypt.format=luks,encrypt.key-secret=s"
    " s.raw a": untouched("s.raw"),
    "convert -O qcow -o encrypt.key-secret=s s.raw a": untouched("s.raw"),
    "convert -n -o help s.raw a": {
        "why": "help is help, wherever it stands", "status": [0], "stderr": "",
        "stdout": r"Supported options:\n(  \w.*\n)+"},
    "convert -B s.raw -F qcow -O qcow o.qcow a": {
        "why": "Cairn records the format, so a wrong one would make an image that does not open",
        "status": [1], "files": ["o.qcow", "s.raw"],
        "stderr": r"qemu-img: Could not open 'a': Could not open backing file: "
                  r"Image not in qcow format\n"},
    "convert -B '' -F raw -O qcow o.qcow a": {
        "why": "the peer crashes", "status": [1], "files": ["o.qcow", "s.raw"],
        "stderr": r"qemu-img: Expected backing file name, got empty string\n"},
    "convert -B s.raw -F raw -O qcow o.qcow s.raw": {
        "why": "the target is known to be the backing file before it is touched",
        "stderr": r"qemu-img: Error: Trying to create an image with the same .*\n"},
    "convert -o size=1k s.raw a": {
        "why": "an option without effect is warned of",
        "stderr": r"qemu-img: warning: -o size= has no effect: .*\n"},
    **differences_copy.DIFFERENCES,
    **differences_graph.DIFFERENCES,
    **differences_manage.DIFFERENCES,
    **differences_options.DIFFERENCES,
    **cases_secrets.DIFFERENCES,
}
