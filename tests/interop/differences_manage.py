# SPDX-License-Identifier: MIT
"""Deliberate differences of the commands in cases_manage.py; see differences.py."""

import re

TOO_LARGE = "the peer computes past 2^63, or says that the size must be positive"
TOO_LARGE_TEXT = r"qemu-img: (The new i|I)mage size is too large: .*\n"
HELP_WORKS = "help is help, wherever it stands"
NAMES_OPTION = "the peer names the word after the option, or prints its help and exits with 0"


def option_help(name):
    return {"why": HELP_WORKS, "status": [0], "stderr": "",
            "stdout": rf"Supported {name} options:\n(  \w.*\n)+\n"
                      r"The protocol level may support .*\nSpecify the target .*\n"}


def unknown_option(option):
    return {"why": NAMES_OPTION, "status": [1], "stdout": "",
            "stderr": rf"qemu-img: unrecognized option '{option}'\n"
                      r"Try 'qemu-img --help' for more information\n"}


def no_place_for_bitmap(options, place, name="b"):
    """The text that scripts match, but for the node's name, which the peer makes up at each run."""
    return {f"bitmap {options} {place} {name}": {
        "why": "the file says more than a name that was made up",
        "stderr": rf"(WARNING: .*\n( +.*\n)+)?qemu-img: Operation add on bitmap {name} failed: "
                  rf"Can't store persistent bitmaps to {re.escape(place)}: "
                  r"Operation not supported\n"}}


def resized(*files):
    """Without files: to the size that it has."""
    entry = {"why": "qcow can be resized", "status": [0], "stdout": r"Image resized\.\n",
             "stderr": ""}
    return {**entry, "files": sorted(files)} if files else entry


def measured():
    return {"why": "qcow can be measured", "status": [0], "stderr": "",
            "stdout": r"required size: \d+\nfully allocated size: \d+\n"}


DIFFERENCES = {
    "resize q.qcow 2M": resized("q.qcow"),
    "resize q.qcow 1M": resized(),
    "resize --shrink q.qcow -1k": resized("q.qcow"),
    "resize q.qcow +0": resized(),
    "resize o.qcow 2M": resized("o.qcow", "s.raw"),
    "measure -O qcow s.raw": measured(),
    "measure -O qcow --size 1M": measured(),
    "resize -f raw s.raw 8E": {"why": TOO_LARGE, "stderr": TOO_LARGE_TEXT},
    "resize -f raw s.raw +8E": {"why": TOO_LARGE, "stderr": TOO_LARGE_TEXT},
    "resize -f raw s.raw 9223372036854775807": {"why": TOO_LARGE, "stderr": TOO_LARGE_TEXT},
    "resize -f raw s.raw +18446744073709551615": {"why": TOO_LARGE, "stderr": TOO_LARGE_TEXT},
    "resize --shrink -f raw s.raw -18446744073709551615": {
        "why": TOO_LARGE, "status": [1], "stdout": "", "files": ["s.raw"],
        "stderr": r"qemu-img: New image size must be positive\n"},
    "resize -f raw s.raw -1M --shrink": {
        "why": NAMES_OPTION,
        "stderr": r"qemu-img: unrecognized option '-1'\nTry 'qemu-img --help' .*\n"},
    "resize --help": {"why": HELP_WORKS, "status": [0], "stderr": "",
                      "stdout": r"qemu-img version (.*\n)+"},
    "measure -o help": option_help("raw"),
    "measure -O qcow -o help s.raw": option_help("qcow"),
    "measure -q s.raw": unknown_option("-q"),
    "measure -Z": unknown_option("-Z"),
    "measure --size 9223372036854775807": {
        "why": TOO_LARGE, "status": [1], "stdout": "",
        "stderr": r"qemu-img: The image size is too large for file format 'raw'\n"},
    "bench s.raw -c 10 -q": {"why": "-q is quiet", "stdout": ""},
    "bench -c 10 -w --flush-interval=5 -d 4 -q -f raw s.raw": {
        "why": "-q is quiet", "stdout": ""},
    "bench -d 0 -c 0 s.raw": {
        "why": "the peer waits for ever where there is something to send",
        "status": [1], "stdout": "", "stderr": r"qemu-img: Invalid queue depth specified\n"},
    "bench -c 20000 -d 17000 s.raw": {
        "why": "each request in flight has a stack, of which there cannot be any number",
        "status": [1], "stdout": "",
        "stderr": r"qemu-img: Invalid queue depth specified\nAt most 16384 requests can .*\n"},
    "bench -c 10 -s 2147483647 s.raw": {
        "why": "the peer aborts", "status": [1], "stdout": r"Sending 10 .*\n",
        "stderr": r"qemu-img: Failed request: Input/output error\nThe request at .*\n"},
    "bench -c 10 --object secret,id=s,data=abc --image-opts driver=qcow,file.filename=enc.qcow,"
    "encrypt.key-secret=s": {
        "why": "encrypted images can be measured, too", "status": [0], "stderr": "",
        "stdout": r"Sending 10 .*\nRun completed in SECONDS\.\n"},
    "snapshot -a a s.raw": {
        "why": "the peer warns each time it opens the image",
        "stderr": r"WARNING: [^\n]*\n( +[^\n]*\n){2}qemu-img: Could not apply snapshot 'a': "
                  r"Block driver does not support snapshots\n"},
    **no_place_for_bitmap("--add", "q.qcow"),
    **no_place_for_bitmap("--add", "s.raw"),
    **no_place_for_bitmap("--add -f raw", "s.raw"),
    **no_place_for_bitmap("--add", "o.qcow"),
    **no_place_for_bitmap("--add -g 64k", "q.qcow"),
    **no_place_for_bitmap("--add -g 512", "q.qcow"),
    **no_place_for_bitmap("--add -g 2G", "q.qcow"),
    **no_place_for_bitmap("--add -g 0", "q.qcow"),
    **no_place_for_bitmap("--add --granularity=64k -f raw", "s.raw"),
    **no_place_for_bitmap("--add --disable", "q.qcow"),
    **no_place_for_bitmap("--image-opts --add", "driver=raw,file.filename=s.raw"),
    **no_place_for_bitmap("--object secret,id=s,data=abc --add", "q.qcow"),
}
