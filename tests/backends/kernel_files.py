# SPDX-License-Identifier: MIT
"""Building workloads by hand, with one place of a file changed: for tests of what their verification notices."""
import os
import pathlib
import shlex
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"])
FLAGS = [*shlex.split(os.environ["CC"]), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-w", "-shared", "-fPIC", "-pthread",
         f"-I{SOURCE}/core/include"]


def copy(folder, workload, file=None, what=None, by=None):
    """The workload's sources in `folder`, with `what` in `file` replaced."""
    for path in (SOURCE / "workloads" / workload).glob("*.[ch]"):
        (folder / path.name).write_text(path.read_text())
    if file:
        text = (folder / file).read_text()
        assert what in text, f"{file} of {workload} has no '{what}' any more"
        (folder / file).write_text(text.replace(what, by))


def embed(folder):
    """NAME.k.inc beside each NAME.k.h, as the workload's own build makes it."""
    for kernel in folder.glob("*.k.h"):
        subprocess.run([sys.executable, SOURCE / "tools" / "benchhost-kernel", "-I", SOURCE / "core" / "include", kernel, "-o",
                        kernel.with_suffix(".inc")], check=True)


def build(folder, workload):
    embed(folder)
    library = folder / f"{workload}.so"
    subprocess.run([*FLAGS, "-o", library, *folder.glob("*.c"), "-lm", "-ldl"], check=True)
    return library


def build_twin(folder, kernel):
    """The device form of a kernel file, for this host."""
    library = folder / f"{kernel.name}.twin.so"
    subprocess.run([*FLAGS, "-DBH_TWIN", "-x", "c", "-o", library, kernel, "-lm"], check=True)
    return library
