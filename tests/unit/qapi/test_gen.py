# SPDX-License-Identifier: MIT
"""The schema generator: what it refuses, and what it writes beside C that compiles (test-visit)."""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "qapi", "gen"))

import emit_manual      # noqa: E402
import emit_options     # noqa: E402
import emit_types       # noqa: E402
import gen              # noqa: E402
import schema           # noqa: E402

TEST_SCHEMA = os.path.join(HERE, "test-schema.json")
BLOCK_SCHEMA = os.path.join(ROOT, "qapi", "block.json")
ALL_SCHEMAS = [os.path.join(ROOT, "qapi", name) for name in ("block.json", "filters.json", "testing.json")]


def struct(*members, **more):
    return dict({"struct": "S", "members": list(members)}, **more)


def member(name, kind, **more):
    return dict({"name": name, "type": kind}, **more)


class Names(unittest.TestCase):
    def test_dashes_and_dots_become_underscores(self):
        self.assertEqual(schema.c_name("no-flush.x"), "no_flush_x")

    def test_keywords_get_a_prefix(self):
        for word in ("default", "unix", "class", "2nd"):
            self.assertEqual(schema.c_name(word), "q_" + word)

    def test_enum_constants(self):
        self.assertEqual(schema.c_enum_constant("BlockdevAio", "io_uring"), "BLOCKDEV_AIO_IO_URING")
        self.assertEqual(schema.c_enum_constant("OnOffAuto", "on"), "ON_OFF_AUTO_ON")

    def test_strings_are_escaped(self):
        self.assertEqual(schema.c_string('a"b\\'), '"a\\"b\\\\"')
        self.assertEqual(schema.c_string(None), "NULL")


class Refusals(unittest.TestCase):
    def refuse(self, entries, message):
        with self.assertRaisesRegex(schema.SchemaError, message):
            schema.Schema(entries)

    def test_neither_enum_nor_struct(self):
        self.refuse([{"members": []}], "neither")

    def test_unknown_key_of_an_entry(self):
        self.refuse([struct(colour=1)], "unknown key colour")

    def test_unknown_key_of_a_member(self):
        self.refuse([struct(member("a", "str", option=True))], "unknown key option")

    def test_unknown_type(self):
        self.refuse([struct(member("a", "strin"))], "unknown type strin")

    def test_type_defined_twice(self):
        self.refuse([struct(), struct()], "defined twice")

    def test_member_twice(self):
        self.refuse([struct(member("a", "str"), member("a", "int"))], "appears twice")

    def test_members_that_meet_in_c(self):
        self.refuse([struct(member("a-b", "str"), member("a.b", "int"))], "appears twice")

    def test_enum_value_twice(self):
        self.refuse([{"enum": "E", "values": ["a", "a"]}], "appears twice")

    def test_name_of_a_type(self):
        self.refuse([{"enum": "bad name", "values": []}], "no name of a type")

    def test_list_of_scalars(self):
        self.refuse([struct(member("a", ["str"]))], "a list holds structs or values of an enum")

    def test_default_of_a_list(self):
        self.refuse([{"enum": "E", "values": ["a"]},
                     struct(member("a", ["E"], optional=True, default="a"))], "a list has no default")

    def test_default_of_required(self):
        self.refuse([struct(member("a", "str", default="x"))], "default needs optional")

    def test_default_of_struct(self):
        self.refuse([{"struct": "T", "members": []},
                     struct(member("a", "T", optional=True, default="x"))], "no default")

    def test_default_that_is_no_value(self):
        self.refuse([{"enum": "E", "values": ["a"]},
                     struct(member("a", "E", optional=True, default="b"))], "is no value")

    def test_struct_within_itself(self):
        self.refuse([struct(member("a", "S", optional=True))], "must be defined before")

    def test_struct_used_before(self):
        self.refuse([struct(member("a", "T")), {"struct": "T", "members": []}],
                    "must be defined before")

    def test_kind_of_options(self):
        self.refuse([struct(options="both")], "runtime or create")

    def test_duplicate_key_in_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write('[{"enum": "E", "enum": "F", "values": []}]')
            with self.assertRaisesRegex(schema.SchemaError, "appears twice"):
                schema.load([path])


class Output(unittest.TestCase):
    def setUp(self):
        self.schema = schema.load([TEST_SCHEMA])

    def test_options_are_flat(self):
        names = [o.name for o in self.schema.options_of(self.schema.structs["Everything"])]
        self.assertIn("inner.leaf.event", names)
        self.assertIn("rules.#.errno", names)
        self.assertIn("shades.#", names)
        self.assertNotIn("inner", names)

    def test_help_is_escaped(self):
        self.assertIn('"Event \\"quoted\\""', emit_options.options_c(self.schema, "test"))

    def test_external_enum_is_not_declared(self):
        self.assertNotIn("typedef enum OuterMode", emit_types.types_h(self.schema, "test"))

    def test_roff(self):
        text = emit_manual.roff(self.schema, "test")
        self.assertIn(".SS Runtime options", text)
        self.assertIn(".BI cache.no\\-flush= on|off", text)
        self.assertIn(".BI colour= red|deep\\-blue|2nd", text)
        self.assertIn(".BI rules.N.errno= number", text)
        self.assertIn(".BI shades.N= red|deep\\-blue|2nd", text)
        self.assertIn("(default 32M)", text)

    def test_many_choices_are_not_listed(self):
        entries = [{"enum": "E", "values": [chr(ord("a") + i) for i in range(9)]},
                   struct(member("e", "E"), options="runtime", driver="d")]
        self.assertIn(".BI e= name", emit_manual.roff(schema.Schema(entries), "d"))

    def test_roff_lines_never_look_like_requests(self):
        self.assertEqual(emit_manual.roff_escape(".x"), "\\&.x")
        self.assertEqual(emit_manual.roff_escape("a\\b-c"), "a\\eb\\-c")

    def test_markdown_bars_are_escaped(self):
        self.assertIn("red\\|deep-blue", emit_manual.markdown(self.schema, "test"))

    def test_json(self):
        tables = json.loads(emit_manual.list_json(self.schema))
        self.assertEqual([t["struct"] for t in tables], ["Everything"])
        by_name = {o["name"]: o for o in tables[0]["options"]}
        self.assertEqual(by_name["colour"]["choices"], ["red", "deep-blue", "2nd"])
        self.assertEqual(by_name["limit"]["default"], "32M")
        self.assertTrue(by_name["cache.no-flush"]["reopenable"])

    def test_every_option_of_a_driver_has_help(self):
        whole = schema.load(ALL_SCHEMAS)
        for table in whole.option_structs():
            for option in whole.options_of(table):
                self.assertTrue(option.member.help, option.member.where)
                self.assertFalse(option.member.help.endswith(".") and
                                 not option.member.help.endswith(".)"), option.member.where)


class Documents(unittest.TestCase):
    def test_page_names_the_options_of_every_node(self):
        with open(os.path.join(ROOT, "docs", "options-and-secrets.md"), encoding="utf-8") as file:
            section = file.read().split("Options of every node:")[1].split("\n## ")[0]
        named = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
        block = schema.load([BLOCK_SCHEMA])
        known = [o.name for s in emit_manual.structs_of(block, "common")
                 for o in block.options_of(s)]
        self.assertEqual(named, known)


class CommandLine(unittest.TestCase):
    def run_gen(self, *args):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = gen.main(list(args))
        return code, out.getvalue(), err.getvalue()

    def test_writes_four_files(self):
        with tempfile.TemporaryDirectory() as folder:
            code, _, _ = self.run_gen("--output-dir", folder, "--prefix", "x", TEST_SCHEMA)
            self.assertEqual(code, 0)
            self.assertEqual(sorted(os.listdir(folder)),
                             ["x-options.c", "x-options.h", "x-types.c", "x-types.h"])

    def test_prints_options_of_every_node(self):
        code, out, _ = self.run_gen("--options-md", "common", BLOCK_SCHEMA)
        self.assertEqual(code, 0)
        self.assertIn("`node-name`", out)

    def test_unknown_driver_is_refused(self):
        code, out, err = self.run_gen("--options-man", "none", TEST_SCHEMA)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no option table of driver none", err)

    def test_missing_file_is_refused(self):
        code, _, err = self.run_gen("--list-json", "/nonexistent/schema.json")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/schema.json", err)


if __name__ == "__main__":
    unittest.main()
