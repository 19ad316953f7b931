# SPDX-License-Identifier: MIT
"""Option tables for people: roff for man pages, markdown for docs/, JSON for other programs."""

import json

TYPE_NAMES = {"str": "string", "bool": "on|off", "int": "number", "size": "size"}
MAX_CHOICES = 8
TITLES = {"runtime": "Runtime options", "create": "Creation options"}


def structs_of(schema, driver):
    """The tables of a driver; "common" names those of every node."""
    wanted = None if driver == "common" else driver
    return [s for s in schema.option_structs() if s.driver == wanted]


def value_text(option):
    """The choices, unless there are so many that the page has to tell of them."""
    if option.choices and len(option.choices) <= MAX_CHOICES:
        return "|".join(option.choices)
    return "name" if option.choices else TYPE_NAMES[option.type]


def display_name(option):
    return option.name.replace("#", "N")


def remarks(option):
    out = []
    if option.member.default is not None:
        out.append("default %s" % option.member.default)
    if option.member.reopenable:
        out.append("can be changed by reopen")
    return out


def roff_escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def roff_option(option):
    text = option.member.help or ""
    if remarks(option):
        text += " (%s)" % ", ".join(remarks(option))
    return [".TP", ".BI %s= %s" % (roff_escape(display_name(option)),
                                   roff_escape(value_text(option))), roff_escape(text + ".")]


def roff(schema, driver):
    out = []
    for struct in structs_of(schema, driver):
        out.append(".SS %s" % TITLES[struct.options])
        for option in schema.options_of(struct):
            out += roff_option(option)
    return "\n".join(out) + "\n"


def markdown_cell(text):
    return text.replace("|", "\\|")


def markdown(schema, driver):
    out = []
    for struct in structs_of(schema, driver):
        out += ["### %s" % TITLES[struct.options], "",
                "| option | value | meaning | remarks |", "| --- | --- | --- | --- |"]
        for option in schema.options_of(struct):
            cells = ["`%s`" % display_name(option), markdown_cell(value_text(option)),
                     markdown_cell(option.member.help or ""), ", ".join(remarks(option))]
            out.append("| %s |" % " | ".join(cells))
        out.append("")
    return "\n".join(out)


def option_record(option):
    record = {"name": option.name, "type": option.type, "help": option.member.help,
              "default": option.member.default, "reopenable": option.member.reopenable}
    if option.choices:
        record["choices"] = option.choices
    return record


def list_json(schema):
    tables = [{"struct": s.name, "driver": s.driver, "kind": s.options,
               "options": [option_record(o) for o in schema.options_of(s)]}
              for s in schema.option_structs()]
    return json.dumps(tables, indent=4) + "\n"
