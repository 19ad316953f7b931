# SPDX-License-Identifier: MIT
"""What a shell with the generated scripts offers on a line, by the real shell.

  offers.py SHELL FOLDER_OF_SCRIPTS CAIRN_IMG CAIRN_IO

Lines end where the cursor stands. Of each offer only the last piece is looked at, behind the last
"," and "=", as shells show different parts of a word."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ("base.raw", "my disk.qcow", "sub/")
SOME_FILES = {"base.raw"}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60, **more).stdout


def by_bash(folder, line, cwd):
    """@line cut as bash cuts it."""
    program = line.split()[0]
    words = [piece for word in re.split(" +", line)
             for piece in ([word] if word[:1] in "'\"" else re.split(r"([=:]+)", word))]
    if line.endswith(("=", ":")):
        words = [word for word in words if word] + [""]
    else:
        words = [word for word in words[:-1] if word] + words[-1:]
    return run("bash", "--norc", os.path.join(HERE, "capture.bash"), os.path.join(folder, program),
               "_" + program.replace("-", "_"), line, *words, cwd=cwd)


FISH = "source $argv[1]; source $argv[2]; complete -C $argv[3]"


def by_fish(folder, line, cwd):
    scripts = [os.path.join(folder, name + ".fish") for name in ("cairn-img", "cairn-io")]
    return run("fish", "--no-config", "-c", FISH, *scripts, line, cwd=cwd)


def by_zsh(folder, lines, cwd):
    """All lines in one shell: it takes long to start."""
    text = run("zsh", "-f", os.path.join(HERE, "capture.zsh"), folder, *lines, cwd=cwd)
    return text.split("END OF LINE\n")[:-1]


def offers_of(shell, folder, lines, cwd):
    """A text for each line."""
    if shell == "zsh":
        return by_zsh(folder, lines, cwd)
    return [(by_bash if shell == "bash" else by_fish)(folder, line, cwd) for line in lines]


def pieces(text):
    """The last piece of each offer, without a description."""
    words = [line.split("\t")[0].strip() for line in text.splitlines()]
    return {re.split(r"[,=](?=.)", word)[-1] for word in words if word}


class Facts:
    """What should be offered, by the programs' own word."""

    def __init__(self, img, io):
        self.img, self.io = img, io
        described = json.loads(run(img, "drivers", "--output=json"))
        self.drivers = {driver["name"]: driver for driver in described["drivers"]}
        text = run(img, "--help")
        self.commands = set(re.findall(r"(?m)^  (\w+) [\[(-]", text[text.index("Command syntax:"):]
                                       .split("\n\n")[0]))
        self.prompt = set(re.findall(r"(?m)^(\w+).* -- ", run(io, "-c", "help")))

    def names(self, can=None):
        return {name for name, driver in self.drivers.items() if not can or can in driver["can"]}

    def keys(self, driver, table):
        return {option["name"].replace("#", "0") + "=" for option in self.drivers[driver][table]}


CACHE = {"none", "writeback", "writethrough", "directsync", "unsafe"}


def cases(facts):
    """(line, offers that must be there, offers that must not be, whether others may be)"""
    qcow = facts.keys("qcow", "create-options")
    yield "cairn-img ", facts.commands, {"--version"}, False
    yield "cairn-img --strict cr", {"create"}, {"convert"}, False
    yield "cairn-img --", {"--strict", "--version"}, {"create"}, True
    yield "cairn-img create -", {"-f", "-o", "-b", "--object"}, {"-O", "--version"}, True
    yield "cairn-img create -f ", facts.names("create"), {"--help"}, False
    yield "cairn-img create -f q", {"qcow"}, {"raw"}, True
    yield "cairn-img create --format=q", {"qcow"}, {"raw"}, True
    yield "cairn-img create -f qcow -o ", qcow, set(), True
    yield "cairn-img create -f qcow -o cl", {"cluster_size="}, qcow - {"cluster_size="}, False
    yield "cairn-img create -o ", {"size=", "preallocation="}, qcow - {"size="}, True
    yield "cairn-img create --format=qcow -o size=1k,encr", {"encrypt.format=", "encryption="}, \
        {"size="}, True
    yield "cairn-img create -f qcow -o size=1k,", qcow - {"size="}, {"size="}, True
    yield "cairn-img create -f qcow -o encrypt.format=", {"aes"}, {"size="}, False
    yield "cairn-img create -f qcow -o size=1k,preallocation=f", {"falloc", "full"}, {"off"}, False
    yield "cairn-img create -f qcow -o backing_file=", SOME_FILES, qcow, True
    yield "cairn-img create -f qcow -o size=1k,backing_fmt=r", {"raw"}, {"qcow"}, False
    yield "cairn-img create -f qcow -b ", SOME_FILES, {"create"}, True
    yield "cairn-img create x.qcow -f r", {"raw"}, {"qcow"}, True
    yield "cairn-img convert -f raw -O ", facts.names("create"), {"none"}, False
    yield "cairn-img convert -f raw -O qcow -o cl", {"cluster_size="}, {"size="}, False
    yield "cairn-img convert -t ", CACHE, set(), False
    yield "cairn-img convert -n --target-image-opts -T write", {"writeback", "writethrough"}, \
        {"none"}, False
    yield "cairn-img convert base.raw ba", SOME_FILES, {"sub/"}, True
    yield "cairn-img check -r ", {"leaks", "all"}, set(), False
    yield "cairn-img info --output=", {"human", "json"}, {"svg"}, False
    yield "cairn-img info --output ", {"human", "json"}, {"svg"}, False
    yield "cairn-img map --output=", {"human", "json", "svg"}, set(), False
    yield "cairn-img commit --progress=", {"human", "json"}, set(), False
    yield "cairn-img info ", SOME_FILES, {"create", "qcow"}, True
    yield "cairn-img info --object ", {"secret,", "throttle-group,"}, {"id="}, False
    yield "cairn-img info --object secret,id=s,", {"file=", "data="}, {"id=", "secret,"}, True
    yield "cairn-img info --object secret,id=s,file=", SOME_FILES, {"id="}, True
    yield "cairn-img info --image-opts ", {"driver="}, {"base.raw"}, True
    yield "cairn-img info --image-opts dri", {"driver="}, {"base.raw"}, False
    yield "cairn-img info --image-opts driver=qcow,encr", {"encrypt.key-secret="}, {"driver="}, True
    yield "cairn-img info --image-opts driver=qcow,file.f", {"file.filename="}, {"file.driver="}, \
        True
    yield "cairn-img info --image-opts driver=raw,file.driver=qcow,file.encr", \
        {"file.encrypt.key-secret="}, {"file.filename="}, True
    yield "cairn-img info --image-opts driver=qcow,file.filename=", SOME_FILES, {"driver="}, True
    yield "cairn-img info --image-opts driver=qcow,backing.driver=r", {"raw"}, {"qcow"}, True
    yield "cairn-img drivers ", facts.names(), SOME_FILES, False
    yield "cairn-img drivers raw q", {"qcow"}, {"raw"}, True
    if "dd" in facts.commands:
        yield "cairn-img dd ", {"if=", "of=", "bs="}, SOME_FILES, True
        yield "cairn-img dd if=", SOME_FILES, {"of="}, True
    if "resize" in facts.commands:
        yield "cairn-img resize --preallocation=", {"off", "falloc", "full"}, set(), False
    yield "cairn-img create -f nosuch -o ", set(), qcow, False
    yield "cairn-img nosuch ", set(), {"create"}, True
    yield "cairn-io -", {"-c", "-f", "--cache"}, set(), True
    yield "cairn-io -f ", facts.names(), set(), False
    yield "cairn-io -t ", CACHE, set(), False
    yield "cairn-io --aio=", {"threads", "native", "io_uring"}, set(), False
    yield "cairn-io -d ", {"ignore", "unmap"}, set(), False
    yield "cairn-io -c ", facts.prompt, SOME_FILES, False
    yield "cairn-io --image-opts driver=", facts.names(), set(), False
    yield "cairn-io -f raw ", SOME_FILES, {"raw"}, True
    yield "qemu-img cr", set(), {"create"}, True


# What only bash is asked: the shape of its own offers.
BASH_CASES = [
    ("cairn-img create -f qcow -o size=1k,encryption=o", {"on", "off"}),
    ("cairn-img create -f qcow -o 'size=1k,encryption=o",
     {"size=1k,encryption=on", "size=1k,encryption=off"}),
    ("cairn-img create -f qcow -o size=1k,encrypt.f", {"1k,encrypt.format="}),
    ("cairn-img info --outp", {"--output"}),
    ("cairn-img info --output=j", {"json"}),
]


def problem_of(line, offered, wanted, unwanted, may_more):
    if wanted - offered:
        return "%r: not offered: %s (but %s)" % (line, sorted(wanted - offered), sorted(offered))
    if offered & unwanted:
        return "%r: offered: %s" % (line, sorted(offered & unwanted))
    if not may_more and offered - wanted:
        return "%r: offered, too: %s" % (line, sorted(offered - wanted))
    return None


def problems(shell, folder, facts, cwd):
    asked = [case for case in cases(facts) if shell != "bash" or not case[0].startswith("qemu-img")]
    texts = offers_of(shell, folder, [case[0] for case in asked], cwd)
    if len(texts) != len(asked):
        yield "%s answered %d of %d lines" % (shell, len(texts), len(asked))
    for (line, *expected), text in zip(asked, texts):
        yield problem_of(line, pieces(text), *expected)
    for line, wanted in BASH_CASES if shell == "bash" else []:
        offered = set(by_bash(folder, line, cwd).split())
        yield problem_of(line, offered, wanted, set(), False)


def registrations(folder):
    """The commands that bash completes by our scripts: a link named otherwise is none of them."""
    script = 'for f in cairn-img cairn-io; do . "$1/$f"; done; complete -p'
    text = run("bash", "--norc", "-c", script, "bash", folder)
    if sorted(re.findall(r"(?m) (\S+)$", text)) != ["cairn-img", "cairn-io"]:
        return "bash completes other commands, too: " + text
    return None


def main(shell, folder, img, io):
    if not shutil.which(shell):
        print("skipped: %s is not installed" % shell)
        return 77
    with tempfile.TemporaryDirectory(prefix="cairn-completion-") as cwd:
        for name in FILES:
            path = os.path.join(cwd, name)
            os.makedirs(path) if name.endswith("/") else open(path, "w", encoding="utf-8").close()
        found = list(problems(shell, os.path.abspath(folder), Facts(img, io), cwd))
    if shell == "bash":
        found.append(registrations(os.path.abspath(folder)))
    found = [text for text in found if text]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
