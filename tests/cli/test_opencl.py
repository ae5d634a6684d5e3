# SPDX-License-Identifier: MIT
"""The opencl backend: every example matrix reduced and verified on PoCL, small cells under Oclgrind's checks, and why it cannot
run where there is no OpenCL. PoCL's kernel cache goes to a folder that is removed at the end."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
import yaml
from test_examples import QUICK, REDUCED

BENCHHOST = pathlib.Path(os.environ["BENCHHOST"]).resolve()
EXAMPLES = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve() / "examples"
ICD = "/etc/OpenCL/vendors/pocl.icd"
OCLGRIND_LIBRARIES = ["/usr/lib/x86_64-linux-gnu/oclgrind/liboclgrind-rt-icd.so", "/usr/lib/oclgrind/liboclgrind-rt-icd.so",
                      "/usr/lib/aarch64-linux-gnu/oclgrind/liboclgrind-rt-icd.so"]
NO_PLATFORM = "no OpenCL platform (install an ICD, such as pocl-opencl-icd)"

# What cannot run, and why: the list of plugins/opencl/README.md.
UNSUPPORTED = {
    "command": "kernel 'command' has no code for devices",
}


@pytest.fixture(scope="module", name="cache")
def fixture_cache():
    with tempfile.TemporaryDirectory(prefix="benchhost-pocl-") as folder:
        yield folder


def environment(cache, **more):
    return {**os.environ, "POCL_CACHE_DIR": cache, "OMP_NUM_THREADS": "1", **{k: str(v) for k, v in more.items()}}


@pytest.fixture(name="pocl")
def fixture_pocl(cache):
    if not os.path.exists(ICD):
        pytest.skip("PoCL is not installed (pocl-opencl-icd)")
    return environment(cache, OCL_ICD_VENDORS=ICD)


def run_matrix(folder, matrix, env, params=(), quick=True):
    """-> the cells of a matrix given as an object."""
    path, journal = folder / "matrix.yaml", folder / "journal.jsonl"
    path.write_text(yaml.safe_dump(matrix))
    command = [BENCHHOST, "run", path, "--output", journal]
    for value in QUICK if quick else []:
        command += ["--set", value]
    for value in params:
        command += ["--param", value]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=env)
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    cells = [line for line in lines if line["type"] == "cell"]
    assert cells, result.stdout[-2000:] + result.stderr[-2000:]
    return cells


def example(name):
    matrix = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    for key in "baseline", "exclude":
        matrix.pop(key, None)
    matrix["backends"] = [{"opencl": {"workers": [1, 2]}}]
    return matrix


@pytest.mark.parametrize("name", sorted(REDUCED))
def test_example(name, tmp_path, pocl):
    for cell in run_matrix(tmp_path, example(name), pocl, REDUCED[name]):
        if cell["workload"] in UNSUPPORTED:
            assert (cell["status"], cell["reason"]) == ("unsupported", UNSUPPORTED[cell["workload"]])
            continue
        assert cell["status"] == "ok", f"{cell['label']}: {cell['status']}: {cell['reason']}"
        assert cell["phases_ns"]["verify"] > 0, f"{cell['label']}: not verified"
