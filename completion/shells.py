# SPDX-License-Identifier: MIT
"""A program's command line as the scripts of shells need it: look-ups, and the declarations of zsh
and fish."""

import re


def quote(text):
    """For any of the three shells; fish knows no other escape in single quotes."""
    return "'" + text.replace("'", "’").replace("\\", "") + "'"


# ---- look-ups: one function, from a key to a line of text ----

def grouped(entries):
    keys_of = {}
    for key, text in entries.items():
        keys_of.setdefault(text, []).append(key)
    return keys_of.items()


def pattern(key, any_mark):
    """A key as it is, but for a star at its end."""
    return quote(key[:-1]) + any_mark if key.endswith("*") else quote(key)


def sh_lookup(name, entries):
    lines = [name + "() {", "    case $1 in"]
    for text, keys in grouped(entries):
        patterns = " | ".join(pattern(key, "*") for key in keys)
        lines.append("        %s) echo %s ;;" % (patterns, quote(text)))
    return lines + ["        *) return 1 ;;", "    esac", "}", ""]


def fish_lookup(name, entries):
    lines = ["function _%s --argument-names key" % name, "    switch $key"]
    for text, keys in grouped(entries):
        patterns = " ".join(pattern(key, "'*'") for key in keys)
        lines += ["        case " + patterns, "            echo " + quote(text)]
    return lines + ["        case '*'", "            return 1", "    end", "end", ""]


def key_text(key):
    return key if key[-1] in ".," else key + "="


def table_lookups(model):
    """What all shells need: the keys of each table, and what a key's value may be."""
    keys = {name: " ".join(key_text(key) for key in sorted(table))
            for name, table in model.tables.items()}
    values = {"%s %s" % (name, key): kind for name, table in sorted(model.tables.items())
              for key, kind in table.items() if kind}
    return {"keys": keys, "value": values}


def commands_text(model):
    """With blanks around, so that a word can be looked for."""
    names = [command.name for command in model.program.commands]
    return {"": " %s " % " ".join(names)} if names else {}


def option_lookups(model):
    """What bash needs beside: each command's options, their arguments, its operands by number."""
    options, arguments, operands = {}, {}, {}
    for command in model.all_commands():
        options[command.name] = " ".join(name for o in command.options for name in o.names)
        for option in command.options:
            for name in option.names if option.placeholder else []:
                kind = model.values.of_argument(option, command)
                arguments["%s %s" % (command.name, name)] = kind
        kinds = model.values.of_operands(command)
        for number, kind in enumerate(kinds):
            operands["%s %d" % (command.name, number)] = kind
        if kinds and (command.operands[-1].repeats or kinds[0].startswith("list")):
            operands[command.name + " *"] = kinds[-1]
    return {"options": options, "argument": arguments, "operand": operands}


# ---- bash ----

def bash_parts(model):
    lookups = {**table_lookups(model), **option_lookups(model),
               "commands": commands_text(model)}
    return {"LOOKUPS": [line for name, entries in lookups.items()
                        for line in sh_lookup("%s_%s" % (model.function, name), entries)]}


# ---- zsh ----

def zsh_text(text):
    return re.sub(r"([\[\]:])", r"\\\1", text.replace("'", "’"))


def zsh_action(model, kind):
    """A blank before a function keeps zsh from adding words of its own to the call."""
    what, _, rest = kind.partition(" ")
    return {"words": "(%s)" % rest, "file": "_files",
            "list": " %s_complete_list %s" % (model.function, rest)}.get(what, " ")


def zsh_option(model, command, option):
    """A specification for each spelling, which excludes the others."""
    adds_up = re.fullmatch(r"options|objectdef|command", (option.placeholder or "").lower())
    others = "" if adds_up else "(%s)" % " ".join(option.names)
    for name in option.names:
        spec = ("*" if adds_up else others) + name
        if option.placeholder and name.startswith("--"):
            spec += "="
        spec += "[%s]" % zsh_text(option.help)
        if option.placeholder:
            spec += ":%s:%s" % (zsh_text(option.placeholder),
                                zsh_action(model, model.values.of_argument(option, command)))
        yield "'%s'" % spec


def zsh_operands(model, command):
    kinds = model.values.of_operands(command)
    for number, (kind, operand) in enumerate(zip(kinds, command.operands)):
        action = zsh_action(model, kind)
        if kind == "file":
            action = " %s_image" % model.function
        place = "*" if operand.repeats or kind.startswith("list") else str(number + 1)
        yield "'%s:%s:%s'" % (place, operand.name, action)
        if place == "*":
            return


def zsh_arguments(model, command, more=()):
    specs = [spec for option in command.options for spec in zsh_option(model, command, option)]
    specs += list(zsh_operands(model, command)) + list(more)
    return " \\\n        ".join(["_arguments -S"] + specs)


def zsh_functions(model):
    main, commands = model.program.main, model.program.commands
    name = model.function
    if not commands:
        return ["%s() {" % name, "    " + zsh_arguments(model, main), "}", ""]
    states = zsh_arguments(model, main, ["'1:command:->command'", "'*::argument:->argument'"])
    lines = [name + "() {", "    local context state line curcontext=$curcontext",
             "    typeset -A opt_args", "    local -a commands", "",
             "    " + states.replace("_arguments -S", "_arguments -C -S", 1),
             "    case $state in", "    command)", "        commands=("]
    lines += ["            %s" % quote("%s:%s" % (c.name, c.syntax)) for c in commands]
    lines += ["        )", "        _describe command commands", "        ;;", "    argument)",
              "        case $words[1] in"]
    for command in commands:
        lines += ["        %s)" % command.name, "        " + zsh_arguments(model, command),
                  "        ;;"]
    return lines + ["        esac", "        ;;", "    esac", "}", ""]


def zsh_parts(model):
    return {"LOOKUPS": [line for name, entries in table_lookups(model).items()
                        for line in sh_lookup("%s_%s" % (model.function, name), entries)],
            "FUNCTIONS": zsh_functions(model)}


# ---- fish ----

def fish_argument(model, kind):
    what, _, rest = kind.partition(" ")
    return {"": "-x", "file": "-r -F", "words": "-x -a " + quote(rest),
            "list": "-x -a %s" % quote("(_%s_list %s)" % (model.function, rest))}[what]


def fish_condition(model, command):
    name = "_%s_in" % model.function
    return "-n " + quote(name + (" " + command.name if command.name else ""))


def fish_option(model, command, option):
    names = " ".join(("-l " if n.startswith("--") else "-s ") + n.lstrip("-") for n in option.names)
    argument = " " + fish_argument(model, model.values.of_argument(option, command)) \
        if option.placeholder else ""
    return "complete -c %s %s %s%s -d %s" % (model.name, fish_condition(model, command), names,
                                             argument, quote(option.help))


def fish_operands(model, command):
    place = "complete -c %s %s " % (model.name, fish_condition(model, command))
    opts = "__fish_contains_opt image-opts target-image-opts"
    for kind in dict.fromkeys(model.values.of_operands(command)):
        if kind == "file":
            yield place.replace("'", "'not %s; and " % opts, 1) + "-F"
            yield place.replace("'", "'%s; and " % opts, 1) + fish_argument(model, "list open")[3:]
        elif kind:
            yield place + fish_argument(model, kind)[3:]


def fish_parts(model):
    lookups = {**table_lookups(model), "commands": commands_text(model)}
    lines = []
    for command in model.all_commands():
        lines += [fish_option(model, command, option) for option in command.options]
        lines += fish_operands(model, command)
    start = "complete -c %s %s" % (model.name, fish_condition(model, model.program.main))
    for command in model.program.commands:
        lines.append("%s -a %s -d %s" % (start, command.name, quote(command.syntax)))
    return {"LOOKUPS": [line for name, entries in lookups.items()
                        for line in fish_lookup("%s_%s" % (model.function, name), entries)],
            "FUNCTIONS": lines}


PARTS = {"bash": bash_parts, "zsh": zsh_parts, "fish": fish_parts}
