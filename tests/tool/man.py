# SPDX-License-Identifier: MIT
"""Whether --help and the man page name the same options. Arguments: the program, its man page."""

import re
import subprocess
import sys

# Words with a hyphen before a letter that are no options.
OPTION = re.compile(r"(?<![\w/-])(--?[A-Za-z][A-Za-z-]*)")


def options_of_help(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True,
                          check=True).stdout
    return set(OPTION.findall(text))


def options_of_page(path):
    with open(path, encoding="utf-8") as page:
        text = page.read()
    # Only what the page sets with a minus sign (\-) is an option; a plain "-" is a hyphen.
    text = "".join(line for line in text.splitlines(True) if not line.startswith('.\\"'))
    text = text.replace(r"\-", "\0").replace("-", " ").replace("\0", "-")
    text = re.sub(r"\\f.|\\&", " ", text)
    return set(OPTION.findall(text))


def main(program, path):
    in_help, in_page = options_of_help(program), options_of_page(path)
    for option in sorted(in_help - in_page):
        print(f"{option} is in --help but not in {path}")
    for option in sorted(in_page - in_help):
        print(f"{option} is in {path} but not in --help")
    if not in_help:
        print("--help names no options")
    return 0 if in_help and in_help == in_page else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
