# SPDX-License-Identifier: MIT
"""The arithmetic behind docs/studies.md and tests/peers: every expected value here was worked by hand. Then both scripts once,
with sizes that take a second: what they write, not how long anything took."""
import importlib.machinery
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

from journals import cell_line, end_line, run_line

ROOT = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve()
BUILD = pathlib.Path(os.environ["BENCHHOST"]).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))
import evidence  # noqa: E402


def script(path):
    loader = importlib.machinery.SourceFileLoader(path.stem, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(path.stem, loader))
    loader.exec_module(module)
    return module


studies = script(ROOT / "tools" / "studies")
dispatch = script(ROOT / "tests" / "peers" / "dispatch" / "dispatch.py")
beside_torch = script(ROOT / "tests" / "peers" / "gpu" / "beside_torch.py")
overhead = script(ROOT / "tests" / "peers" / "overhead" / "overhead.py")


# ---- Intervals ----

@pytest.mark.parametrize("n, rank", [
    (1, 0), (5, 0),  # 2 / 2^5 = .0625 > .05
    (6, 1),          # 2 / 2^6 = .03125
    (8, 1),          # 2 * (1 + 8) / 2^8 = .0703 > .05
    (9, 2),          # 2 * (1 + 9) / 2^9 = .0391
    (20, 6),         # 2 * (1+20+190+1140+4845+15504) / 2^20 = .0414; one more, 38760, would be .115
])
def test_median_rank(n, rank):
    assert evidence.median_rank(n) == rank


def test_median_interval():
    assert evidence.median_interval([5, 1, 4, 2, 3]) is None
    assert evidence.median_interval([9, 1, 8, 2, 7, 3, 6, 4, 5]) == [2, 8]
    assert evidence.median_interval([1, 2, 3, math.inf, math.inf, math.inf]) == [1, math.inf]


def test_medians_with_what_lies_outside():
    assert evidence.median([4, 1, 3, 2]) == 2.5
    assert evidence.median([-math.inf, 1, 2]) == 1
    assert evidence.median([1, math.inf, math.inf, math.inf]) == math.inf
    assert math.isnan(evidence.median([-math.inf, math.inf]))


def test_quantile_is_type_7():
    # at .25 * 3 = .75 between 10 and 20
    assert evidence.quantile([40, 10, 30, 20], 0.25) == 17.5
    assert evidence.quantile([7], 0.75) == 7


def test_paired_ratios_need_the_same_rounds():
    assert evidence.paired([2, 9], [4, 3]) == [0.5, 3]
    with pytest.raises(ValueError):
        evidence.paired([1, 2], [1])


def test_sign_test():
    assert evidence.sign_test(8, 9) == (9 + 1) / 512
    assert evidence.sign_test(0, 4) == 1


def test_judge():
    nine = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]  # interval [1.2, 1.8]
    assert [evidence.judge(nine, limit) for limit in (1.8, 1.5, 1.19)] == ["kept", "undecided", "missed"]
    assert evidence.judge([0.1] * 5, 1) == "undecided", "five rounds have no interval"


# ---- Crossings ----

def test_crossover_interpolates_logarithms():
    # pool/serial 2 at n = 4 and 1/2 at n = 16: log ratio 0 half-way between log 4 and log 16, at 8
    assert evidence.crossover([1, 4, 16], [1, 4, 16], [10, 8, 8]) == pytest.approx(8)
    # 4 at 10, 1/2 at 1000: ln 4 / (ln 4 + ln 2) = 2/3 of the way: 10 * 100^(2/3)
    assert evidence.crossover([10, 1000], [1, 100], [4, 50]) == pytest.approx(10 * 100 ** (2 / 3))


def test_crossover_is_where_the_pool_stays_faster():
    # faster at 4 by chance, slower again at 16: between 16 (ratio 2) and 64 (ratio 1/2)
    assert evidence.crossover([1, 4, 16, 64], [1, 4, 16, 64], [2, 2, 32, 32]) == pytest.approx(32)


def test_crossover_outside_the_sweep():
    assert evidence.crossover([1, 4], [1, 4], [0.5, 2]) == -math.inf
    assert evidence.crossover([1, 4], [1, 4], [2, 8]) == math.inf
    assert evidence.crossover([1, 4], [1, 4], [1, 4]) == math.inf, "as fast as serial does not pay"


def test_metg():
    # 100 ns more per dispatch than the work: efficiency 1/11 at 10, 1/2 at 100, 10/11 at 1000
    work = [10, 100, 1000]
    assert evidence.metg(work, [110, 200, 1100]) == pytest.approx((100, 200))
    # efficiency .25 at 100 and .75 at 10000: .5 half-way in the logarithms, at 1000
    assert evidence.metg([100, 10000], [400, 10000 / 0.75]) == pytest.approx((1000, 2000))


def test_metg_of_a_pool_that_never_gets_there():
    assert evidence.metg([10, 20], [100, 200]) == (math.inf, math.inf)


def test_metg_refuses_sweeps_that_prove_nothing():
    with pytest.raises(evidence.NoFigure, match="no point lies below"):
        evidence.metg([100, 1000], [150, 1000])
    with pytest.raises(evidence.NoFigure, match="1.60 > 1.5"):
        evidence.metg([10, 1600], [100, 1000])


# ---- Texts ----

def test_numbers():
    assert [evidence.number(x) for x in (0.012345, 1, 12.34, 9.999, 1234.5, 0, math.inf)] == [
        "0.0123", "1.00", "12.3", "10.0", "1 230", "0", "inf"]
    assert [evidence.duration(x) for x in (12.34, 1500, 2.5e6, 3e9)] == ["12.3 ns", "1.50 us", "2.50 ms", "3.00 s"]


def test_sections_are_replaced_once():
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    assert evidence.replace_section(page, "x", "new\\1") == page.replace("old", "new\\1")
    assert evidence.replace_section(page, "y", "filled").endswith("<!-- y -->\nfilled\n<!-- /y -->\n")
    with pytest.raises(evidence.NoFigure):
        evidence.replace_section(page, "z", "")


def test_json_has_no_infinity():
    assert json.loads(evidence.strict_json({"a": [1.5, math.inf, {"b": -math.inf}]})) == {"a": [1.5, None, {"b": None}]}


# ---- Lessons ----

NINE = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9]  # interval [1.2, 1.8], median 1.5


def verdict(fill):
    lesson = studies.Lesson("claim")
    fill(lesson)
    return str(lesson)


def test_lessons_follow_the_intervals():
    assert verdict(lambda l: None) == "- claim: **not tested here**: no figure speaks of it."
    assert verdict(lambda l: l.above("a", NINE)) == "- claim: **holds here**."
    assert verdict(lambda l: l.below("a", NINE)) == "- claim: **does not hold here**: a: 1.50 [1.20, 1.80]."
    assert verdict(lambda l: l.above("a", NINE, 1.5)) == "- claim: **left open here**: a: 1.50 [1.20, 1.80]."
    assert verdict(lambda l: l.below("a", NINE[:5])) == "- claim: **left open here**: a: 1.30."

    def both(lesson):
        lesson.above("a", NINE, 2)
        lesson.above("b", NINE, 1.5)
        lesson.above("c", NINE)
    assert verdict(both) == "- claim: **does not hold here**: a: 1.50 [1.20, 1.80]. Left open: b: 1.50 [1.20, 1.80]."


def sleep_journal(rounds, pool_ns, status="ok"):
    """4 naps; serial takes 400 in every round."""
    lines = [{**run_line("sleep-scaling", rounds=rounds), "environment": {"cores": {"value": 2}}, "plan": ["s", "p"]}]
    for r in range(rounds):
        lines.append(cell_line("s", "sleep", "serial", [400], round=r, items=4))
        lines.append(cell_line("p", "sleep", "pthread", [pool_ns(r)], round=r, items=4, options={"workers": 4}, workers=4,
                               status=status, reason="by hand"))
    return lines + [end_line()]


def test_a_study_from_a_journal_made_by_hand():
    text = studies.study_sleep(studies.Journal(sleep_journal(9, lambda r: 100 + 10 * r)))
    # speedups 400/100 .. 400/180, sorted from below: the second is 400/170 = 2.35, the eighth 400/110 = 3.64, the middle 400/140
    assert "| 4 | 2.86 [2.35, 3.64] | 4.00 |" in text
    assert "speedup above 2): **holds here**" in text
    assert "above 0.8): **left open here**: pthread, 4 workers: 0.714 [0.588, 0.909]." in text


def test_no_ratio_from_a_cell_that_is_not_ok():
    with pytest.raises(evidence.NoFigure, match="wrong: by hand"):
        studies.Journal(sleep_journal(6, lambda r: 100, status="wrong"))


def test_no_figure_from_an_incomplete_journal():
    lines = sleep_journal(6, lambda r: 100)
    with pytest.raises(evidence.NoFigure, match="end"):
        studies.Journal(lines[:-1])
    with pytest.raises(evidence.NoFigure, match="expected one cell in each of 6"):
        studies.study_sleep(studies.Journal([line for line in lines if (line["type"], line.get("round")) != ("cell", 3)]))


def test_bias_is_judged_by_its_interval():
    assert overhead.verdict([1.001] * 6) == "kept"
    assert overhead.verdict([1.02] * 6) == "missed"
    assert overhead.verdict([1.0] * 3 + [1.02] * 3) == "undecided"
    assert overhead.verdict([1.001] * 5) == "undecided"


def test_dispatch_analysis():
    rows = [dispatch.Pool("loop by hand", "hand", steps=(1, 2)), dispatch.Pool("pthread block", "pthread", steps=(1, 2)),
            dispatch.Pool("libgomp passive", "libgomp", steps=(1, 2))]
    figure = lambda ns: {"median_ns": ns}
    one = lambda cost, small, large: {**{f: figure(cost) for f in dispatch.FIGURES}, "steps 1": figure(small), "steps 2": figure(large)}
    found = {"loop by hand": [one(1, 100, 10000)] * 6, "pthread block": [one(300, 400, 10000 / 0.75)] * 6,
             "libgomp passive": [one(600, 200, 10000)] * 6}
    result = dispatch.analyse(rows, found)
    assert result["pools"]["pthread block"]["metg"]["work_ns"]["median"] == pytest.approx(1000)
    assert "no point lies below" in result["pools"]["libgomp passive"]["metg"]["reason"]
    assert "metg" not in result["pools"]["loop by hand"]
    promise = next(p for p in result["promises"] if p["pool"] == "pthread block")
    assert (promise["median"], promise["ci"], promise["verdict"], promise["within"]) == (0.5, [0.5, 0.5], "kept", 6)
    assert "| pthread block / libgomp passive |" in dispatch.page({**result, "machine": {}, "rounds": 6, "workers": 2, "seed": 1, "wall_s": 1})


# ---- Beside PyTorch ----

def peaks_cell(precision, flops, moved, seconds):
    return {"workload": "peaks", "params": {"precision": precision}, "metrics": {"device time": {"median": seconds}},
            "cost": {"flops": flops, "bytes_read": moved, "bytes_written": None}}


def test_a_share_is_of_the_peak_of_its_precision():
    """An H200 has twice the peak in single precision: chunk-mean's doubles have no part in that."""
    peaks = beside_torch.peaks_of([peaks_cell("double", 30e9, None, 1.0), peaks_cell("single", 60e9, None, 1.0),
                                   peaks_cell("double", None, 4e9, 0.5), peaks_cell("double", 1e9, 3e9, 0.5)])
    assert peaks == {"gflops double": 30, "gflops single": 60, "gb_per_s": 8}
    task = {"device": 1e-3, "steady": 2e-3, "with copies": 3e-3, "gflops": 3.0, "gb_per_s": 4.0}
    text = beside_torch.table([{"peaks": peaks, "chunk-mean portable": task, "squares portable": task, "PyTorch": {"squares": task}}])
    assert text.splitlines()[2:] == ["| chunk-mean portable | 1.000 ms | 2.000 ms | 3.000 ms | 10.0% | 50.0% |",
                                     "| squares portable | 1.000 ms | 2.000 ms | 3.000 ms | 5.0% | 50.0% |",
                                     "| PyTorch squares | 1.000 ms | 2.000 ms | 3.000 ms | 5.0% | 50.0% |"]


# ---- The scripts themselves ----

def test_beside_torch_needs_a_gpu(tmp_path):
    words = [sys.executable, ROOT / "tests/peers/gpu/beside_torch.py", BUILD, "--rounds", "1", "--output", tmp_path / "results"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "BENCHHOST_CUDA_DRIVER": str(tmp_path / "none.so")})
    assert done.returncode == 1 and "nothing to compare" in done.stderr and "no driver" in done.stderr
    assert not (tmp_path / "results").exists()

def test_studies_writes_its_page(tmp_path):
    page = tmp_path / "studies.md"
    page.write_text((ROOT / "docs" / "studies.md").read_text())
    words = [ROOT / "tools" / "studies", BUILD, "--journals", tmp_path / "journals", "--page", page, "--rounds", "1", "--only",
             "sleep-scaling", "--param", "sleep.items=4", "--param", "sleep.duration=1ms", "--set", "measure.max_time=5ms"]
    for _ in range(2):  # the second call measures nothing and writes the same
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        text = page.read_text()
        assert "| workers | speedup, pthread |" in text and "**left open here**" in text
        assert "benchhost examples/sleep-scaling.yaml --set measure.rounds=1" in text
        if _ == 0:
            first = text
    assert text == first


def test_every_study_has_its_place_in_the_page():
    text = (ROOT / "docs" / "studies.md").read_text()
    assert set(studies.SECTIONS) == set(studies.MATRICES)
    for name in [*studies.SECTIONS, "machine"]:
        evidence.replace_section(text, f"studies: {name}", "")
    for name in studies.MATRICES:
        assert (ROOT / "examples" / f"{name}.yaml").exists()


@pytest.mark.skipif(not (BUILD / "tests/peers/dispatch/peer").exists(), reason="peer is not built: no OpenMP")
def test_dispatch_writes_its_page(tmp_path):
    words = [ROOT / "tests/peers/dispatch/dispatch.py", BUILD, "--rounds", "1", "--only", "serial", "--no-python", "--output", tmp_path]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "| serial | " in (tmp_path / "dispatch.md").read_text()
    assert json.loads((tmp_path / "dispatch.json").read_text())["pools"]["serial"]["dispatch"]["n"] == 1


@pytest.mark.skipif(not (BUILD / "tests/peers/dispatch/peer").exists(), reason="peer is not built: no OpenMP")
@pytest.mark.parametrize("pool, options", [("hand", []), ("libgomp", []), ("pthread", ["wait=block"]), ("fork", ["wait=block"]),
                                           ("fork", ["transport=pipe"]), ("openmp", [])])
def test_peer_checks_its_results(pool, options):
    plugin = BUILD / "plugins" / pool / f"{pool}.so"
    if pool not in ("hand", "libgomp") and not plugin.exists():
        pytest.skip(f"{pool} is not built")
    words = [BUILD / "tests/peers/dispatch/peer", "--pool", pool if pool in ("hand", "libgomp") else plugin, "--steps", "1,64", *options]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"dispatch", "item_static", "item_one", "steps 1", "steps 64"}
