#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Who may open, create or resize an image that somebody else has open: every pair of our tools and the peer's, in every
pair of modes, must end as two of the peer's do, with the same words; and who is refused changes nothing. Then the
bytes that each opener locks, as another process sees them. Skips (77) where the peer is not installed.
"""

import argparse
import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

PEER_IO, PEER_IMG = "qemu-io", "qemu-img"
IMAGE, OVERLAY, SOURCE = "disk.img", "over.qcow", "source.raw"
F_OFD_GETLK, F_OFD_SETLK = 36, 37

# What an io tool has open, and the bytes of IMAGE that it locks then: 100 + n, permission n is used; 200 + n, it is
# denied to others; n is 0 for reading, 1 for writing, 3 for resizing.
HOLDERS = {
    "raw writer": (["-f", "raw", IMAGE], {100, 101}),
    "raw reader": (["-r", "-f", "raw", IMAGE], {100}),
    "qcow writer": (["-f", "qcow", IMAGE], {100, 101, 103, 201, 203}),
    "qcow reader": (["-r", "-f", "qcow", IMAGE], {100, 201, 203}),
    "forced raw reader": (["-r", "-U", "-f", "raw", IMAGE], {100}),
    "forced qcow reader": (["-r", "-U", "-f", "qcow", IMAGE], {100}),
    "writer without locks": (["--image-opts", "driver=raw,file.driver=file,file.locking=off,"
                              "file.filename=" + IMAGE], set()),
    # A backing file is only read, and may change; but a qcow below, as every qcow, guards its tables.
    "overlay writer": (["-f", "qcow", OVERLAY], {100, 201, 203}),
    "overlay reader": (["-r", "-f", "qcow", OVERLAY], {100, 201, 203}),
    "raw overlay writer": (["--image-opts", "driver=qcow,file.filename=" + OVERLAY +
                            ",backing.driver=raw,backing.file.filename=" + IMAGE], {100}),
}
# As an export does that must not change its length under its clients.
EXPORT = "export"
EXPORT_BYTES = {100, 101, 203}
# What we say beyond what the peer does, and is not about locks.
ADDED_LINES = r"^(PROG: warning: '.*' has \d+ bytes: zeros are added|The request at offset).*\n"
# What convert writes to while it makes "new": ours and the peer's.
TARGETS = ("new.cairn-part", "new")

# Commands of the image tool, and of the io tool, that come after a holder.
IMG_COMMANDS = {
    "raw creation": ["create", "-q", "-f", "raw", IMAGE, "1M"],
    "qcow creation": ["create", "-q", "-f", "qcow", IMAGE, "1M"],
    "raw info": ["info", "-f", "raw", IMAGE],
    "qcow info": ["info", "-f", "qcow", IMAGE],
    "forced info": ["info", "-U", "-f", "qcow", IMAGE],
    "map": ["map", "-f", "qcow", IMAGE],
    "comparison": ["compare", "-f", "raw", "-F", "raw", IMAGE, SOURCE],
    "convert from raw": ["convert", "-f", "raw", IMAGE, "new"],
    "convert from qcow": ["convert", "-f", "qcow", IMAGE, "new"],
    "forced convert": ["convert", "-U", "-f", "qcow", IMAGE, "new"],
    "convert to raw": ["convert", "-O", "raw", SOURCE, IMAGE],
    "convert to qcow": ["convert", "-O", "qcow", SOURCE, IMAGE],
    "convert into raw": ["convert", "-n", "-O", "raw", SOURCE, IMAGE],
    "convert into qcow": ["convert", "-n", "-O", "qcow", SOURCE, IMAGE],
    "raw resize": ["resize", "-q", "-f", "raw", IMAGE, "2M"],
    "dd from raw": ["dd", "-f", "raw", "if=" + IMAGE, "of=new"],
    "dd to raw": ["dd", "-f", "raw", "if=" + SOURCE, "of=" + IMAGE],
    "dd to qcow": ["dd", "-O", "qcow", "if=" + SOURCE, "of=" + IMAGE],
    "raw writing bench": ["bench", "-q", "-w", "-c", "1", "-f", "raw", IMAGE],
}
IO_COMMANDS = {
    "truncation": ["-f", "raw", "-c", "truncate 2M", IMAGE],
    "probing writer": ["-c", "read 0 1", IMAGE],
}
OPENERS = [*HOLDERS, *IMG_COMMANDS, *IO_COMMANDS]


def flock_arguments(kind, byte):
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)


def locked_bytes(path):
    """Those that somebody holds by a lock of an open file description."""
    fd = os.open(path, os.O_RDWR)
    try:
        answers = {byte: fcntl.fcntl(fd, F_OFD_GETLK, flock_arguments(fcntl.F_WRLCK, byte))
                   for byte in range(300)}
    finally:
        os.close(fd)
    return {byte for byte, answer in answers.items()
            if struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK}


class Holder:
    """An io tool that has the image open, waiting for commands, until the end of the block."""

    def __init__(self, folder, program, mode):
        self.process = subprocess.Popen([program] + HOLDERS[mode][0], cwd=folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def command(self, text):
        """Returns when it has been carried out: the length has been told after it."""
        # The peer does not look at a second line that came with the first.
        self.process.stdin.write((text + "\nlength\n" if text else "length\n").encode())
        self.process.stdin.flush()
        answer = b""
        while b"iB" not in answer:
            data = os.read(self.process.stdout.fileno(), 4096)
            assert data, "the holder did not open the image"
            answer += data

    def __enter__(self):
        self.command("")
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()


class ByteHolder:
    """This process holds EXPORT_BYTES."""

    def __init__(self, folder):
        self.path = os.path.join(folder, IMAGE)

    def __enter__(self):
        self.fd = os.open(self.path, os.O_RDWR)
        for byte in EXPORT_BYTES:
            fcntl.fcntl(self.fd, F_OFD_SETLK, flock_arguments(fcntl.F_RDLCK, byte))

    def __exit__(self, *unused):
        os.close(self.fd)


def make_holder(folder, program, mode):
    return ByteHolder(folder) if mode == EXPORT else Holder(folder, program, mode)


def make_images(folder):
    def peer(*words):
        subprocess.run([PEER_IMG, *words], cwd=folder, check=True)

    with open(os.path.join(folder, SOURCE), "wb") as file:
        file.write(b"source" * 200000)
        file.truncate(1 << 20)
    peer("create", "-q", "-f", "qcow", IMAGE, "1M")
    peer("create", "-q", "-f", "qcow", "-b", IMAGE, "-F", "qcow", OVERLAY)


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def restore(folder, data):
    """In place: the holder goes on with the same file."""
    with open(os.path.join(folder, IMAGE), "r+b") as file:
        file.truncate(0)
        file.write(data)


def result(folder, command):
    """The exit status and the words on stderr, without the program's name."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    prefix = re.escape(os.path.basename(command[0])) + ": "
    text = re.sub("^" + prefix, "PROG: ", done.stderr, flags=re.M)
    return done.returncode, re.sub(ADDED_LINES, "", text, flags=re.M)


def opener_command(io, img, mode):
    if mode in IMG_COMMANDS:
        return [img] + IMG_COMMANDS[mode]
    return [io] + (IO_COMMANDS[mode] if mode in IO_COMMANDS
                   else ["-c", "read 0 1"] + HOLDERS[mode][0])


def outcomes(folder, holder, holder_mode, openers):
    """For each opener and mode what it ends with while @holder has the image open."""
    found = {}
    make_images(folder)
    before = read(folder, IMAGE)
    with make_holder(folder, holder, holder_mode):
        for name, (io, img) in openers.items():
            for mode in OPENERS:
                status, text = found[name, mode] = result(folder, opener_command(io, img, mode))
                if read(folder, IMAGE) != before:
                    assert status == 0, (holder_mode, mode, name, text, "changed the image")
                    restore(folder, before)
    return found


def check_pairs(folder, ours):
    openers = {"ours": ours, "peer's": (PEER_IO, PEER_IMG)}
    failures = checks = 0
    for holder_mode in [*HOLDERS, EXPORT]:
        by_peer = outcomes(folder, PEER_IO, holder_mode, openers)
        by_us = outcomes(folder, ours[0], holder_mode, openers)
        for mode in OPENERS:
            expected = by_peer["peer's", mode]
            for what, got in (("peer's/ours", by_peer["ours", mode]),
                              ("ours/peer's", by_us["peer's", mode]),
                              ("ours/ours", by_us["ours", mode])):
                checks += 1
                if got != expected:
                    failures += 1
                    print(f"{holder_mode}, then {mode} ({what}): {got}, not {expected}")
    print(f"{checks} pairs, {failures} failures")
    return failures


def complain(what, got, expected):
    if got == expected:
        return 0
    print(f"{what}: {sorted(got)} locked, not {sorted(expected)}")
    return 1


def check_holders(folder, program):
    failures = 0
    for mode, (_, expected) in HOLDERS.items():
        make_images(folder)
        with Holder(folder, program, mode):
            failures += complain(f"{program}: {mode}", locked_bytes(os.path.join(folder, IMAGE)), expected)
        failures += complain(mode + ", closed", locked_bytes(os.path.join(folder, IMAGE)), set())
    return failures


def check_truncation(folder, program):
    """It uses the permission to resize while it works, and no longer."""
    path = os.path.join(folder, IMAGE)
    make_images(folder)
    with Holder(folder, program, "raw writer") as holder:
        holder.command("truncate 3M")
        assert os.path.getsize(path) == 3 << 20
        return complain("after a truncation", locked_bytes(path), {100, 101})


def wait_for_locks(process, path, expected):
    """What is locked when it is as expected, or else at the end of some seconds."""
    seen = set()
    for _ in range(200):
        seen = locked_bytes(path) if os.path.exists(path) else set()
        if seen == expected or process.poll() is not None:
            break
        time.sleep(0.05)
    return seen


def check_conversion(folder, program):
    """Slowed down, so that its locks can be seen: those of the source and those of the target."""
    failures = 0
    cases = [
        (["-f", "raw", "-O", "raw"], {100, 201, 203}, {100, 101}),
        (["-f", "raw", "-O", "qcow"], {100, 201, 203}, {100, 101, 103, 201, 203}),
        (["-U", "-f", "raw", "-O", "raw"], {100}, {100, 101}),
    ]
    for options, of_source, of_target in cases:
        make_images(folder)
        shutil.rmtree(os.path.join(folder, "new"), ignore_errors=True)
        process = subprocess.Popen([program, "convert", "-r", "64k", *options, SOURCE, "new"], cwd=folder)
        for name, expected in ((SOURCE, of_source), (TARGETS[program == PEER_IMG], of_target)):
            seen = wait_for_locks(process, os.path.join(folder, name), expected)
            failures += complain(f"convert {' '.join(options)}, {name}", seen, expected)
        process.kill()
        process.wait()
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--io", required=True)
    parser.add_argument("--img", required=True)
    args = parser.parse_args()
    if not shutil.which(PEER_IO) or not shutil.which(PEER_IMG):
        print("the peer's tools are not installed")
        return 77
    ours = (os.path.abspath(args.io), os.path.abspath(args.img))
    with tempfile.TemporaryDirectory(prefix="cairn-locks-") as folder:
        failures = check_pairs(folder, ours)
        for program in (ours[0], PEER_IO):
            failures += check_holders(folder, program)
        failures += check_conversion(folder, ours[1]) + check_truncation(folder, ours[0])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
