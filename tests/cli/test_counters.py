# SPDX-License-Identifier: MIT
"""CPU time, counters and peak memory of whole cells, with workers in threads and in processes. Which counters there are is the
machine's to say: those that it has must count, the others must say why not. Facts about time are loose on purpose."""
import csv
import io
import json
import os

import jsonschema
import pytest

import plugins
from supervised import Place

QUICK = "rounds: 1, min_samples: 6, max_samples: 6, min_sample: 1ms, max_time: 200ms, warmup: 20ms"
POOLS = ["serial", "pthread: {workers: 2}", "fork: {workers: 2}", "fork: {workers: 2, transport: pipe}"]
SCHEMA = json.loads((plugins.SOURCE / "schemas" / "journal.schema.json").read_text())


def run(folder, backends, measure="", workload="squares: {size: 2000}", status=0):
    """-> the cells in the order of `backends`, and the place."""
    place = Place(folder)
    path = folder / "matrix.yaml"
    path.write_text(f"benchhost: 1\nname: test\nmeasure: {{{QUICK}{measure}}}\nworkloads:\n  - {workload}\nbackends:\n"
                    + "".join(f"  - {name}\n" for name in backends))
    result = place.run(path)
    place.assert_clean()
    assert result.returncode == status, result.stdout + result.stderr
    if status == 64:
        return [], result
    lines = place.lines()
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    order = lines[0]["plan"]
    return sorted(place.cells(), key=lambda cell: order.index(cell["id"])), place


def without_cpu_time(cell):
    """Workers in processes of their own, that never slept at the end of a sample: on a machine that is busy with others."""
    return cell["backend"] == "fork" and "task-clock" in cell["cpu"].get("unavailable", "")


def test_cpu_time_of_all_workers(tmp_path):
    """The same work takes the same CPU time, whoever does it: of the serial run's, each pool has at least most. A pool's lost worker
    would make it half."""
    cells, _ = run(tmp_path, POOLS)
    serial = cells[0]
    for cell in cells:
        assert cell["status"] == "ok", cell["reason"]
        assert set(cell["flagged"]) == {"share", "involuntary_switches", "major_faults", "waiting"}
        assert ("disturbed-samples" in cell["flags"]) == (cell["flagged"]["share"] > 0.2)
        assert "counters" not in cell and "samples_ns" not in cell["cpu"]
        if without_cpu_time(cell):
            continue
        known = [x for x in cell["samples"]["cpu_ns"] if x is not None]
        assert len(cell["samples"]["cpu_ns"]) == cell["steady"]["n"] and len(known) == cell["cpu"]["n"]
        assert cell["cpu"]["min_ns"] > 0.7 * serial["cpu"]["min_ns"], cell["label"]
        assert cell["cpu"]["min_ns"] < 3 * serial["cpu"]["min_ns"], cell["label"]
    # Nobody can compute for longer than the clock ran, alone; the first sample's reading may be a tick off.
    assert serial["cpu"]["min_ns"] < 1.2 * serial["steady"]["p95_ns"]


def test_children_count(tmp_path):
    """Programs that a run starts and that end within it."""
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    (cell,), _ = run(tmp_path, ["serial"], workload=f"command: {{items: 1, script: '{script}'}}")
    assert cell["status"] == "ok", cell["reason"]
    assert cell["cpu"]["median_ns"] > 0.2 * min(cell["steady"]["samples_ns"])


def test_sleeping_uses_no_cpu(tmp_path):
    """Nor is it a disturbance, though the wall time goes on."""
    (cell,), _ = run(tmp_path, ["pthread: {workers: 1, pin: compact}"], workload="sleep: {items: 1, duration: 5ms}")
    assert cell["status"] == "ok", cell["reason"]
    assert cell["cpu"]["median_ns"] < 0.5 * cell["steady"]["median_ns"]
    assert cell["flagged"]["waiting"] is None


def test_only_worker_is_watched(tmp_path):
    """Where it runs in the host's thread; one elsewhere sleeps between runs, which is no disturbance."""
    cells, _ = run(tmp_path, ["serial", "pthread: {workers: 1, pin: compact}", "pthread: {workers: 2}",
                              "fork: {workers: 1, transport: pipe}"])
    serial, pool, two, pipe = [cell["flagged"]["waiting"] for cell in cells]
    assert isinstance(serial, int) and isinstance(pool, int)
    assert two is None and pipe is None


def test_peak_memory(tmp_path):
    """A worker that is a process has its own peak, a thread has its process's. What it allocates itself is in it: here 16 MiB at a time."""
    cells, _ = run(tmp_path, ["pthread: {workers: 2}", "fork: {workers: 2}"],
                   workload="memory: {items: 4, bytes: 16 MiB}")
    threads, processes = cells
    assert [place["peak_bytes"] for place in threads["placement"]] == [None, None]
    of_own = [place for place in processes["placement"] if place["peak_bytes"] is not None]
    assert of_own, processes["placement"]
    assert threads["process_peak_bytes"] > 16 << 20
    for place in of_own:
        assert 16 << 20 < place["peak_bytes"] < 2 << 30


def available():
    return {c["name"]: c for c in plugins.run_json("list", "--counters", "--json")}


@pytest.mark.parametrize("backend", POOLS)
def test_counters(tmp_path, backend):
    """Every counter of every group: figures, or why there are none, as `list --counters` says too."""
    (cell,), place = run(tmp_path, [backend], ", counters: all")
    assert cell["status"] == "ok", cell["reason"]
    known = available()
    assert list(cell["counters"]) == list(known)
    for name, counter in cell["counters"].items():
        if not known[name]["available"]:
            assert counter == {"unavailable": known[name]["note"]}
            continue
        if "unavailable" in counter:  # room for it never came: a fact of this processor
            assert "ask for fewer groups" in counter["unavailable"]
            continue
        assert counter["per"] == "run" and counter["better"] == "lower"
        assert counter["min"] <= counter["median"] <= counter["max"] and 1 <= counter["n"] <= 6
    clock = cell["counters"]["task-clock"]
    if "unavailable" not in clock:
        # The same CPU time by another way: threads and forked workers are in both.
        assert without_cpu_time(cell) or 0.5 * cell["cpu"]["median_ns"] < clock["median"] < 1.5 * cell["cpu"]["median_ns"]
    table = csv.DictReader(io.StringIO(plugins.run("export", "--format=csv", place.journal).stdout))
    row = next(iter(table))
    assert row["cpu_median_ns"] == "" if without_cpu_time(cell) else float(row["cpu_median_ns"]) == cell["cpu"]["median_ns"]
    assert float(row["flagged_share"]) == cell["flagged"]["share"]
    for name, counter in cell["counters"].items():
        assert row[f"counter.{name}"] == "" if "unavailable" in counter else float(row[f"counter.{name}"]) == counter["median"]
    (exported,) = json.loads(plugins.run("export", "--format=json", place.journal).stdout)
    assert set(exported["counters"]) == set(known)
    assert set(exported["derived"]) == {"instructions_per_cycle", "cache_miss_rate", "branch_miss_rate"}
    report = plugins.run("report", place.journal).stdout
    assert ("counters, per run" in report) == any("median" in c for c in cell["counters"].values())
    assert ("not available: " in report) == any("unavailable" in c for c in cell["counters"].values())


def test_groups(tmp_path):
    (cell,), _ = run(tmp_path, ["serial"], ", counters: 'branches, kernel'")
    assert list(cell["counters"]) == ["branches", "branch-misses", "context-switches", "cpu-migrations", "page-faults", "task-clock"]


def test_counter_as_primary(tmp_path):
    """Its group is read without being asked for."""
    (cell,), _ = run(tmp_path, ["pthread: {workers: 2}"], ", primary: 'counter:task-clock'")
    assert cell["status"] == "ok" and cell["steady"]["n"] == 6
    assert "task-clock" in cell["counters"]
    if available()["task-clock"]["available"]:
        assert cell["counters"]["task-clock"]["median"] > 0


@pytest.mark.parametrize("measure, says", [
    (", primary: 'counter:task-clok'", "unknown counter counter:task-clok: did you mean 'task-clock'?"),
    (", primary: 'counter:nothing-like-it'", "benchhost list --counters"),
    (", counters: cache", "branches, kernel, energy: did you mean 'caches'?"),
])
def test_bad_names(tmp_path, measure, says):
    _, result = run(tmp_path, ["serial"], measure, status=64)
    assert says in result.stderr and "matrix.yaml:3:" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody with fewer rights")
def test_without_rights(tmp_path):
    """Nobody's counters: user mode only or none, never 0 where the kernel may not be looked at."""
    code = "import os, sys; os.setgroups([]); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])"
    result = plugins.subprocess.run(["/usr/bin/python3", "-c", code, plugins.BENCHHOST, "list", "--counters", "--json"],
                                    capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip("the build folder is closed to others")
    found = {c["name"]: c for c in json.loads(result.stdout)}
    with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as file:
        level = int(file.read())
    if level >= 2:
        assert not found["context-switches"]["available"]
        assert "perf_event_paranoid" in found["context-switches"]["note"]
    if level == 2:
        assert found["page-faults"]["available"] and "user mode only" in found["page-faults"]["note"]
