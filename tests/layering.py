# SPDX-License-Identifier: MIT
"""The layers, checked by reading the includes: util <- qapi <- crypto <- block <- tools.

A folder includes only itself and what stands left of it. tools/ and examples/
use the public headers only. A driver includes the public headers, its own
files and the layers left of block. A public header belongs to a layer, and
includes only headers of that one or of those left of it.
"""

import os
import re
import sys
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LAYERS = ["util", "qapi", "crypto", "block"]
USERS = ["tools", "examples"]
# The owners of the public headers: a new header is added here.
PUBLIC = {
    "aio.h": "util", "coroutine.h": "util", "error.h": "util", "iov.h": "util",
    "macros.h": "util", "nearest.h": "util", "size.h": "util",
    "qdict.h": "qapi",
    "secret.h": "crypto",
    "block.h": "block", "cairn.h": "block", "context.h": "block", "driver.h": "block",
    "export.h": "block", "job.h": "block",
}
# Libraries that one layer wraps for the others.
WRAPPED = {"jansson.h": "qapi", "nettle": "crypto", "liburing.h": "util"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path):
    """util for util/iov.c; the owner's layer for a public header."""
    parts = path.split("/")
    if parts[0] == "include":
        return PUBLIC.get(parts[-1])
    return parts[0]


def driver_of(path):
    """raw for block/drivers/raw.c, file for .../file-lock.h, qcow for .../qcow/map.c."""
    parts = path.split("/")
    if parts[:2] != ["block", "drivers"]:
        return None
    return re.split("[-.]", parts[2])[0]


def resolve(path, bracket, name, exists):
    """The file of the repository that an include names, or None if it is of the system."""
    if name.startswith("cairn/"):
        return "include/" + name
    places = [name, "tools/" + name]
    if bracket == '"':
        places.insert(0, os.path.dirname(path) + "/" + name)
    for place in places:
        place = os.path.normpath(place)
        if exists(place):
            return place
    # A header that the build makes has no file here, but a folder of ours in its name.
    return name if name.split("/")[0] in LAYERS or bracket == '"' else None


def check_public(path, target):
    owner = PUBLIC.get(target.split("/")[-1])
    user = folder_of(path)
    if owner is None:
        return "has no owner in tests/layering.py"
    if user in LAYERS and LAYERS.index(owner) > LAYERS.index(user):
        return "belongs to %s, which is above %s" % (owner, user)
    return None


def check_driver(path, target):
    if folder_of(target) != "block" or target == "block/drivers.h":
        return None
    if driver_of(target) is None:
        return "is internal to the core"
    if driver_of(target) != driver_of(path):
        return "belongs to another driver"
    return None


def check_layers(path, target):
    user, used = folder_of(path), folder_of(target)
    if user in USERS:
        return None if used == user else "is not public"
    if path.startswith("include/"):
        return "is not public, and a public header includes it"
    if used not in LAYERS:
        return "is of no layer"
    if LAYERS.index(used) > LAYERS.index(user):
        return "is above %s" % user
    if driver_of(path):
        return check_driver(path, target)
    if driver_of(target):
        return "belongs to a driver, and the core knows none"
    return None


def check_include(path, bracket, name, exists):
    """Why @path may not include @name, or None if it may."""
    target = resolve(path, bracket, name, exists)
    if target is None:
        wrapper = WRAPPED.get(name.split("/")[0])
        if wrapper and wrapper != folder_of(path):
            return "is wrapped by %s" % wrapper
        return None
    if target.startswith("include/"):
        return check_public(path, target)
    return check_layers(path, target)


def check_text(path, text, exists):
    for bracket, name in INCLUDE.findall(text):
        why = check_include(path, bracket, name, exists)
        if why:
            yield "%s: %s %s" % (path, name, why)


def sources():
    for top in LAYERS + USERS + ["include"]:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith((".c", ".h", ".S")):
                    yield os.path.relpath(os.path.join(folder, name), ROOT)


class Tree(unittest.TestCase):
    def test_no_file_breaks_the_layers(self):
        paths = list(sources())
        self.assertGreater(len(paths), 20)
        found = []
        for path in paths:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                found += check_text(path, file.read(),
                                    lambda p: os.path.exists(os.path.join(ROOT, p)))
        self.assertEqual(found, [])


class Rules(unittest.TestCase):
    """The checker itself, on includes that it must refuse or let pass."""

    FILES = {"util/iov.h", "qapi/visit.h", "crypto/cipher.h", "block/block-int.h",
             "block/drivers.h", "block/drivers/qcow/map.h", "block/drivers/file-lock.h", "tools/common/tool.h"}

    def check(self, path, include):
        return list(check_text(path, "#include %s\n" % include, self.FILES.__contains__))

    def assert_refused(self, path, include):
        self.assertEqual(len(self.check(path, include)), 1, (path, include))

    def assert_allowed(self, path, include):
        self.assertEqual(self.check(path, include), [])

    def test_lower_layers_may_be_included(self):
        self.assert_allowed("qapi/json.c", '"util/iov.h"')
        self.assert_allowed("block/open/open.c", '"qapi/block-options.h"')
        self.assert_allowed("block/open/open.c", '"block/block-int.h"')
        self.assert_allowed("util/iov.c", '"iov.h"')

    def test_higher_layers_may_not(self):
        self.assert_refused("util/iov.c", '"qapi/visit.h"')
        self.assert_refused("crypto/secret.c", '"block/block-int.h"')
        self.assert_refused("qapi/json.c", '"crypto/cipher.h"')
        self.assert_refused("qapi/json.c", "<crypto/cipher.h>")
        self.assert_refused("qapi/json.c", '"../crypto/cipher.h"')

    def test_public_headers_have_owners(self):
        self.assert_refused("util/iov.c", "<cairn/qdict.h>")
        self.assert_refused("crypto/secret.c", "<cairn/context.h>")
        self.assert_refused("block/open/open.c", "<cairn/unheard-of.h>")
        self.assert_allowed("crypto/secret.c", "<cairn/qdict.h>")
        self.assert_refused("include/cairn/qdict.h", "<cairn/block.h>")
        self.assert_refused("include/cairn/block.h", '"block/block-int.h"')

    def test_users_see_public_headers_only(self):
        self.assert_allowed("tools/io/main.c", "<cairn/block.h>")
        self.assert_allowed("tools/io/main.c", '"common/tool.h"')
        self.assert_refused("tools/io/main.c", '"util/iov.h"')
        self.assert_refused("tools/io/main.c", '"qapi/block-types.h"')
        self.assert_refused("examples/a.c", '"common/tool.h"')

    def test_drivers_know_only_themselves(self):
        self.assert_allowed("block/drivers/qcow/map.c", '"map.h"')
        self.assert_allowed("block/drivers/qcow/read.c", '"block/drivers/qcow/map.h"')
        self.assert_allowed("block/drivers/file.c", '"block/drivers/file-lock.h"')
        self.assert_allowed("block/drivers/file.c", '"block/drivers.h"')
        self.assert_allowed("block/drivers/file.c", '"util/iov.h"')
        self.assert_refused("block/drivers/file.c", '"block/block-int.h"')
        self.assert_refused("block/drivers/file.c", '"block/drivers/qcow/map.h"')
        self.assert_refused("block/drivers/qcow/read.c", '"../file-lock.h"')

    def test_core_knows_no_driver(self):
        self.assert_refused("block/open/open.c", '"block/drivers/qcow/map.h"')
        self.assert_allowed("block/driver-table.c", '"block/drivers.h"')

    def test_libraries_are_wrapped(self):
        self.assert_allowed("qapi/json.c", "<jansson.h>")
        self.assert_refused("block/open/open.c", "<jansson.h>")
        self.assert_refused("tools/img/main.c", "<nettle/aes.h>")
        self.assert_allowed("block/open/open.c", "<string.h>")

    def test_unknown_local_file_is_refused(self):
        self.assert_refused("block/open/open.c", '"elsewhere.h"')


if __name__ == "__main__":
    sys.exit(unittest.main())
