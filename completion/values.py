# SPDX-License-Identifier: MIT
"""What may stand where a program takes an argument, as a text that each shell's script acts on:

  ""               nothing that could be offered
  "file"           a file's name
  "words A B C"    one of these words
  "list T ..."     keys and values from the table T: "size=1G,cluster_size=64k". The table "create"
                   is that of the format which one of the options named behind it chooses

The tables come from what the programs tell of their drivers and objects:
{"create/qcow": {"size": "", ...}, ...}."""

import re

FILE_WORDS = {"dir", "base", "input", "output"}        # and all words with "file" in them


def choices_in(help_text):
    """The words that a description enumerates: "human or json", "mode: none, writeback, unsafe"."""
    allowed = re.search(r"(?:allowed values|choices): ([^)]*)", help_text)
    if allowed:
        return re.findall(r"[\w-]+", allowed[1])
    found = []
    for part in re.split(r"[:;]", re.sub(r"\s*\([^)]*\)", "", help_text)):
        also = re.fullmatch(r"also ([\w-]+)", part.strip())
        items = [also[1]] if also else re.split(r", | or ", part.strip())
        is_list = len(items) > 1 and all(re.fullmatch(r"[\w-]+", item) for item in items)
        if also or (is_list and not found):
            found += items
    return found


def words(names):
    return "words " + " ".join(names) if names else ""


class Values:
    """@drivers: of "drivers --output=json"; @objects: {type: [property]}; @commands: of a prompt"""

    def __init__(self, drivers, objects, commands):
        self.drivers = {driver["name"]: driver for driver in drivers["drivers"]}
        self.common = drivers["common-options"]
        self.objects = objects
        self.commands = commands

    def formats(self, can=None):
        return words([name for name, driver in sorted(self.drivers.items())
                      if not can or can in driver["can"]])

    def of_placeholder(self, name, help_text="", format_options=()):
        name = name.lower()
        if re.fullmatch(r"(\w+_)?fmt", name):
            return self.formats("create" if name == "output_fmt" else None)
        if name == "options":
            return "list create " + " ".join(format_options)
        if name == "objectdef":
            return "list object"
        if name == "command":
            return words(self.commands)
        if name == "driver":
            return self.formats()
        if "file" in name or name in FILE_WORDS:
            return "file"
        return words(choices_in(help_text))

    def of_argument(self, option, command):
        if option.choices:
            return words(option.choices)
        target = command.option("-O") or command.option("-f")
        creates = any(o.placeholder == "options" for o in command.options)
        if option is target and creates:
            return self.formats("create")
        return self.of_placeholder(option.placeholder, option.help, target.names if target else [])

    def of_operands(self, command):
        """One kind for each operand; the last stands for all that follow if it repeats."""
        if any(operand.key for operand in command.operands):
            return ["list operands/" + command.name]
        return [self.of_placeholder(operand.name) for operand in command.operands]

    # ---- tables of keys ----

    def of_driver_option(self, option):
        name, kind, text = option["name"], option["type"], option.get("help", "")
        if option.get("choices"):
            return words(option["choices"])
        if kind == "bool":
            return "words on off"
        if kind != "str":
            return ""
        if name == "driver" or name.endswith(("_fmt", ".driver")):
            return self.formats()
        return "file" if "file" in name else words(choices_in(text))

    def keys(self, options):
        """A list element's place, "#", is offered as the first one."""
        return {option["name"].replace("#", "0"): self.of_driver_option(option)
                for option in options}

    def create_table(self, driver):
        storage = self.drivers["file"]["create-options"] if driver["kind"] == "format" else []
        return {**self.keys(storage), **self.keys(driver["create-options"])}

    def open_table(self, driver):
        children = [] if driver["kind"] == "protocol" else ["file."]
        children += ["backing."] if "backing" in driver["can"] else []
        return {**self.keys(driver["runtime-options"]), **self.keys(self.common),
                **{child: "" for child in children}}

    def tables(self, program):
        found = {"open/": {"driver": self.formats(), "file.": ""}}
        for name, driver in self.drivers.items():
            found["open/" + name] = self.open_table(driver)
            if "create" in driver["can"]:
                found["create/" + name] = self.create_table(driver)
        for name, properties in self.objects.items():
            found["object/" + name] = {key: "file" if key == "file" else "" for key in properties}
            found["object/" + name].setdefault("id", "")
        found["object/"] = {name + ",": "" for name in self.objects}
        for command in program.commands:
            keys = {operand.key: self.of_placeholder(operand.name)
                    for operand in command.operands if operand.key}
            if keys:
                found["operands/" + command.name] = keys
        return found
