# SPDX-License-Identifier: MIT
"""`benchhost compare`: what it says first, which cells it matches, ratios against SciPy and by hand, and that nothing of it is a
verdict."""
import itertools
import json
import math
import os
import pathlib
import re
import statistics
import subprocess

import pytest

import journals

try:
    import jsonschema
except ImportError:
    jsonschema = None

BENCHHOST = os.environ["BENCHHOST"]
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"])
SCHEMA = json.loads((SOURCE / "schemas" / "compare.schema.json").read_text())
MS = 1e6


def compare(*args, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run([BENCHHOST, "compare", *map(str, args)], capture_output=True, text=True, timeout=120,
                          env={**clean, "LC_ALL": "C.UTF-8", **env})


def as_json(*args):
    out = compare("--json", *args)
    assert out.returncode in (0, 1), out.stderr
    assert not re.search(r"\b(nan|inf(inity)?)\b", out.stdout, re.I)
    found = json.loads(out.stdout)
    if jsonschema:
        jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def cells(values, id="aaaaaaaaaaaa", **more):
    """One cell whose rounds have these medians."""
    more = {"workload": "prime", "backend": "serial", "params": {"n": 1000}, **more}
    return [journals.cell_line(id, samples=[v * .99, v, v * 1.02], round=r, total=10 * v, **more) for r, v in enumerate(values)]


def write(path, lines, **run):
    path.write_text(journals.text([journals.run_line("made", 1, 9, **run), *lines, journals.end_line()]))
    return path


def environment(**values):
    return {name: {"state": "ok", "value": value, "note": None} for name, value in values.items()}


def test_schema_is_one():
    pytest.importorskip("jsonschema").Draft202012Validator.check_schema(SCHEMA)


# ---- what is said first ----

def test_warning_is_first(tmp_path):
    old, new = write(tmp_path / "a.jsonl", cells([MS] * 7)), write(tmp_path / "b.jsonl", cells([MS] * 7))
    out = compare(old, new)
    assert out.returncode == 0 and out.stderr == ""
    assert out.stdout.startswith("For reading trends, not a gate") and "`benchhost ab`" in " ".join(out.stdout.split()[:60])
    assert "OTHER MACHINE" not in out.stdout
    found = as_json(old, new)
    assert list(found)[2] == "warning" and found["machines_differ"] is False and found["differences"] == []
    assert compare("--markdown", old, new).stdout.splitlines()[2].startswith("> For reading trends, not a gate")


def test_other_machine_is_said_before_any_figure(tmp_path):
    old = write(tmp_path / "a.jsonl", cells([MS] * 7), environment=environment(cpu_model="A 1", governor="performance"))
    new = write(tmp_path / "b.jsonl", cells([MS] * 7), environment=environment(cpu_model="B 2", governor="powersave"))
    out = compare(old, new).stdout
    loud = out.index("OTHER MACHINE OR SETUP")
    assert loud < out.index("Runs") < out.index("1.000 ms")
    assert "CPU model: A 1 -> B 2" in out and "governor: performance -> powersave" in out
    found = as_json(old, new)
    assert found["machines_differ"] is True
    assert {(d["name"], d["first"], d["this"]) for d in found["differences"]} == {("CPU model", "A 1", "B 2"),
                                                                                   ("governor", "performance", "powersave")}
    assert found["runs"][0]["machine"] != found["runs"][1]["machine"]


def test_builds_and_settings_differ(tmp_path):
    plugin = lambda build: [{"kind": "workload", "name": "prime", "version": "1.0", "build_id": build, "path": "x"}]
    old = write(tmp_path / "a.jsonl", cells([MS] * 7), plugins=plugin("aaaa"), measure={"precision": .01, "primary": "wall"})
    new = write(tmp_path / "b.jsonl", cells([MS] * 7), plugins=plugin("bbbb"), measure={"precision": .05, "primary": "wall"},
                benchhost="9.9")
    kinds = {d["kind"]: (d["name"], d["first"], d["this"]) for d in as_json(old, new)["differences"]}
    assert kinds == {"plugin": ("workload prime", "1.0, build aaaa", "1.0, build bbbb"),
                     "program": ("benchhost", "0.1.0", "9.9"), "setting": ("precision", "0.01", "0.05")}
    assert as_json(old, new)["machines_differ"] is False


# ---- ratios ----

def test_ratio_against_brute_force(tmp_path):
    """The Hodges-Lehmann shift of logarithms: the median of all ratios; its interval from Mann and Whitney's exact distribution,
    here by counting all arrangements of 6 + 7 ranks."""
    old = [MS * v for v in (1.00, 1.01, .99, 1.02, 1.005, .985)]
    new = [MS * v for v in (1.10, 1.13, 1.08, 1.115, 1.09, 1.12, 1.105)]
    found = as_json(write(tmp_path / "a.jsonl", cells(old)), write(tmp_path / "b.jsonl", cells(new)))
    side = found["cells"][0]["runs"][1]
    ratios = sorted(math.log(b / a) for a in old for b in new)
    assert side["ratio"] == pytest.approx(math.exp(statistics.median(ratios)), rel=1e-9)
    counts = [0] * (6 * 7 + 1)
    for chosen in itertools.combinations(range(13), 6):
        counts[sum(chosen) - 15] += 1
    total, below = sum(counts), 0
    k = 0
    while below + counts[k] <= .025 * total:
        below += counts[k]
        k += 1
    # Exact limits would be ratios k and -k (more than 95 %); k + 1 and -k - 1 give less. The interval is between the two.
    low, high = (math.log(limit) for limit in side["ratio_ci"])
    assert ratios[k - 1] <= low < ratios[k] and ratios[-k - 1] < high <= ratios[-k]
    assert side["reading"] == "slower" and found["cells"][0]["reading"] == "slower"


@pytest.mark.parametrize("factor,reading", [(1.2, "slower"), (.8, "faster"), (1.0, "unclear")])
def test_readings(tmp_path, factor, reading):
    spread = [.98, .99, 1, 1.01, 1.02, 1.005, .995]
    old = write(tmp_path / "a.jsonl", cells([MS * s for s in spread]))
    new = write(tmp_path / "b.jsonl", cells([MS * s * factor for s in spread]))
    out = compare(old, new)
    assert out.returncode == 0 and re.search(rf"\b{reading}$", out.stdout, re.M)
    assert "regress" not in out.stdout.lower()
    assert f"1 cell matched: 1 {reading}; 0 removed, 0 added" in out.stdout


def test_few_rounds_have_no_interval_and_no_reading(tmp_path):
    old, new = write(tmp_path / "a.jsonl", cells([MS] * 5)), write(tmp_path / "b.jsonl", cells([3 * MS] * 9))
    side = as_json(old, new)["cells"][0]["runs"][1]
    assert side["ratio"] == pytest.approx(3) and side["ratio_ci"] is None and side["reading"] == "unclear"
    assert side["ratio_reason"] == "fewer than 6 rounds in one of the two"
    out = compare("--threshold", "10%", old, new)
    assert out.returncode == 0 and "3.00'" in out.stdout and "': fewer than 6 rounds in one" in out.stdout


def test_higher_is_better(tmp_path):
    def frames(values):
        return [journals.cell_line("aaaaaaaaaaaa", "game", "serial", [MS], round=r, primary="metric:frames",
                                   metrics={"frames": {"unit": "frames/s", "better": "higher", "median": v, "min": v, "max": v,
                                                       "n": 1}}) for r, v in enumerate(values)]
    old, new = write(tmp_path / "a.jsonl", frames([60, 61, 59, 60, 60.5, 59.5])), write(tmp_path / "b.jsonl", frames([30] * 6))
    cell = as_json(old, new)["cells"][0]
    assert cell["runs"][1]["ratio"] == pytest.approx(.5, rel=.05) and cell["reading"] == "worse"
    assert compare("--threshold=10%", old, new).returncode == 1
    assert compare("--threshold=10%", new, old).returncode == 0, "twice as many frames are no loss"
    assert as_json("--primary=wall", old, new)["cells"][0]["reading"] == "unclear"
    assert as_json("--primary=total", old, new)["cells"][0]["runs"][0]["ci_reason"] == "no such figure was recorded"


def test_other_primary_is_no_ratio(tmp_path):
    old, new = write(tmp_path / "a.jsonl", cells([MS] * 6)), write(tmp_path / "b.jsonl", cells([MS] * 6, primary="total"))
    side = as_json(old, new)["cells"][0]["runs"][1]
    assert side["ratio"] is None and "--primary" in side["ratio_reason"] and side["reading"] == "no figure"
    assert as_json("--primary=total", old, new)["cells"][0]["runs"][1]["ratio"] == pytest.approx(1)


def test_zeros_have_no_ratio(tmp_path):
    old, new = write(tmp_path / "a.jsonl", cells([0.0] * 6)), write(tmp_path / "b.jsonl", cells([MS] * 6))
    for pair in ((old, new), (new, old), (old, old)):
        assert as_json(*pair)["cells"][0]["runs"][1]["ratio"] is None
        assert "nan" not in compare(*pair).stdout.lower()


# ---- cells without a figure, without a partner ----

@pytest.mark.parametrize("status", ["wrong", "crashed", "timeout", "out-of-memory", "skipped"])
def test_not_ok_is_in_no_ratio(tmp_path, status):
    good = cells([MS] * 6)
    bad = good[:-1] + [journals.cell_line("aaaaaaaaaaaa", "prime", "serial", params={"n": 1000}, round=5, status=status,
                                          reason="7 is no prime")]
    for pair in ((good, bad), (bad, good)):
        old, new = write(tmp_path / "a.jsonl", pair[0]), write(tmp_path / "b.jsonl", pair[1])
        side = as_json(old, new)["cells"][0]["runs"][1]
        assert side["ratio"] is None and side["reading"] == "no figure"
        out = compare("--threshold=1%", old, new)
        assert out.returncode == 0 and f"{status}: round 5: 7 is no prime" in out.stdout and "1 no figure" in out.stdout


def test_removed_added_and_near(tmp_path):
    keep = cells([MS] * 6)
    old = write(tmp_path / "a.jsonl", keep + cells([MS] * 6, id="bbbbbbbbbbbb", params={"n": 5000})
                + cells([MS] * 6, id="cccccccccccc", workload="sleep", params={"items": 3}))
    new = write(tmp_path / "b.jsonl", keep + cells([MS] * 6, id="dddddddddddd", params={"n": 6000})
                + cells([MS] * 6, id="eeeeeeeeeeee", params={"n": 5000}, options={"pin": "compact"}))
    found = as_json(old, new)
    assert [c["id"] for c in found["cells"]] == ["aaaaaaaaaaaa"]
    removed = {c["id"]: c["near"] for c in found["removed"]}
    assert set(removed) == {"bbbbbbbbbbbb", "cccccccccccc"} and removed["cccccccccccc"] == []
    assert {(n["id"], n["differs"], n["here"], n["there"]) for n in removed["bbbbbbbbbbbb"]} == {
        ("dddddddddddd", "n", "5000", "6000"), ("eeeeeeeeeeee", "pin", None, "compact")}
    added = {c["id"]: [n["id"] for n in c["near"]] for c in found["added"]}
    assert added == {"dddddddddddd": ["bbbbbbbbbbbb"], "eeeeeeeeeeee": ["bbbbbbbbbbbb"]}
    out = " ".join(compare(old, new).stdout.split())
    assert "near an added cell: " in out and "n is 6000, here 5000" in out and "pin is compact, here not given" in out
    assert "Removed: in the first run only" in out
    assert "1 cell matched: 1 unclear; 2 removed, 2 added." in out


def test_nothing_in_common(tmp_path):
    old = write(tmp_path / "a.jsonl", cells([MS] * 6))
    new = write(tmp_path / "b.jsonl", cells([MS] * 6, id="bbbbbbbbbbbb", workload="sleep"))
    out = compare(old, new)
    assert out.returncode == 0 and "0 cells matched; 1 removed, 1 added." in out.stdout


# ---- several runs, arms ----

def test_three_runs_and_their_trend(tmp_path):
    spread = [.99, 1, 1.01, 1.002, .998, 1.005]
    paths = [write(tmp_path / f"{k}.jsonl", cells([MS * k * s for s in spread]) +
                   ([] if k == 2 else cells([MS] * 6, id="bbbbbbbbbbbb", params={"n": 1}))) for k in (1, 2, 3)]
    found = as_json(*paths)
    second, first = found["cells"]
    assert second["label"] == "prime n=1 | serial"
    assert [s.get("ratio") for s in first["runs"]][1:] == pytest.approx([2, 3], rel=.02)
    assert first["trend"] == "rising" and first["reading"] == "slower"
    assert second["runs"][1] is None and second["reading"] == "unclear" and second["trend"] is None
    out = compare(*paths).stdout
    assert re.search(r"2/1 +3/1 +trend +reading", out) and "▁▅█ rising" in out
    assert "_=# rising" in compare(*paths, LC_ALL="C").stdout
    assert as_json(*reversed(paths))["cells"][1]["trend"] == "falling"


def test_arms_of_one_journal(tmp_path):
    base, candidate = [MS] * 6, [2 * MS] * 6
    lines = [{**line, "arm": arm, "round": line["round"] + 100 * k}
             for k, (arm, values) in enumerate((("base", base), ("candidate", candidate))) for line in cells(values)]
    lines.reverse()  # the coin fell so: the candidate was measured first, and the base is still what it is compared with
    lines += [{**line, "arm": arm, "round": line["round"] + 1000 + 100 * k}
              for k, arm in enumerate(("control-base", "control")) for line in cells([9 * MS] * 6)]
    plugin = lambda build: {"plugins": [{"kind": "workload", "name": "prime", "version": "1", "build_id": build}]}
    path = write(tmp_path / "ab.jsonl", lines, kind="ab",
                 arms={"base": plugin("aaaa"), "candidate": plugin("bbbb")})
    found = as_json(path)
    assert [(d["name"], d["first"], d["this"]) for d in found["differences"]] == [("workload prime", "1, build aaaa", "1, build bbbb")]
    assert [run["arm"] for run in found["runs"]] == ["base", "candidate"]
    assert found["cells"][0]["runs"][1]["ratio"] == pytest.approx(2)
    assert found["cells"][0]["label"] == "prime n=1000 | serial"
    out = compare(path).stdout
    assert "ab.jsonl (candidate)" in out and f"`benchhost ab --from={path}`" in out.replace("\n  ", " ")


# ---- options ----

def test_threshold(tmp_path):
    spread = [.995, 1, 1.005, 1.002, .998, 1.001, .999]
    old = write(tmp_path / "a.jsonl", cells([MS * s for s in spread]))
    new = write(tmp_path / "b.jsonl", cells([1.15 * MS * s for s in spread]))
    beyond = compare("--threshold", "10%", old, new)
    assert beyond.returncode == 1 and "1 beyond the threshold of 10%" in beyond.stdout
    assert beyond.stdout.count("For reading trends, not a gate") == 2, "the warning is repeated"
    assert compare("--threshold=0.1", old, new).returncode == 1
    assert compare("--threshold", "20%", old, new).returncode == 0
    assert compare("--threshold", "10%", new, old).returncode == 0, "faster is not beyond"
    found = as_json("--threshold=10%", old, new)
    assert found["beyond_threshold"] == 1 and found["cells"][0]["beyond_threshold"] is True


def test_threshold_is_about_the_last_run(tmp_path):
    """A cell that the last run has no more sets off no alarm, however slow it once was."""
    spread = [.995, 1, 1.005, 1.002, .998, 1.001, .999]
    first = write(tmp_path / "a.jsonl", cells([MS * s for s in spread]) + cells([MS] * 6, id="b" * 12, params={"n": 1}))
    second = write(tmp_path / "b.jsonl", cells([2 * MS * s for s in spread]))
    third = write(tmp_path / "c.jsonl", cells([MS] * 6, id="b" * 12, params={"n": 1}))
    assert compare("--threshold", "10%", first, second).returncode == 1
    assert compare("--threshold", "10%", first, third, second).returncode == 1
    assert compare("--threshold", "10%", first, second, third).returncode == 0
    assert as_json("--threshold=10%", first, second, third)["beyond_threshold"] == 0


def test_filter_and_sort(tmp_path):
    def run(path, factors):
        return write(path, [line for k, f in enumerate(factors)
                            for line in cells([MS * f] * 6, id=f"{k:012d}", params={"n": k}, backend=["serial", "fork"][k % 2])])
    old, new = run(tmp_path / "a.jsonl", [1, 1, 1]), run(tmp_path / "b.jsonl", [1, 3, 2])
    ids = lambda *args: [int(c["id"]) for c in as_json(*args, old, new)["cells"]]
    assert ids("--sort=ratio") == [1, 2, 0]
    assert ids("--filter", "backend=fork") == [1] and ids("-f", "n=0,2") == [0, 2] and ids("-f", "*n=2*") == [2]
    assert ids("-f", "prime.n=1") == [1] and ids("-f", "n=1,2", "-f", "backend=serial") == [2]
    none = compare("--filter", "workload=prim", old, new)
    assert none.returncode == 64 and "matches none of 3 cells; labels look like 'prime n=0 | serial'" in none.stderr


def test_markdown(tmp_path):
    old = write(tmp_path / "a.jsonl", cells([MS] * 6, label="a_b | <c>"))
    out = compare("--markdown", old, old).stdout
    assert "| &lt;c> | 1.000 ms |" in out and "## a\\_b" in out and "|---|---:|" in out


@pytest.mark.parametrize("args,message", [
    ([], "expected two journals"), (["A"], "expected two journals"), (["--threshold=0", "A", "A"], "--threshold '0'"),
    (["--threshold=ten", "A", "A"], "--threshold 'ten'"), (["--sort=ratoi", "A", "A"], "did you mean 'ratio'"),
    (["--primary=wal", "A", "A"], "--primary 'wal': expected wall"), (["--json", "--markdown", "A", "A"], "not both"),
    (["A", "/nowhere.jsonl"], "No such file"), (["A", "."], "it is a folder"), (["--nonsense"], "Unknown option"),
    (["A", "BAD"], ":1: no line of a journal"), (["A", "EMPTY"], "holds no whole line"), (["A", "HEAD"], "holds no cell yet"),
])
def test_usage(tmp_path, args, message):
    files = {"A": write(tmp_path / "a.jsonl", cells([MS])), "BAD": tmp_path / "bad", "EMPTY": tmp_path / "empty",
             "HEAD": tmp_path / "head"}
    files["BAD"].write_text("hello\nworld\n")
    files["EMPTY"].write_text("")
    files["HEAD"].write_text(journals.text([journals.run_line()]))
    out = compare(*[files.get(a, a) for a in args])
    assert out.returncode == 64 and message in out.stderr and out.stdout == ""


def test_hostile_text_reaches_no_terminal(tmp_path):
    old = write(tmp_path / "a.jsonl", cells([MS] * 6, label="x\x1b[31m | y\ny"))
    assert "\x1b" not in compare(old, old).stdout


def test_widths(tmp_path):
    old = write(tmp_path / "a.jsonl", cells([MS] * 6) + cells([MS] * 3, id="b" * 12, params={"n": 7}))
    for width in (60, 80, 120):
        for journals_ in ([old, old], [old] * 5):
            out = compare(*journals_, COLUMNS=str(width)).stdout
            assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= width
