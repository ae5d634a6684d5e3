#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a journal is what run-all expects: one line, exit status 0 (it is) or 1.

Usage: judge.py JOURNAL [--backend NAME] [--may STATUS:REGEX ...] [--must STATUS:REGEX ...] [--no-fact REGEX ...] [--double]

The run has come to its end. Every cell must be `ok`, but those of which --may or --must (of "LABEL: REASON") says otherwise; each --must must be met. At least
one cell of the backend is ok, and each of its ok cells has a GPU's name among its facts: no test double's, unless --double says so."""
import argparse
import collections
import json
import pathlib
import re
import sys


def matches(rule, cell):
    status, _, pattern = rule.partition(":")
    return cell["status"] == status and re.search(pattern, f"{cell['label']}: {cell.get('reason')}")


def complaints(cells, options):
    rules = options.may + options.must
    mine = [c for c in cells if c["backend"] == options.backend and c["status"] == "ok"]
    found = [f"{c['label']}: {c['status']}: {c.get('reason')}" for c in cells
             if c["status"] != "ok" and not any(matches(rule, c) for rule in rules)]
    found += [f"no cell is {rule}" for rule in options.must if not any(matches(rule, c) for c in cells)]
    if not mine:
        found.append(f"no cell of {options.backend} is ok")
    for cell in mine:
        name = next((text for fact, text in cell["facts"].items() if re.fullmatch(r"gpu \d+", fact)), None)
        if name is None or (name == "Fake") != options.double:
            found.append(f"{cell['label']}: ran on {name}")
        found += [f"{cell['label']}: {fact}: {text}" for fact, text in cell["facts"].items()
                  if any(re.search(pattern, fact) for pattern in options.no_fact)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("journal", type=pathlib.Path)
    parser.add_argument("--backend", default="cuda")
    parser.add_argument("--may", action="append", default=[])
    parser.add_argument("--must", action="append", default=[])
    parser.add_argument("--no-fact", action="append", default=[])
    parser.add_argument("--double", action="store_true")
    options = parser.parse_args()
    if not options.journal.exists():
        sys.exit("no journal")
    lines = [json.loads(line) for line in options.journal.read_text().splitlines()]
    cells = [line for line in lines if line["type"] == "cell"]
    found = complaints(cells, options)
    if not lines or lines[-1]["type"] != "end" or lines[-1].get("interrupted"):
        found.insert(0, "the run did not come to its end")
    counts = collections.Counter(c["status"] for c in cells)
    text = ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "no cells"
    more = "" if len(found) < 2 else f" (and {len(found) - 1} more)"
    print(f"{text}; {found[0]}{more}" if found else text)
    for line in found[1:]:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
