# SPDX-License-Identifier: MIT
"""Where Cairn answers otherwise than the peer on purpose.

DIFFERENCES: key: the case's text. "why" is the reason; the other keys are Cairn's own answer: "status" a
list, "stdout" and "stderr" patterns that must match whole, "files" the names left behind. Each takes
the place of the comparison of that part. "varies": the peer's own files do. A part that no longer differs fails the run, so
that the table stays true.

ADDED_LINES: (part, pattern, reason): whole lines that Cairn adds anywhere; they are left out of the
comparison. One that no case shows fails a full run."""

import differences_copy
import differences_manage

VALIDATES_FIRST = "the peer has destroyed the target before it finds the mistake"
RAW_UNTOUCHED = "the peer allocates the first block of a new raw file; Cairn leaves it a hole"

ADDED_LINES = [
    ("stderr", r"Options of '\w+' here: [\w., -]+", "an unknown option names the options known"),
    ("stderr", r"Its own options are: [\w., -]+\.", "an unknown option names the options known"),
    ("stderr", r"Accepted values: raw, base64", "a refused value names those accepted"),
    ("stderr", r"A secret has: [\w, ]+", "an unknown property names the properties known"),
    ("stderr", r"Known types: [\w, -]+", "an unknown type names the types known"),
    ("stderr", r"'luks' is not known; supported: aes", "a refused format names those supported"),
    ("stderr", r"Did you mean '[\w.-]+'\?", "a misspelt name brings the nearest known one"),
    ("stderr", r"The request at offset \d+ reaches past the end of the image, .*",
     "a request past the end names the limit"),
    ("stderr", r"qemu-img: warning: '.*' (has|gets) \d+ bytes: zeros are added up to .*",
     "padding to a whole sector is said"),
    ("stderr", r"qemu-img: warning: -o size= has no effect: --size .*",
     "an option without effect is warned of"),
    ("stdout", r"  cluster_size=<size>    - Cluster size: 512 to 64k, a power of two",
     "an option of Cairn's own"),
]


def untouched(*files):
    return {"why": VALIDATES_FIRST, "files": sorted(files)}


CHECKS_QCOW = "the peer has no checks for qcow"

DIFFERENCES = {
    "compare z.raw z.raw z.raw -Z": {
        "why": "1 would mean that the images differ", "status": [2]},
    "compare z.raw": {"why": "1 would mean that the images differ", "status": [2]},
    "create -o preallocation=metadata a 64k": untouched(),
    "create -f qcow a 0": untouched(),
    "create -f qcow a 1E": {
        "why": "the peer makes an image that nothing can open", "status": [1],
        "stderr": r"qemu-img: a: Image too large\nThe qcow format holds at most .*\n", "files": []},
    "create -f qcow -b q.qcow a": {
        "why": "the peer forgets the newline of its last line",
        "stderr": r"qemu-img: a: Backing file specified without backing format\n"
                  r"Detected format of qcow\.\n"},
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
    "info two.qcow2": {
        "why": "not built in, and not to be taken for raw", "status": [1], "stdout": "",
        "stderr": r"qemu-img: Could not open 'two\.qcow2': Format 'qcow2' is not supported by"
                  r" this build\n.*"},
    "info --image-opts driver=raw,offset=512,size=4096,file.filename=s.raw": {
        "why": "the peer's order of keys is that of a hash; Cairn's is stable",
        "stdout": r'image: json:\{"driver": "raw", "offset": "512", "size": "4096", "file":'
                  r' \{"driver": "file", "filename": "s\.raw"\}\}\nfile format: raw\n'
                  r'virtual size: 4 KiB \(4096 bytes\)\ndisk size: 140 KiB\n'},
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
    "map -s 2M --output=json z.raw": {
        "why": "the peer prints an entry of length 0", "stdout": r"\[\]\n"},
    "map --output=json e.raw": {
        "why": "the peer prints an entry of length 0", "stdout": r"\[\]\n"},
    "convert -O qcow e.raw a": untouched("e.raw"),
    "convert -t foo s.raw a": untouched("s.raw"),
    "convert -O qcow -o encrypt.format=aes,encrypt.key-secret=s s.raw a": untouched("s.raw"),
    "convert -O qcow -o encrypt.format=aes s.raw a": untouched("s.raw"),
    "convert -c -O qcow s.raw a": {
        "why": "the peer fails without a word though its output is right", "status": [0]},
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
    **differences_copy.DIFFERENCES,
    **differences_manage.DIFFERENCES,
}
