#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
One qcow image, written in turns by cairn-io and qemu-io, at random but the same each time. After each
session both cairn-img and qemu-img must read what a model in memory holds. Plain, on a backing file, and encrypted.
Skips (77) where the peer is not installed.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile

SIZE = 8 << 20
SECRET = ["--object", "secret,id=s,data=pw12345"]
SESSIONS, REQUESTS = 6, 30
LENGTHS = [512, 1024, 4096, 65536, 300 * 512]


class Image:
    """An image, what it must hold, and the tools that look at it."""

    def __init__(self, tools, folder, rand, is_encrypted, is_backed):
        self.tools, self.folder, self.rand = tools, folder, rand
        self.secret = SECRET if is_encrypted else []
        self.cluster = 0 if is_encrypted else 512 if is_backed else 4096     # 0: nothing compressed
        self.model = bytearray(SIZE)
        self.spec = "driver=qcow,file.filename=x.qcow" + (",encrypt.key-secret=s" if is_encrypted
                                                          else "")
        self.create(is_encrypted, is_backed)

    def run(self, *args):
        done = subprocess.run(args, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{args}: {done.returncode}\n{done.stdout[-500:]}\n{done.stderr}")

    def create(self, is_encrypted, is_backed):
        options = []
        if is_encrypted:
            options += ["-o", "encrypt.format=aes,encrypt.key-secret=s"]
        if is_backed:
            options += ["-b", "base.raw", "-F", "raw"]
            base = self.rand.randbytes(4096) * (SIZE // 2 // 4096)
            self.model[:len(base)] = base
            with open(os.path.join(self.folder, "base.raw"), "wb") as file:
                file.write(base)
        maker = self.rand.choice([self.tools["ours_img"], self.tools["peer_img"]])
        self.run(maker, "create", "-q", *self.secret, "-f", "qcow", *options, "x.qcow", str(SIZE))

    def request(self, is_ours):
        """One command, and its effect on the model."""
        rand = self.rand
        length, value = rand.choice(LENGTHS), rand.randrange(1, 256)
        at = rand.randrange((SIZE - length) // 512) * 512
        kind = rand.randrange(8)
        if kind == 0:
            self.model[at:at + length] = bytes(length)
            return f"write -z {at} {length}"
        if kind == 1 and is_ours:
            self.model[at:at + length] = bytes(length)
            return f"write -z -u {at} {length}"
        # The peer cannot write a stream onto what is mapped already.
        if kind == 2 and is_ours and self.cluster:
            at = at // self.cluster * self.cluster
            self.model[at:at + self.cluster] = bytes([value]) * self.cluster
            return f"write -c -P {value} {at} {self.cluster}"
        if kind == 3:
            return "flush"
        self.model[at:at + length] = bytes([value]) * length
        return f"write -P {value} {at} {length}"

    def session(self, is_ours):
        commands = []
        for _ in range(REQUESTS):
            commands += ["-c", self.request(is_ours)]
        self.run(self.tools["ours_io" if is_ours else "peer_io"], *self.secret, "--image-opts",
                 *commands, self.spec)

    def compare(self):
        with open(os.path.join(self.folder, "model.raw"), "wb") as file:
            file.write(self.model)
        for tool in ("ours_img", "peer_img"):
            self.run(self.tools[tool], "compare", *self.secret, "--image-opts",
                     "driver=raw,file.filename=model.raw", self.spec)


def run_round(tools, seed, is_encrypted, is_backed):
    with tempfile.TemporaryDirectory(prefix="cairn-sessions-") as folder:
        image = Image(tools, folder, random.Random(seed), is_encrypted, is_backed)
        for number in range(SESSIONS):
            image.session(is_ours=number % 2 == 1)
            image.compare()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--io", required=True)
    parser.add_argument("--img", required=True)
    args = parser.parse_args()
    peers = {"peer_io": shutil.which("qemu-io"), "peer_img": shutil.which("qemu-img")}
    if None in peers.values():
        print("the peer is not installed")
        return 77
    tools = {"ours_io": os.path.abspath(args.io), "ours_img": os.path.abspath(args.img), **peers}
    for seed, (is_encrypted, is_backed) in enumerate([(False, False), (False, True),
                                                      (True, False), (True, True)]):
        run_round(tools, seed, is_encrypted, is_backed)
        print(f"ok: encrypted {is_encrypted}, backed {is_backed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
