# SPDX-License-Identifier: MIT
"""The ten workloads on every backend through the whole program: odd sizes and options, and what happens when things fail."""
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

BENCHHOST = pathlib.Path(os.environ["BENCHHOST"]).resolve()
BUILD = BENCHHOST.parent
QUICK = "{rounds: 1, min_samples: 2, max_samples: 3, warmup: 0s, max_time: 50ms}"

BACKENDS = {
    "serial": "serial: {}",
    "pthread": "pthread: {workers: 3, schedule: [static, dynamic, guided], chunk: [0, 7]}",
    "fork": "fork: {workers: 3, schedule: [static, dynamic], chunk: [0, 7], transport: [shm, pipe]}",
    "openmp": "openmp: {workers: 3, schedule: [static, dynamic, guided], chunk: [0, 7]}",
}
WORKLOADS = {
    "noop": ["noop: {items: [1, 1001]}"],
    "sleep": ["sleep: {items: 7, duration: 200us}"],
    "prime": ["prime: {n: [1, 301], cost: [equal, variable], number: 9973}"],
    "files": ["files: {count: 11, size: [0 B, 200 B, 20001 B]}", "files: {count: 2, size: 10 B, fsync: true}"],
    "memory": ["memory: {items: 5, bytes: [8 B, 100 kB], allocator: [malloc, mmap]}"],
    "chunk-mean": ["chunk-mean: {elements: [9991, 10000], chunks: [1, 100], variant: [portable, simd]}"],
    "squares": ["squares: {size: [1, 97], draws: [1, 999], variant: [portable, simd]}"],
    "collectives": ["collectives: {op: [barrier, all-reduce, broadcast, reduce-scatter, all-gather, ring], bytes: [24 B, 1000 B, 300 kB], repeats: [1, 31]}"],
    "peaks": ["peaks: {op: fma, items: [1, 11], precision: [double, single], variant: [portable, simd]}",
              "peaks: {op: [read, write, copy, triad], bytes: [4096, 100 kB], variant: [portable, simd]}",
              "peaks: {op: [read-l1, read-l2], items: 5, bytes: 8192, variant: [portable, simd]}"],
    "command": ["command: {argv: 'echo hello', items: 4, expect-output: \"hello\\n\"}"],
}


def run(tmp_path, text, *arguments):
    folder = pathlib.Path(tempfile.mkdtemp(dir=tmp_path))
    matrix, journal = folder / "matrix.yaml", folder / "journal.jsonl"
    matrix.write_text(text)
    result = subprocess.run([BENCHHOST, "run", matrix, "--output", journal, *arguments], capture_output=True, text=True,
                            timeout=250, check=False)
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    return result, [line for line in lines if line["type"] == "cell"]


def matrix(workloads, backends):
    rows = lambda entries: "".join(f"  - {entry}\n" for entry in entries)
    return f"benchhost: 1\nmeasure: {QUICK}\nworkloads:\n{rows(workloads)}backends:\n{rows(backends)}"


def need(backend):
    if not (BUILD / "plugins" / backend / f"{backend}.so").exists():
        pytest.skip(f"backend {backend} was left out of this build")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_pair(tmp_path, workload, backend):
    need(backend)
    entry = BACKENDS[backend]
    if workload == "collectives":  # a team has no schedule
        entry = f"{backend}: {{workers: [1, 2, 3]}}" if backend != "serial" else entry
    result, cells = run(tmp_path, matrix(WORKLOADS[workload], [entry]))
    allowed = {"ok"} if has_simd() else {"ok", "skipped"}
    bad = [f"{c['label']}: {c['status']}: {c['reason']}" for c in cells if c["status"] not in allowed]
    assert not bad, "\n".join(bad)
    assert cells and result.returncode == 0, result.stderr
    assert {c["variant"] for c in cells} == ({"portable", "simd"} if "variant" in WORKLOADS[workload][0] else {"portable"})


def has_simd():
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "x86" not in os.uname().machine or (" avx2 " in flags and " fma " in flags)


@pytest.mark.parametrize("backend", ["pthread", "fork", "openmp"])
def test_pingpong(tmp_path, backend):
    need(backend)
    result, cells = run(tmp_path, matrix(["collectives: {op: pingpong, bytes: [8 B, 100 kB], repeats: 9}"],
                                         [f"{backend}: {{workers: [2, 3]}}", "serial"]))
    for cell in cells:
        assert cell["status"] == ("unsupported" if cell["backend"] == "serial" else "ok"), f"{cell['label']}: {cell['reason']}"
        if cell["status"] == "ok":
            assert cell["metrics"]["latency"]["median"] > 0 and cell["metrics"]["latency"]["better"] == "lower"
            assert cell["metrics"]["bandwidth"]["better"] == "higher"
    assert len(cells) == 6 and result.returncode == 0


def one(tmp_path, workload, backend="serial"):
    result, cells = run(tmp_path, matrix([workload], [backend]))
    assert len(cells) == 1, result.stderr
    return result, cells[0]


def test_same_seed_same_output_everywhere(tmp_path):
    """A command's hash is the same on every backend, and is what sha256sum says."""
    expected = hashlib.sha256(b"".join(b"%d\n" % i for i in range(1, 30001))).hexdigest()
    result, cells = run(tmp_path, matrix([f"command: {{argv: 'seq 30000', items: 3, expect-sha256: {expected}}}"],
                                         ["serial", "pthread: {workers: 2}", "fork: {workers: 2}", "openmp: {workers: 2}"]))
    assert result.returncode == 0 and [c["status"] for c in cells] == ["ok"] * 4, result.stderr


@pytest.mark.parametrize("settings,status,code,part", [
    ("argv: 'false'", "wrong", 3, "expected exit status 0, found exit status 1"),
    ("script: 'kill -SEGV $$'", "wrong", 3, "found signal 11"),
    ("argv: 'echo a', expect-output: b", "wrong", 3, "SHA-256 of its 2 bytes"),
    ("argv: no-such-program-anywhere", "failed", 4, "was not found in PATH"),
    ("argv: 'true', prepare: 'false'", "failed", 4, "prepare"),
    ("items: 1", "failed", 4, "give argv"),
])
def test_command_failures(tmp_path, settings, status, code, part):
    result, cell = one(tmp_path, f"command: {{{settings}}}")
    assert cell["status"] == status and part in cell["reason"], cell["reason"]
    assert cell["steady"] is None and cell["total"] is None, "a cell that failed has no time"
    assert result.returncode == code


def test_memory_that_does_not_fit(tmp_path):
    result, cell = one(tmp_path, "memory: {items: 1, bytes: 9 TB, allocator: mmap}")
    assert cell["status"] == "out-of-memory" and result.returncode == 4, cell["reason"]


def test_unsupported_parameters(tmp_path):
    result, cell = one(tmp_path, "chunk-mean: {elements: 3, chunks: 4}")
    assert cell["status"] == "unsupported" and "chunks=4 is more than elements=3" in cell["reason"]
    assert result.returncode == 0


def test_metrics_and_cost(tmp_path):
    _, cell = one(tmp_path, "squares: {size: 10, draws: 100}")
    assert cell["cost"]["items"] == 10 and cell["cost"]["flops"] == 2000 and cell["cost"]["item_unit"] == "sums"
    assert cell["throughput"]["items_per_s"] > 0 and cell["throughput"]["gflops"] > 0
    _, cell = one(tmp_path, "sleep: {items: 2, duration: 1ms}")
    assert cell["metrics"]["overshoot"]["min"] >= 0 and cell["metrics"]["overshoot"]["unit"] == "s"
    _, cell = one(tmp_path, "command: {argv: 'true'}")
    assert {"user time", "system time"} <= set(cell["metrics"])


def test_no_process_is_left(tmp_path):
    """A command that never ends dies with its cell, at the deadline."""
    mark = f"98765.{os.getpid()}"
    text = matrix([f"command: {{argv: 'sleep {mark}', limits: {{deadline: 1s}}}}"],
                  ["serial", "pthread: {workers: 2}", "fork: {workers: 2}"])
    result, cells = run(tmp_path, text)
    assert [c["status"] for c in cells] == ["timeout"] * 3 and result.returncode == 4
    left = [p.name for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and mark.encode() in cmdline(p)]
    assert not left


def cmdline(process):
    try:
        text = (process / "cmdline").read_bytes()
        return b"" if b"pytest" in text else text
    except OSError:
        return b""
