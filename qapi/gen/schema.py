# SPDX-License-Identifier: MIT
"""Reading and checking the schema.

A schema file is a JSON list. An entry is one of

  {"enum": NAME, "values": [...], "doc": ..., "external": true}
      external: a public header declares the C enum, in the same order.
  {"struct": NAME, "members": [...], "doc": ...,
   "options": "runtime" | "create",     it is a driver's option table
   "driver": NAME,                      of that driver; without: of every node
   "output": true}                      it is what a tool prints

and a member is {"name", "type", "optional", "default", "help", "reopenable"},
its type one of str, bool, int, size, an enum, a struct, or ["Struct"] or ["Enum"] for a
list. A dot in a member's name is a level of nesting in option strings.
"""

import json
import re

SCALARS = ("str", "bool", "int", "size")
ENTRY_KEYS = {
    "enum": {"enum", "values", "doc", "external"},
    "struct": {"struct", "members", "doc", "options", "driver", "output"},
}
MEMBER_KEYS = {"name", "type", "optional", "default", "help", "reopenable"}
# Words that a compiler of C (gnu11) or C++ does not take as a name, and macros of the C library.
RESERVED = set("""
    assert auto bool break case catch char class const continue default delete
    do double else enum errno extern false float for friend goto if inline int linux
    long namespace new operator private protected public register restrict
    return short signed sizeof static stderr stdin stdout struct switch template this throw true
    try typedef typename union unix unsigned using virtual void volatile while
""".split())


class SchemaError(Exception):
    """A mistake in the schema; the text says where."""


class Enum:
    def __init__(self, entry):
        self.name = entry["enum"]
        self.values = entry["values"]
        self.doc = entry.get("doc")
        self.external = entry.get("external", False)


class Member:
    def __init__(self, entry, owner):
        self.name = entry["name"]
        self.owner = owner
        self.is_list = isinstance(entry["type"], list)
        self.type = entry["type"][0] if self.is_list else entry["type"]
        self.optional = entry.get("optional", False)
        self.default = entry.get("default")
        self.help = entry.get("help")
        self.reopenable = entry.get("reopenable", False)
        self.enum = None        # set by Schema when the type is one
        self.struct = None

    @property
    def where(self):
        return "%s.%s" % (self.owner, self.name)


class Struct:
    def __init__(self, entry):
        self.name = entry["struct"]
        self.doc = entry.get("doc")
        self.options = entry.get("options")
        self.driver = entry.get("driver")
        self.output = entry.get("output", False)
        self.members = [Member(m, self.name) for m in entry["members"]]


class Option:
    """A line of an option table: a member of scalar type, by its full name."""

    def __init__(self, name, member):
        self.name = name
        self.member = member
        self.type = "str" if member.enum else member.type
        self.choices = member.enum.values if member.enum else None


class Schema:
    def __init__(self, entries):
        self.enums = {}
        self.structs = {}
        for entry in entries:
            self._add(entry)
        for struct in self.structs.values():
            self._check_struct(struct)
        self._check_order()

    def _add(self, entry):
        kind = "enum" if "enum" in entry else "struct"
        if kind not in entry:
            raise SchemaError("an entry is neither enum nor struct: %s" % entry)
        check_keys(entry, ENTRY_KEYS[kind], entry[kind])
        name = entry[kind]
        if name in self.enums or name in self.structs:
            raise SchemaError("%s is defined twice" % name)
        if not re.fullmatch("[A-Z][A-Za-z0-9]*", name):
            raise SchemaError("%s is no name of a type" % name)
        if kind == "enum":
            self.enums[name] = Enum(entry)
            check_unique(entry["values"], name)
            return
        for member in entry["members"]:
            check_keys(member, MEMBER_KEYS, "%s.%s" % (name, member.get("name")))
        self.structs[name] = Struct(entry)

    def _check_struct(self, struct):
        check_unique([c_name(m.name) for m in struct.members], struct.name)
        if struct.options not in (None, "runtime", "create"):
            raise SchemaError("%s: options are runtime or create" % struct.name)
        for member in struct.members:
            self._resolve(member)
            self._check_member(member)

    def _resolve(self, member):
        member.enum = self.enums.get(member.type)
        member.struct = self.structs.get(member.type)
        if member.type not in SCALARS and not member.enum and not member.struct:
            raise SchemaError("%s: unknown type %s" % (member.where, member.type))

    @staticmethod
    def _check_member(member):
        if member.is_list and not member.struct and not member.enum:
            raise SchemaError("%s: a list holds structs or values of an enum" % member.where)
        if member.is_list and member.default is not None:
            raise SchemaError("%s: a list has no default" % member.where)
        if member.default is not None and not member.optional:
            raise SchemaError("%s: a default needs optional" % member.where)
        if member.default is not None and member.struct:
            raise SchemaError("%s: a struct has no default" % member.where)
        if member.enum and member.default is not None and member.default not in member.enum.values:
            raise SchemaError("%s: default %s is no value" % (member.where, member.default))

    def _check_order(self):
        """Structs come before their users, so that C can be written in order; none holds itself."""
        seen = set()
        for struct in self.structs.values():
            for member in struct.members:
                if member.struct and member.type not in seen:
                    raise SchemaError("%s: %s must be defined before" % (member.where, member.type))
            seen.add(struct.name)

    def options_of(self, struct, prefix=""):
        """The option table of a struct: nested members by dotted names, list indices as '#'."""
        for member in struct.members:
            name = prefix + member.name
            if member.struct:
                inner = name + (".#." if member.is_list else ".")
                yield from self.options_of(member.struct, inner)
            else:
                yield Option(name + (".#" if member.is_list else ""), member)

    def option_structs(self):
        return [s for s in self.structs.values() if s.options]


def check_keys(entry, known, where):
    for key in entry:
        if key not in known:
            raise SchemaError("%s: unknown key %s" % (where, key))


def check_unique(names, where):
    for i, name in enumerate(names):
        if name in names[:i]:
            raise SchemaError("%s: %s appears twice" % (where, name))


def c_name(name):
    """no-flush -> no_flush, default -> q_default"""
    name = re.sub("[^A-Za-z0-9]", "_", name)
    return "q_" + name if name in RESERVED or name[0].isdigit() else name


def c_enum_constant(enum, value):
    """BlockdevAio, io_uring -> BLOCKDEV_AIO_IO_URING"""
    words = re.sub("([a-z0-9])([A-Z])", r"\1_\2", enum)
    return (words + "_" + re.sub("[^A-Za-z0-9]", "_", value)).upper()


def c_string(text):
    return "NULL" if text is None else '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def load(paths):
    def no_duplicates(pairs):
        check_unique([key for key, _ in pairs], "an entry")
        return dict(pairs)

    entries = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            entries += json.load(file, object_pairs_hook=no_duplicates)
    return Schema(entries)
