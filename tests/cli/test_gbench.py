# SPDX-License-Identifier: MIT
"""google-benchmark's JSON, tried with its own compare script (Debian: libbenchmark-tools, python3-scipy)."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import journals

BENCHHOST = os.environ["BENCHHOST"]
COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")
# What version 1.7.1 writes for a run and for an aggregate.
RUN_KEYS = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
            "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second", "label"}
AGGREGATE_KEYS = RUN_KEYS - {"repetition_index"} | {"aggregate_name", "aggregate_unit"}
CONTEXT_KEYS = {"date", "host_name", "executable", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "caches", "load_avg",
                "library_build_type"}


def export(path, lines, *args):
    journal = path.with_suffix(".jsonl")
    journal.write_text(journals.text(lines))
    out = subprocess.run([BENCHHOST, "export", "-f", "gbench", "-o", str(path), *args, str(journal)], capture_output=True,
                         text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return json.loads(path.read_text())


def noop(rounds, factor):
    """Rounds of a serial cell whose level differs a little from round to round, and one cell that failed."""
    lines = [journals.run_line("noop", 2, rounds)]
    for r in range(rounds):
        level = factor * (1000 + 3 * r)
        lines.append(journals.cell_line("a", "noop", "serial", [level, level + 1, level + 2], round=r, params={"n": 5}))
        lines.append(journals.cell_line("b", "noop", "pool", round=r, params={"n": 5}, status="crashed", reason="signal 11",
                                        workers=2))
    return lines + [journals.end_line()]


def test_format(tmp_path):
    found = export(tmp_path / "a.json", noop(4, 1.0))
    assert CONTEXT_KEYS <= set(found["context"])
    runs = [b for b in found["benchmarks"] if b["run_type"] == "iteration"]
    assert [b["real_time"] for b in runs] == [1001, 1004, 1007, 1010], "rounds are the repetitions"
    assert [b["repetition_index"] for b in runs] == [0, 1, 2, 3]
    for b in runs:
        assert set(b) == RUN_KEYS
        assert b["name"] == b["run_name"] == "noop/n:5/serial" and b["repetitions"] == 4 and b["time_unit"] == "ns"
        assert b["items_per_second"] == pytest.approx(1000 / (b["real_time"] * 1e-9))
    aggregates = {b["aggregate_name"]: b for b in found["benchmarks"] if b["run_type"] == "aggregate"}
    assert set(aggregates) == {"mean", "median", "stddev", "cv", "error"}
    assert set(aggregates["mean"]) == AGGREGATE_KEYS
    assert aggregates["mean"]["real_time"] == aggregates["median"]["real_time"] == pytest.approx(1005.5)
    assert aggregates["stddev"]["real_time"] == pytest.approx(3.872983346207417)
    assert aggregates["cv"]["real_time"] == pytest.approx(3.872983346207417 / 1005.5)
    assert aggregates["cv"]["aggregate_unit"] == "percentage"
    error = aggregates["error"]
    assert error["name"] == "noop/n:5/pool_error" and error["run_name"] == "noop/n:5/pool"
    assert error["error_occurred"] is True and error["error_message"] == "crashed: round 0: signal 11"


def test_repetitions(tmp_path):
    def count(lines, *args):
        found = export(tmp_path / "a.json", lines, *args)
        return sum(b["run_type"] == "iteration" for b in found["benchmarks"])

    assert count(noop(4, 1.0)) == 4
    assert count(noop(4, 1.0), "--repetitions=samples") == 12
    assert count(noop(1, 1.0)) == 3, "one round: its samples"
    assert count(noop(1, 1.0), "--repetitions=rounds") == 1


def compare(*args):
    if not COMPARE.exists():
        pytest.skip("google-benchmark's compare.py is not here (Debian: libbenchmark-tools)")
    if subprocess.run([sys.executable, "-c", "import scipy.stats, numpy"], capture_output=True).returncode:
        pytest.skip("compare.py needs SciPy (Debian: python3-scipy)")
    out = subprocess.run([sys.executable, str(COMPARE), "--no-color", *map(str, args)], capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_compare_script(tmp_path):
    old, new, dump = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "diff.json"
    export(old, noop(10, 1.0))
    export(new, noop(10, 1.1))
    text = compare("-d", dump, "benchmarks", old, new)
    median = next(line for line in text.splitlines() if line.startswith("noop/n:5/serial_median"))
    assert median.split()[1] == "+0.1000" or median.split()[1] == "+0.0999", median
    utest = next(line for line in text.splitlines() if line.startswith("noop/n:5/serial_pvalue"))
    assert "U Test, Repetitions: 10 vs 10" in utest and "WARNING" not in utest
    assert float(utest.split()[1]) < .001, "every new round is slower than every old one"
    geomean = next(line for line in text.splitlines() if line.startswith("OVERALL_GEOMEAN"))
    assert geomean.split()[1] in ("+0.0999", "+0.1000"), "the crashed cell is in no mean"
    assert any(entry["name"] == "noop/n:5/serial" for entry in json.loads(dump.read_text()))


def test_compare_script_sees_no_change(tmp_path):
    old = tmp_path / "old.json"
    export(old, noop(10, 1.0))
    utest = next(l for l in compare("benchmarks", old, old).splitlines() if l.startswith("noop/n:5/serial_pvalue"))
    assert float(utest.split()[1]) > .9


def test_failed_on_one_side_is_no_ratio(tmp_path):
    """A cell that crashed in the new run is not compared with its old time."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    export(old, [journals.run_line(), journals.cell_line("a", "noop", "serial", [1e3] * 9),
                 journals.cell_line("b", "noop", "pool", [2e3] * 9)])
    export(new, [journals.run_line(), journals.cell_line("a", "noop", "serial", [1e3] * 9),
                 journals.cell_line("b", "noop", "pool", status="wrong", reason="7 is no prime")])
    text = compare("benchmarks", old, new)
    assert "noop/serial" in text and "noop/pool" not in text
