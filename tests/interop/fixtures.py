# SPDX-License-Identifier: MIT
"""The images that the compared invocations start from. All are made by the peer, so that
Cairn reads what it did not write. A case gets copies of those that its text names."""

import os
import random
import re
import shutil
import struct
import subprocess

import canary

KIB = 1024
MIB = 1024 * KIB

SECRET = f"secret,id=s,data={canary.CANARY}"


def pattern(size, seed):
    return random.Random(seed).randbytes(size)


class Fixtures:
    """Builds each image once, in one folder."""

    def __init__(self, folder, peer_img, peer_io):
        self.folder = folder
        self.peer_img = peer_img
        self.peer_io = peer_io
        self.needs = {}         # name -> names that must lie beside it
        os.makedirs(folder, exist_ok=True)
        self.build()

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, tool, *args, statuses=(0,)):
        done = subprocess.run([tool, *args], cwd=self.folder, capture_output=True, text=True)
        if done.returncode not in statuses:
            raise RuntimeError(f"{tool} {args}: {done.returncode}: {done.stderr}")

    def img(self, *args, statuses=(0,)):
        self.run(self.peer_img, *args, statuses=statuses)

    def io(self, image, *commands, opts=()):
        flags = [word for command in commands for word in ("-c", command)]
        self.run(self.peer_io, *opts, *flags, image)

    def raw(self, name, size, pieces):
        with open(self.path(name), "wb") as file:
            for offset, data in pieces:
                file.seek(offset)
                file.write(data)
            file.truncate(size)

    def patched(self, name, origin, offset, data):
        shutil.copy(self.path(origin), self.path(name))
        with open(self.path(name), "r+b") as file:
            file.seek(offset)
            file.write(data)

    def overlay(self, name, backing, backing_format, *commands, size=None):
        self.img("create", "-q", "-f", "qcow", "-b", backing, "-F", backing_format, name,
                 *([size] if size else []))
        if commands:
            self.io(name, *commands, opts=("-f", "qcow"))
        self.needs[name] = [backing]

    def build_raw(self):
        data = [(0, pattern(64 * KIB, 1)), (128 * KIB, pattern(64 * KIB, 2)),
                (700 * KIB, b"text " * 2000)]
        self.raw("z.raw", 256 * KIB, [])
        self.raw("same256.raw", 256 * KIB, [])
        self.raw("s1m.raw", MIB, [])
        self.raw("s.raw", MIB, data)
        self.raw("same.raw", MIB, data)
        self.raw("diff.raw", MIB, data + [(66047, b"\x01")])
        self.raw("diff2.raw", MIB, data + [(66561, b"\x01")])
        self.raw("longer.raw", 2 * MIB, data)
        self.raw("tail.raw", 2 * MIB, data + [(1500000, b"x")])
        self.raw("full.raw", 256 * KIB, [(0, pattern(256 * KIB, 3))])
        self.raw("u.raw", 700, [(0, pattern(700, 4))])
        self.raw("odd.raw", 1000448, [(0, pattern(8 * KIB, 5)), (999936, pattern(512, 6))])
        self.raw("e.raw", 0, [])
        self.raw("with space.raw", 64 * KIB, [])

    def build_qcow(self):
        self.img("convert", "-O", "qcow", "s.raw", "q.qcow")
        self.img("convert", "-O", "qcow", "odd.raw", "odd.qcow")
        self.img("create", "-q", "-f", "qcow", "empty.qcow", "1M")
        self.img("convert", "-c", "-O", "qcow", "s.raw", "c.qcow", statuses=(0, 1))
        self.img("convert", "-O", "qcow", "--object", SECRET, "-o",
                 "encrypt.format=aes,encrypt.key-secret=s", "s.raw", "enc.qcow")
        for name, size, commands in (
                ("tera.qcow", "1T", ["write -P 1 0 64k", "write -P 2 512G 4k",
                                     "write -P 3 1099511562240 64k"]),
                ("giga.qcow", "4G", ["write -P 1 0 64k", "write -P 2 2G 4k",
                                     "write -P 3 4294901760 64k"])):
            self.img("create", "-q", "-f", "qcow", name, size)
            self.io(name, *commands, opts=("-f", "qcow"))

    def build_chains(self):
        self.overlay("o.qcow", "s.raw", "raw", "write -P 17 4k 8k", "write -P 18 300k 20k")
        self.overlay("oq.qcow", "q.qcow", "qcow", "write -P 19 64k 1k")
        self.overlay("grown.qcow", "s.raw", "raw", "write -P 20 1500k 4k", size="2M")
        for level in range(1, 6):
            backing = "s.raw" if level == 1 else f"l{level - 1}.qcow"
            self.overlay(f"l{level}.qcow", backing, "raw" if level == 1 else "qcow",
                         f"write -P {40 + level} {level * 100}k {level}k")
        self.img("create", "-q", "-f", "qcow", "-u", "-b", "nope.raw", "-F", "raw",
                 "orphan.qcow", "1M")
        self.img("create", "-q", "-f", "qcow", "-u", "-b", "loop2.qcow", "-F", "qcow",
                 "loop1.qcow", "1M")
        self.img("create", "-q", "-f", "qcow", "-u", "-b", "loop1.qcow", "-F", "qcow",
                 "loop2.qcow", "1M")
        self.needs["loop1.qcow"] = ["loop2.qcow"]
        self.needs["loop2.qcow"] = []

    def build_broken(self):
        self.patched("bits8.qcow", "q.qcow", 32, b"\x08")
        self.patched("bits17.qcow", "q.qcow", 32, b"\x11")
        self.patched("l2bits.qcow", "q.qcow", 33, b"\x02")
        self.patched("crypt.qcow", "q.qcow", 36, struct.pack(">I", 7))
        self.patched("version4.qcow", "q.qcow", 4, struct.pack(">I", 4))
        self.patched("version2.qcow", "q.qcow", 4, struct.pack(">I", 2))
        self.patched("tiny.qcow", "q.qcow", 24, struct.pack(">Q", 1))
        self.patched("huge.qcow", "q.qcow", 24, struct.pack(">Q", 1 << 62))
        self.patched("longname.qcow", "q.qcow", 8, struct.pack(">QI", 48, 1024))
        with open(self.path("c.qcow"), "rb") as file:
            content = file.read()
        l1_offset, = struct.unpack_from(">Q", content, 40)
        l2_offset, = struct.unpack_from(">Q", content, l1_offset)
        # Cluster 176 holds text, so it is compressed; random data is not.
        entry, = struct.unpack_from(">Q", content, l2_offset + 8 * 176)
        assert entry >> 63
        data = entry & ((1 << (63 - 12)) - 1)
        self.patched("corrupt.qcow", "c.qcow", data, b"\xff" * 64)
        self.img("create", "-q", "-f", "qcow2", "two.qcow2", "1M")

    def build_rules(self):
        texts = {
            "rules.cfg": '# one of each\n[set-state]\nevent = "write_aio"\nnew_state = "2"\n\n'
                         '[inject-error "first"]\nevent = "read_aio"\nstate = "2"\nerrno = "28"\n',
            "bad-event.cfg": '[inject-error]\nevent = "foo"\n',
            "bad-name.cfg": '[inject-error]\nevent = "none"\nbogus = "1"\n',
            "no-event.cfg": '[inject-error]\nerrno = "5"\n',
            "no-group.cfg": 'event = "none"\n',
        }
        for name, text in texts.items():
            self.raw(name, len(text), [(0, text.encode())])

    def build(self):
        self.build_raw()
        self.build_rules()
        self.build_qcow()
        self.build_chains()
        self.build_broken()

    def names_in(self, text):
        """Fixtures named in @text, and what they need."""
        found = []
        queue = [name for name in os.listdir(self.folder)
                 if re.search(r"(?<![\w.-])" + re.escape(name) + r"(?![\w-])", text)]
        while queue:
            name = queue.pop()
            if name not in found:
                found.append(name)
                queue += self.needs.get(name, [])
        return sorted(found)

    def copy_to(self, folder, names):
        for name in names:
            subprocess.run(["cp", "--sparse=always", self.path(name), folder], check=True)
