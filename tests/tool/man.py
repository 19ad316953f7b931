# SPDX-License-Identifier: MIT
"""Whether --help and the man page name the same options. Arguments: the program, its man page. With --commands
as third, the program has commands, which "-c help" lists: the page must show each one's usage line as a heading, with
its short name, and name the options that their help does."""

import re
import subprocess
import sys

# Words with a hyphen before a letter that are no options.
OPTION = re.compile(r"(?<![\w/-])(--?[A-Za-z][A-Za-z-]*)")


def output(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout


def plain_page(path):
    with open(path, encoding="utf-8") as page:
        text = page.read()
    # Only what the page sets with a minus sign (\-) is an option; a plain "-" is a hyphen.
    text = "".join(line for line in text.splitlines(True) if not line.startswith('.\\"'))
    text = text.replace(r"\-", "\0").replace("-", " ").replace("\0", "-")
    return re.sub(r"\\f.|\\&", " ", text)


def short_name(program, name):
    """The one-letter command, or "?", that is described by the same line."""
    for letter in [name[0], "?"]:
        line = subprocess.run([program, "-c", "help " + letter], capture_output=True, text=True,
                              check=False).stdout.split("\n")[0]
        if line.partition(" ")[2] == output(program, "-c", "help " + name).split("\n")[0] \
                .partition(" ")[2] and letter != name:
            return letter
    return None


def check_commands(program, page):
    """Returns the help of all commands, and how many are not on the page as they are."""
    usages = [line.partition(" -- ")[0] for line in
              output(program, "-c", "help").split("\n\n")[0].split("\n")]
    text, missing = "", 0
    for usage in usages:
        name = usage.split()[0]
        letter = short_name(program, name)
        heading = f'.SS "{usage} ({letter})"\n' if letter else f'.SS "{usage}"\n'
        text += output(program, "-c", "help " + name)
        if heading not in page:
            missing += 1
            print(f"no heading: {heading}", end="")
    headings = re.findall(r"^\.SS .*$", page, re.M)
    if len(headings) != len(usages):
        missing += 1
        print(f"{len(headings)} headings for {len(usages)} commands")
    return text, missing


def main(program, path, commands=None):
    page, text, missing = plain_page(path), output(program, "--help"), 0
    if commands:
        more, missing = check_commands(program, page)
        text += more
    in_help, in_page = set(OPTION.findall(text)), set(OPTION.findall(page))
    for option in sorted(in_help - in_page):
        print(f"{option} is in --help but not in {path}")
    for option in sorted(in_page - in_help):
        print(f"{option} is in {path} but not in --help")
    if not in_help:
        print("--help names no options")
    return 0 if in_help and in_help == in_page and not missing else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
