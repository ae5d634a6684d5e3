# SPDX-License-Identifier: MIT
"""Device programs through the whole program: which variant ran, and why one cannot; files on PoCL, with a full disk too, and on
the double of the CUDA driver, where a device that is lost between batches costs one cell."""
import json
import os
import pathlib
import re
import subprocess

import pytest
from plugins import BENCHHOST, BUILD, SOURCE

FAKE = BUILD / "tests" / "fake-cuda"

QUICK = "{rounds: 1, min_samples: 2, max_samples: 3, warmup: 0s, max_time: 200ms}"
HOSTS = ["serial", "pthread", "fork", "openmp"]


def run(folder, workloads, backend, **environment):
    matrix, journal = folder / "matrix.yaml", folder / "journal.jsonl"
    rows = "".join(f"  - {row}\n" for row in ([workloads] if isinstance(workloads, str) else workloads))
    matrix.write_text(f"benchhost: 1\nmeasure: {QUICK}\nworkloads:\n{rows}backends:\n  - {backend}\n")
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


def on_double(folder, workloads, faults=""):
    """Their cells on the driver double; skips where kernels cannot be compiled."""
    need("cuda")
    cells = run(folder, workloads, "cuda", BENCHHOST_CUDA_DRIVER=str(FAKE / "libbenchhost-fake-cuda.so"),
                BENCHHOST_FAKE_CUDA_TWINS=str(FAKE / "fake-cuda-twins.so"), BENCHHOST_FAKE_CUDA=faults,
                BENCHHOST_FAKE_CUDA_TRACE=str(folder / "trace"), BENCHHOST_CACHE_DIR=str(folder / "cache"))
    skipped = [cell["reason"] for cell in cells if cell["status"] == "skipped" and cell["variant"] == "portable"]
    if skipped:
        pytest.skip(skipped[0])
    return {cell["label"].split(" | ")[0]: cell for cell in cells}


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


def test_what_cannot_run_is_what_the_guide_says(tmp_path):
    """All workloads but those of docs/devices.md."""
    small = {"noop": "items: 3", "sleep": "items: 2, duration: 1ms", "prime": "n: 9", "files": "count: 2",
             "memory": "items: 2, bytes: 8 KiB", "chunk-mean": "elements: 99, chunks: 9", "squares": "size: 3, draws: 3", "collectives": "bytes: 24 B, repeats: 1",
             "peaks": "op: fma, items: 2", "command": "argv: 'true'"}
    assert set(small) == {folder.name for folder in (SOURCE / "workloads").iterdir() if folder.is_dir()}
    cells = opencl(tmp_path, [f"{name}: {{{values}}}" for name, values in small.items()])
    table = (SOURCE / "docs" / "devices.md").read_text().split("## What cannot run on devices")[1].split("| in any workload")[0]
    unable = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.M))
    assert {c["workload"]: c["status"] for c in cells} == {
        name: "unsupported" if name in unable else "ok" for name in small}, [c["reason"] for c in cells]


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


def test_files_on_the_double(tmp_path):
    """Batches come in order: letters, copy to the host, host work; and nothing is left behind."""
    cells = on_double(tmp_path, ["files: {count: 500, size: 20 kB}", "files: {count: 3, size: [0 B, 1 B]}"])
    assert {cell["status"] for cell in cells.values()} == {"ok"}, [cell["reason"] for cell in cells.values()]
    trace = (tmp_path / "trace").read_text()
    calls = re.findall(r"^\S+ \d+ (cuLaunchKernel\w*|cuMemcpyDtoHAsync\w*|cuLaunchHostFunc\w*) ", trace, re.M)
    order = "".join("L" if "Kernel" in call else "D" if "DtoH" in call else "H" for call in calls)
    assert "LDHLDHLDHH" in order, order  # 209 files fit a batch; then the wait for the writer
    assert "leaks=0" in trace and not re.search(r"leaks=[1-9]", trace)


def test_lost_between_batches(tmp_path):
    """Nobody waits for batches that never come, and the next cell runs."""
    cells = on_double(tmp_path, ["files: {count: 500, size: 20 kB}", "prime: {n: 100}"], faults="device-lost=2@files_words")
    assert cells["files count=500 size=20kB"]["status"] == "failed"
    assert "cuStreamSynchronize" in cells["files count=500 size=20kB"]["reason"]
    assert cells["prime n=100"]["status"] == "ok"


def test_cublas_on_the_double(tmp_path):
    """The real cuBLAS, where it is, cannot run on a double, and says so through the program; else it is skipped by name."""
    cells = on_double(tmp_path, ["chunk-mean: {elements: 1000, chunks: [10, 3], variant: [cublas, portable]}"])
    cell = cells["chunk-mean elements=1000 chunks=10 variant=cublas"]
    assert (cell["status"], cell["variant"]) in [("failed", "cublas"), ("skipped", "cublas")]
    assert "cublasCreate: " in cell["reason"] or "libcublas.so.13|libcublas.so.12" in cell["reason"]
    uneven = cells["chunk-mean elements=1000 chunks=3 variant=cublas"]
    assert uneven["status"] == "unsupported" and "leave a rest of 1" in uneven["reason"]
    assert {cells[f"chunk-mean elements=1000 chunks={n} variant=portable"]["status"] for n in (10, 3)} == {"ok"}
