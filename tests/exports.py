# SPDX-License-Identifier: MIT
"""What libcairn.so exports is what include/cairn/ declares with CAIRN_API: no more, no less.

exports.py LIBRARY NM
"""

import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
INCLUDE = os.path.join(ROOT, "include", "cairn")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# From CAIRN_API to the parenthesis of the parameters; the name is the last word before it.
DECLARATION = re.compile(r"^CAIRN_API\b([^;({]*?)(\w+)\s*\(", re.MULTILINE)
LIBRARY = None
NM = None


def declared_in(text):
    return {name for _, name in DECLARATION.findall(COMMENT.sub("", text))}


def declared():
    names = set()
    for header in sorted(os.listdir(INCLUDE)):
        if header.endswith(".h"):
            with open(os.path.join(INCLUDE, header), encoding="utf-8") as file:
                names |= declared_in(file.read())
    return names


def exported():
    output = subprocess.check_output([NM, "-D", "--defined-only", LIBRARY], text=True)
    symbols = [line.split() for line in output.splitlines()]
    # "A" is the name of the version itself.
    return {words[-1].split("@")[0] for words in symbols if words[-2] != "A"}


class Exports(unittest.TestCase):
    def test_declarations_are_understood(self):
        text = """
            /* CAIRN_API int not_this(void); */
        \nCAIRN_API const char *one(void);\nCAIRN_API int64_t coroutine_fn two(int\n  a);
        \nCAIRN_API void three(int (*func)(void *), void *opaque);\nint four(void);
        """
        self.assertEqual(declared_in(text), {"one", "two", "three"})

    def test_all_that_is_declared_is_exported(self):
        self.assertEqual(sorted(declared() - exported()), [])

    def test_nothing_else_is_exported(self):
        self.assertEqual(sorted(exported() - declared()), [])


if __name__ == "__main__":
    LIBRARY, NM = sys.argv[1:3]
    sys.exit(unittest.main(argv=sys.argv[:1]))
