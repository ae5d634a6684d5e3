# SPDX-License-Identifier: MIT
"""A run as a whole: rounds on top for cells that are not precise, the budget, resuming, what is done about noise. Figures
are a fixture's, made up; where real time counts, bounds are wide."""
import csv
import io
import json
import subprocess
import time

import plugins
import pytest
from supervised import Place

MADE_UP = plugins.fixture("made-up")
SHORT = "min_samples: 6, max_samples: 6, min_sample: 10us, max_time: 20ms, warmup: 1ms"


def write(folder, measure, entries, extra=""):
    """-> a matrix of the fixture, once for each of `entries` (its parameters besides `count`), on one worker."""
    path = folder / "matrix.yaml"
    text = "".join(f"  - {MADE_UP}: {{count: {folder / f'count-{i}'}, {entry}}}\n" for i, entry in enumerate(entries))
    path.write_text(f"benchhost: 1\nname: test\nseed: 5\nmeasure: {{{SHORT}, {measure}}}\nworkloads:\n{text}"
                    f"backends: [serial]\n{extra}")
    return path


def rounds(place):
    """-> of each cell in the matrix's order: its rounds, as they were visited."""
    found = {name: [] for name in place.lines()[0]["plan"]}
    for cell in place.cells():
        found[cell["id"]].append(cell["round"])
    return list(found.values())


def exported(place, how="csv"):
    result = subprocess.run([plugins.BENCHHOST, "export", "--format", how, place.journal], capture_output=True, text=True,
                            check=True, env=place.env, timeout=60)
    return list(csv.DictReader(io.StringIO(result.stdout))) if how == "csv" else json.loads(result.stdout)


def assert_valid(place):
    """Every line is what schemas/journal.schema.json says."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads((plugins.SOURCE / "schemas/journal.schema.json").read_text()))
    for line in place.lines():
        validator.validate(line)


def test_noisy_cells_get_the_rounds(tmp_path):
    place = Place(tmp_path)
    path = write(tmp_path, "rounds: 2, max_rounds: 20, precision: 2%, primary: metric:figure",
                 ["noise: 0", "noise: 0.5", "noise: 0.01"])
    result = place.run(path)
    assert result.returncode == 0, result.stderr
    assert rounds(place) == [list(range(6)), list(range(20)), list(range(6))]
    assert "Rounds ended when precise: 2, at max_rounds: 1." in result.stdout
    assert "2 to 20 rounds" in result.stdout
    assert_valid(place)
    quiet, noisy, middle = exported(place)
    assert [row["stopped"] for row in (quiet, noisy, middle)] == ["precision", "max-rounds", "precision"]
    assert (quiet["primary"], quiet["primary_unit"], float(quiet["primary_median"])) == ("metric:figure", "pt", 100)
    assert float(noisy["primary_low"]) < float(noisy["primary_median"]) < float(noisy["primary_high"])
    assert "interval-wide" in noisy["flags"] and "interval-wide" not in quiet["flags"]
    (first, *_) = exported(place, "json")
    assert first["primary"] == {"figure": "metric:figure", "median": 100, "ci": [100, 100], "ci_reason": None,
                                "ci_basis": "rounds", "unit": "pt", "better": "higher"}


@pytest.mark.parametrize("cut", [1, 5, 9, 20])
def test_an_adaptive_run_goes_on(tmp_path, cut):
    """Cut after any cell, it ends with the same rounds of each, none of them twice."""
    place = Place(tmp_path)
    path = write(tmp_path, "rounds: 2, max_rounds: 12, precision: 1%, primary: metric:figure", ["noise: 0", "noise: 0.5"])
    assert place.run(path).returncode == 0
    kept = [line for line in place.journal.read_text().splitlines(keepends=True)][:cut + 1]
    place.journal.write_text("".join(kept))
    result = place.run(path, resume=True)
    assert result.returncode == 0, result.stderr
    assert [sorted(of_cell) for of_cell in rounds(place)] == [list(range(6)), list(range(12))]
    assert place.run(path, resume=True).returncode == 0 # there is nothing left
    assert [len(of_cell) for of_cell in rounds(place)] == [6, 12]


def test_no_primary(tmp_path):
    """Its times stand; it is said why there is no such figure, and no more rounds are spent on it."""
    place = Place(tmp_path)
    path = write(tmp_path, "rounds: 2, max_rounds: 9, primary: metric:figure", ["silent: true"])
    result = place.run(path)
    assert result.returncode == 0
    assert rounds(place) == [[0, 1]]
    for cell in place.cells():
        assert cell["status"] == "ok" and cell["steady"]["n"] == 6
        assert "no-primary" in cell["flags"]
        assert cell["primary_reason"] == "the workload reported no metric 'figure' in 6 samples"
    assert_valid(place)
    (row,) = exported(place)
    assert row["primary_median"] == "" and float(row["steady_median_ns"]) > 0
    assert "n no-primary" in result.stdout


@pytest.mark.parametrize("primary,unit", [("total", "ns"), ("memory", "bytes"), ("cpu", "ns")])
def test_other_primaries(tmp_path, primary, unit):
    place = Place(tmp_path)
    path = write(tmp_path, f"rounds: 6, primary: {primary}, max_samples: 50".replace("max_samples: 6, ", ""), ["noise: 0"])
    path.write_text(path.read_text().replace("max_samples: 6, ", ""))
    assert place.run(path).returncode == 0
    (row,) = exported(place)
    assert row["primary_unit"] == unit and row["stopped"] == "rounds"
    assert 0 < float(row["primary_low"]) <= float(row["primary_median"]) <= float(row["primary_high"])
    for cell in place.cells():
        assert cell["primary"] == primary and cell["primary_reason"] is None
        if primary != "cpu": # one value per process: samples would not make it more precise
            assert (cell["steady"]["stopped"], cell["steady"]["n"]) == ("min-samples", 6)


def test_cells_with_settings_of_their_own(tmp_path):
    place = Place(tmp_path)
    path = write(tmp_path, "rounds: 1, max_rounds: 9, precision: 1%, primary: metric:figure", ["noise: 0.5", "noise: 0.4"],
                 "overrides:\n  - {match: {noise: 0.4}, measure: {max_rounds: 3, primary: wall}}\n")
    assert place.run(path).returncode == 0
    assert [len(of_cell) for of_cell in rounds(place)] == [9, 3]
    assert [cell["measure"] for cell in place.cells() if cell["round"] == 0 and cell["primary"] == "wall"] == [
        {"max_rounds": 3, "primary": "wall"}]


def test_budget(tmp_path):
    """Ends with the budget, not before and not long after; the rounds that every cell has are all there."""
    place = Place(tmp_path)
    path = write(tmp_path, "rounds: 2, precision: 0.1%, budget: 3s, primary: metric:figure",
                 ["noise: 0.5", "noise: 0.4", "noise: 0"])
    start = time.monotonic()
    result = place.run(path)
    assert result.returncode == 0, result.stderr
    assert 1.5 < time.monotonic() - start < 6
    assert all(len(of_cell) >= 2 for of_cell in rounds(place))
    assert len(rounds(place)[0]) > len(rounds(place)[2]) == 6
    assert "NaN" not in place.journal.read_text() and "nan" not in result.stdout
    assert "with the budget: 2" in result.stdout


def test_a_budget_that_is_too_small(tmp_path):
    place = Place(tmp_path)
    path = tmp_path / "matrix.yaml"
    path.write_text("benchhost: 1\nname: test\nmeasure: {budget: 1s}\nworkloads:\n"
                    "  - sleep: {items: 1, duration: [100ms, 101ms, 102ms, 103ms, 104ms, 105ms, 106ms, 107ms, 108ms, 109ms]}\n"
                    "backends: [serial]\n")
    start = time.monotonic()
    result = place.run(path)
    assert time.monotonic() - start < 4
    assert result.returncode == 2
    missing = 10 - len(place.cells())
    assert missing > 0
    assert "the budget was spent before" in result.stderr
    assert f"{missing} more cell" in result.stdout
    for cell in place.cells():
        assert cell["steady"]["stopped"] == "budget" and cell["steady"]["ci_ns"] is None
        assert "few-samples" in cell["flags"]


def test_a_budget_that_cannot_be_enough_is_said_before(tmp_path):
    """10 cells of at least 5 ms and six samples of 10 us each."""
    place = Place(tmp_path)
    path = write(tmp_path, "budget: 20ms", [f"noise: 0.{i}" for i in range(10)])
    result = place.run(path)
    assert result.returncode == 2
    note = "note: the budget of 20.00 ms is too small: a round of all 10 cells takes at least 50.60 ms"
    assert note in result.stderr.split("[", 1)[0]


def quiet_machine(folder):
    root = folder / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc" / "stat").write_text("".join(f"cpu{i} 1000 0 0 1000 0 0 0 0 0 0\n" for i in range(256)))
    return str(root)


def disturbed(folder, policy, steals, measure="rounds: 10"):
    place = Place(folder)
    place.env["BENCHHOST_TEST_ROOT"] = quiet_machine(folder)
    path = write(folder, f"{measure}, noise: {policy}, max_rounds: 10", [f"steals: {steals}"])
    return place, path, place.run(path)


def test_noise_is_flagged(tmp_path):
    place, _, result = disturbed(tmp_path, "flag", 2)
    assert result.returncode == 0
    assert ["stolen" in cell["flags"] for cell in place.cells()] == [True, True] + [False] * 8
    assert [line["type"] for line in place.lines() if line["type"] == "retry"] == []


def test_noise_is_rejected(tmp_path):
    place, path, result = disturbed(tmp_path, "reject", 2)
    assert result.returncode == 0, result.stderr
    struck = [line for line in place.lines() if line["type"] == "retry"]
    assert len(struck) == 2 and all("steal" in line["reason"] for line in struck)
    assert len(place.cells()) == 12
    assert "2 disturbed processes were repeated" in result.stderr
    # What was repeated is not held against its round as well.
    assert [line["disturbed"] for line in place.lines() if line["type"] == "round"] == [None] * 10
    assert "kept" not in result.stderr
    assert_valid(place)
    (row,) = exported(place)
    assert row["rounds"] == "10" and "stolen" not in row["flags"]
    assert place.run(path, resume=True).returncode == 0
    assert len(place.cells()) == 12


def test_not_more_than_a_fifth_is_rejected(tmp_path):
    place, _, result = disturbed(tmp_path, "reject", 1000)
    assert result.returncode == 0
    assert len([line for line in place.lines() if line["type"] == "retry"]) == 2
    assert "disturbed processes were kept" in result.stderr
    (row,) = exported(place)
    assert row["rounds"] == "10" and "stolen" in row["flags"]


def test_a_resumed_run_rejects_no_second_fifth(tmp_path):
    place, path, result = disturbed(tmp_path, "reject", 1000)
    struck = [line["type"] for line in place.lines()].count("retry")
    last = max(i for i, line in enumerate(place.lines()) if line["type"] == "cell")
    place.journal.write_text("".join(place.journal.read_text().splitlines(keepends=True)[:last]))
    assert place.run(path, resume=True).returncode == 0
    assert [line["type"] for line in place.lines()].count("retry") == struck == 2


def test_what_cannot_be_repeated_is_kept(tmp_path):
    """The disturbed cell takes most of the budget. There is no time for it twice: a flagged figure is better than none."""
    place = Place(tmp_path)
    place.env["BENCHHOST_TEST_ROOT"] = quiet_machine(tmp_path)
    path = tmp_path / "matrix.yaml"
    path.write_text("benchhost: 1\nname: test\nmeasure: {budget: 2s, max_rounds: 1, noise: reject, min_samples: 1, warmup: 0, "
                    "precision: 0}\nworkloads:\n"
                    f"  - {MADE_UP}: {{count: {tmp_path / 'count'}, steals: 1, measure: {{max_samples: 1e6, max_time: 1min}}}}\n"
                    "  - noop: {items: [1, 2, 3, 4, 5], measure: {max_time: 5ms}}\nbackends: [serial]\n")
    result = place.run(path)
    assert result.returncode in (0, 2), result.stderr # 2: something else held the machine up for long
    assert "retry" not in [line["type"] for line in place.lines()]
    assert "disturbed processes were kept" in result.stderr
    assert ["stolen" in cell["flags"] for cell in place.cells() if cell["workload"] == "made-up"] == [True]


def test_noise_ends_the_run(tmp_path):
    place, path, result = disturbed(tmp_path, "abort", 1)
    assert result.returncode == 2
    assert "given up (noise: abort): the hypervisor" in result.stderr
    assert len(place.cells()) == 1
    assert "hypervisor" in place.lines()[-1]["aborted"]
    assert_valid(place)
    assert place.run(path, resume=True).returncode == 0
    assert sorted(cell["round"] for cell in place.cells()) == list(range(10))
