#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A driver's page docs/drivers/NAME.md as a man page in section 7.

  driver-page.py PAGE.md GEN_FOLDER SCHEMA... > cairn-NAME.7

The page is the one text about a driver. Its option tables are made anew from the schema (GEN_FOLDER: the
generator's modules), with what the page remarks on each option behind."""

import os
import re
import sys

OPTION_SECTIONS = {"Options": "runtime", "Creation options": "create"}


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def link(match):
    text, target = match.group(1), match.group(2)
    page = re.fullmatch(r"([\w-]+)\.md", target)
    return "\0" + ("cairn-%s" % page.group(1) if page else text) + "\1" + ("(7)" if page else "")


def inline(text):
    """Bold for code, emphasis and links to other drivers' pages."""
    text = re.sub(r"\[([^]]+)\]\(([^)]+)\)", link, text)
    text = re.sub(r"\*\*(.+?)\*\*", "\0\\1\1", text)
    parts = re.split(r"`([^`]*)`", text)
    parts = [("\0%s\1" % part) if i % 2 else part for i, part in enumerate(parts)]
    text = escape("".join(parts))
    return text.replace("\0", "\\fB").replace("\1", "\\fR")


def cells_of(line):
    """The cells of a table's row; a bar inside code, or escaped, is text."""
    line = re.sub(r"`[^`]*`", lambda m: m.group(0).replace("|", "\2"), line).replace("\\|", "\2")
    return [cell.strip().replace("\2", "|") for cell in line.strip().strip("|").split("|")]


class Page:
    """The blocks of a page: ("head", level, text), ("text", text), ("code", lines), ("list", items),
    ("table", rows)."""

    def __init__(self, text):
        self.blocks = []
        for chunk in re.split(r"\n\s*\n", text.strip("\n")):
            self.add(chunk.split("\n"))

    def add(self, lines):
        first = lines[0]
        if first.startswith("#"):
            level = len(first) - len(first.lstrip("#"))
            self.blocks.append(("head", level, first.lstrip("# ")))
            if lines[1:]:
                self.add(lines[1:])
        elif first.startswith("    "):
            self.blocks.append(("code", [line[4:] for line in lines]))
        elif first.startswith("|"):
            rows = [cells_of(line) for line in lines]
            self.blocks.append(("table", [rows[0]] + rows[2:]))
        elif first.startswith("- "):
            items = re.split(r"(?m)^- ", "\n".join(lines))[1:]
            self.blocks.append(("list", [" ".join(item.split()) for item in items]))
        else:
            self.blocks.append(("text", " ".join(line.strip() for line in lines)))

    def title(self):
        return next(text for kind, *_, text in self.blocks if kind == "head")

    def summary(self):
        """The first sentence of the page."""
        text = next(block[1] for block in self.blocks if block[0] == "text")
        return re.split(r"(?<=\w)[.:;] |\.$", text)[0]


def roff_table(rows):
    columns = max(len(row) for row in rows)
    out = [".PP", ".TS", " ".join("lb" for _ in range(columns)),
           " ".join("lx" if i == columns - 1 else "l" for i in range(columns)) + "."]
    for row in rows:
        row = row + [""] * (columns - len(row))
        out.append("\t".join("T{\n%s\nT}" % inline(cell) if cell else "" for cell in row))
    return out + [".TE"]


def remarks_of(rows):
    """What a page says of each option, beside its default."""
    remarks = {}
    for row in rows[1:]:
        for name in re.findall(r"`([^`]+)`", row[0]):
            remarks[name] = row[-1]
    return remarks


def roff_options(options, rows, emit):
    out, remarks = [], remarks_of(rows)
    for option in options:
        lines = emit.roff_option(option)
        remark = remarks.get(option.name, "")
        out += lines
        if remark:
            out.append(inline(remark[0].upper() + remark[1:]) + ".")
    return out


def tables_of(schema, name):
    """option tables of a driver, by kind."""
    return {s.options: list(schema.options_of(s)) for s in schema.option_structs()
            if s.driver == name}


def roff_block(block):
    kind = block[0]
    if kind == "head":
        return ["%s %s" % (".SH" if block[1] == 2 else ".SS",
                           escape(block[2].upper() if block[1] == 2 else block[2]))]
    if kind == "text":
        return [".PP", inline(block[1])]
    if kind == "code":
        return [".PP", ".RS 4", ".nf"] + [escape(line) for line in block[1]] + [".fi", ".RE"]
    if kind == "list":
        return [line for item in block[1] for line in (".IP \\(bu 2", inline(item))]
    return roff_table(block[1])


def convert(name, text, schema, emit):
    page = Page(text)
    tables = tables_of(schema, name)
    out = ["'\\\" t", ".\\\" Made from docs/drivers/%s.md and the schema." % name,
           ".TH CAIRN\\-%s 7 \"\" Cairn \"Block drivers\"" % escape(name.upper()),
           ".SH NAME", "cairn\\-%s \\- %s" % (escape(name), inline(page.summary()))]
    section = None
    for block in page.blocks:
        if block[0] == "head" and block[1] == 1:
            continue
        if block[0] == "head" and block[1] == 2:
            section = block[2]
        options = tables.get(OPTION_SECTIONS.get(section)) if block[0] == "table" else None
        out += roff_options(options, block[1], emit) if options else roff_block(block)
    return "\n".join(out) + "\n"


def main(page, gen, *schema_files):
    sys.path.insert(0, gen)
    sys.dont_write_bytecode = True
    import emit_manual
    import schema as schema_module
    name = os.path.splitext(os.path.basename(page))[0]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    sys.stdout.write(convert(name, text, schema_module.load(schema_files), emit_manual))


if __name__ == "__main__":
    main(*sys.argv[1:])
