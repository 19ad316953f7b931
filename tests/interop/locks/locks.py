#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Who may open an image that somebody else has open: every pair of our tools and the peer's, in every pair of
modes, must end as two of the peer's do, with the same words; and a refused creation changes nothing. Skips
(77) where the peer is not installed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

PEER_IO, PEER_IMG = "qemu-io", "qemu-img"
IMAGE = "disk.img"

HOLDERS = {
    "raw writer": ["-f", "raw"],
    "raw reader": ["-r", "-f", "raw"],
    "qcow writer": ["-f", "qcow"],
    "qcow reader": ["-r", "-f", "qcow"],
    "forced reader": ["-r", "-U", "-f", "qcow"],
    "writer without locks": ["--image-opts", "driver=raw,file.driver=file,file.locking=off,"
                             "file.filename=" + IMAGE],
}
CREATIONS = {"raw creation": "raw", "qcow creation": "qcow"}


class Holder:
    """A program that has the image open until the end of the block."""

    def __init__(self, folder, program, options):
        command = [program] + options + ([] if "--image-opts" in options else [IMAGE])
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def __enter__(self):
        # An answer to a command: the image is open.
        self.process.stdin.write(b"length\n")
        self.process.stdin.flush()
        text = b""
        while b"iB" not in text:
            data = os.read(self.process.stdout.fileno(), 4096)
            assert data, "the holder did not open the image"
            text += data

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()


def make_image(folder):
    subprocess.run([PEER_IMG, "create", "-q", "-f", "qcow", IMAGE, "1M"], cwd=folder, check=True)


def result(folder, command):
    """The exit status and the words on stderr, without the program's name."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    prefix = re.escape(os.path.basename(command[0])) + ": "
    return done.returncode, re.sub("^" + prefix, "PROG: ", done.stderr, flags=re.M)


def opener_command(io, img, mode):
    if mode in CREATIONS:
        return [img, "create", "-q", "-f", CREATIONS[mode], IMAGE, "1M"]
    options = HOLDERS[mode]
    name = [] if "--image-opts" in options else [IMAGE]
    return [io, "-c", "read 0 1"] + options + name


def outcomes(folder, holder, holder_mode, openers):
    """For each opener and mode what it ends with while @holder has the image open."""
    found = {}
    make_image(folder)
    with open(os.path.join(folder, IMAGE), "rb") as image:
        before = image.read()
    with Holder(folder, holder, HOLDERS[holder_mode]):
        for name, (io, img) in openers.items():
            for mode in list(HOLDERS) + list(CREATIONS):
                found[name, mode] = result(folder, opener_command(io, img, mode))
                if mode in CREATIONS and found[name, mode][0] == 0:
                    restore(folder, before)
                with open(os.path.join(folder, IMAGE), "rb") as image:
                    assert image.read() == before, (holder_mode, mode, "changed the image")
    return found


def restore(folder, data):
    """In place: the holder goes on with the same file."""
    with open(os.path.join(folder, IMAGE), "r+b") as image:
        image.truncate(0)
        image.write(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--io", required=True)
    parser.add_argument("--img", required=True)
    args = parser.parse_args()
    if not shutil.which(PEER_IO) or not shutil.which(PEER_IMG):
        print("the peer's tools are not installed")
        return 77
    ours = (os.path.abspath(args.io), os.path.abspath(args.img))
    openers = {"ours": ours, "peer's": (PEER_IO, PEER_IMG)}
    failures = checks = 0
    with tempfile.TemporaryDirectory(prefix="cairn-locks-") as folder:
        for holder_mode in HOLDERS:
            by_peer = outcomes(folder, PEER_IO, holder_mode, openers)
            by_us = outcomes(folder, ours[0], holder_mode, openers)
            for mode in list(HOLDERS) + list(CREATIONS):
                expected = by_peer["peer's", mode]
                for what, got in (("peer's/ours", by_peer["ours", mode]),
                                  ("ours/peer's", by_us["peer's", mode]),
                                  ("ours/ours", by_us["ours", mode])):
                    checks += 1
                    if got != expected:
                        failures += 1
                        print(f"{holder_mode}, then {mode} ({what}): {got}, not {expected}")
    print(f"{checks} checks, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
