#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The schema generator.

  gen.py --output-dir DIR SCHEMA...       PREFIX-types.h/.c, PREFIX-options.h/.c (--prefix: "block")
  gen.py --options-man DRIVER SCHEMA...   a driver's option tables as roff ("common": of every node)
  gen.py --options-md DRIVER SCHEMA...    the same as markdown
  gen.py --list-json SCHEMA...            all option tables as JSON
"""

import argparse
import os
import sys

import emit_manual
import emit_options
import emit_types
import schema as schema_module


def write_files(schema, folder, prefix):
    files = {
        "types.h": emit_types.types_h,
        "types.c": emit_types.types_c,
        "options.h": emit_options.options_h,
        "options.c": emit_options.options_c,
    }
    for name, emit in files.items():
        path = os.path.join(folder, "%s-%s" % (prefix, name))
        with open(path, "w", encoding="utf-8") as file:
            file.write(emit(schema, prefix))


def manual(schema, driver, emit):
    if not emit_manual.structs_of(schema, driver):
        raise schema_module.SchemaError("no option table of driver %s" % driver)
    sys.stdout.write(emit(schema, driver))


def main(argv):
    parser = argparse.ArgumentParser(description="Generate C and manuals from the schema.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--output-dir")
    mode.add_argument("--options-man", metavar="DRIVER")
    mode.add_argument("--options-md", metavar="DRIVER")
    mode.add_argument("--list-json", action="store_true")
    parser.add_argument("--prefix", default="block")
    parser.add_argument("schema", nargs="+")
    args = parser.parse_args(argv)
    try:
        schema = schema_module.load(args.schema)
        if args.output_dir:
            write_files(schema, args.output_dir, args.prefix)
        elif args.options_man:
            manual(schema, args.options_man, emit_manual.roff)
        elif args.options_md:
            manual(schema, args.options_md, emit_manual.markdown)
        else:
            sys.stdout.write(emit_manual.list_json(schema))
    except (schema_module.SchemaError, OSError, ValueError) as error:
        print("gen.py: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
