#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the completion of a program for three shells out of what the programs say of themselves.

  gen.py PROGRAM CAIRN_IMG BASH_FILE ZSH_FILE FISH_FILE

PROGRAM is asked for its help and its objects, CAIRN_IMG for the drivers. A command, option or
driver that is new to them is new to the completion, too."""

import json
import os
import re
import subprocess
import sys

import shells
import usage
import values

HERE = os.path.dirname(os.path.abspath(__file__))


def output(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=True)
    return done.stdout


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


class Model:
    """What is known of one program."""

    def __init__(self, path, drivers_from):
        self.name = os.path.basename(path)
        self.function = "_" + self.name.replace("-", "_")
        self.program = usage.parse(output(path, "--help"))
        self.values = values.Values(json.loads(output(drivers_from, "drivers", "--output=json")),
                                    self.objects(path), self.prompt_commands(path))
        self.tables = self.values.tables(self.program)

    def objects(self, path):
        command = [path, self.program.commands[0].name] if self.program.commands else [path]
        names = re.findall(r"(?m)^  (\S+)$", output(*command, "--object", "help"))
        return {name: re.findall(r"(?m)^  ([\w-]+)=", output(*command, "--object", name + ",help"))
                for name in names}

    def prompt_commands(self, path):
        option = self.program.main.option("--cmd")
        text = output(path, option.names[0], "help") if option else ""
        return re.findall(r"(?m)^(\w+)\b.* -- ", text)

    def all_commands(self):
        return [self.program.main] + self.program.commands


def script(shell, model):
    text = read(shell + ".in")
    parts = {"LIST": [read("list.sh").rstrip("\n"), ""], **shells.PARTS[shell](model)}
    for name, lines in parts.items():
        text = text.replace("@%s@\n" % name, "\n".join(lines) + "\n")
    return text.replace("@F@", model.function).replace("@PROGRAM@", model.name)


def main(program, drivers_from, *paths):
    model = Model(program, drivers_from)
    for shell, path in zip(("bash", "zsh", "fish"), paths):
        with open(path, "w", encoding="utf-8") as file:
            file.write(script(shell, model))


if __name__ == "__main__":
    main(*sys.argv[1:])
