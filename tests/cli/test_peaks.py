# SPDX-License-Identifier: MIT
"""`benchhost peaks`: runs the installed matrix, from the build tree and from a staged install, and prints roofs. Speeds are not judged."""
import json
import os
import subprocess

import pytest
import yaml
from plugins import BENCHHOST, SOURCE, run, run_json
from test_cuda_fake import DOUBLE, why_not
from test_out_of_tree import staged  # noqa: F401 (a fixture)

MATRICES = SOURCE / "workloads" / "peaks"
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


def need(backend):
    """Skips where it cannot run; -> what the environment needs for it. cuda runs on the driver double."""
    if backend == "cuda":
        reason = why_not()
        if reason:
            pytest.skip(reason)
        return {"BENCHHOST_CUDA_DRIVER": str(DOUBLE)}
    found = [plugin for plugin in run_json("list", "--json") if plugin["name"] == backend]
    if not found or not found[0]["runnable"]:
        pytest.skip(f"{backend} is not built, or cannot run here")
    return {}


def cells_of(journal):
    return [line for line in map(json.loads, journal.read_text().splitlines()) if line["type"] == "cell"]


@pytest.mark.parametrize("backend", ["serial", "openmp", "fork"])
def test_other_backends(tmp_path, backend):
    need(backend)
    result = subprocess.run([BENCHHOST, "peaks", "-b", backend, *QUICK], capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"| {backend}" in result.stdout and "GFLOP/s" in result.stdout
    assert list(tmp_path.iterdir()) == [], "the journal is not kept unless asked for"


@pytest.mark.parametrize("backend,cache", [("opencl", None), ("cuda", 1 << 20)])
def test_devices(tmp_path, backend, cache):
    """Every operation of their matrix, reduced: -p changes its sizes, too. `cache`: what the double says that it has."""
    env, journal = need(backend), tmp_path / "j.jsonl"
    result = run("peaks", "-b", backend, "--output", journal, *QUICK, timeout=300, BENCHHOST_CACHE_DIR=tmp_path / "cache", **env)
    assert result.returncode == 0, result.stdout + result.stderr
    cells = cells_of(journal)
    assert {(c["params"]["op"], c["params"].get("precision", "double")) for c in cells} == {
        ("fma", "double"), ("fma", "single")} | {(op, "double") for op in ("read", "write", "copy", "triad", "read-l1", "read-l2")}
    for cell in cells:
        assert (cell["status"], cell["variant"]) == ("ok", "portable"), cell["reason"]
        assert cell["phases_ns"]["verify"] > 0 and (cell["params"]["bytes"], cell["params"]["items"]) == (65536, 3), cell["label"]
        if cache:
            assert cell["facts"]["device cache bytes"] == str(cache) and cell["facts"]["gpu 0"] == "Fake"
    assert f"| {backend}" in result.stdout and "balance" in result.stdout
    if cells[0]["facts"].get("device cache bytes"):
        assert "less than twice the device's cache" in result.stdout


def expected(matrix):
    """{(op, precision): (bytes, items)} of a matrix's text; None where it says nothing."""
    sizes = {}
    for entry in yaml.safe_load(matrix)["workloads"]:
        one = entry.get("peaks", {})
        for op in [one["op"]] if isinstance(one.get("op"), str) else one.get("op", []):
            for precision in one.get("precision", ["double"]):
                sizes[op, precision] = (str(one.get("bytes", "")).replace(" ", ""), one.get("items"))
    return sizes


@pytest.mark.parametrize("backend,options,faults,needs", [
    ("opencl", ["--set", "limits.memory=1GiB", "-f", "op=read,write,copy,triad"], "", "needs 6.000 GiB, has 1.000 GiB"),
    ("cuda", [], "memory=4096", "needs 3.000 GiB of device memory, has 4.000 KiB")])
def test_without_sizes_a_device_gets_its_own(tmp_path, backend, options, faults, needs):
    """The matrix at its defaults, where there is memory for none of it: each cell says what it needs, and nothing is allocated."""
    env, journal = need(backend), tmp_path / "j.jsonl"
    result = run("peaks", "-b", backend, "--output", journal, "-q", *options, timeout=300, BENCHHOST_FAKE_CUDA=faults, **env)
    assert result.returncode != 0 and "out-of-memory" in result.stderr, result.stderr
    run_line, cells = json.loads(journal.read_text().splitlines()[0]), cells_of(journal)
    device = (MATRICES / "peaks-device.yaml").read_text()
    assert (run_line["matrix"]["name"], run_line["matrix"]["text"]) == ("peaks-device", device)
    units = {"": 0, "1GiB": 1 << 30, "16KiB": 16 << 10, "4MiB": 4 << 20}
    sizes = {key: (units[size], items or 2048) for key, (size, items) in expected(device).items()
             if faults or size == "1GiB"}
    assert {(c["params"]["op"], c["params"]["precision"]): (c["params"]["bytes"], c["params"]["items"]) for c in cells} == sizes
    for cell in cells:
        assert cell["status"] == "out-of-memory" and "alloc" not in cell["phases_ns"] and "needs" in cell["reason"], cell["reason"]
        assert cell["options"].get("workers", 1) == 1, "a device's queues are not the host's cores"
    assert next(c for c in cells if c["params"]["op"] == "triad")["reason"] == needs


def test_one_device_has_one_set_of_sizes():
    """What runs beside PyTorch is measured as `benchhost peaks` measures it."""
    device = expected((MATRICES / "peaks-device.yaml").read_text())
    beside = expected((SOURCE / "tests" / "peers" / "gpu" / "gpu.yaml").read_text())
    assert beside and beside.items() <= device.items(), beside


def test_a_size_for_arrays_is_none_for_caches(tmp_path):
    """What --help and the pages say: --param bytes=... for large arrays. An array that lies in no cache is no cache's roof."""
    journal = tmp_path / "j.jsonl"
    run("peaks", "--workers=1", *QUICK, "-p", "bytes=65MiB", "--filter", "op=read,read-l1,read-l2", "--output", journal, timeout=200)
    cells = cells_of(journal)
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
    for one in (matrix, matrix.with_name("peaks-device.yaml")):
        assert one.read_text() == (MATRICES / one.name).read_text()
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
