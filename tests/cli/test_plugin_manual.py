# SPDX-License-Identifier: MIT
"""benchhost-plugin(3) against the header: every callback, service and status is in it, it names none that do not exist, and
roff has nothing to complain about. docs/plugins.md refers to files that exist."""
import re
import shutil
import subprocess

import pytest
from plugins import SOURCE

PAGE = SOURCE / "docs" / "man" / "benchhost-plugin.3"
HEADER = (SOURCE / "core" / "include" / "benchhost" / "plugin.h").read_text()


def section(title):
    return re.search(r"\.Sh %s\n(.*?)(?=\n\.Sh |\Z)" % title, PAGE.read_text(), re.S).group(1)


def struct_body(name):
    end = HEADER.index("} %s;" % name) if name != "bh_host" else HEADER.index("\n};", HEADER.index("struct bh_host {"))
    start = HEADER.rindex("struct", 0, end)
    return HEADER[start:end]


@pytest.mark.parametrize("struct,title", [("bh_host", "SERVICES OF THE HOST"), ("bh_workload", "WORKLOADS"),
                                          ("bh_backend", "BACKENDS")])
def test_every_function_is_documented(struct, title):
    functions = set(re.findall(r"\(\*(\w+)\)\(", struct_body(struct)))
    assert len(functions) >= 5
    assert set(re.findall(r"^\.It Fn (\w+)", section(title), re.M)) == functions


def test_every_status_and_type_is_documented():
    page = PAGE.read_text()
    for name in re.findall(r"^  (BH_\w+)(?: = \d+)?,? +/\*", HEADER, re.M):
        assert re.search(r"\b%s\b" % name, page), name


def test_lint():
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc")
    result = subprocess.run(["mandoc", "-Tlint", "-Wwarning", PAGE], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_files_that_the_guide_names_exist():
    guide = SOURCE / "docs" / "plugins.md"
    links = re.findall(r"\]\(([^)]+)\)", guide.read_text())
    assert links
    for link in links:
        assert (guide.parent / link).exists(), link
