# SPDX-License-Identifier: MIT
"""The opencl backend: every example matrix reduced and verified on PoCL, small cells under Oclgrind's checks, and why it cannot
run where there is no OpenCL. PoCL's cache is where POCL_CACHE_DIR says: the build's."""
import glob
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

BENCHHOST = pathlib.Path(os.environ["BENCHHOST"]).resolve()
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve()
sys.path.insert(0, str(SOURCE / "tests" / "backends"))
import examples_on  # noqa: E402

ICD = "/etc/OpenCL/vendors/pocl.icd"
OCLGRIND = glob.glob("/usr/lib/oclgrind/liboclgrind-rt-icd.so") + glob.glob("/usr/lib/*/oclgrind/liboclgrind-rt-icd.so")
NO_PLATFORM = "no OpenCL platform (install an ICD, such as pocl-opencl-icd)"


@pytest.fixture(name="pocl")
def fixture_pocl():
    if not os.path.exists(ICD):
        pytest.skip("PoCL is not installed (pocl-opencl-icd)")
    return {**os.environ, "OCL_ICD_VENDORS": ICD}


def run_matrix(folder, matrix, env, params=()):
    """-> the cells of a matrix given as an object."""
    path, journal = folder / "matrix.yaml", folder / "journal.jsonl"
    path.write_text(yaml.safe_dump(matrix))
    command = [BENCHHOST, "run", path, "--output", journal]
    for value in examples_on.QUICK:
        command += ["--set", value]
    for value in params:
        command += ["--param", value]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=env)
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    cells = [line for line in lines if line["type"] == "cell"]
    assert cells, result.stdout[-2000:] + result.stderr[-2000:]
    return cells


# ---- Examples ----

def examples_on_opencl(env, *arguments):
    return subprocess.run([SOURCE / "tests" / "backends" / "examples-on", "opencl", "--quick", *map(str, arguments)], capture_output=True,
                          text=True, timeout=600, check=False, env=env)


@pytest.mark.parametrize("name", examples_on.names())
def test_example(name, tmp_path, pocl):
    """Every cell is ok and verified, or unsupported for a reason of the list."""
    done = examples_on_opencl(pocl, "--workers", "1,2", "--output", tmp_path, name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^{name} +[1-9]", done.stdout, re.M), done.stdout


def test_the_list_of_what_cannot_run_is_the_manuals():
    """In the README: one bullet for each, in its order, whose last literal is the reason."""
    text = (SOURCE / "plugins" / "opencl" / "README.md").read_text()
    section = text.split("## What cannot run on it\n")[1].split("\nBeyond the examples")[0]
    bullets = re.findall(r"^- (.*(?:\n  .*)*)", section, re.M)
    expected = examples_on.cannot_run("opencl")
    assert len(bullets) == len(expected)
    for bullet, (_, reason) in zip(bullets, expected):
        assert re.fullmatch(reason, re.findall(r"`([^`]+)`", bullet)[-1]), bullet


def test_a_cell_that_cannot_run_is_told(tmp_path):
    """With no platform what is not `unsupported` is `skipped`: that is not on the list."""
    done = examples_on_opencl({**os.environ, "OCL_ICD_VENDORS": str(tmp_path)}, "squares")
    assert done.returncode == 1
    assert re.search(r"^squares .* opencl +skipped +- +-  <-- not ok$", done.stdout, re.M), done.stdout
    assert re.search(r"^squares +2 +0 +1 +1 ", done.stdout, re.M)
    assert "1 not as it should be" in done.stdout


@pytest.mark.parametrize("change,fine", [
    ({}, True),
    ({"phases_ns": {"verify": 0}}, False),
    ({"status": "wrong", "reason": "item 3"}, False),
    ({"status": "unsupported", "reason": "kernel 'command' has no code for devices"}, False),
    ({"status": "unsupported", "reason": "kernel 'command' has no code for devices", "label": "command argv=true | opencl"}, False),
])
def test_one_bad_round_is_a_bad_cell(change, fine):
    good = {"id": "1", "label": "prime n=3 | opencl", "backend": "opencl", "status": "ok", "reason": None,
            "phases_ns": {"verify": 5}, "steady": {"median_ns": 2}}
    (row,) = examples_on.merged([good, {**good, **change}])
    assert row[-1] == fine
    assert row[1:4] == (change.get("status", "ok"), change.get("reason"), fine and not change)


def test_what_is_documented_hides_no_other_round():
    on_list = {"id": "1", "label": "command argv=true | opencl", "backend": "opencl", "status": "unsupported",
               "reason": "kernel 'command' has no code for devices", "phases_ns": {"verify": 0}, "steady": None}
    for change, fine in (({}, True), ({"reason": "another reason"}, False), ({"status": "wrong", "reason": "item 3"}, False),
                         ({"status": "crashed", "reason": on_list["reason"]}, False)):
        (row,) = examples_on.merged([on_list, {**on_list, **change}])
        assert (row[1], row[2], row[-1]) == ({**on_list, **change}["status"], {**on_list, **change}["reason"], fine)


def test_patterns_follow_the_backend():
    """What names other backends goes, what names this one or none stays."""
    assert "baseline" not in examples_on.matrix("pools", "opencl") and "exclude" not in examples_on.matrix("pools", "opencl")
    on_fork = examples_on.matrix("pools", "fork", [2])
    assert on_fork["exclude"] == [{"workload": "collectives", "backend": "fork", "transport": "pipe"}]
    assert on_fork["backends"] == [{"fork": {"workers": [2]}}] and examples_on.matrix("pools", "serial")["baseline"] == "serial"
    assert examples_on.matrix("squares", "cuda", [1, 2])["backends"] == [{"cuda": {"streams": [1, 2]}}]


def test_every_workload_of_an_example_has_a_portable_cell():
    for name in examples_on.names():
        for entry in examples_on.matrix(name, "opencl")["workloads"]:
            params = next(iter(entry.values()))
            assert "portable" in params.get("variant", "portable"), f"{name}: {entry}"
    assert {"squares": {"size": 20000, "variant": ["simd", "portable"]}} in examples_on.matrix("scaling", "opencl")["workloads"]


# ---- Cells of their own ----

def small(**options):
    return {"benchhost": 1, "name": "small", "seed": 3, "workloads": [{"prime": {"n": 200, "cost": "variable"}}],
            "backends": [{"opencl": options}]}


def test_facts_and_device_time(tmp_path, pocl):
    cell, = run_matrix(tmp_path, small(profile=True), pocl)
    facts = cell["facts"]
    assert facts["platform"] == "Portable Computing Language"
    assert facts["driver"] and facts["device"] and facts["device version"].startswith("OpenCL ")
    assert re.fullmatch(r"[\d.]+ ms", facts["jit"])
    jit = cell["cold_phases"]["jit"]
    assert jit["count"] == 1 and 0 < jit["ns"] <= cell["phases_ns"]["open"]
    assert re.fullmatch(r"prime \d+x\d+", facts["groups x lanes"])
    metric = cell["metrics"]["device time"] if isinstance(cell["metrics"], dict) else next(
        m for m in cell["metrics"] if m["name"] == "device time")
    assert metric["unit"] == "s"


def test_devices_are_chosen_by_index_and_by_name(tmp_path, pocl):
    cell, = run_matrix(tmp_path, small(device=0, platform="portable"), pocl)
    assert cell["status"] == "ok"
    (tmp_path / "journal.jsonl").unlink()
    cell, = run_matrix(tmp_path, small(device="GeForce 9"), pocl)
    assert cell["status"] == "skipped"
    assert cell["reason"].startswith("no OpenCL device with platform '' and device 'GeForce 9'; there are: "
                                     "Portable Computing Language: ")


def test_without_a_platform(tmp_path):
    (tmp_path / "vendors").mkdir()
    env = {**os.environ, "OCL_ICD_VENDORS": str(tmp_path / "vendors")}
    listed = json.loads(subprocess.run([BENCHHOST, "list", "--json"], capture_output=True, text=True, env=env, check=True).stdout)
    found, = (p for p in listed if p["name"] == "opencl")
    if "libOpenCL.so.1" in found["reason"]:
        pytest.skip("no OpenCL loader is installed (ocl-icd-libopencl1)")
    assert (found["runnable"], found["reason"]) == (False, NO_PLATFORM)
    cell, = run_matrix(tmp_path, small(), env)
    assert (cell["status"], cell["reason"]) == ("skipped", NO_PLATFORM)


def test_without_a_loader(tmp_path):
    """A libOpenCL.so.1 that is none stands before the real one."""
    (tmp_path / "libOpenCL.so.1").write_text("nothing")
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    said = subprocess.run([BENCHHOST, "describe", "opencl"], capture_output=True, text=True, env=env, check=True).stdout
    assert "no OpenCL loader (" in said and "install one (ocl-icd-libopencl1) and a driver, such as pocl-opencl-icd" in said


# Small cells of every form of kernel, each with what it takes to finish soon: Oclgrind is an interpreter.
CHECKED = [
    ["prime", "n=70", "cost=variable"],
    ["chunk-mean", "elements=300", "chunks=7"],
    ["squares", "size=40", "draws=3"],
    ["memory", "items=3", "bytes=800"],
    ["noop", "items=100"],
    ["files", "count=2", "size=100"],
]


@pytest.mark.parametrize("workload", CHECKED, ids=lambda words: words[0])
def test_oclgrind_finds_nothing(workload, tmp_path):
    if not OCLGRIND:
        pytest.skip("Oclgrind is not installed (oclgrind)")
    log = tmp_path / "oclgrind.log"
    (tmp_path / "oclgrind.icd").write_text(OCLGRIND[0] + "\n")
    env = {**os.environ, "OCL_ICD_VENDORS": str(tmp_path / "oclgrind.icd"), "OCLGRIND_DATA_RACES": "1",
           "OCLGRIND_CHECK_API": "1", "OCLGRIND_LOG": str(log)}
    matrix = {"benchhost": 1, "name": "checked", "seed": 3, "workloads": [workload[0]],
              "backends": [{"opencl": {"groups": 3, "group-size": 4}}]}
    params = [f"{workload[0]}.{text}" for text in workload[1:]]
    cell, = run_matrix(tmp_path, matrix, env, params)
    assert cell["status"] == "ok", cell["reason"]
    assert cell["facts"]["platform"] == "Oclgrind"
    assert (log.read_text() if log.exists() else "") == ""
