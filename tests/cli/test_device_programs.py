# SPDX-License-Identifier: MIT
"""Device programs through the whole program: which variant ran, and why one cannot; files on PoCL, with a full disk too."""
import json
import os
import pathlib
import subprocess

import pytest
from plugins import BENCHHOST, BUILD

QUICK = "{rounds: 1, min_samples: 2, max_samples: 3, warmup: 0s, max_time: 200ms}"
HOSTS = ["serial", "pthread", "fork", "openmp"]


def run(folder, workload, backend, **environment):
    matrix, journal = folder / "matrix.yaml", folder / "journal.jsonl"
    matrix.write_text(f"benchhost: 1\nmeasure: {QUICK}\nworkloads:\n  - {workload}\nbackends:\n  - {backend}\n")
    journal.unlink(missing_ok=True)
    result = subprocess.run([BENCHHOST, "run", matrix, "--output", journal], capture_output=True, text=True, timeout=300,
                            check=False, env={**os.environ, **environment})
    assert journal.exists(), result.stderr
    return [line for line in map(json.loads, journal.read_text().splitlines()) if line["type"] == "cell"]


def need(backend):
    if not (BUILD / "plugins" / backend / f"{backend}.so").exists():
        pytest.skip(f"backend {backend} was left out of this build")


def opencl(folder, workload, **environment):
    """Its cells on OpenCL; skips where there is no device."""
    need("opencl")
    cells = run(folder, workload, "opencl", **environment)
    skipped = [cell["reason"] for cell in cells if cell["status"] == "skipped"]
    if skipped:
        pytest.skip(skipped[0])
    return cells


@pytest.mark.parametrize("backend", HOSTS)
def test_library_variant_on_the_host(tmp_path, backend):
    need(backend)
    [cell] = run(tmp_path, "chunk-mean: {elements: 1000, chunks: 10, variant: cublas}", backend)
    assert cell["status"] == "unsupported"
    assert cell["reason"] == ("no kernel has a variant 'cublas' for host backends; there are: portable, simd (host), "
                              "cublas (cuda)")
    assert cell["variant"] == "cublas"


def test_variant_that_ran_is_in_the_result(tmp_path):
    cells = run(tmp_path, "chunk-mean: {elements: 1000, chunks: 10, variant: [portable, cublas]}", "serial")
    assert {cell["variant"]: cell["status"] for cell in cells} == {"portable": "ok", "cublas": "unsupported"}
    [ran] = [cell for cell in cells if cell["status"] == "ok"]
    assert [kernel["variant"] for kernel in ran["kernels"]] == ["portable"]


def test_library_variant_on_another_device(tmp_path):
    [cell] = opencl(tmp_path, "chunk-mean: {elements: 1000, chunks: 10, variant: cublas}")
    assert cell["status"] == "unsupported"
    assert "no kernel has a variant 'cublas' for opencl backends" in cell["reason"]


def test_files_on_opencl(tmp_path):
    """One batch, several, files longer than a batch, none, and letters that fill no word."""
    for sizes in ("{count: 1000, size: 200 B}", "{count: 700, size: 20 kB}", "{count: 2, size: 5 MB}",
                  "{count: 3, size: [0 B, 1 B, 20001 B]}", "{count: 0, size: 10 B}", "{count: 3, size: 10 B, fsync: true}"):
        for cell in opencl(tmp_path, f"files: {sizes}"):
            assert cell["status"] == "ok", f"{cell['label']}: {cell['reason']}"
            assert cell["variant"] == "portable"


def test_files_on_two_lanes(tmp_path):
    need("opencl")
    cells = run(tmp_path, "files: {count: 500, size: 20 kB}", "opencl: {workers: 2}")
    if cells[0]["status"] == "skipped":
        pytest.skip(cells[0]["reason"])
    assert [cell["status"] for cell in cells] == ["ok"], cells[0]["reason"]


@pytest.mark.parametrize("backend", ["serial", "opencl"])
def test_full_disk(tmp_path, backend):
    """The same on the host and on a device: the step, the path and the system's reason."""
    need(backend)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True, text=True,
                           check=False)
    if mount.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mount.stderr.strip()}")
    try:
        cells = run(tmp_path, "files: {count: 20, size: 300 kB}", backend, TMPDIR=str(disk))
        if cells[0]["status"] == "skipped":
            pytest.skip(cells[0]["reason"])
        assert cells[0]["status"] == "failed"
        assert "item 0: cannot write" in cells[0]["reason"]
        assert "f0: No space left on device" in cells[0]["reason"]
        assert not list(pathlib.Path(disk).rglob("f0"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
