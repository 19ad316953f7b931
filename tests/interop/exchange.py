# SPDX-License-Identifier: MIT
"""Images of every kind, both ways: what the peer wrote, Cairn reads; what Cairn wrote, the peer and libqcow
read. Each result is compared with the raw bytes that went in."""

import os
import shutil
import subprocess

import fixtures
import libqcow

ENC = "encrypt.format=aes,encrypt.key-secret=s"
TERA_SPOTS = ((0, 1), (512 << 30, 2), ((1 << 40) - 65536, 3))


class Exchange:
    """One folder that both write into."""

    def __init__(self, options, base):
        self.ours, self.peer = options.ours, options.peer
        self.folder = os.path.join(options.work, "exchange")
        shutil.copytree(base.folder, self.folder)
        self.lib = libqcow.load()
        self.failed = 0
        self.count = 0

    def run(self, program, *args):
        return subprocess.run([program, *args], cwd=self.folder, capture_output=True, text=True,
                              timeout=300)

    def path(self, name):
        return os.path.join(self.folder, name)

    def claim(self, text, problem):
        """@problem: None if the claim holds."""
        self.count += 1
        if problem:
            self.failed += 1
            print(f"FAILED {text}: {problem}")

    def read_by(self, program, source, target):
        """@source: an image or an option string. Returns a problem or None."""
        opts = ["--object", fixtures.SECRET, "--image-opts"] if "=" in source else []
        done = self.run(program, "convert", *opts, "-O", "raw", source, target)
        return done.stderr or f"status {done.returncode}" if done.returncode else None

    def same(self, a, b):
        done = self.run("cmp", a, b)
        return done.stdout + done.stderr if done.returncode else None

    def ours_reads(self, name, source, wanted):
        problem = self.read_by(self.ours, source, "out.raw") or self.same("out.raw", wanted)
        self.claim(f"cairn-img reads the peer's {name}", problem)

    def peer_reads(self, name, source, wanted):
        problem = self.read_by(self.peer, source, "out.raw") or self.same("out.raw", wanted)
        self.claim(f"the peer reads cairn-img's {name}", problem)

    def write_ours(self, name, *args):
        done = self.run(self.ours, "convert", "-O", "qcow", *args)
        self.claim(f"cairn-img writes {name}",
                   done.stderr or f"status {done.returncode}" if done.returncode else None)

    def libqcow_reads(self, name, image, wanted):
        if not self.lib:
            return
        try:
            file = libqcow.Image(self.lib, self.path(image))
            data = file.read(0, file.size())
            file.close()
        except OSError as error:
            self.claim(f"libqcow reads cairn-img's {name}", str(error))
            return
        with open(self.path(wanted), "rb") as expected:
            content = expected.read()
        agrees = data[:len(content)] == content and not any(data[len(content):])
        self.claim(f"libqcow reads cairn-img's {name}", None if agrees else "other bytes")

    def qcowinfo_takes(self, name, image):
        if not shutil.which("qcowinfo"):
            return
        done = self.run("qcowinfo", image)
        self.claim(f"qcowinfo takes cairn-img's {name}", done.stdout if done.returncode else None)

    def theirs_to_ours(self):
        kinds = {
            "plain qcow": "q.qcow", "compressed qcow": "c.qcow", "odd-sized qcow": "odd.qcow",
            "empty qcow": "empty.qcow", "overlay on raw": "o.qcow", "overlay on qcow": "oq.qcow",
            "overlay larger than its base": "grown.qcow", "chain of five": "l5.qcow",
            "encrypted qcow": "driver=qcow,file.filename=enc.qcow,encrypt.key-secret=s",
            "sparse raw": "s.raw", "unaligned raw": "u.raw",
        }
        for name, source in kinds.items():
            self.read_by(self.peer, source, "wanted.raw")
            self.ours_reads(name, source, "wanted.raw")

    def ours_to_theirs(self):
        kinds = {
            "plain qcow": ("full.raw", []), "sparse qcow": ("s.raw", []),
            "compressed qcow": ("s.raw", ["-c"]),
            "compressed qcow written out of order": ("s.raw", ["-c", "-W"]),
            "fully written qcow": ("s.raw", ["-S", "0"]), "odd-sized qcow": ("odd.raw", []),
            "compressed odd-sized qcow": ("odd.raw", ["-c"]),
        }
        for name, (source, args) in kinds.items():
            self.write_ours(name, *args, source, "mine.qcow")
            self.peer_reads(name, "mine.qcow", source)
            self.libqcow_reads(name, "mine.qcow", source)
            self.qcowinfo_takes(name, "mine.qcow")

    def encrypted(self):
        self.write_ours("an encrypted qcow", "--object", fixtures.SECRET, "-o", ENC, "s.raw",
                        "mine-enc.qcow")
        self.peer_reads("encrypted qcow",
                        "driver=qcow,file.filename=mine-enc.qcow,encrypt.key-secret=s", "s.raw")
        with open(self.path("mine-enc.qcow"), "rb") as file:
            hidden = fixtures.pattern(512, 1)[:512] not in file.read()
        self.claim("an encrypted qcow holds no plain text", None if hidden else "it does")

    def overlays(self):
        self.read_by(self.peer, "o.qcow", "wanted.raw")
        self.write_ours("an overlay on raw", "-B", "s.raw", "-F", "raw", "o.qcow", "mine-o.qcow")
        self.peer_reads("overlay on raw", "mine-o.qcow", "wanted.raw")
        self.read_by(self.peer, "oq.qcow", "wanted.raw")
        self.write_ours("an overlay on qcow", "-B", "q.qcow", "-F", "qcow", "oq.qcow",
                        "mine-oq.qcow")
        self.peer_reads("overlay on qcow", "mine-oq.qcow", "wanted.raw")

    def chain(self):
        backing, backing_format = "s.raw", "raw"
        for level in range(1, 6):
            name = f"mine{level}.qcow"
            self.write_ours(f"level {level} of a chain", "-B", backing, "-F", backing_format,
                            f"l{level}.qcow", name)
            backing, backing_format = name, "qcow"
        self.read_by(self.peer, "l5.qcow", "wanted.raw")
        self.peer_reads("chain of five", "mine5.qcow", "wanted.raw")
        self.read_by(self.ours, "mine5.qcow", "again.raw")
        self.claim("cairn-img reads its own chain", self.same("again.raw", "wanted.raw"))

    def terabyte(self):
        """The peer takes minutes to walk a sparse 1 TiB image, so spots must do."""
        self.write_ours("a sparse 1 TiB qcow", "tera.qcow", "mine-tera.qcow")
        done = self.run(self.ours, "compare", "tera.qcow", "mine-tera.qcow")
        self.claim("the peer's and cairn-img's 1 TiB qcow are alike to cairn-img",
                   done.stdout + done.stderr if done.returncode else None)
        for offset, byte in TERA_SPOTS:
            command = f"read -P {byte} {offset} 4k"
            done = self.run("qemu-io", "-f", "qcow", "-r", "-c", command, "mine-tera.qcow")
            self.claim(f"the peer reads cairn-img's 1 TiB qcow at {offset}",
                       done.stdout if done.returncode else None)
        if self.lib:
            self.terabyte_by_libqcow()

    def terabyte_by_libqcow(self):
        file = libqcow.Image(self.lib, self.path("mine-tera.qcow"))
        for offset, byte in TERA_SPOTS:
            agrees = file.read(offset, 4096) == bytes([byte]) * 4096
            self.claim(f"libqcow reads the 1 TiB qcow at {offset}", None if agrees else "other")
        file.close()

    def created(self):
        for name, args in {"plain": [], "overlay": ["-b", "s.raw", "-F", "raw"]}.items():
            done = self.run(self.ours, "create", "-q", "-f", "qcow", *args, "made.qcow", "1M")
            self.claim(f"cairn-img creates ({name})", done.stderr or None)
            self.peer_reads(f"new qcow ({name})", "made.qcow", "s.raw" if args else "zero.raw")
            self.qcowinfo_takes(f"new qcow ({name})", "made.qcow")

    def run_all(self):
        with open(self.path("zero.raw"), "wb") as file:
            file.truncate(fixtures.MIB)
        for part in (self.theirs_to_ours, self.ours_to_theirs, self.encrypted, self.overlays,
                     self.chain, self.terabyte, self.created):
            part()
        without = "" if self.lib else " (libqcow is not installed: its part was left out)"
        print(f"{self.count} exchanges, {self.failed} failed{without}")
        return self.failed


def run(options, base):
    return Exchange(options, base).run_all()
