# SPDX-License-Identifier: MIT
"""What a program's --help says about its command line: pure functions, from text to values.

Two shapes are understood. A program with commands has a line of syntax for each, below "Command
syntax:", and describes their options below "Parameters of COMMAND". A program without them
describes its options only."""

import re
from dataclasses import dataclass, field

COMMON = "several commands"


@dataclass
class Option:
    names: list                 # all spellings: ["-f", "--format"]
    placeholder: str = None     # the word that stands for its argument; None: takes none
    choices: list = None        # the words that the syntax itself allows: [-r [leaks | all]]
    help: str = ""


@dataclass
class Operand:
    name: str                   # "filename"
    key: str = ""               # "if" for one that is written if=name
    repeats: bool = False


@dataclass
class Command:
    name: str                   # "" for the program itself
    options: list = field(default_factory=list)
    operands: list = field(default_factory=list)
    syntax: str = ""            # of the operands, as a reminder for people

    def option(self, name):
        return next((option for option in self.options if name in option.names), None)


@dataclass
class Program:
    main: Command               # what may stand before the command
    commands: list              # empty for a program without commands


# ---- the parts that describe options: "  -f, --format FMT   driver of the image" ----

DESCRIPTION = re.compile(r" {2,4}(?P<names>--?\w[\w-]*(?:, --?\w[\w-]*)*)"
                         r"(?: (?P<placeholder>[A-Z]+)(?=  ))?\s+(?P<help>\S.*)")


def synonyms(names):
    """A long name is another spelling of the short one before it; "-T, -t" are two options."""
    groups = []
    for name in names:
        if groups and name.startswith("--") and len(groups[-1]) == 1 and len(groups[-1][0]) == 2:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def descriptions(lines):
    """The options that lines of help describe; a description may go on further to the right."""
    found, current = [], []
    for line in lines:
        match = DESCRIPTION.fullmatch(line)
        if match:
            current = [Option(group, match["placeholder"], None, match["help"])
                       for group in synonyms(match["names"].split(", "))]
            found += current
        elif line.startswith(" " * 14):
            for option in current:
                option.help += " " + line.strip()
        else:
            current = []
    return found


def sections(text):
    """The options by headings: {"several commands": [...], "check": [...]}; "" comes first."""
    parts = re.split(r"(?m)^Parameters of ([\w ]+\w)\b.*:$", text)
    found = {"": descriptions(parts[0].split("\n"))}
    for name, body in zip(parts[1::2], parts[2::2]):
        found[name] = descriptions(body.split("\n"))
    return found


# ---- a line of syntax: "check [-f fmt] [-r [leaks | all]] filename" ----

SYNTAX_OPTION = re.compile(r"(?<![\w-])(?P<name>--?[A-Za-z][\w-]*)"
                           r"(?:=(?P<joined>\w+)| \[(?P<choices>\w+(?: \| \w+)+)\]|"
                           r" (?P<apart>\w+))?")
SYNTAX_OPERAND = re.compile(r"(?:(?P<key>\w+)=)?(?P<name>\w+)(?P<more>\.\.\.)?")


def parse_syntax(line):
    """The options, each by the spelling used here, and the operands."""
    name, _, rest = line.strip().partition(" ")
    command = Command(name)
    for match in SYNTAX_OPTION.finditer(rest):
        choices = match["choices"] and match["choices"].split(" | ")
        placeholder = match["joined"] or match["apart"] or (choices and "choice") or None
        command.options.append(Option([match["name"]], placeholder, choices))
    rest = SYNTAX_OPTION.sub("", rest)
    is_list = "[...]" in rest
    for match in SYNTAX_OPERAND.finditer(rest):
        command.operands.append(Operand(match["name"], match["key"] or "",
                                        bool(match["more"]) or is_list))
    command.syntax = " ".join(re.findall(r"\S*\w\S*|\S*\[\.\.\.\]\S*", rest))
    return command


def joined_help(own, common):
    """A command's own words count alone, but where they only add to the common ones."""
    return common + "; " + own if own.startswith("also ") and common else own or common


def describe(command, own, common, standard):
    """Adds other spellings and help to the options of the syntax; then what all commands take."""
    options = []
    for option in command.options:
        name = option.names[0]
        if any(name in other.names for other in options):
            continue
        for described in own + common:
            if name in described.names:
                option.names = list(described.names)
                option.help = joined_help(option.help, described.help)
        options.append(option)
    command.options = options + [o for o in standard if not command.option(o.names[0])]


# ---- whole programs ----

# Standard options of a program with commands that are also taken behind the command.
BEHIND_COMMANDS = ("--help", "--strict")


def parse(text):
    found = sections(text)
    main = Command("", found[""])
    syntax = re.search(r"(?m)^Command syntax:\n((?: .*\n)+)", text)
    if not syntax:
        main.operands = [Operand(name.lower())
                         for name in re.findall(r"\[([A-Z]+)\]$", text.split("\n")[0])]
        return Program(main, [])
    standard = [o for o in main.options if set(o.names) & set(BEHIND_COMMANDS)]
    commands = [parse_syntax(line) for line in syntax[1].splitlines()]
    for command in commands:
        describe(command, found.get(command.name, []), found.get(COMMON, []), standard)
    return Program(main, commands)
