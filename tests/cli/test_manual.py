# SPDX-License-Identifier: MIT
"""benchhost(1) against the program: every command and option of --help is in it, and it has no others."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

BENCHHOST = os.environ["BENCHHOST"]
MANUAL = pathlib.Path(os.environ["SOURCE_ROOT"]) / "docs" / "man" / "benchhost.1"


def plain():
    """The page's source with roff's escapes taken out."""
    text = MANUAL.read_text().replace("\\-", "-")
    return re.sub(r"\\f[A-Z]|\\&", "", text)


def help_of(*command):
    out = subprocess.run([BENCHHOST, *command, "--help"], capture_output=True, text=True, timeout=60)
    return out.stdout if out.returncode == 0 else ""


def commands():
    return re.findall(r"^  ([a-z][a-z-]*) ", help_of().split("Commands", 1)[1].split("\n\n")[0], re.M)


def options(text):
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M))


def test_commands():
    section = plain().split(".SH COMMANDS", 1)[1].split(".SH", 1)[0]
    documented = re.findall(r"^\.TP\n\.BI? ([a-z]+)", section, re.M)
    assert sorted(documented) == sorted(commands())


def test_every_option_is_documented():
    section = plain().split(".SH OPTIONS", 1)[1].split(".SH", 1)[0]
    for command in commands():
        blocks = [b for b in re.split(r"^\.SS ", section, flags=re.M)[1:]
                  if command in re.split(r"[, ]+", b.splitlines()[0]) or b.startswith("All commands")]
        documented = set(re.findall(r"--[a-z-]+", "\n".join(re.findall(r"^\.TP\n\.BR? (.*)$", "\n".join(blocks), re.M))))
        missing = options(help_of(command)) - documented
        assert not missing, f"{command}: {missing} not in benchhost(1)"


def test_no_option_is_made_up():
    section = plain().split(".SH OPTIONS", 1)[1].split(".SH", 1)[0]
    helps = {c: options(help_of(c)) for c in commands() if help_of(c)}
    for block in re.split(r"^\.SS ", section, flags=re.M)[1:]:
        names = re.split(r"[, ]+", block.splitlines()[0])
        known = set.union({"--version"}, *(found for c, found in helps.items() if c in names or names[0] == "All"))
        documented = set(re.findall(r"--[a-z-]+", "\n".join(re.findall(r"^\.TP\n\.BR? (.*)$", block, re.M))))
        if any(c in helps for c in names) or names[0] == "All":
            assert documented <= known, f"{names}: {documented - known}"


def test_exit_statuses():
    header = (pathlib.Path(os.environ["SOURCE_ROOT"]) / "core" / "base" / "error.h").read_text()
    defined = set(re.findall(r"BH_EXIT_\w+ = (\d+)", header))
    section = plain().split(".SH EXIT STATUS", 1)[1].split(".SH", 1)[0]
    assert set(re.findall(r"^\.B (\d+)$", section, re.M)) == defined


def test_groff_has_no_complaints():
    if not shutil.which("man"):
        pytest.skip("no man here")
    out = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(MANUAL)], capture_output=True, text=True,
                         env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
    if out.returncode and "No manual entry" not in out.stderr and "groff" in out.stderr:
        pytest.skip(f"man cannot format here: {out.stderr.strip()[:100]}")
    assert out.stderr == ""
