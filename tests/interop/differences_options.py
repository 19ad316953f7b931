# SPDX-License-Identifier: MIT
"""Deliberate differences in names, options and sizes (cases_options.py), and in what info says; see
differences.py."""

INFO_FIXED = "info takes the options of backing files, as every other command does"
RAW_UNTOUCHED = "the peer allocates the first block of a new raw file; Cairn leaves it a hole"
ONE_JSON_FORM = "all mistakes in JSON text are told in one form"
SECRET_UNUSED = "a secret that is not there, or not needed, is warned of"
NO_NODE = (r"qemu-img: Could not open 'driver=qcow,file\.filename=\w\.qcow,backing=null': "
           r"Could not open backing file: Cannot find device='null' nor node-name='null'\n")
OVERLAY = (r"image: o\.qcow\nfile format: qcow\n(.*\n){3}backing file: s\.raw\n")


def info_of_overlay(stdout=OVERLAY):
    return {"why": INFO_FIXED, "status": [0], "stdout": stdout, "stderr": ""}


def bad_json(reason):
    return {"why": ONE_JSON_FORM,
            "stderr": rf"qemu-img: .*: Could not parse the JSON options: JSON parse error, {reason}\n"}


DIFFERENCES = {
    "info --image-opts driver=qcow,file.filename=q.qcow,backing=null": {
        "why": INFO_FIXED, "stderr": NO_NODE},
    "info --image-opts driver=qcow,file.filename=o.qcow,backing=null": {
        "why": INFO_FIXED, "stderr": NO_NODE},
    "info --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw": info_of_overlay(),
    "info --image-opts driver=qcow,file.filename=o.qcow,backing.driver=raw --backing-chain":
        info_of_overlay(OVERLAY + r"\nimage: s\.raw\nfile format: raw\n(.*\n){2}"),
    "info --image-opts driver=qcow,file.filename=o.qcow,backing.file.filename=z.raw":
        info_of_overlay(),
    "info --image-opts driver=qcow,file.filename=enc.qcow,encrypt.key-secret=nope": {
        "why": SECRET_UNUSED, "stderr": r"qemu-img: warning: .* No secret with id 'nope'\n"},
    "info --image-opts driver=qcow,file.filename=q.qcow,encrypt.key-secret=nope": {
        "why": SECRET_UNUSED, "stderr": r"qemu-img: warning: .* the secret 'nope' is not used\n"},
    "map --object secret,id=s,data=abc --image-opts driver=qcow,file.filename=q.qcow,"
    "encrypt.key-secret=s": {
        "why": SECRET_UNUSED, "stderr": r"qemu-img: warning: .* the secret 's' is not used\n"},
    "info 'json:'": bad_json("premature EOI"),
    'info \'json:{"driver":"raw","file.filename":"s.raw"} x\'': bad_json("invalid keyword 'x'"),
    "create ./a:b 1M ;; info ./a:b": {
        "why": RAW_UNTOUCHED, "stdout": r"(.*\n)+disk size: 0 B\n"},
    "create file:a:b 1M ;; info ./a:b": {
        "why": RAW_UNTOUCHED, "stdout": r"(.*\n)+disk size: 0 B\n"},
    "info -f qcow2 two.qcow2": {
        "why": "not built in", "status": [1], "stdout": "",
        "stderr": r"qemu-img: Could not open 'two\.qcow2': Unknown driver 'qcow2'\n"},
    "create a -1k": {
        "why": "the peer names the word before the option",
        "stderr": r"qemu-img: unrecognized option '-1'\nTry 'qemu-img --help' .*\n"},
    "create -o size=0x10k a": {
        "why": "the peer warns twice",
        "stderr": r"qemu-img: warning: Using a multiplier suffix on hex numbers .*: 0x10k\n"},
    "create -o size=8E a": {
        "why": "the peer takes it for a negative number", "stdout": "", "files": [],
        "stderr": r"qemu-img: a: The image size is too large for file format 'raw'\n"},
}
