# SPDX-License-Identifier: MIT
"""The images that rows read and write, and the words of commands in which their names stand."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "secret,id=sec0,data=123456"
AES = "-o encrypt.format=aes,encrypt.key-secret=sec0"
NAMES = ("raw", "qcow", "packed", "crypt", "raw_w", "qcow_w", "scattered", "fresh", "dst", "other")


def encrypted(path):
    return f"driver=qcow,file.filename={path},encrypt.key-secret=sec0"


class Sources:
    """Each is made by the peer when first asked for, but for the data and the scattered image."""

    def __init__(self, folder, peer, generator, mib, gib):
        """mib: size of the mixed data; gib: of the scattered image."""
        self.folder = folder
        self.peer_tool, self.generator = peer, generator
        self.mib, self.gib = mib, gib
        self.names = {name: os.path.join(folder, name) for name in NAMES}
        self.made = set()

    def peer(self, words, may_fail=False):
        subprocess.run([self.peer_tool, *words.format(**self.names).split()],
                       check=not may_fail, stdout=subprocess.DEVNULL)

    def make(self, name):
        to_qcow = "-f raw -O qcow"
        if name == "raw":
            subprocess.run([self.generator, self.names["raw"], str(self.mib)], check=True)
        elif name == "raw_w":
            shutil.copyfile(self.names["raw"], self.names["raw_w"])
        elif name == "qcow":
            self.peer(f"convert {to_qcow} {{raw}} {{qcow}}")
        elif name == "qcow_w":          # nothing is left to be allocated
            self.peer(f"convert -S 0 {to_qcow} {{raw}} {{qcow_w}}")
        elif name == "packed":          # the peer's status says nothing here
            self.peer(f"convert -c {to_qcow} {{raw}} {{packed}}", may_fail=True)
        elif name == "crypt":
            self.peer(f"convert --object {KEY} {to_qcow} {AES} {{raw}} {{crypt}}")
        elif name == "scattered":
            subprocess.run([sys.executable, os.path.join(HERE, "scattered.py"),
                            self.names["scattered"], str(self.gib)], check=True)

    def need(self, names):
        for name in names.split():
            if name not in self.made:
                self.make(name)
                self.made.add(name)

    def words(self, text, **more):
        """A command's words; in it {crypt} and {dst_crypt} are options that bring the key."""
        return text.format(**{**self.names, "crypt": encrypted(self.names["crypt"]),
                              "dst_crypt": encrypted(self.names["dst"]), **more}).split()

    def remove_results(self):
        for name in ("dst", "other"):
            if os.path.exists(self.names[name]):
                os.unlink(self.names[name])
