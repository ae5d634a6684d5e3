# SPDX-License-Identifier: MIT
"""plugins/cuda as its users meet it: where there is no driver, and, on the driver double, its options and its cache."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from plugins import BUILD, run, run_json

FAKE = BUILD / "tests" / "fake-cuda" / "libbenchhost-fake-cuda.so"
TWINS = BUILD / "tests" / "fake-cuda" / "fake-cuda-twins.so"
STUB = pathlib.Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "lib64" / "stubs" / "libcuda.so"
NO_DRIVER = "no driver (libcuda.so.1 not found)"
MATRIX = """benchhost: 1
name: m
measure: {{rounds: 1, min_samples: 2, max_samples: 3, max_time: 20ms, warmup: {warmup}}}
workloads: [{workloads}]
backends: [{backends}]
"""


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return "cannot open shared object file" not in str(error)
    return True


def cuda_reason(**env):
    return next(p for p in run_json("list", "--json", **env) if p["name"] == "cuda").get("reason")


@pytest.fixture(scope="module")
def nvrtc():
    reason = cuda_reason(BENCHHOST_CUDA_DRIVER=FAKE, BENCHHOST_FAKE_CUDA_TWINS=TWINS)
    if reason:
        pytest.skip(reason)


def cells(tmp_path, workloads, backends, *arguments, warmup="0s", **env):
    """What ran, by the cell's options as they are in its name."""
    matrix, journal = tmp_path / "m.yaml", tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
    matrix.write_text(MATRIX.format(workloads=workloads, backends=backends, warmup=warmup))
    result = run(matrix, "--output", journal, *arguments, **env)
    found = [json.loads(line) for line in journal.read_text().splitlines()]
    return result, [line for line in found if line["type"] == "cell"]


def on_fake(tmp_path, workloads, backends, *arguments, faults="", cache=None, **more):
    env = {"BENCHHOST_CUDA_DRIVER": FAKE, "BENCHHOST_FAKE_CUDA_TWINS": TWINS, "BENCHHOST_FAKE_CUDA": faults,
           "BENCHHOST_CACHE_DIR": cache or tmp_path / "cache"}
    result, found = cells(tmp_path, workloads, backends, *arguments, **{**env, **more})
    assert found, result.stderr
    return found


@pytest.mark.skipif(has_driver(), reason="there is a CUDA driver here")
def test_no_driver(tmp_path):
    real = {"BENCHHOST_CUDA_DRIVER": ""}
    assert cuda_reason(**real) == NO_DRIVER
    assert NO_DRIVER in run("describe", "cuda", **real).stdout
    result, found = cells(tmp_path, "noop, prime: {n: 100}", "serial, cuda: {streams: [1, 2]}", **real)
    assert result.returncode == 0
    assert f"skipped: {NO_DRIVER}" in result.stdout
    assert {(c["backend"], c["status"]) for c in found} == {("serial", "ok"), ("cuda", "skipped")}
    assert all(c["reason"] == NO_DRIVER for c in found if c["backend"] == "cuda")


def test_drivers_that_are_none(tmp_path):
    assert cuda_reason(BENCHHOST_CUDA_DRIVER=tmp_path / "absent.so").startswith("no driver (BENCHHOST_CUDA_DRIVER: ")
    assert cuda_reason(BENCHHOST_CUDA_DRIVER=FAKE, BENCHHOST_FAKE_CUDA="no-device") == "no device (CUDA_ERROR_NO_DEVICE)"
    assert cuda_reason(BENCHHOST_CUDA_DRIVER=FAKE, BENCHHOST_FAKE_CUDA="stub") == "the driver is the toolkit's stub"
    library = BUILD / "plugins" / "serial" / "serial.so"
    assert "cuGetProcAddress_v2" in cuda_reason(BENCHHOST_CUDA_DRIVER=library)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_driver_that_lacks_something(tmp_path):
    """libcuda.so.1 is here, what it needs is not: that is not `not found`."""
    for name, rest in (("libgone.so.1", []), ("libcuda.so.1", ["-Wl,--no-as-needed", tmp_path / "libgone.so.1"])):
        subprocess.run(["cc", "-shared", "-o", tmp_path / name, f"-Wl,-soname,{name}", "-x", "c", "/dev/null", "-x", "none", *rest], check=True)
    (tmp_path / "libgone.so.1").unlink()
    reason = cuda_reason(BENCHHOST_CUDA_DRIVER="", LD_LIBRARY_PATH=tmp_path)
    assert reason.startswith("no driver (libgone.so.1: "), reason


@pytest.mark.skipif(not STUB.exists(), reason="no CUDA toolkit with a stub of the driver")
def test_the_stub_of_the_toolkit():
    assert cuda_reason(BENCHHOST_CUDA_DRIVER=STUB) == "the driver is the toolkit's stub"


def test_no_nvrtc(tmp_path):
    reason = cuda_reason(BENCHHOST_CUDA_DRIVER=FAKE, BENCHHOST_NVRTC=tmp_path / "absent.so")
    assert reason.startswith("no NVRTC (BENCHHOST_NVRTC: ") and "absent.so" in reason


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_nvrtc_suits_the_driver(tmp_path):
    """A driver of CUDA 12 may refuse what NVRTC 13 makes: NVRTC 12 is asked first there. Which one it was is told by what each lacks."""
    for version, text in (("12", "int nvrtcVersion(int *major, int *minor) { return !major + !minor; }"), ("13", "int nothing;")):
        subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / f"libnvrtc.so.{version}", "-x", "c", "-"], input=text, text=True, check=True)
    for faults, lacks in (("version=12040", "nvrtcGetNumSupportedArchs"), ("version=13000", "nvrtcVersion"), ("", "nvrtcVersion")):
        assert cuda_reason(BENCHHOST_CUDA_DRIVER=FAKE, BENCHHOST_FAKE_CUDA=faults, BENCHHOST_NVRTC="",
                           LD_LIBRARY_PATH=tmp_path) == f"no NVRTC (the one found has no {lacks})"


def test_nvrtc_that_is_too_new(tmp_path, nvrtc):
    (cell,) = on_fake(tmp_path, "prime: {n: 100}", "cuda", faults="wrong-arch,version=11080")
    assert cell["status"] == "failed" and "is newer than the driver, of CUDA 11.8" in cell["reason"], cell["reason"]
    (cell,) = on_fake(tmp_path, "prime: {n: 100}", "cuda", faults="wrong-arch")
    assert cell["status"] == "failed" and "newer" not in cell["reason"], cell["reason"]


def test_timing_and_graphs(tmp_path, nvrtc):
    found = on_fake(tmp_path, "prime: {n: 500}, chunk-mean: {elements: 10007, chunks: 10}",
                    'cuda: {timing: [events, isolated, batch], batch-time: 1ms, graph: [auto, "yes", "no"]}', warmup="10ms")
    assert len(found) == 18
    for cell in found:
        assert cell["status"] == "ok", cell
        assert cell["facts"]["gpu 0"] == "Fake"
        assert cell["facts"]["timing"] == cell["options"]["timing"]
        assert cell["metrics"]["device time"]["unit"] == "s" and cell["metrics"]["device time"]["min"] > 0
        said = cell["facts"]["graph"]
        assert said.startswith({"yes": "loop 0: yes", "no": "loop 0: no, the option", "auto": "loop 0: "}[cell["options"]["graph"]])
        if cell["options"]["timing"] == "batch":
            assert "runs, 0 discarded" in cell["facts"]["batch of loop 0"]
            assert cell["metrics"]["device time"]["min"] == cell["metrics"]["device time"]["max"]


def test_what_cannot_be_repeated(tmp_path, nvrtc):
    """A device program's work is its own: it is run, but not replayed, and nobody pretends."""
    found = on_fake(tmp_path, "files: {count: 3}", 'cuda: {graph: "yes"}, cuda: {timing: batch}')
    assert [c["status"] for c in found] == ["unsupported", "unsupported"]
    assert all("cannot be repeated" in c["reason"] for c in found)


def test_what_is_not_isolated(tmp_path, nvrtc):
    """No stream is held back for a device program or a team, and the record says so."""
    found = on_fake(tmp_path, "files: {count: 3}, prime: {n: 100}", "cuda: {timing: [events, isolated]}")
    assert {c["status"] for c in found} == {"ok"}
    said = {(c["workload"], c["options"]["timing"]): c["facts"].get("gpu 0 not isolated") for c in found}
    assert "a device program or a team enqueues loop 0" in said.pop(("files", "isolated"))
    assert len(said) == 3 and set(said.values()) == {None}


def test_devices_and_streams(tmp_path, nvrtc):
    found = on_fake(tmp_path, "prime: {n: 500}", 'cuda: {device: [all, "1", "1,0", "5", "x"], streams: [1, 3]}', faults="devices=2")
    status = {(c["options"]["device"], c["options"]["streams"]): c for c in found}
    for device, n in (("all", 2), ("1", 1), ("1,0", 2)):
        for streams in (1, 3):
            cell = status[(device, streams)]
            assert cell["status"] == "ok" and cell["workers"] == n * streams, cell
            assert {f"gpu {k}" for k in (0, 1) if f"gpu {k}" in cell["facts"]} == ({"gpu 1"} if device == "1" else {"gpu 0", "gpu 1"})
    assert status[("5", 1)]["status"] == "skipped" and "has 2 CUDA devices" in status[("5", 1)]["reason"]
    assert status[("x", 1)]["status"] == "failed" and "expected indices" in status[("x", 1)]["reason"]


def test_blocks(tmp_path, nvrtc):
    found = on_fake(tmp_path, "prime: {n: 5000}", "cuda: {block: [32, 256], grid: [0, 3]}")
    shapes = {(c["options"]["block"], c["options"]["grid"]): c["facts"]["groups x lanes"] for c in found}
    assert shapes[(32, 3)] == "prime 3x32" and shapes[(256, 3)] == "prime 3x256"
    assert shapes[(32, 0)].endswith("x32") and shapes[(256, 0)].endswith("x256")


def test_memory(tmp_path, nvrtc):
    found = on_fake(tmp_path, "memory: {items: 4, bytes: 4MB}, prime: {n: 100}", "cuda", faults="memory=4000000")
    by = {c["workload"]: c for c in found}
    assert by["memory"]["status"] == "out-of-memory", by["memory"]
    assert "device memory" in by["memory"]["reason"] and "has" in by["memory"]["reason"]
    assert by["prime"]["status"] == "ok", by["prime"]
    (cell,) = on_fake(tmp_path, "prime: {n: 100}", "cuda: {timing: isolated}", faults="oom=100000")
    assert cell["status"] == "out-of-memory" and "cuMemAlloc of 1 MiB" in cell["reason"], cell["reason"]  # to empty the L2 by


def test_cache(tmp_path, nvrtc):
    """Compiled once; damaged entries are said and rebuilt; a place that cannot be written costs nothing but time."""
    cache = tmp_path / "cache"

    def jit(**more):
        (cell,) = on_fake(tmp_path, "prime: {n: 100}", "cuda", cache=cache, **more)
        assert cell["status"] == "ok", cell
        return cell["facts"]["jit"].split(": ")[1], "\n".join(cell.get("log", []))

    first, log = jit()
    made = int(first.split()[0])
    assert made >= 1 and first.endswith(", 0 from the cache") and log == ""
    assert jit() == (f"0 compiled, {made} from the cache", "")
    entries = sorted(cache.iterdir())
    assert len(entries) == made and all(e.suffix == ".cubin" for e in entries)
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    again, log = jit()
    assert again == f"{made} compiled, 0 from the cache"
    assert log.count("rebuilding") == made and "checksum is wrong" in log
    assert jit() == (f"0 compiled, {made} from the cache", "")
    for entry in entries:
        entry.unlink()
    cache.rmdir()
    cache.write_text("in the way")
    again, log = jit()
    assert again == first and "compiled kernels are not kept" in log
