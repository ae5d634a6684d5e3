# SPDX-License-Identifier: MIT
"""`benchhost analyze` on journals made by hand: every metric against values worked out here, every refusal with its reason,
and the JSON against its schema."""
import json
import math
import os
import pathlib
import random
import subprocess

import pytest

import journals

BENCHHOST = os.environ["BENCHHOST"]
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"])
SCHEMA = json.loads((SOURCE / "schemas" / "analyze.schema.json").read_text())
CORES = {"cores": {"state": "ok", "value": 4, "note": None}}


def analyze(path, *args, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run([BENCHHOST, "analyze", path, *args], capture_output=True, text=True, timeout=60,
                          env={**clean, "LC_ALL": "C.UTF-8", **env})


def write(tmp_path, cells, cores=4):
    """`cells`: (workload, backend, workers, params, time of round r in ns, more); ten rounds unless they say fewer."""
    path = tmp_path / "results.jsonl"
    lines = [journals.run_line(cells=len(cells), environment=CORES if cores == 4 else {})]
    for n, (workload, backend, workers, params, times, more) in enumerate(cells):
        for r, ns in enumerate(times):
            more = dict(more)
            cost = more.pop("cost", {})
            line = journals.cell_line(f"{n:012d}", workload, backend, [ns] * 3, params=params, workers=workers, round=r,
                                      options={"workers": workers} if backend != "serial" else {}, **{"total": 2 * ns, **more})
            line["cost"].update(cost)
            lines.append(line)
    path.write_text(journals.text(lines + [journals.end_line(len(cells))]))
    return path


def report(path, *args, code=0):
    jsonschema = pytest.importorskip("jsonschema")
    result = analyze(path, "--json", *args)
    assert result.returncode == code, result.stdout[-2000:] + result.stderr
    assert "NaN" not in result.stdout and "nfinity" not in result.stdout
    value = json.loads(result.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    text = analyze(path, *args)
    assert text.returncode == code and "nan" not in text.stdout.lower() and " inf" not in text.stdout
    return value, " ".join(text.stdout.split())


def flat(ns, rounds=10):
    return [ns] * rounds


# ---- speedup ----

def scaling(tmp_path, times, **more):
    """serial 100 us; a pool of w workers takes times[w]."""
    cells = [("prime", "serial", 1, {"n": 9}, [1e5 * (1 + r / 100) for r in range(10)], {"baseline": True})]
    for w, ns in times.items():
        cells.append(("prime", "pthread", w, {"n": 9}, [ns * (1 + r / 100) for r in range(10)], more.get(f"w{w}", {})))
    return write(tmp_path, cells)


def test_speedup_by_hand(tmp_path):
    """Rounds are up to 9 % slower than the first, but a ratio is taken within each: it is exact."""
    value, text = report(scaling(tmp_path, {1: 1.25e5, 2: 62500, 4: 40000}))
    group = value["speedup"]["groups"][0]
    assert group["base"]["backend"] == "serial"
    by_workers = {c["workers"]: c for c in group["cells"] if c["backend"] == "pthread"}
    four = by_workers[4]["steady"]
    assert four["speedup"]["value"] == pytest.approx(2.5) and four["speedup"]["ci"] == pytest.approx([2.5, 2.5])
    assert four["speedup"]["rounds"] == 10
    assert four["efficiency"]["value"] == pytest.approx(.625)
    assert four["karp_flatt"]["value"] == pytest.approx((1 / 2.5 - 1 / 4) / (3 / 4))
    assert four["self_speedup"]["value"] == pytest.approx(3.125)  # over its own 125 us
    assert four["self_efficiency"]["value"] == pytest.approx(.78125)
    assert by_workers[4]["total"]["speedup"]["value"] == pytest.approx(2.5)
    assert by_workers[1]["steady"]["karp_flatt"] == {"value": None, "reason": "needs 2 processors or more", "ci": None,
                                                     "ci_reason": "needs 2 processors or more", "rounds": 0}
    base = next(c for c in group["cells"] if c["backend"] == "serial")
    assert base["steady"]["speedup"]["value"] == 1 and base["steady"]["speedup"]["ci_reason"] == "the base itself"
    assert "Speedup over serial" in text and "2.50 [2.50, 2.50]" in text


def test_interval_is_over_rounds(tmp_path):
    """Speedups 2.0 .. 2.9 in ten rounds: the median is 2.45, and the interval lies among the rounds' values."""
    path = write(tmp_path, [("prime", "serial", 1, {}, [1e5 * (2 + r / 10) for r in range(10)], {}),
                            ("prime", "pthread", 2, {}, flat(1e5), {})])
    value, _ = report(path, "--metric=speedup")
    cell = value["speedup"]["groups"][0]["cells"][1]["steady"]
    low, high = cell["speedup"]["ci"]
    assert cell["speedup"]["value"] == pytest.approx(2.45) and 2.0 < low <= 2.2 and 2.7 <= high < 2.9
    assert cell["karp_flatt"]["value"] < 0 and cell["karp_flatt"]["ci"][1] < 0
    assert value["usl"] is None and value["metg"] is None


def test_superlinear_and_oversubscribed_are_said(tmp_path):
    path = scaling(tmp_path, {4: 20000, 8: 25000, 16: 6250}, w8={"flags": ["oversubscribed"]})
    value, text = report(path)
    cells = {c["workers"]: c for c in value["speedup"]["groups"][0]["cells"]}
    assert any("superlinear" in note for note in cells[4]["notes"])
    assert cells[8]["p"] == 4 and cells[8]["steady"]["efficiency"]["value"] == pytest.approx(1)
    assert cells[16]["p"] == 16 and cells[16]["steady"]["efficiency"]["value"] == pytest.approx(1)
    assert "8 workers on 4 cores: p = 4" in text and "mostly wait: p = 16" in text


def test_without_cores_p_is_workers(tmp_path):
    path = write(tmp_path, [("w", "serial", 1, {}, flat(8e4), {}), ("w", "pool", 8, {}, flat(1e4), {})], cores=0)
    value, text = report(path, "-m", "speedup")
    assert value["cores"] is None and value["speedup"]["groups"][0]["cells"][1]["p"] == 8
    assert "cores not recorded (p is the number of workers)" in text


def test_no_base_and_wrong_cells(tmp_path):
    path = write(tmp_path, [("w", "pool", 2, {}, flat(1e4), {}), ("w", "fork", 2, {}, flat(1e4), {"status": "wrong", "reason": "7 is no prime"})])
    value, text = report(path)
    cells = value["speedup"]["groups"][0]["cells"]
    assert value["speedup"]["groups"][0]["base"] is None
    assert {c["steady"]["speedup"]["value"] for c in cells} == {None}
    assert next(c for c in cells if c["backend"] == "fork")["status_reason"] == "round 0: 7 is no prime"
    assert "wrong, so in no ratio" in text


def test_few_rounds_have_no_interval(tmp_path):
    path = write(tmp_path, [("w", "serial", 1, {}, flat(1e5, 5), {}), ("w", "pool", 2, {}, flat(5e4, 5), {})])
    value, text = report(path)
    figure = value["speedup"]["groups"][0]["cells"][1]["steady"]["speedup"]
    assert figure == {"value": 2, "reason": None, "ci": None, "ci_reason": "fewer than 6 rounds", "rounds": 0}
    assert "no interval: fewer than 6 rounds" in text and "5 rounds, 4 cores; figures are of all samples; intervals need 6 rounds" in text


def test_arms_of_a_comparison_stay_apart(tmp_path):
    """A journal of `ab`: the candidate is twice as slow everywhere; a ratio between an arm and the other would show it."""
    cells = []
    for arm, slower in (("base", 1), ("candidate", 2)):
        for x in (1, 10, 100):
            cells.append(("w", "serial", 1, {"n": x}, flat(6e5 * x * slower), {"arm": arm, "items": x}))
            cells += [("w", "pool", p, {"n": x}, flat((5e5 + 6e5 * x / p) * slower), {"arm": arm, "items": x}) for p in range(1, 7)]
    cells += [("w", "pool", 2, {"n": 10}, flat(1e3), {"arm": arm, "items": 10}) for arm in ("control-base", "control")]
    value, text = report(write(tmp_path, cells))
    assert len(value["speedup"]["groups"]) == 6 and len(value["usl"]["fits"]) == 6 and "control" not in text
    for group in value["speedup"]["groups"]:
        x = group["params"]["n"]
        for cell in group["cells"]:
            if cell["backend"] == "pool":
                assert cell["steady"]["speedup"]["value"] == pytest.approx(6e5 * x / (5e5 + 6e5 * x / cell["workers"]))
                assert cell["steady"]["self_speedup"]["value"] == pytest.approx((5e5 + 6e5 * x) / (5e5 + 6e5 * x / cell["workers"]))
    assert {tuple(fit["workers"]) for fit in value["usl"]["fits"]} == {(1, 2, 3, 4, 5, 6)}
    base, candidate = value["metg"]["sweeps"]
    assert [s["grain"]["value"] for s in base["series"]] == [s["grain"]["value"] for s in candidate["series"]]
    assert base["title"] == "w [base]" and candidate["title"] == "w [candidate]" and "METG(50%): w [candidate] over n" in text
    base, candidate = value["crossover"]["sweeps"]
    assert [p["steady"]["crossings"] for p in base["pairs"]] == [p["steady"]["crossings"] for p in candidate["pairs"]]
    assert all(p["a"] == "serial [base]" and p["b"].endswith("[base]") for p in base["pairs"]) and len(base["pairs"]) == 6


def test_intervals_are_those_of_the_table(tmp_path):
    """`report` and `analyze` say the same of the same journal, also where rounds ended as soon as they were precise."""
    noise = random.Random(5)
    cells = [("w", "serial", 1, {}, [1e5 * (1 + noise.gauss(0, .02)) for _ in range(14)], {"baseline": True}),
             ("w", "pool", 2, {}, [6e4 * (1 + noise.gauss(0, .02)) for _ in range(14)], {})]
    path = write(tmp_path, cells)
    for measure in {"rounds": 14}, {"rounds": 1, "max_rounds": 50, "precision": .02}:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines[0]["measure"] = measure
        path.write_text(journals.text(lines))
        value, _ = report(path, "-m", "speedup")
        table = subprocess.run([BENCHHOST, "export", "--format=json", path], capture_output=True, text=True, timeout=60)
        shown = next(c for c in json.loads(table.stdout) if c["backend"] == "pool")["speedup"]
        found = value["speedup"]["groups"][0]["cells"][1]["steady"]["speedup"]
        assert found["value"] == pytest.approx(shown["ratio"], rel=1e-12) and found["ci"] == pytest.approx(shown["ci"], rel=1e-12)


# ---- USL ----

def test_usl_agrees_with_scipy(tmp_path):
    """Fifty random systems, noisy: our fit in its linear form against a non-linear one of the same model and weights."""
    optimize = pytest.importorskip("scipy.optimize")
    numpy = pytest.importorskip("numpy")
    rng = random.Random(11)
    cells, inputs = [], []
    for k in range(50):
        counts = [1] + sorted(rng.sample(range(2, 65), rng.randint(5, 11)))
        rate, alpha, beta = 10 ** rng.uniform(1, 6), rng.uniform(0, .3), 10 ** rng.uniform(-5, -2)
        times = [(1 + alpha * (n - 1) + beta * n * (n - 1)) / (rate * n) * math.exp(rng.gauss(0, .02)) for n in counts]
        inputs.append((counts, times))
        cells += [("w", "pool", n, {"k": k}, flat(t * 1e9, 1), {}) for n, t in zip(counts, times)]
    value, _ = report(write(tmp_path, cells), "-m", "usl")
    fits = {fit["params"]["k"]: fit for fit in value["usl"]["fits"]}
    assert len(fits) == 50
    for k, (counts, times) in enumerate(inputs):
        n, y = numpy.array(counts, float), numpy.array(counts) * numpy.array(times)
        model = lambda n, c0, a, b: c0 * (1 + a * (n - 1) + b * n * (n - 1))
        (c0, a, b), _ = optimize.curve_fit(model, n, y, p0=(y[0], .1, .001), sigma=y, xtol=1e-15, ftol=1e-15, gtol=1e-15,
                                           maxfev=100000, method="lm")
        found = fits[k]
        assert found["lambda"]["value"] == pytest.approx(1 / c0, rel=1e-6)
        assert found["alpha"]["value"] == pytest.approx(a, rel=1e-6, abs=1e-7)
        assert found["beta"]["value"] == pytest.approx(b, rel=1e-6, abs=1e-9)
        for point, m, t in zip(found["residuals"], counts, times):
            assert point["workers"] == m and point["relative"] == pytest.approx(t / (model(m, c0, a, b) / m) - 1, abs=1e-6)
        peak = math.sqrt((1 - a) / b) if b > 0 else math.inf
        if peak <= 2 * counts[-1]:
            assert found["peak_workers"]["value"] == pytest.approx(peak, rel=1e-6)
        else:
            assert found["peak_workers"]["value"] is None and "no extrapolation" in found["peak_workers"]["reason"]


def test_usl_needs_six_counts(tmp_path):
    path = write(tmp_path, [("w", "pool", n, {}, flat(1e6 / n), {}) for n in (1, 2, 3, 4, 5)])
    value, text = report(path)
    fit = value["usl"]["fits"][0]
    assert fit["alpha"]["value"] is None and fit["alpha"]["reason"].startswith("fewer than 6 numbers of workers")
    assert fit["residuals"] == [] and "fewer than 6 numbers of workers" in text
    asked, _ = report(path, "-m", "usl", code=2)
    assert asked["speedup"] is None


def test_usl_without_small_counts_may_have_no_fit(tmp_path):
    """From 20 workers on, with times that rise ever slower: the fit says that one worker would take less than no time."""
    times = dict(zip((20, 25, 30, 40, 50, 60), (1e6, 1.6e6, 2e6, 2.3e6, 2.4e6, 2.5e6)))
    value, text = report(write(tmp_path, [("w", "pool", n, {}, flat(t), {}) for n, t in times.items()]), "-m", "usl", code=2)
    fit = value["usl"]["fits"][0]
    assert fit["lambda"]["reason"] == fit["alpha"]["reason"] and "no positive rate" in fit["alpha"]["reason"] and fit["residuals"] == []


def test_usl_flags_what_is_odd(tmp_path):
    """Faster than linear: alpha is negative, and shown. More workers than cores: said."""
    times = {n: (1 - .02 * (n - 1)) / n * 1e6 for n in range(1, 9)}
    path = write(tmp_path, [("w", "pool", n, {}, flat(t), {"flags": ["oversubscribed"] if n > 4 else []}) for n, t in times.items()])
    value, text = report(path)
    fit = value["usl"]["fits"][0]
    assert fit["alpha"]["value"] == pytest.approx(-.02, abs=1e-9) and any("alpha is negative" in f for f in fit["flags"])
    assert any("more workers than cores" in f for f in fit["flags"]) and "alpha is negative" in text
    assert fit["peak_workers"]["value"] is None


# ---- METG ----

def sweep(tmp_path, cost, rounds=10, sizes=(1, 4, 16, 64, 256, 1024), **backends):
    """backends: name=(workers, time in us of a run of size x)."""
    cells = []
    for name, (workers, time_us) in backends.items():
        for x in sizes:
            cells.append(("squares", name, workers, {"draws": x, "check": "auto"}, flat(time_us(x) * 1e3, rounds),
                          {"items": 10, "cost": cost(x)}))
    return write(tmp_path, cells)


def test_metg_by_hand(tmp_path):
    """A pool needs 30 us and 1 us a draw: its rate is x/(30 + x), half of the reference 1024/1054 near x = 28."""
    path = sweep(tmp_path, lambda x: {"flops": 10 * x}, pool=(2, lambda x: 30 + x), slow=(2, lambda x: 300 + x))
    value, text = report(path, "-m", "metg")
    found = value["metg"]["sweeps"][0]
    assert found["over"] == "draws" and found["work"] == "flops" and found["reference"]["backend"] == "pool"
    reference = 1024 / 1054
    efficiency = lambda c, x: x / (c + x) / reference
    for series, c in zip(found["series"], (30, 300)):
        for point in series["points"]:
            assert point["efficiency"]["value"] == pytest.approx(efficiency(c, point["x"]))
    for series, c, a, b in ((found["series"][0], 30, 16, 64), (found["series"][1], 300, 256, 1024)):
        t = (.5 - efficiency(c, a)) / (efficiency(c, b) - efficiency(c, a))
        expected = math.exp(math.log(a) + t * math.log(b / a))
        assert series["grain"]["value"] == pytest.approx(expected) and series["grain"]["ci"] == pytest.approx([expected] * 2)
        # At half of the reference's rate a run takes expected/(reference/2) us; 10 items on 2 workers.
        assert series["task_ns"]["value"] == pytest.approx(expected / (reference / 2) * 1e3 * 2 / 10)
    assert "METG(50%)" in text and "draws at 50%" in text


def test_metg_refusals(tmp_path):
    flops = lambda x: {"flops": 10 * x}
    path = sweep(tmp_path, flops, fine=(1, lambda x: x), half=(1, lambda x: 3 * x))
    value, text = report(path, "-m", "metg", code=0)
    fine, half = value["metg"]["sweeps"][0]["series"]
    assert fine["grain"]["reason"] == "not bracketed: no grain is small enough to fall below 50 %"
    assert half["grain"]["reason"] == "not bracketed: 50 % of the reference rate is never reached"
    assert text.count("not bracketed") == 2


def test_metg_accounting_error(tmp_path):
    """Smaller is twice as fast per flop than the largest of all: somebody counts wrongly."""
    path = sweep(tmp_path, lambda x: {"flops": 10 * x}, pool=(2, lambda x: 2 * x + (x > 300) * 3000 + 20))
    value, text = report(path, "-m", "metg", code=2)
    series = value["metg"]["sweeps"][0]["series"][0]
    assert series["grain"]["reason"] == "accounting error: an efficiency above 1.5"
    assert len(value["errors"]) == 1 and "is above 1.5" in value["errors"][0] and "ACCOUNTING ERROR" in text


def test_metg_without_a_measure_of_work(tmp_path):
    value, _ = report(sweep(tmp_path, lambda x: {}, pool=(2, lambda x: 30 + x)), "-m", "metg", code=2)
    assert value["metg"]["sweeps"][0]["work"] is None and "no work" in value["metg"]["sweeps"][0]["reason"]


def test_metg_by_items(tmp_path):
    """A sweep of the number of items measures work by items."""
    cells = [("noop", "pool", 2, {"items": x}, flat(1e3 * (30 + x)), {"items": x}) for x in (1, 10, 100, 1000)]
    value, _ = report(write(tmp_path, cells), "-m", "metg")
    assert value["metg"]["sweeps"][0]["work"] == "items" and 10 < value["metg"]["sweeps"][0]["series"][0]["grain"]["value"] < 100


# ---- crossover ----

def test_crossover_by_hand(tmp_path):
    """serial: x us; pool: 40 + x/4 us: equal at 53.3; total is twice that and another 600 us for the pool."""
    cells = []
    for x in (4, 16, 64, 256, 1024):
        cells.append(("w", "serial", 1, {"n": x}, flat(1e3 * x), {"baseline": True}))
        cells.append(("w", "pool", 4, {"n": x}, flat(1e3 * (40 + x / 4)), {"total": 1e3 * (600 + x / 4)}))
    value, text = report(write(tmp_path, cells), "-m", "crossover")
    pair = value["crossover"]["sweeps"][0]["pairs"][0]
    y = lambda x: math.log(x / (40 + x / 4))
    expected = math.exp(math.log(16) - y(16) / (y(64) - y(16)) * math.log(4))
    assert pair["a"] == "serial" and pair["steady"]["verdict"] == "from" and pair["steady"]["rounds_agreeing"] == 10
    assert pair["steady"]["crossing"]["value"] == pytest.approx(expected)
    assert pair["steady"]["crossing"]["ci"] == pytest.approx([expected] * 2)
    z = lambda x: math.log(2 * x / (600 + x / 4))
    assert pair["total"]["crossing"]["value"] == pytest.approx(math.exp(math.log(256) - z(256) / (z(1024) - z(256)) * math.log(4)))
    assert [r["ratio"]["value"] for r in pair["steady"]["ratios"]] == pytest.approx([x / (40 + x / 4) for x in (4, 16, 64, 256, 1024)])
    assert f"from {expected:.2f}"[:10] in text and "10/10" in text


@pytest.mark.parametrize("pool,verdict,crossings", [
    (lambda x: x / 2, "always", 0), (lambda x: 2 * x, "never", 0), (lambda x: x, "equal", 0),
    (lambda x: x / 2 if x < 30 else 2 * x, "up-to", 1), (lambda x: 2 * x if x in (4, 64) else x / 2, "several", 3),
])
def test_crossover_verdicts(tmp_path, pool, verdict, crossings):
    cells = []
    for x in (4, 16, 64, 256):
        cells += [("w", "serial", 1, {"n": x}, flat(1e3 * x), {}), ("w", "pool", 4, {"n": x}, flat(1e3 * pool(x)), {})]
    value, text = report(write(tmp_path, cells), "-m", "crossover")
    found = value["crossover"]["sweeps"][0]["pairs"][0]["steady"]
    assert found["verdict"] == verdict and len(found["crossings"]) == crossings
    assert (found["crossing"]["value"] is None) == (crossings != 1)
    assert {"up-to": "up to 32", "several": "several: 8, 32, 128"}.get(verdict, verdict) in text


def test_crossover_near_the_end_has_an_open_interval(tmp_path):
    """In some rounds the pool is faster everywhere: the lower end lies outside of what was measured."""
    cells = []
    for x in (10, 100, 1000):
        cells.append(("w", "serial", 1, {"n": x}, flat(1e3 * x), {}))
        cells.append(("w", "pool", 4, {"n": x}, [1e3 * x * ((.9 if r < 4 else 1.1) if x == 10 else .5) for r in range(10)], {}))
    value, text = report(write(tmp_path, cells), "-m", "crossover")
    found = value["crossover"]["sweeps"][0]["pairs"][0]["steady"]
    assert found["verdict"] == "from" and found["rounds_agreeing"] == 6
    assert found["crossing"]["ci"][0] is None and found["crossing"]["ci"][1] > 10
    assert "[<, " in text and "outside what was measured" in text


def test_crossing_that_lies_on_both_sides_is_none(tmp_path):
    """The pool is faster everywhere in five rounds, slower everywhere in the other five: medians cross, no round does."""
    cells = []
    for x, ahead, behind in ((10, .1, -1), (100, .1, -.5), (1000, 1, -.05)):
        cells.append(("w", "serial", 1, {"n": x}, flat(1e3 * x), {}))
        cells.append(("w", "pool", 4, {"n": x}, [1e3 * x / math.exp(behind if r % 2 else ahead) for r in range(10)], {}))
    value, text = report(write(tmp_path, cells), "-m", "crossover")
    found = value["crossover"]["sweeps"][0]["pairs"][0]["steady"]
    assert found["verdict"] == "from" and found["rounds_agreeing"] == 0 and len(found["crossings"]) == 1
    assert found["crossing"]["value"] is None and "half of the rounds" in found["crossing"]["reason"] and "half of the rounds" in text


def test_between_over_and_their_mistakes(tmp_path):
    cells = []
    for x in (1, 10, 100):
        for m in (1, 2):
            cells += [("w", b, 2, {"n": x, "m": m}, flat(1e3 * (c + x)), {}) for b, c in (("fork", 50), ("pthread", 5))]
    path = write(tmp_path, cells)
    value, _ = report(path, "-m", "crossover", "--between", "fork,pthread")
    assert [s["over"] for s in value["crossover"]["sweeps"]] == ["n", "n"]
    assert value["crossover"]["sweeps"][0]["pairs"][0]["steady"]["verdict"] == "always"
    value, _ = report(path, "-m", "crossover", "--between=fork,pthread", "--over", "m")
    assert [s["over"] for s in value["crossover"]["sweeps"]] == ["m"] * 3
    value, text = report(path, "-m", "crossover", code=2)
    assert "--between" in value["crossover"]["sweeps"][0]["reason"] and "--between" in text
    for args, message in ((["--over=k"], "no workload of this journal has such a parameter"), (["--between=fork"], "expected two backends"),
                          (["--between=fork,cuda"], "has the backend 'cuda'"), (["--metric=speedupp"], "no such metric: did you mean 'speedup'?"),
                          (["--roofs=*"], "matches the label of no cell")):
        result = analyze(path, *args)
        assert result.returncode == 64 and message in result.stderr and result.stdout == "", result.stderr


# ---- roofline ----

def roofs(tmp_path, flops, nbytes, ns, rounds=10, workers=2):
    """Peaks of 100 GFLOP/s and 10 GB/s with 2 workers, and 1 us runs for both; one cell under them."""
    return write(tmp_path, [
        ("top", "pthread", 2, {"op": "a"}, flat(1e3, rounds), {"facts": {"roof": "flops"}, "cost": {"flops": 1e5}}),
        ("top", "fork", 2, {"op": "a"}, flat(2e3, rounds), {"facts": {"roof": "flops"}, "cost": {"flops": 1e5}}),
        ("top", "fork", 2, {"op": "b"}, flat(1e3, rounds), {"facts": {"roof": "bandwidth"}, "cost": {"bytes_read": 6e3, "bytes_written": 4e3}}),
        ("top", "fork", 2, {"op": "c"}, flat(1e3, rounds), {"facts": {"roof": "bandwidth L2"}, "cost": {"bytes_read": 1e5}}),
        ("work", "pthread", workers, {}, flat(ns, rounds), {"cost": {"flops": flops, "bytes_read": nbytes}}),
    ])


@pytest.mark.parametrize("flops,nbytes,ns,share,bound", [
    (1e5, 1e2, 2e3, .5, "compute"),  # 1 us of computing at the roof
    (1e4, 1e4, 4e3, .25, "memory"),  # 1 us of memory
    (0, 1e4, 1e3, 1, "memory"), (1e5, 0, 1.25e3, .8, "compute"),
])
def test_roofline_by_hand(tmp_path, flops, nbytes, ns, share, bound):
    value, text = report(roofs(tmp_path, flops, nbytes, ns), "-m", "roofline")
    cell = value["roofline"]["cells"][0]
    assert cell["share"]["value"] == pytest.approx(share) and cell["bound"] == bound and not cell["accounting_error"]
    assert cell["gflops"]["value"] == (pytest.approx(flops / ns) if flops else None)
    assert cell["gb_per_s"]["value"] == (pytest.approx(nbytes / ns) if nbytes else None)
    assert cell["intensity"] == (pytest.approx(flops / nbytes) if nbytes else None)
    machine = value["roofline"]["machine"]
    assert len(machine) == 1 and machine[0]["balance"]["value"] == pytest.approx(10) and machine[0]["workers"] == 2
    assert sum(r["highest"] for r in value["roofline"]["roofs"]) == 2
    assert f"{share:.0%}" in text


def test_above_the_roof_is_an_accounting_error(tmp_path):
    value, text = report(roofs(tmp_path, 1e3, 5e4, 1e3), "-m", "roofline", code=2)
    assert value["roofline"]["cells"][0]["accounting_error"] and "500 % of the memory roof" in value["errors"][0]
    assert "doubt bytes_read" in value["errors"][0] and "a cache here reaches" in value["errors"][0]
    assert "ACCOUNTING ERROR" in text
    value, _ = report(roofs(tmp_path, 2e5, 1, 1e3, rounds=1), code=2)
    assert "200 % of the compute roof: doubt flops" in value["errors"][0]


def test_above_within_noise_is_none(tmp_path):
    """110 % in six rounds and 80 % in four: the interval holds 100 %."""
    path = write(tmp_path, [
        ("top", "fork", 2, {}, flat(1e3), {"facts": {"roof": "bandwidth"}, "cost": {"bytes_read": 1e4}}),
        ("work", "fork", 2, {}, [1e3 / (1.1 if r < 6 else .8) for r in range(10)], {"cost": {"bytes_read": 1e4}})])
    value, _ = report(path, "-m", "roofline")
    assert value["roofline"]["cells"][0]["share"]["value"] == pytest.approx(1.1) and value["errors"] == []


@pytest.mark.parametrize("roof,array,cache,note", [
    ("bandwidth", "2097151", "1048576", "less than twice the device's cache (1.000 MiB)"), ("bandwidth", "2097152", "1048576", None),
    ("bandwidth L2", "1048577", "1048576", "larger than the device's cache (1.000 MiB"), ("bandwidth L2", "1048576", "1048576", None),
    ("bandwidth", None, "1048576", None), ("bandwidth", "4096", None, None), ("bandwidth", "4096", "much", None),
])
def test_an_array_where_its_roof_is_not(tmp_path, roof, array, cache, note):
    """The backend's fact beside the workload's: neither knows of the other."""
    facts = {key: text for key, text in (("roof", roof), ("array bytes", array), ("device cache bytes", cache)) if text}
    value, text = report(write(tmp_path, [("top", "gpu", 1, {}, flat(1e3), {"facts": facts, "cost": {"bytes_read": 1e4}})]), "-m", "roofline")
    found = value["roofline"]["roofs"][0]["note"]
    assert note in found if note else found is None
    assert text.count("!") == (2 if note else 0), "beside the roof, and before what is said of it"


def test_roofline_refusals(tmp_path):
    value, text = report(roofs(tmp_path, 1e5, 1e4, 1e3, workers=4), "-m", "roofline")
    cell = value["roofline"]["cells"][0]
    assert cell["share"]["reason"] == "no flops roof was measured in this run with as many workers" and cell["bound"] is None
    assert "no flops roof" in text
    path = write(tmp_path, [("work", "pool", 2, {}, flat(1e3), {"cost": {"flops": 5}})])
    value, text = report(path, "-m", "roofline", code=2)
    assert value["roofline"]["reason"].startswith("no cell of this run is a roof") and "Roofline: none" in text
    value, _ = report(roofs(tmp_path, 1e5, 1e4, 1e3), "-m", "roofline", "--roofs=*op=b*")
    assert [r["kind"] for r in value["roofline"]["roofs"]] == ["bandwidth"]


# ---- the command ----

def test_stored_journals(tmp_path):
    for name in "pools", "rounds":
        report(SOURCE / "tests" / "data" / f"{name}.jsonl")


def test_width_and_ascii():
    path = SOURCE / "tests" / "data" / "pools.jsonl"
    text = analyze(path, LC_ALL="C").stdout
    assert text.isascii()


@pytest.mark.parametrize("content,message", [
    ("", "holds no whole line"), ("hello\nworld\n", "no line of a journal"), ('{"type":"run","schema":1}\n', "holds no cell yet")])
def test_bad_journals(tmp_path, content, message):
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    result = analyze(path)
    assert result.returncode == 64 and message in result.stderr and result.stdout == ""


def test_usage():
    assert subprocess.run([BENCHHOST, "analyze"], capture_output=True).returncode == 64
    assert subprocess.run([BENCHHOST, "analyze", "a", "b"], capture_output=True).returncode == 64
    assert analyze("missing.jsonl").returncode == 64
    assert "--between" in analyze("--help").stdout


def test_hostile_values(tmp_path):
    """Times of 0 ns, sizes below 0, parameters that are texts, facts of another type: no figure, and no crash."""
    cells = [("w", "serial", 1, {"n": x}, flat(0 if x == 1 else 1e3), {}) for x in (-1, 0, 1, 2, "three", None, 1e300)]
    cells += [("w", "pool", 2, {"n": x}, flat(1e3), {"facts": {"roof": ["flops"]}, "cost": {"flops": 1e308}}) for x in (-1, 0, 1, 2, 1e300)]
    value, _ = report(write(tmp_path, cells))
    assert value["rounds"] == 10
