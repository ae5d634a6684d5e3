# SPDX-License-Identifier: MIT
"""Writes the example projects into a C file, so that `benchhost new` works wherever the program is installed.
Usage: embed.py OUTPUT KIND=FILE..."""
import pathlib
import sys


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
    return "\n".join(f'    "{line}\\n"' for line in escaped.split("\n")[:-1]) or '    ""'


def main(output, *items):
    lines = ['/* Written by core/cli/embed.py. */', '#include "cli/templates.h"', "",
             "const BhTemplate bh_templates[] = {"]
    for item in items:
        kind, name = item.split("=", 1)
        path = pathlib.Path(name)
        lines += [f'  {{"{kind}", "{path.name}",', literal(path.read_text(encoding="utf-8")) + "},"]
    lines += ["  {NULL, NULL, NULL},", "};", ""]
    pathlib.Path(output).write_text("\n".join(lines), encoding="utf-8")


main(*sys.argv[1:])
