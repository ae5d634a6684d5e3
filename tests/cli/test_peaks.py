# SPDX-License-Identifier: MIT
"""`benchhost peaks`: runs the installed matrix, from the build tree and from a staged install, and prints roofs. Speeds are not judged."""
import json
import os
import subprocess

import pytest
from plugins import BENCHHOST, SOURCE, run, run_json
from test_out_of_tree import staged  # noqa: F401 (a fixture)

QUICK = ["--set", "measure.rounds=1", "--set", "measure.min_samples=1", "--set", "measure.max_samples=2", "--set", "measure.warmup=0s",
         "--set", "measure.max_time=10ms", "--set", "measure.min_sample=0", "-p", "bytes=64KiB", "-p", "items=3", "-q"]


def test_roofs_and_balance(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    journal = tmp_path / "kept.jsonl"
    result = run("peaks", "--json", "--workers", "[1, 2]", "--output", journal, *QUICK, timeout=200)
    assert result.returncode == 0, result.stderr
    value = json.loads(result.stdout)
    jsonschema.Draft202012Validator(json.loads((SOURCE / "schemas" / "analyze.schema.json").read_text())).validate(value)
    roofs = value["roofline"]["roofs"]
    assert {(r["kind"], r["workers"]) for r in roofs} == {(k, w) for k in ("flops", "bandwidth", "bandwidth L1", "bandwidth L2") for w in (1, 2)}
    assert all(r["rate"]["value"] > 0 for r in roofs if r["rate"]["value"] is not None)
    assert [m["workers"] for m in value["roofline"]["machine"]] == [1, 2]
    for machine in value["roofline"]["machine"]:
        assert machine["balance"]["value"] == pytest.approx(machine["gflops"]["value"] / machine["gb_per_s"]["value"])
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {line["status"] for line in lines if line["type"] == "cell"} <= {"ok", "skipped"}
    again = run("analyze", journal, "--metric", "roofline")
    assert again.returncode == 0 and "balance" in again.stdout


@pytest.mark.parametrize("backend", ["serial", "openmp", "fork", "opencl"])
def test_other_backends(tmp_path, backend):
    """Also where none of the matrix's variants is: on a device."""
    found = [plugin for plugin in run_json("list", "--json") if plugin["name"] == backend]
    if not found or not found[0]["runnable"]:
        pytest.skip(f"{backend} is not built, or cannot run here")
    result = subprocess.run([BENCHHOST, "peaks", "-b", backend, *QUICK], capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"| {backend}" in result.stdout and "GFLOP/s" in result.stdout
    assert list(tmp_path.iterdir()) == [], "the journal is not kept unless asked for"


def test_a_size_for_arrays_is_none_for_caches(tmp_path):
    """What --help and the pages say: --param bytes=... for large arrays. An array that lies in no cache is no cache's roof."""
    journal = tmp_path / "j.jsonl"
    run("peaks", "--workers=1", *QUICK, "-p", "bytes=65MiB", "--filter", "op=read,read-l1,read-l2", "--output", journal, timeout=200)
    cells = [json.loads(line) for line in journal.read_text().splitlines() if '"type":"cell"' in line]
    by_op = {op: {(c["status"], c["facts"].get("roof")) for c in cells if c["params"]["op"] == op} for op in ("read", "read-l1", "read-l2")}
    assert by_op["read"] <= {("ok", "bandwidth"), ("skipped", None)}, by_op
    assert by_op["read-l1"] == by_op["read-l2"] == {("unsupported", None)}, by_op
    assert all("at most" in c["reason"] for c in cells if c["status"] == "unsupported")


def test_what_could_not_be_measured_is_said(tmp_path):
    """A budget that ends before all cells were visited: the same words and status as of `run`."""
    result = run("peaks", "--workers=1", "--set", "measure.budget=20ms", *QUICK[:-1], "--output", tmp_path / "j.jsonl", timeout=200)
    assert result.returncode == 2 and "the budget was spent before" in result.stderr, result.stderr


def test_installed(staged, tmp_path):
    root, program, env = staged
    matrix = next(root.rglob("share/benchhost/peaks.yaml"))
    assert matrix.read_text() == (SOURCE / "workloads" / "peaks" / "peaks.yaml").read_text()
    result = subprocess.run([program, "peaks", "--workers=1", *QUICK], capture_output=True, text=True, timeout=200, cwd=tmp_path, env=env)
    assert result.returncode == 0 and "balance" in result.stdout, result.stderr
    matrix.rename(tmp_path / "aside")
    try:
        result = subprocess.run([program, "peaks"], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env)
    finally:
        (tmp_path / "aside").rename(matrix)
    if not os.path.exists("/usr/local/share/benchhost/peaks.yaml"):
        assert result.returncode == 64 and "peaks.yaml was not found" in result.stderr


@pytest.mark.parametrize("args,message", [
    (["x.yaml"], "expected no argument"), (["--backend=nonesuch"], "nonesuch"), (["--backend=serial", "--workers=2"], "has no such option"),
    (["--workers=many"], "workers"), (['--backend=a"b'], "expected the name of a backend"), (["--nonsense"], "nonsense"),
])
def test_mistakes(args, message):
    result = run("peaks", *args, "-q")
    assert result.returncode == 64 and message in result.stderr and result.stdout == "", result.stderr
