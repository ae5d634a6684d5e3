# SPDX-License-Identifier: MIT
"""The study and the simulation can be rerun, agree with what is committed, and with independent implementations."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
BENCHHOST, SIMULATE = os.environ["BENCHHOST"], os.environ["SIMULATE"]
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"])
HERE = SOURCE / "tests" / "calibration"
RESULTS = HERE / "results"
SIMULATION = json.loads((RESULTS / "simulation.json").read_text())
COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")


def load_study():
    loader = importlib.machinery.SourceFileLoader("study", str(HERE / "study"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("study", loader))
    loader.exec_module(module)
    return module


study = load_study()


def simulate(*arguments):
    return subprocess.run([SIMULATE, *arguments], capture_output=True, text=True, timeout=280)


def setting(simulation, name):
    return next(s for s in simulation["settings"] if s["setting"] == name)


# ---- the simulation ----

def test_committed_simulation_keeps_the_bounds():
    assert SIMULATION["runs"] == 2000 and SIMULATION["cells"] == 20
    for name in ("calm", "drift", "neighbour", "layout"):
        s = setting(SIMULATION, name)
        assert s["false_alarms_runs"][0] <= 0.05
        assert s["5 %"]["regressed"][0] >= 0.85
        assert s["10 %"]["regressed"][0] >= 0.99


def test_committed_simulation_is_what_the_seed_gives():
    done = simulate("--runs", "300", "--seed", "1", "--setting", "layout", "--no-peers", "--json")
    assert done.returncode in (0, 1), done.stderr
    again = simulate("--runs", "300", "--seed", "1", "--setting", "layout", "--no-peers", "--json", "--threads", "1")
    assert done.stdout == again.stdout, "threads change no figure"
    fresh, committed = setting(json.loads(done.stdout), "layout"), setting(SIMULATION, "layout")
    for effect in ("unchanged", "3 %", "5 %", "10 %"):  # the same runs, but the first 300 of 2000 only
        for verdict, (_, _, _, of) in fresh[effect].items():
            assert of == (6000 if effect == "unchanged" else 300)
            low, high = committed[effect][verdict][1:3]
            assert fresh[effect][verdict][1] <= high and fresh[effect][verdict][2] >= low


def test_intervals_agree_with_scipy():
    beta = pytest.importorskip("scipy.stats").beta
    for s in SIMULATION["settings"]:
        for effect in ("unchanged", "5 %", "10 %"):
            for rate, low, high, of in s[effect].values():
                hits = round(rate * of)
                assert low == pytest.approx(0 if hits == 0 else beta.ppf(0.025, hits, of - hits + 1), abs=1e-9)
                assert high == pytest.approx(1 if hits == of else beta.ppf(0.975, hits + 1, of - hits), abs=1e-9)
    assert study.interval(0, 300)[1] == pytest.approx(1 - 0.025 ** (1 / 300))


def test_simulate_notices_a_broken_bound():
    done = simulate("--runs", "200", "--setting", "layout", "--margin", "0.001", "--no-peers")
    assert done.returncode == 1
    assert "layout: unchanged runs with a false alarm: expected 0 .. 0.05" in done.stderr


@pytest.mark.parametrize("arguments, said", [(["--setting", "nowhere"], "no setting is named 'nowhere'"),
                                             (["--runs", "0"], "counts of at least 1"), (["--bogus"], "--bogus"),
                                             (["--runs", "10", "extra"], "options only")])
def test_simulate_refuses(arguments, said):
    done = simulate(*arguments)
    assert done.returncode == 64 and said in done.stderr


# ---- what `ab` prints of the rule ----

def test_known_figures_are_the_committed_ones():
    text = (SOURCE / "core/gate/known.c").read_text()
    found = {k: float(v) for k, v in re.findall(r"\.(\w+) = ([0-9.e-]+)[,}]", text)}
    results = RESULTS / "study.jsonl.gz"
    if results.exists():
        wanted, word = study.known(results), "measured"
    else:  # no study yet: the simulated setting with the most false alarms of those that bounds are promised for
        s = setting(SIMULATION, "layout")
        wanted = {"false_runs": round(s["false_alarms_runs"][0], 4), "false_runs_high": round(s["false_alarms_runs"][2], 4),
                  "found_5": round(s["5 %"]["regressed"][0], 4), "found_10": round(s["10 %"]["regressed"][0], 4),
                  "cells": SIMULATION["cells"], "runs": SIMULATION["runs"]}
        word = "simulated"
    assert found == wanted
    assert re.search(r'\.conditions = "' + word, text)


# ---- the study ----

def test_plan_is_balanced_and_seeded():
    runs = study.plan(7, 20)
    assert runs == study.plan(7, 20) and runs != study.plan(8, 20)
    assert [r[0] for r in runs] == list(range(210))
    wanted = {(0, "quiet"): 80, (0, "neighbour"): 40, (5, "quiet"): 2, (10, "quiet"): 2, (3, "quiet"): 1}
    for percent, condition, target in {(r[1], r[2], r[3]) for r in runs}:
        same = [r for r in runs if r[1:] == (percent, condition, target)]
        assert len(same) == wanted[percent, condition], "each cell is slowed as often as any other"
    assert sorted(r[1] for r in runs[:10]) == [0] * 6 + [5, 5, 10, 10]


def test_the_other_rules_by_hand():
    rules = {name.split()[0]: flags for name, flags in study.peers().items()}
    base = [100.0, 101, 102, 103, 104, 105, 106, 107, 108, 109]
    slower = [x + 4 for x in base]  # 3.8 %: U = 79 of 100, p = .03; sd 3.03
    assert rules["google-benchmark"](base, slower) and not rules["google-benchmark"](slower, base)
    assert not rules["google-benchmark"](base[:8], [x + 50 for x in base[:8]]), "fewer than 9 repetitions: no verdict"
    assert not rules["mean"](base, slower) and rules["mean"](base, [x + 6 for x in base])
    # sd 3.03 each; 110.0 to 104.5: the ratio is 1.053 +- 0.042; 108.5 to 104.5: 1.038 +- 0.042
    assert not rules["hyperfine's"](base, slower) and rules["hyperfine's"](base, [x + 5.5 for x in base])
    assert not rules["hyperfine,"](base, [x + 6 for x in base]) and rules["hyperfine,"](base, [x + 6.2 for x in base])


@pytest.mark.skipif(not COMPARE.exists(), reason="Debian's libbenchmark-tools is not installed")
def test_u_test_is_compare_py(tmp_path):
    name, utest = study.u_test()
    assert name == "compare.py's"
    base = [100.0, 101, 102, 103, 104, 105, 106, 107, 108, 109]
    candidate = [x * 1.03 + (i % 3) for i, x in enumerate(base)]
    for file, times in (("base.json", base), ("candidate.json", candidate)):
        (tmp_path / file).write_text(json.dumps({"context": {}, "benchmarks": [
            {"name": "x", "run_name": "x", "run_type": "iteration", "repetitions": 10, "repetition_index": i, "threads": 1,
             "iterations": 1, "real_time": t, "cpu_time": t, "time_unit": "ns"} for i, t in enumerate(times)]}))
    out = subprocess.run(["/usr/bin/python3", str(COMPARE), "--no-color", "benchmarks", "base.json", "candidate.json"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=60)
    printed = re.search(r"^x_pvalue\s+([0-9.]+)\s", out.stdout, re.M)
    assert printed, out.stdout + out.stderr
    assert float(printed.group(1)) == pytest.approx(utest(base, candidate)[2], abs=1e-4)


def test_one_run_resume_and_report(tmp_path):
    out = tmp_path / "results.jsonl"
    command = [str(HERE / "study"), "--benchhost", BENCHHOST, "--out", str(out), "--limit", "1", "--only", "10:quiet",
               "--ab=--screen-rounds=6", "--ab=--confirm-rounds=6"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    head, run = map(json.loads, out.read_text().splitlines())
    assert head["type"] == "study" and head["seed"] == 1
    assert run["percent"] == 10 and run["condition"] == "quiet" and run["target"] in run["cells"]
    assert len(run["cells"]) == 20
    for cell in run["cells"].values():
        assert len(cell["base"]) == len(cell["candidate"]) and len(cell["base"]) in (6, 12)
        assert cell["verdict"] in ("regressed", "improved", "equivalent", "inconclusive")
        assert cell["verdict"] != "equivalent" or study.alike(cell["base"], cell["candidate"])
    out.write_text(out.read_text() + '{"type":"run","ind')  # as a kill leaves it
    command[command.index("10:quiet")] = "0:neighbour"
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 3 and lines[2]["index"] != run["index"] and lines[2]["condition"] == "neighbour"
    done = subprocess.run([str(HERE / "study"), "--report", str(out)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 runs, ") and "| benchhost ab |" in done.stdout


def test_rejudging_touches_equivalents_of_another_shape_only(tmp_path):
    one_speed, two_speeds = [100.0] * 10, [95.0] * 5 + [105.0] * 5
    assert study.quantile([1, 2, 3, 4], 0.25) == 1.75 and study.quantile([3.0], 0.9) == 3
    assert study.alike(one_speed, [102.0] * 10) and not study.alike(one_speed, two_speeds)
    cells = {"a": {"verdict": "equivalent", "base": two_speeds, "candidate": one_speed},
             "b": {"verdict": "equivalent", "base": one_speed, "candidate": one_speed},
             "c": {"verdict": "regressed", "base": two_speeds, "candidate": one_speed}}
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(json.dumps({"type": "study"}) + "\n" + json.dumps({"type": "run", "cells": cells}) + "\n")
    study.rejudge(old, new)
    head, run = map(json.loads, new.read_text().splitlines())
    assert head == {"type": "study"}
    assert {k: c["verdict"] for k, c in run["cells"].items()} == {"a": "inconclusive", "b": "equivalent", "c": "regressed"}


def test_committed_study_is_judged_by_today_s_rule():
    for run in study.open_lines(RESULTS / "study.jsonl.gz")[1:]:
        for cell in run["cells"].values():
            assert cell["verdict"] != "equivalent" or study.alike(cell["base"], cell["candidate"])


def test_an_injection_that_was_not_there_is_noticed():
    visits = {("l1", 1): {"base": {0: (1.0, 200)}, "candidate": {0: (1.0, 200)}}}
    study.check_injection(visits, 0, None, 200)
    with pytest.raises(SystemExit, match="expected 210 items executed, found"):
        study.check_injection(visits, 5, ("l1", 1), 200)
