# SPDX-License-Identifier: MIT
"""Each public header compiles alone, twice in a row, and before and after all others: C and C++.

headers.py LANGUAGE COMPILER...
"""

import os
import shlex
import subprocess
import sys
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INCLUDE = os.path.join(ROOT, "include")
HEADERS = sorted(n for n in os.listdir(os.path.join(INCLUDE, "cairn")) if n.endswith(".h"))
STANDARDS = {"c": "-std=c11", "c++": "-std=c++17"}
LANGUAGE = None
COMPILER = None


def glib_flags():
    config = os.environ.get("PKG_CONFIG", "pkg-config")
    return shlex.split(subprocess.check_output([config, "--cflags", "glib-2.0"], text=True))


def compile_text(text):
    """What the compiler says to a program, or nothing if it takes it."""
    command = COMPILER + ["-x", LANGUAGE, STANDARDS[LANGUAGE], "-fsyntax-only", "-Wall", "-Wextra",
                          "-Wno-unused-parameter", "-Wno-unused-function", "-Werror",
                          "-I", INCLUDE] + glib_flags() + ["-"]
    run = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    return run.stdout or ("exit status %d" % run.returncode if run.returncode else "")


def program(headers):
    lines = ["#include <cairn/%s>" % name for name in headers]
    return "\n".join(lines + ["int main(void) { return 0; }", ""])


class Headers(unittest.TestCase):
    def test_there_are_headers(self):
        self.assertIn("cairn.h", HEADERS)

    def test_a_broken_program_is_refused(self):
        self.assertNotEqual(compile_text("#include <cairn/none.h>\n"), "")

    def test_each_alone_and_twice(self):
        for name in HEADERS:
            with self.subTest(header=name):
                self.assertEqual(compile_text(program([name, name])), "")

    def test_all_in_either_order(self):
        self.assertEqual(compile_text(program(HEADERS)), "")
        self.assertEqual(compile_text(program(reversed(HEADERS))), "")

    def test_cairn_h_has_them_all(self):
        command = COMPILER + ["-x", LANGUAGE, "-M", "-I", INCLUDE] + glib_flags() + ["-"]
        seen = subprocess.run(command, input=program(["cairn.h"]), text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        for name in HEADERS:
            self.assertIn("cairn/" + name, seen)

    def test_each_is_installed(self):
        with open(os.path.join(INCLUDE, "cairn", "meson.build"), encoding="utf-8") as file:
            installed = file.read()
        for name in HEADERS:
            self.assertIn("'%s'" % name, installed)


if __name__ == "__main__":
    LANGUAGE, COMPILER = sys.argv[1], sys.argv[2:]
    sys.exit(unittest.main(argv=sys.argv[:1]))
