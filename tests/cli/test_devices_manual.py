# SPDX-License-Identifier: MIT
"""docs/devices.md against the tree: its example is the real code and complete, its files exist, its rules name what there is, and
what it says cannot run cannot. The real cuBLAS, where there is one, has the functions that are asked of it."""
import glob
import re
import shutil
import subprocess

import pytest
from plugins import SOURCE

GUIDE = SOURCE / "docs" / "devices.md"
HEADER = (SOURCE / "core" / "include" / "benchhost" / "device.h").read_text()


def blocks():
    """[(file, code)] of the guide's blocks that name where they are from."""
    return re.findall(r"<!-- (\S+) -->\n```c\n(.*?)\n```", GUIDE.read_text(), re.S)


def test_example_is_the_real_code():
    found = blocks()
    assert found
    for name, code in found:
        text = (SOURCE / name).read_text()
        for part in code.split("\n\n"):
            assert part in text, f"{name} has not, or no longer:\n{part}"


def test_example_is_complete():
    """All five callbacks, and all that they call of the device."""
    shown = "\n".join(code for _, code in blocks())
    members = re.search(r"struct bh_program \{(.*?)\n\};", HEADER, re.S).group(1)
    callbacks = set(re.findall(r"\(\*(\w+)\)\(", members))
    assert callbacks == {"footprint", "prepare", "enqueue", "fetch", "finish"}
    for name in callbacks - {"fetch"}:  # results are where they belong: the text says so
        assert f".{name} = cublas_{name}" in shown
        assert re.search(r"\bcublas_%s\(" % name, shown), name
    source = (SOURCE / "workloads" / "chunk-mean" / "cublas.c").read_text()
    for function in re.findall(r"^static \w+ (cublas_\w+)\(", source, re.M):
        assert re.search(r"^static \w+ %s\(" % function, shown, re.M), f"{function} is not shown"


def test_variant_row_is_the_real_one():
    row = re.search(r"^\{\.name = \"cublas\".*$", GUIDE.read_text(), re.M).group(0)
    table = (SOURCE / "workloads" / "chunk-mean" / "chunk-mean.c").read_text()
    assert re.sub(r"\s+", "", row) in re.sub(r"\s+", "", table)


def test_links():
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text())
    assert links
    missing = [link for link in links if not (GUIDE.parent / link).exists() and link != "kernels.md"]
    assert not missing


def test_what_the_rules_name_exists():
    members = set(re.findall(r"\(\*(\w+)\)\(", HEADER))
    for name in ("host_func", "download", "native", "address", "library", "footprint", "prepare", "enqueue", "fetch", "finish"):
        assert name in members and f"`{name}" in GUIDE.read_text(), name


def test_what_cannot_run_has_no_code_for_devices():
    table = GUIDE.read_text().split("## What cannot run on devices")[1].split("| in any workload")[0]
    names = re.findall(r"^\| `([a-z-]+)` \|", table, re.M)
    assert names
    for name in names:
        for path in (SOURCE / "workloads" / name).glob("*.c"):
            assert not re.search(r"BH_KERNEL_DEVICE|bh_program", path.read_text()), f"{name}: {path.name}"


def test_real_cublas_has_the_functions():
    libraries = glob.glob("/usr/local/cuda*/lib64/libcublas.so.1[23]") + glob.glob("/usr/lib/*/libcublas.so.1[23]")
    if not libraries or not shutil.which("nm"):
        pytest.skip("no libcublas.so.12 or .13 here, or no nm")
    source = (SOURCE / "workloads" / "chunk-mean" / "cublas.c").read_text()
    wanted = set(re.findall(r'\{"(cublas\w+)", &ret_call', source))
    assert len(wanted) == 7
    for library in libraries:
        out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
        assert wanted <= set(re.findall(r" T (cublas\w+?)(?:@@?\S+)?$", out, re.M)), library
