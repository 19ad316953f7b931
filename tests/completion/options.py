# SPDX-License-Identifier: MIT
"""Every option that the generator reads from a program's help is one that the program takes, with
an argument where the generator thinks so. Arguments: the programs."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "..", "completion"))

import usage            # noqa: E402


def complaints(program, command, name):
    """What the program says of an option that stands last, or before a last word, which resize
    takes for a size."""
    words = [os.path.abspath(program)] + ([command] if command else []) + [name]
    with tempfile.TemporaryDirectory(prefix="cairn-options-") as cwd:
        said = [subprocess.run(words + more, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, check=False).stderr for more in ([], ["1M"])]
    return " ".join(said).lower()


def problems(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    parsed = usage.parse(text)
    for command in [parsed.main] + parsed.commands:
        for option in command.options:
            for name in option.names:
                said = complaints(program, command.name, name)
                waits = "missing argument" in said or "requires an argument" in said
                if "unrecognized option" in said or "invalid option" in said:
                    yield "%s %s is no option" % (command.name, name)
                elif waits != bool(option.placeholder):
                    yield "%s %s: an argument: %s, by the help: %s" % (
                        command.name, name, waits, bool(option.placeholder))


def main(*programs):
    found = ["%s: %s" % (os.path.basename(p), text) for p in programs for text in problems(p)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
