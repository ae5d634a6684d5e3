# SPDX-License-Identifier: MIT
"""`benchhost export` as other programs read it: Python's csv and json modules, and a file that is written whole or not at all."""
import csv
import io
import json
import os
import pathlib
import statistics
import subprocess

import pytest

import journals

BENCHHOST = os.environ["BENCHHOST"]
DATA = pathlib.Path(os.environ["SOURCE_ROOT"]) / "tests" / "data"


def export(*args, **more):
    return subprocess.run([BENCHHOST, "export", *map(str, args)], capture_output=True, text=True, timeout=60, **more)


def rows(journal, *args):
    out = export("--format=csv", *args, journal)
    assert out.returncode == 0, out.stderr
    # The standard says \r\n between rows; Python's text mode has turned them into \n.
    return list(csv.DictReader(io.StringIO(out.stdout, newline="")))


def test_csv_cells():
    table = rows(DATA / "pools.jsonl")
    # Sorted for people: workloads and backends as in the matrix, values by size; not in the run's random order.
    assert [int(row["id"]) for row in table] == [1, 3, 2, 4, 5, 6, 7, 8, 9]
    assert all(None not in row and None not in row.values() for row in table), "every row has every column"
    pool = table[2]
    assert pool["workload"] == "prime" and pool["param.n"] == "1000" and pool["option.schedule"] == "static"
    assert float(pool["steady_median_ns"]) == 500000 and float(pool["speedup"]) == 2 and float(pool["total_speedup"]) == .5
    assert pool["steady_basis"] == "samples" and float(pool["items_per_s"]) == 2e6 and pool["item_unit"] == "numbers"
    assert pool["total_low_ns"] == "" and pool["base_id"] == "000000000001"
    for row in table:
        if row["status"] != "ok":
            assert row["reason"] and not any(row[k] for k in row if k.startswith(("steady_", "total_", "speedup", "items_per")))
    assert table[1]["flags"] == "few-samples oversubscribed"


def test_csv_samples():
    table = rows(DATA / "rounds.jsonl", "--samples")
    assert len(table) == 10 * 2 * 3
    for r in range(10):
        times = [float(row["steady_ns"]) for row in table if row["backend"] == "serial" and row["round"] == str(r)]
        assert times == [1e3 * (100 + r) + d for d in (-100, 0, 200)]


def test_csv_line_ends():
    out = subprocess.run([BENCHHOST, "export", "-f", "csv", str(DATA / "rounds.jsonl")], capture_output=True, timeout=60)
    lines = out.stdout.split(b"\r\n")
    assert len(lines) == 4 and lines[-1] == b"" and not any(b"\n" in line for line in lines)


def test_csv_formulas_and_quotes(tmp_path):
    path = tmp_path / "j.jsonl"
    evil = '=HYPERLINK("http://x","y"),\n"2"'
    path.write_text(journals.text([journals.run_line(), journals.cell_line(
        "a", "w", "b", [1e6], params={"command": evil, "shift": -3}, label="@a | b", unit="+1")]))
    row = rows(path)[0]
    assert row["param.command"] == "'" + evil and row["label"] == "'@a | b" and row["item_unit"] == "'+1"
    assert row["param.shift"] == "-3"


def test_json():
    out = export("--format", "json", DATA / "rounds.jsonl")
    cells = json.loads(out.stdout, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    serial, pool = cells
    assert serial["rounds"] == 10 and serial["steady"]["ci_basis"] == "rounds"
    assert serial["steady"]["median_ns"] == 104500 and serial["steady"]["ci"] == pytest.approx(
        [101000 + 1000 * 73 / 111, 108000 - 1000 * 73 / 111])  # worked by hand in tests/unit/test-table.c
    assert pool["speedup"]["over"] == serial["id"]
    ratios = sorted((100 + r) / (50 + r) for r in range(10))  # of each round
    assert pool["speedup"]["ratio"] == pytest.approx(statistics.median(ratios))
    assert pool["speedup"]["ci"] == pytest.approx([ratios[1] + 73 / 111 * (ratios[2] - ratios[1]),
                                                   ratios[8] + 73 / 111 * (ratios[7] - ratios[8])])
    assert pool["round_medians_ns"] == [1e3 * (50 + r) for r in range(10)]
    assert statistics.median(pool["round_medians_ns"]) == pool["steady"]["median_ns"]


def test_json_has_a_reason_for_every_null_figure():
    cells = json.loads(export("-f", "json", DATA / "pools.jsonl").stdout)
    for cell in cells:
        for key in ("steady", "total", "speedup", "total_speedup"):
            if cell[key] is None:
                assert cell[key + "_reason"]
            elif cell[key]["ci"] is None:
                assert cell[key]["ci_reason"] and cell[key]["ci_basis"] is None
        assert (cell["status"] == "ok") == (cell["reason"] is None)
        assert (cell["steady"] is None) == (cell["status"] != "ok")


def test_markdown():
    text = export("-f", "markdown", DATA / "pools.jsonl").stdout
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for block in tables:
        lines = block.splitlines()
        assert {line.count("|") - line.count("\\|") for line in lines} == {lines[0].count("|")}
    assert "## prime n=1000 cost=equal" in text and "wrong: primes: expected 168" in text


def test_output_file(tmp_path):
    target = tmp_path / "out.csv"
    assert export("-f", "csv", DATA / "rounds.jsonl", "-o", target).returncode == 0
    assert target.read_text().startswith("id,label,")
    target.write_text("old")
    assert export("-f", "json", DATA / "rounds.jsonl", "-o", target).returncode == 0
    json.loads(target.read_text())
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"], "no temporary file is left"


def test_failures_leave_no_file(tmp_path):
    target = tmp_path / "out.json"
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\nnonsense\n")
    assert export("-f", "json", bad, "-o", target).returncode == 64
    assert not target.exists()
    out = export("-f", "json", DATA / "rounds.jsonl", "-o", tmp_path / "missing" / "out.json")
    assert out.returncode == 70 and "cannot be written" in out.stderr and str(tmp_path / "missing" / "out.json") in out.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.jsonl"]


def test_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    out = export("-f", "json", DATA / "rounds.jsonl", "-o", "/dev/full")
    assert out.returncode == 70 and "/dev/full cannot be written: No space left" in out.stderr
    with open("/dev/full", "w") as full:
        out = subprocess.run([BENCHHOST, "export", "-f", "csv", str(DATA / "rounds.jsonl")], stdout=full,
                             stderr=subprocess.PIPE, text=True)
    assert out.returncode == 70 and "No space left" in out.stderr


def test_file_size_limit_keeps_the_old_file(tmp_path):
    """A disk that fills up while the file is written: the old content stays, no temporary file does."""
    import resource, signal
    target = tmp_path / "out.json"
    target.write_text("old")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    out = export("-f", "json", DATA / "rounds.jsonl", "-o", target, preexec_fn=limit)
    assert out.returncode == 70 and "is as it was before" in out.stderr
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("args,message", [
    ([], "expected --format="), (["-f", "cvs"], "did you mean 'csv'"), (["-f", "xml"], "none of csv, json, markdown, gbench"),
    (["-f", "json", "--samples"], "--samples goes with --format=csv"),
    (["-f", "csv", "--repetitions=rounds"], "--repetitions goes with --format=gbench"),
    (["-f", "gbench", "--repetitions=weeks"], "none of auto, rounds, samples"),
])
def test_usage(args, message):
    out = export(*args, DATA / "rounds.jsonl")
    assert out.returncode == 64 and message in out.stderr and out.stdout == ""


def test_usage_without_journal():
    out = export("-f", "csv")
    assert out.returncode == 64 and "expected one journal" in out.stderr
    assert "--repetitions" in export("--help").stdout
