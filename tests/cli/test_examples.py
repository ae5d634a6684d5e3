# SPDX-License-Identifier: MIT
"""Runs every matrix in examples/, with sizes small enough for a test, and wants every cell ok and verified,
but for devices that this machine does not have."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

BENCHHOST = pathlib.Path(os.environ["BENCHHOST"]).resolve()
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve()
sys.path.insert(0, str(SOURCE / "tests" / "backends"))
import examples_on  # noqa: E402
from examples_on import EXAMPLES, names  # noqa: E402

# What a machine without devices says of them: nothing else may keep a cell from running.
ABSENT = {
    "cuda": r"no driver \(.*\)|the driver is the toolkit's stub|no device \(CUDA_ERROR_NO_DEVICE\)|no NVRTC \(.*\)",
    "opencl": r"no OpenCL loader \(.*\)|no OpenCL platform \(.*\)|no OpenCL device.*",
}


def test_every_example_is_tested():
    assert names() == sorted(examples_on.REDUCED), "an example without reduced sizes in examples_on.py, or the reverse"


def cells(name, tmp_path):
    journal = tmp_path / "journal.jsonl"
    command = [BENCHHOST, "run", EXAMPLES / f"{name}.yaml", "--output", journal, *examples_on.quick(name)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert lines[0]["type"] == "run" and lines[-1]["type"] == "end"
    found = [line for line in lines if line["type"] == "cell"]
    assert len(found) == lines[0]["cells"] * lines[0]["rounds"] > 0
    return found


@pytest.mark.parametrize("name", names())
def test_example(name, tmp_path):
    for cell in cells(name, tmp_path):
        if cell["status"] == "skipped" and re.match(ABSENT.get(cell["backend"], r"(?!)"), cell["reason"]):
            continue
        assert cell["status"] == "ok", f"{cell['label']}: {cell['status']}: {cell['reason']}"
        assert cell["reason"] is None
        assert cell["steady"]["median_ns"] > 0 and cell["total"]["median_ns"] > 0, cell["label"]
        assert cell["phases_ns"]["verify"] > 0, f"{cell['label']}: not verified"


@pytest.mark.parametrize("name", names())
def test_published_size_plans(name):
    """As committed, without any reduction: every value is within its limits, no cell is there twice."""
    result = subprocess.run([BENCHHOST, "plan", EXAMPLES / f"{name}.yaml"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_pools_cover_everything(tmp_path):
    """examples/pools.yaml is what shows that any workload runs on any backend: none may be missing from it."""
    build, root = BENCHHOST.parent, EXAMPLES.parent
    built = {kind: {p.name for p in (root / kind).iterdir() if (build / kind / p.name / f"{p.name}.so").exists()}
             for kind in ("workloads", "plugins")}
    found = cells("pools", tmp_path)
    pairs = {(cell["workload"], cell["backend"]) for cell in found}
    assert {w for w, _ in pairs} >= {"noop", "sleep", "prime", "files", "memory", "chunk-mean", "squares", "collectives", "command"}
    for backend in {"serial", "pthread", "fork", "openmp"} & built["plugins"]:
        for workload in {w for w, _ in pairs} & built["workloads"]:
            assert (workload, backend) in pairs
