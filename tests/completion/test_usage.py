# SPDX-License-Identifier: MIT
"""The generator of shell completion: how it reads a program's help, and what it makes of it."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "..", "completion"))

import shells           # noqa: E402
import usage            # noqa: E402
import values           # noqa: E402

HELP = """\
tool version 1
usage: tool [standard options] command [command options]

    -h, --help           print this help and exit
    -T, --trace PATTERN  accepted
    --strict             follow names within the
                         folder only

Command syntax:
  check [-f fmt] [--output=ofmt] [-r [leaks | all]] [-U] filename
  copy [--bitmaps [--skip-broken]] [-B file [-F file_fmt]] [-o options] -O output_fmt \
filename [filename2 [...]] output
  dd [bs=block_size] if=input of=output
  resize (--grow | --to size | -x)... [--size N | [-f fmt] filename] [+ | -]size

Parameters of several commands (some may stand elsewhere):
  -f, --format    format of the image; without it the image is probed
  -T, -t          cache mode: none, writeback (the default)
                  or unsafe
  -U, --force-share  open without locks
  --output        human or json
  size            bytes

Parameters of check:
  -r, --repair    leaks: give back clusters; all: repair errors, too
  exit status     0 clean
  --output        also svg: a picture

Parameters of copy:
  -b, --source, -F, --file-format  two options with two names
  --bitmaps, --skip-broken  two options

Supported formats: raw
"""

PROMPT_HELP = """\
Usage: shell [OPTION]... [-c COMMAND]... [FILE]

  -c, --cmd COMMAND    run COMMAND; without it lines are read
                       from standard input
  -n                   no cache

'shell -c help' lists the commands.
"""

DRIVERS = {
    "common-options": [{"name": "driver", "type": "str"},
                       {"name": "discard", "type": "str", "help": "ignore (off) or unmap (on)"}],
    "drivers": [
        {"name": "file", "kind": "protocol", "can": ["create"],
         "runtime-options": [{"name": "filename", "type": "str"}, {"name": "drop", "type": "bool"}],
         "create-options": [{"name": "prealloc", "type": "str",
                             "help": "Mode (allowed values: off, full)"}]},
        {"name": "fmt", "kind": "format", "can": ["create", "backing"],
         "runtime-options": [{"name": "rule.#.event", "type": "str", "choices": ["a", "b"]}],
         "create-options": [{"name": "size", "type": "size"},
                            {"name": "backing_fmt", "type": "str"}]},
        {"name": "old", "kind": "format", "can": [], "runtime-options": [], "create-options": []},
    ],
}


def command(name):
    return next(c for c in usage.parse(HELP).commands if c.name == name)


def values_for_test():
    return values.Values(DRIVERS, {"secret": ["data", "file"]}, ["read", "write"])


class Syntax(unittest.TestCase):
    def test_every_command_is_found(self):
        self.assertEqual([c.name for c in usage.parse(HELP).commands],
                         ["check", "copy", "dd", "resize"])

    def test_options_have_all_spellings(self):
        self.assertEqual([o.names for o in command("check").options],
                         [["-f", "--format"], ["--output"], ["-r", "--repair"],
                          ["-U", "--force-share"], ["-h", "--help"], ["--strict"]])

    def test_options_within_options(self):
        self.assertEqual([o.names[0] for o in command("copy").options][:6],
                         ["--bitmaps", "--skip-broken", "-B", "-F", "-o", "-O"])

    def test_a_word_behind_an_option_is_its_argument(self):
        copy = command("copy")
        self.assertEqual(copy.option("-O").placeholder, "output_fmt")
        self.assertIsNone(copy.option("--bitmaps").placeholder)

    def test_alternatives_are_options_of_their_own(self):
        resize = command("resize")
        self.assertEqual([(o.names[0], o.placeholder) for o in resize.options][:5],
                         [("--grow", None), ("--to", "size"), ("-x", None), ("--size", "N"),
                          ("-f", "fmt")])

    def test_operands(self):
        self.assertEqual([o.name for o in command("copy").operands],
                         ["filename", "filename2", "output"])
        self.assertTrue(command("copy").operands[-1].repeats)
        self.assertFalse(command("check").operands[-1].repeats)
        self.assertEqual([o.name for o in command("resize").operands], ["filename", "size"])

    def test_operands_with_keys(self):
        self.assertEqual([(o.key, o.name) for o in command("dd").operands],
                         [("bs", "block_size"), ("if", "input"), ("of", "output")])

    def test_the_reminder_names_operands_only(self):
        self.assertEqual(command("copy").syntax, "filename [filename2 [...]] output")


class Descriptions(unittest.TestCase):
    def test_a_long_name_belongs_to_the_short_one_before_it(self):
        self.assertEqual(usage.synonyms(["-b", "--source", "-F", "--file-format"]),
                         [["-b", "--source"], ["-F", "--file-format"]])
        self.assertEqual(usage.synonyms(["-T", "-t"]), [["-T"], ["-t"]])
        self.assertEqual(usage.synonyms(["--bitmaps", "--skip-broken"]),
                         [["--bitmaps"], ["--skip-broken"]])

    def test_descriptions_go_on_in_the_next_line(self):
        self.assertEqual(usage.parse(HELP).main.option("--strict").help,
                         "follow names within the folder only")

    def test_what_is_no_option_ends_a_description(self):
        self.assertEqual(command("check").option("-r").help,
                         "leaks: give back clusters; all: repair errors, too")

    def test_a_commands_own_description_counts(self):
        self.assertEqual(command("copy").option("-F").help, "two options with two names")

    def test_also_adds_to_the_common_description(self):
        self.assertEqual(command("check").option("--output").help,
                         "human or json; also svg: a picture")

    def test_a_program_without_commands(self):
        program = usage.parse(PROMPT_HELP)
        self.assertEqual(program.commands, [])
        self.assertEqual([(o.names, o.placeholder) for o in program.main.options],
                         [(["-c", "--cmd"], "COMMAND"), (["-n"], None)])
        self.assertEqual([o.name for o in program.main.operands], ["file"])


class Choices(unittest.TestCase):
    def test_enumerations(self):
        for text, words in (
                ("human or json", ["human", "json"]),
                ("mode: none, writeback (default) or unsafe", ["none", "writeback", "unsafe"]),
                ("off, falloc or full: how space is allocated", ["off", "falloc", "full"]),
                ("threads, native or io_uring; -n is as native", ["threads", "native", "io_uring"]),
                ("Mode (allowed values: off, full)", ["off", "full"]),
                ("Encrypt, format choices: 'aes'", ["aes"]),
                ("human or json; also svg: a picture", ["human", "json", "svg"])):
            self.assertEqual(values.choices_in(text), words, text)

    def test_prose_is_none(self):
        for text in ("bytes per second at most", "name of the driver", "",
                     "run it; without it, lines are read", "how many (1 to 16, default 8)",
                     "Size of the disk, or of the rest"):
            self.assertEqual(values.choices_in(text), [], text)


class Kinds(unittest.TestCase):
    def kind(self, name, option):
        return values_for_test().of_argument(command(name).option(option), command(name))

    def test_formats(self):
        self.assertEqual(self.kind("check", "-f"), "words file fmt old")

    def test_only_formats_that_can_be_made_are_targets(self):
        self.assertEqual(self.kind("copy", "-O"), "words file fmt")

    def test_words_of_the_syntax(self):
        self.assertEqual(self.kind("check", "--repair"), "words leaks all")

    def test_options_are_those_of_the_target(self):
        self.assertEqual(self.kind("copy", "-o"), "list create -O")

    def test_files(self):
        self.assertEqual(self.kind("copy", "-B"), "file")
        self.assertEqual(values_for_test().of_operands(command("copy")), ["file"] * 3)

    def test_nothing_to_offer(self):
        self.assertEqual(self.kind("resize", "--to"), "")

    def test_commands_of_a_prompt(self):
        main = usage.parse(PROMPT_HELP).main
        self.assertEqual(values_for_test().of_argument(main.option("-c"), main), "words read write")


class Tables(unittest.TestCase):
    def setUp(self):
        self.tables = values_for_test().tables(usage.parse(HELP))

    def test_a_formats_options_and_those_of_its_file(self):
        self.assertEqual(self.tables["create/fmt"],
                         {"prealloc": "words off full", "size": "",
                          "backing_fmt": "words file fmt old"})

    def test_what_cannot_be_made_has_no_table(self):
        self.assertNotIn("create/old", self.tables)

    def test_runtime_options_with_the_common_ones_and_children(self):
        self.assertEqual(self.tables["open/fmt"],
                         {"rule.0.event": "words a b", "driver": "words file fmt old",
                          "discard": "words ignore unmap", "file.": "", "backing.": ""})
        self.assertNotIn("file.", self.tables["open/file"])
        self.assertEqual(self.tables["open/file"]["drop"], "words on off")

    def test_objects(self):
        self.assertEqual(self.tables["object/"], {"secret,": ""})
        self.assertEqual(self.tables["object/secret"], {"data": "", "file": "file", "id": ""})

    def test_operands_with_keys(self):
        self.assertEqual(self.tables["operands/dd"], {"bs": "", "if": "file", "of": "file"})


class Texts(unittest.TestCase):
    def test_no_quote_ends_a_string(self):
        self.assertEqual(shells.quote("it's\\"), "'it’s'")

    def test_zsh_descriptions_keep_brackets_and_colons(self):
        self.assertEqual(shells.zsh_text("a[b]: it's"), "a\\[b\\]\\: it’s")

    def test_a_star_at_the_end_of_a_key_is_a_pattern(self):
        self.assertEqual(shells.pattern("copy *", "*"), "'copy '*")
        self.assertEqual(shells.pattern("copy", "*"), "'copy'")


if __name__ == "__main__":
    unittest.main()
