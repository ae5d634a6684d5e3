# SPDX-License-Identifier: MIT
"""benchhost ab on a workload that reports a cost it is told (tests/fixtures/graded.c): what is compared, what is decided,
what is printed and written, and every way of asking for something that cannot be."""
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import plugins
import pytest
from plugins import BENCHHOST, BUILD, SOURCE

QUICK = "{min_samples: 1, max_samples: 2, min_sample: 0, max_time: 5ms, warmup: 0s, primary: 'metric:cost'}"
FEW = ("--screen-rounds", "8", "--confirm-rounds", "8")


class Arms:
    """A folder with builds of `graded` and a matrix of it."""

    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count()
        self.matrix(parts="[0, 1]")

    def build(self, name, under=""):
        arm = self.folder / name / under
        arm.mkdir(parents=True, exist_ok=True)
        shutil.copy(plugins.fixture(f"graded-{name}"), arm / "graded.so")
        return self.folder / name

    def matrix(self, parts="0", more="", measure=QUICK, backends="[serial]"):
        self.path = self.folder / "matrix.yaml"
        self.path.write_text(f"benchhost: 1\nname: graded\nseed: 5\nmeasure: {measure}\nworkloads:\n"
                             f"  - graded: {{part: {parts}{more}}}\nbackends: {backends}\n")
        return self.path

    def run(self, base, candidate, *options, matrix=None, few=True, **env):
        self.journal = self.folder / f"ab-{next(self.numbers)}.jsonl"
        env = {"TMPDIR": self.folder, "BENCHHOST_PLUGIN_PATH": self.build("base"), **env}
        return plugins.run("ab", base, candidate, matrix or self.path, "--output", self.journal, *(FEW if few else ()), *options,
                           timeout=120, **env)

    def json(self, base, candidate, *options, **more):
        result = self.run(base, candidate, "--json", "-", *options, **more)
        assert result.stdout.startswith("{"), result.stderr
        report = json.loads(result.stdout)
        assert report["exit_status"] == result.returncode
        check_schema(report)
        return report

    def lines(self):
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


def check_schema(report):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SOURCE / "schemas" / "ab.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(report)


@pytest.fixture
def arms(tmp_path):
    return Arms(tmp_path)


def outcomes(report):
    return [cell["outcome"] for cell in report["cells"]]


# ---- verdicts ----

def test_slower(arms):
    report = arms.json(arms.build("base"), arms.build("slow"))
    assert outcomes(report) == ["equivalent", "regressed"]
    assert report["exit_status"] == 1 and report["exit_why"] == "1 cell regressed"
    assert report["counts"]["regressed"] == 1 and report["counts"]["equivalent"] == 1
    same, slow = report["cells"]
    assert slow["label"] == "graded part=1 | serial" and slow["unit"] == "points" and slow["better"] == "lower"
    assert (slow["screen_pairs"], slow["confirm_pairs"], slow["decision"]["n"]) == (8, 8, 8)
    assert (same["screen_pairs"], same["confirm_pairs"], same["decision"]["n"]) == (8, 0, 8)
    assert 0.095 < slow["decision"]["change"] < 0.105
    low, high = slow["decision"]["change_ci"]
    assert 0.09 < low < slow["decision"]["change"] < high < 0.11
    # 8 pairs, all beyond the margin: the exact test's smallest p
    assert slow["decision"]["p_worse"] == pytest.approx(2 ** -8, abs=1e-12)
    assert slow["candidate"]["median"] / slow["base"]["median"] == pytest.approx(1.1, abs=0.005)
    assert not report["same"] and not report["interrupted"] and not report["out_of_time"]
    assert report["base"]["kind"] == report["candidate"]["kind"] == "folder"
    builds = [{p["name"]: p["build_id"] for p in report[arm]["plugins"]} for arm in ("base", "candidate")]
    assert builds[0]["serial"] == builds[1]["serial"] and builds[0]["graded"] != builds[1]["graded"]


def test_faster(arms):
    report = arms.json(arms.build("base"), arms.build("fast"))
    assert outcomes(report) == ["equivalent", "improved"]
    assert report["exit_status"] == 0
    assert -0.105 < report["cells"][1]["decision"]["change"] < -0.095


def test_more_is_better(arms):
    arms.matrix(parts="1")
    worse = arms.json(arms.build("base"), arms.build("slow"), "--primary", "metric:rate")
    assert outcomes(worse) == ["regressed"]
    (cell,) = worse["cells"]
    assert cell["better"] == "higher" and cell["primary"] == "metric:rate"
    assert cell["decision"]["shift"] > 0.09 and -0.1 < cell["decision"]["change"] < -0.085
    better = arms.json(arms.build("base"), arms.build("fast"), "--primary", "metric:rate")
    assert outcomes(better) == ["improved"] and better["cells"][0]["decision"]["change"] > 0.1


def test_same_builds_are_an_aa_run(arms):
    report = arms.json(arms.build("base"), ".")
    assert outcomes(report) == ["equivalent", "equivalent"] and report["exit_status"] == 0
    assert report["same"] and report["candidate"]["kind"] == "installed"
    assert all(cell["decision"]["shift"] == 0 for cell in report["cells"])
    table = arms.run(".", "-")
    assert table.returncode == 0 and "an A/A run" in " ".join(table.stdout.split())


def test_too_noisy_is_not_equivalent(arms):
    arms.matrix(parts="0", more=", spread: 0.4")
    report = arms.json(arms.build("base"), arms.build("noisy"), "--no-control")
    assert outcomes(report) == ["inconclusive"] and report["cells"][0]["reason"]
    assert report["exit_status"] == 2 and report["exit_why"] == "nothing could be decided"


def test_merely_inconclusive_passes_unless_told(arms):
    arms.path.write_text(arms.path.read_text().replace("part: [0, 1]", "part: [0, 1], zip: {weight: [100, 101], spread: [0, 0.4]}")
                         .replace("part: [0, 1], ", ""))
    base, noisy = arms.build("base"), arms.build("noisy")
    for options, status in ((), 0), (("--inconclusive", "fail"), 2), (("--strict",), 2), (("--inconclusive", "pass"), 0):
        report = arms.json(base, noisy, "--no-control", *options)
        assert outcomes(report) == ["equivalent", "inconclusive"]
        assert report["exit_status"] == status, options


# ---- what fails ----

@pytest.mark.parametrize("build,outcome,status,word", [("wrong", "wrong", 3, "not counted up"), ("crash", "broken", 4, "SIGABRT"),
                                                       ("skip", "skipped", 0, "skips part 1")])
def test_failures(arms, build, outcome, status, word):
    report = arms.json(arms.build("base"), arms.build(build))
    assert outcomes(report) == ["equivalent", outcome] and report["exit_status"] == status
    cell = report["cells"][1]
    assert cell["candidate_only"] and "candidate only" in cell["reason"] and word in cell["reason"]
    assert cell["decision"] is None and cell["candidate"]["median"] is None
    assert cell["candidate"]["failures"] == 2 and cell["base"]["failures"] == 0
    visits = [c for c in arms.lines() if c["type"] == "cell" and c["params"]["part"] == 1 and c["arm"] == "candidate"]
    assert len(visits) == 2, "after two failures there is nothing to learn"


def test_failure_of_the_base(arms):
    report = arms.json(arms.build("wrong"), arms.build("base"))
    assert outcomes(report) == ["equivalent", "wrong"]
    assert not report["cells"][1]["candidate_only"] and "base only" in report["cells"][1]["reason"]


def test_skips_fail_when_strict(arms):
    assert arms.json(arms.build("base"), arms.build("skip"), "--strict")["exit_status"] == 4


@pytest.mark.parametrize("build,word", [("silent", "no metric:cost"), ("zero", "cost is 0")])
def test_no_figure(arms, build, word):
    report = arms.json(arms.build("base"), arms.build(build))
    assert outcomes(report) == ["equivalent", "inconclusive"]
    assert word in report["cells"][1]["reason"] and report["cells"][1]["decision"] is None


# ---- arms ----

def test_one_file(arms):
    slow = arms.build("slow") / "graded.so"
    report = arms.json(".", slow)
    assert outcomes(report) == ["equivalent", "regressed"]
    assert report["candidate"]["kind"] == "file"
    assert {p["path"] for p in report["candidate"]["plugins"] if p["name"] == "graded"} == {str(slow)}


def test_a_build_tree(arms):
    slow = arms.build("slow", under="workloads/graded")
    (slow / "workloads" / "graded" / "graded.so.p").mkdir()
    (slow / "workloads" / "graded" / "graded.so.p" / "graded.so").write_text("no plugin")
    assert outcomes(arms.json(arms.build("base"), slow)) == ["equivalent", "regressed"]


def test_the_matrix_names_a_path(arms):
    base = arms.build("base")
    arms.path.write_text(arms.path.read_text().replace("- graded:", f"- {base}/graded.so:"))
    assert outcomes(arms.json(".", arms.build("slow"))) == ["equivalent", "regressed"]


def test_values_of_an_option(arms):
    arms.matrix(parts="[0, 2]", more=", weight: 100")
    report = arms.json("weight=100", "graded.weight=115")
    assert outcomes(report) == ["regressed", "regressed"]
    # The inputs are the same, whatever the option: so are the costs, but for the weight.
    assert report["cells"][0]["decision"]["change_ci"] == pytest.approx([0.15, 0.15], abs=1e-6)
    assert [cell["label"] for cell in report["cells"]] == ["graded part=0 | serial", "graded part=2 | serial"]
    assert all(cell["base"]["id"] != cell["candidate"]["id"] for cell in report["cells"])
    assert report["base"]["kind"] == "option" and not report["same"]
    assert 0.14 < report["cells"][0]["decision"]["change"] < 0.16


def test_option_against_installed_and_of_the_backend(arms):
    assert outcomes(arms.json(".", "workload.weight=115")) == ["regressed", "regressed"]
    arms.matrix(backends="[pthread: {workers: [1, 2]}]")
    report = arms.json("schedule=static", "backend.schedule=dynamic", "--no-control")
    assert outcomes(report) == ["equivalent", "equivalent"]
    assert report["cells"][1]["label"] == "graded part=0 | pthread workers=2"


def test_values_that_depend_on_the_option(arms):
    arms.matrix(backends="[pthread: {workers: 2, chunk: 8 / workers}]")
    report = arms.json("workers=1", "workers=2", "--no-control")
    assert len(report["cells"]) == 1
    assert any("chunk differs too: 8 in the base, 4 in the candidate" in note for note in report["notes"])


def test_a_parameter_that_one_build_lacks(arms):
    report = arms.json(arms.build("base"), arms.build("extra"))
    assert outcomes(report) == ["equivalent", "equivalent"]
    assert "graded: the base has no parameter extra" in report["notes"]
    assert report["cells"][0]["decision"]["change_ci"] == [0, 0], "both see the same inputs all the same"


def test_a_folder_that_lacks_a_plugin_is_noted(arms):
    lacking = arms.folder / "lacking"
    lacking.mkdir()
    shutil.copy(next(BUILD.glob("plugins/**/serial.so")), lacking)
    notes = arms.json(lacking, arms.build("slow"), "--no-control")["notes"]
    assert f"graded: the base's folder has none, so the base runs {arms.folder}/base/graded.so" in notes
    assert any(note.startswith("serial: the candidate's folder has none") and note.endswith("the same build as the other arm")
               for note in notes)
    assert arms.json(arms.build("base"), arms.build("slow"), "--no-control")["notes"] == []


# ---- order ----

def test_the_order_is_seeded_and_balanced(arms):
    def order(*options):
        arms.run(arms.build("base"), arms.build("noisy"), "--no-control", "--quiet", *options)
        return [(c["round"], c["params"]["part"], c["arm"]) for c in arms.lines() if c["type"] == "cell" and c["stage"] == "screen"]
    first = order()
    assert len(first) == 8 * 2 * 2
    for k in range(0, len(first), 2):
        assert first[k][:2] == first[k + 1][:2] and {first[k][2], first[k + 1][2]} == {"base", "candidate"}
    for part in 0, 1:
        leads = [arm for k, (_, p, arm) in enumerate(first) if k % 2 == 0 and p == part]
        assert leads.count("base") == 4
        assert all({leads[r], leads[r + 1]} == {"base", "candidate"} for r in range(0, 8, 2))
    assert order() == first
    others = {str(order("--seed", str(seed))) for seed in range(1, 5)}
    assert len(others) == 4 and str(first) not in others


def test_both_arms_see_the_same_inputs(arms):
    arms.run(arms.build("base"), arms.build("noisy"), "--no-control")
    cells = [c for c in arms.lines() if c["type"] == "cell"]
    cost = {(c["arm"], c["params"]["part"], c["round"]): c["metrics"]["cost"]["median"] for c in cells}
    again = arms.json(arms.build("base"), ".", "--no-control")
    assert again["cells"][0]["decision"]["change_ci"] == [0, 0]
    assert len({cost["base", 0, r] for r in range(8)}) == 8, "each round has inputs of its own"


# ---- the control ----

def test_control(arms):
    report = arms.json(arms.build("base"), arms.build("slow"))
    control = report["control"]
    assert control["state"] == "quiet" and control["cell"]["outcome"] == "equivalent"
    cells = [c for c in arms.lines() if c["type"] == "cell" and c["arm"].startswith("control")]
    assert len(cells) == 16 and {c["arm"] for c in cells} == {"control", "control-base"}
    assert len({c["id"] for c in cells}) == 1


def test_control_on_a_cell_of_choice(arms):
    report = arms.json(arms.build("base"), arms.build("slow"), "--control", "*part=1*")
    assert report["control"]["cell"]["label"] == "graded part=1 | serial"
    assert report["control"]["state"] == "quiet", "it is the base against itself, whatever the candidate"


def test_no_control(arms):
    report = arms.json(arms.build("base"), arms.build("slow"), "--no-control")
    assert report["control"] == {"state": "none", "reason": "it was switched off by --no-control", "cell": None}
    assert "There was no A/A control" in report["summary"]


def test_a_control_that_flags_makes_all_inconclusive(arms):
    arms.json(arms.build("base"), arms.build("slow"), "--control", "*part=0*")
    lines = arms.lines()
    for line in lines:
        if line.get("arm") == "control":
            line["metrics"]["cost"]["median"] *= 1.2
        if line["type"] == "end":
            extra = [dict(c, round=c["round"] + 8, stage="confirm") for c in lines if c.get("arm", "").startswith("control")]
    forged = arms.folder / "forged.jsonl"
    forged.write_text("".join(json.dumps(line) + "\n" for line in lines[:-1] + extra + lines[-1:]))
    result = plugins.run("ab", "--from", forged, "--json", "-")
    report = json.loads(result.stdout)
    check_schema(report)
    assert result.returncode == 2 and report["control"]["state"] == "flagged"
    assert "control" in report["exit_why"] and outcomes(report) == ["equivalent", "regressed"]


# ---- the journal ----

def test_decided_again_from_the_journal(arms):
    report = arms.json(arms.build("base"), arms.build("slow"))
    again = plugins.run("ab", "--from", arms.journal, "--json", "-")
    assert again.returncode == 1
    stored = json.loads(again.stdout)
    assert stored == report
    lenient = json.loads(plugins.run("ab", "--from", arms.journal, "--margin", "20%", "--json", "-").stdout)
    assert outcomes(lenient) == ["equivalent", "inconclusive"] and lenient["rule"]["margin"] == 0.2
    other = json.loads(plugins.run("ab", "--from", arms.journal, "--primary", "metric:rate", "--json", "-").stdout)
    assert outcomes(other) == ["equivalent", "regressed"] and other["cells"][1]["better"] == "higher"


def test_deciding_again_changes_only_what_is_asked_for(arms):
    arms.json(arms.build("base"), arms.build("slow"), "--margin", "1%", "--equivalence", "4%", "--no-control")
    rule = json.loads(plugins.run("ab", "--from", arms.journal, "--fdr", "1%", "--json", "-").stdout)["rule"]
    assert (rule["q"], rule["margin"], rule["equivalence"], rule["equivalent_shift"]) == (0.01, 0.01, 0.04, 0.01)
    rule = json.loads(plugins.run("ab", "--from", arms.journal, "--margin", "3%", "--json", "-").stdout)["rule"]
    assert (rule["q"], rule["margin"], rule["equivalence"], rule["equivalent_shift"]) == (0.05, 0.03, 0.04, 0.015)


def test_the_journal_keeps_the_schema(arms):
    jsonschema = pytest.importorskip("jsonschema")
    arms.json(arms.build("base"), arms.build("slow"))
    validator = jsonschema.Draft202012Validator(json.loads((SOURCE / "schemas" / "journal.schema.json").read_text()))
    for line in arms.lines():
        validator.validate(line)
    run, end = arms.lines()[0], arms.lines()[-1]
    assert run["kind"] == "ab" and len(run["pairs"]) == 2 and end["stopped"] == "finished"


def test_report_shows_each_arm(arms):
    arms.json(arms.build("base"), arms.build("slow"), "--no-control")
    result = plugins.run("report", arms.journal)
    assert "[base]" in result.stdout and "[candidate]" in result.stdout
    assert "benchhost ab --from" in result.stderr
    exported = plugins.run("export", arms.journal, "--format", "csv")
    assert exported.returncode == 0 and len(exported.stdout.splitlines()) == 1 + 4


def test_resume(arms):
    base, slow = arms.build("base"), arms.build("slow")
    whole = arms.json(base, slow)
    lines = arms.journal.read_text().splitlines(keepends=True)
    cut = arms.folder / "cut.jsonl"
    cut.write_text("".join(lines[:21]))  # two rounds (one with the control apart), then five visits: a half pair
    result = plugins.run("ab", base, slow, arms.path, "--resume", cut, *FEW, "--json", "-", TMPDIR=arms.folder, BENCHHOST_PLUGIN_PATH=base)
    report = json.loads(result.stdout)
    assert result.returncode == 1 and outcomes(report) == outcomes(whole)
    for old, new in zip(whole["cells"], report["cells"]):
        assert old["decision"] == new["decision"], "the same order, inputs and pairs"
    kinds = [json.loads(line)["type"] for line in cut.read_text().splitlines()]
    assert kinds.count("resume") == 1 and kinds.count("retry") == 1
    again = plugins.run("ab", base, slow, arms.path, "--resume", cut, *FEW, "--margin", "3%", TMPDIR=arms.folder, BENCHHOST_PLUGIN_PATH=base)
    assert again.returncode == 64 and "rule" in again.stderr
    other = plugins.run("ab", base, arms.build("fast"), arms.path, "--resume", cut, *FEW, TMPDIR=arms.folder, BENCHHOST_PLUGIN_PATH=base)
    assert other.returncode == 64 and "arms" in other.stderr


def test_half_a_pair_that_failed_is_not_forgotten(arms):
    base, slow = arms.build("base"), arms.build("slow")
    arms.json(base, slow)
    lines = arms.lines()[:21]
    pair = [(line.get("id"), line.get("round"), line.get("arm", "").startswith("control")) for line in lines]
    assert lines[-1]["type"] == "cell" and pair.count(pair[-1]) == 1, "half a pair"
    lines[-1].update(status="wrong", reason="once in a while")
    cut = arms.folder / "cut.jsonl"
    cut.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = plugins.run("ab", base, slow, arms.path, "--resume", cut, *FEW, "--json", "-", TMPDIR=arms.folder, BENCHHOST_PLUGIN_PATH=base)
    assert result.returncode == 3, result.stderr
    report = json.loads(result.stdout)
    assert "wrong" in outcomes(report) and "once in a while" in result.stdout
    assert not [line for line in cut.read_text().splitlines() if json.loads(line)["type"] == "retry"]


def test_interrupted(arms):
    base, slow = arms.build("base"), arms.build("slow")
    journal, out = arms.folder / "cut.jsonl", arms.folder / "out.json"
    process = subprocess.Popen([BENCHHOST, "ab", base, slow, arms.path, "--screen-rounds", "1000", "--output", journal, "--json", out],
                               env={**os.environ, "TMPDIR": str(arms.folder), "BENCHHOST_PLUGIN_PATH": str(base),
                                    "ASAN_OPTIONS": plugins.QUIET_SANITIZERS},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not journal.exists() or journal.read_text().count("\n") < 20:
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    report = json.loads(out.read_text())
    check_schema(report)
    assert report["interrupted"] and outcomes(report) == ["inconclusive", "inconclusive"]
    assert "interrupted" in stdout and "screening pairs" in report["cells"][0]["reason"]
    assert not list(arms.folder.glob("benchhost-*")), "the scratch folder is gone"


def test_the_budget_ends_it(arms):
    report = arms.json(arms.build("base"), arms.build("slow"), "--budget", "1ms", "--no-control")
    assert report["out_of_time"] and outcomes(report) == ["inconclusive", "inconclusive"] and report["exit_status"] == 2


def test_a_suspect_without_confirmation_is_inconclusive(arms):
    arms.json(arms.build("base"), arms.build("slow"), "--no-control")
    kept = [line for line in arms.lines() if line.get("stage") != "confirm"]
    kept[-1]["stopped"] = "budget"
    cut = arms.folder / "cut.jsonl"
    cut.write_text("".join(json.dumps(line) + "\n" for line in kept))
    report = json.loads(plugins.run("ab", "--from", cut, "--json", "-").stdout)
    check_schema(report)
    assert outcomes(report) == ["equivalent", "inconclusive"]
    assert report["cells"][1]["cut_short"] and report["cells"][1]["reason"] == "a suspect with 0 of 8 confirming pairs"


# ---- noise ----

class Machine:
    """A made-up machine whose hypervisor takes time as told, while the block lasts."""

    def __init__(self, folder, when):
        self.root, self.when, self.stolen, self.stop = folder / "machine", when, 0, threading.Event()
        (self.root / "proc").mkdir(parents=True)
        self.write()
        self.thread = threading.Thread(target=self.live)

    def write(self):
        line = f"1000 0 1000 100000 0 0 0 {self.stolen} 0 0\n"
        fresh = self.root / "proc" / "fresh"
        fresh.write_text(f"cpu  {line}" + "".join(f"cpu{i} {line}" for i in range(os.cpu_count())))
        fresh.replace(self.root / "proc" / "stat")

    def live(self):
        while not self.stop.wait(0.002):
            if self.when(self.stolen):
                self.stolen += 100
                self.write()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def noisy_matrix(arms, policy):
    arms.matrix(parts="[0, 1]", measure=QUICK.replace("{", "{noise: %s, " % policy, 1))


def test_noise_strikes_pairs_but_not_more_than_a_fifth(arms):
    noisy_matrix(arms, "reject")
    with Machine(arms.folder, lambda stolen: True) as machine:
        report = arms.json(arms.build("base"), arms.build("slow"), "--no-control", BENCHHOST_TEST_ROOT=machine.root)
    assert report["exit_status"] == 2 and "more than 20 % of the pairs were disturbed" in report["invalid"]
    assert outcomes(report) == ["equivalent", "regressed"], "what was kept is decided all the same"
    rejected = sum(cell["rejected_pairs"] for cell in report["cells"])
    assert 1 <= rejected <= 0.2 * (8 * 2 + 8)
    retries = [line for line in arms.lines() if line["type"] == "retry"]
    assert len(retries) == 2 * rejected and all("hypervisor" in line["reason"] for line in retries)
    resumed = plugins.run("ab", arms.folder / "base", arms.folder / "slow", arms.path, "--resume", arms.journal, *FEW, "--no-control",
                          "--json", "-", TMPDIR=arms.folder, BENCHHOST_PLUGIN_PATH=arms.folder / "base")
    assert resumed.returncode == 2 and json.loads(resumed.stdout)["invalid"] == report["invalid"], "going on makes nothing valid"
    # both arms of a pair, next to each other
    assert all({a["arm"], b["arm"]} == {"base", "candidate"} and (a["id"], a["round"]) == (b["id"], b["round"])
               for a, b in zip(retries[::2], retries[1::2]))


def test_noise_now_and_then(arms):
    noisy_matrix(arms, "reject")
    began = time.monotonic()
    with Machine(arms.folder, lambda stolen: stolen == 0 and time.monotonic() > began + 0.4) as machine:
        report = arms.json(arms.build("base"), arms.build("slow"), "--no-control", "--screen-rounds", "20",
                           BENCHHOST_TEST_ROOT=machine.root)
    assert report["invalid"] is None and report["exit_status"] == 1
    assert outcomes(report) == ["equivalent", "regressed"]
    assert all(cell["screen_pairs"] == 20 for cell in report["cells"])
    rounds = [line for line in arms.lines() if line["type"] == "round"]
    assert {line["round"] for line in rounds} == set(range(28))


def test_noise_is_flagged_unless_told_otherwise(arms):
    noisy_matrix(arms, "flag")
    with Machine(arms.folder, lambda stolen: True) as machine:
        report = arms.json(arms.build("base"), arms.build("slow"), "--no-control", BENCHHOST_TEST_ROOT=machine.root)
    assert report["exit_status"] == 1 and report["invalid"] is None
    assert all("stolen" in cell["flags"] and cell["rejected_pairs"] == 0 for cell in report["cells"])


def test_noise_that_ends_it(arms):
    noisy_matrix(arms, "abort")
    with Machine(arms.folder, lambda stolen: True) as machine:
        report = arms.json(arms.build("base"), arms.build("slow"), "--no-control", BENCHHOST_TEST_ROOT=machine.root)
    assert report["exit_status"] == 2 and "given up (noise: abort): the hypervisor" in report["invalid"]
    assert outcomes(report) == ["inconclusive", "inconclusive"]
    assert sum(line["type"] == "cell" for line in arms.lines()) == 2


# ---- what is printed ----

def test_table(arms):
    result = arms.run(arms.build("base"), arms.build("slow"), COLUMNS=200)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    (row,) = [line for line in lines if line.startswith("graded part=1 | serial ")]
    assert "regressed" in row and row.count(" points") == 2 and "8+8" in row
    assert "+10.0 %" in row
    text = " ".join(result.stdout.split())
    assert "1 regressed, 1 equivalent: 1 cell regressed." in text
    assert "more than 1 % off after 8 screening rounds" in text and "A/A control" in text
    assert "screen round 1 of 8" in result.stderr and "confirm round 8 of 8" in result.stderr
    assert f"journal: {arms.journal}" in result.stderr
    narrow = plugins.run("ab", "--from", arms.journal, COLUMNS=60).stdout
    assert all(len(line) <= 60 for line in narrow.splitlines()), narrow
    assert "regressed" in narrow and "+10.0 %" in narrow


def test_quiet_and_json_file(arms):
    out = arms.folder / "ab.json"
    result = arms.run(arms.build("base"), arms.build("slow"), "--quiet", "--no-table", "--json", out)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 1)
    check_schema(json.loads(out.read_text()))


def test_devices_are_written_into_not_replaced(arms):
    arms.json(arms.build("base"), arms.build("slow"), "--no-control")
    target, link = arms.folder / "target.xml", arms.folder / "link.xml"
    target.write_text("")
    link.symlink_to(target)
    result = plugins.run("ab", "--from", arms.journal, "--no-table", "--junit", link, "--markdown", "/dev/full")
    assert result.returncode == 70 and "--markdown /dev/full cannot be written: No space left" in result.stderr
    assert link.is_symlink() and "<testsuite" in target.read_text()


def test_dry_run(arms):
    result = arms.run("weight=100", "weight=110", "--dry-run")
    assert result.returncode == 0 and not arms.journal.exists()
    assert "2 pairs, 8 rounds each" in result.stdout and "graded part=1 | serial" in result.stdout


def test_measuring_is_cheap_unless_the_matrix_says_otherwise(arms):
    def measure(text, *options):
        arms.matrix(measure=text)
        arms.run(".", ".", "--no-control", *options)
        return arms.lines()[0]["measure"]
    got = measure("{primary: 'metric:cost', min_sample: 0}")
    assert (got["min_samples"], got["max_samples"], got["max_time"], got["warmup"]) == (6, 12, 10 ** 9, 5 * 10 ** 6)
    got = measure("{primary: 'metric:cost', min_sample: 0, min_samples: 20}")
    assert (got["min_samples"], got["max_samples"]) == (20, 20)
    got = measure("{primary: 'metric:cost', min_sample: 0, max_samples: 30}", "--measure", "warmup=1ms")
    assert (got["min_samples"], got["max_samples"], got["warmup"]) == (6, 30, 10 ** 6)


# ---- bad usage ----

BAD = [
    ((), "expected BASE CANDIDATE MATRIX"),
    (("base", "slow"), "expected BASE CANDIDATE MATRIX"),
    (("nowhere", "slow", "M"), "no folder, no plugin's file and no NAME=VALUE"),
    (("empty", "slow", "M"), "no plugin (NAME.so) in this folder"),
    (("M", "slow", "M"), "a file, but no plugin"),
    (("stranger", "slow", "M"), "holds no plugin that the matrix uses (graded, serial)"),
    (("twice", "slow", "M"), "more than one graded.so"),
    (("colour=red", "colour=blue", "M"), "base colour=red: --param colour: no plugin in the matrix has such a parameter"),
    (("weight=1", "weight=-5", "M"), "candidate weight=-5: "),
    (("weight=1", "weight=[1, 2]", "M"), "different cells (2 and 4)"),
    (("base", "part=1", "M"), "only in the base"),
    (("base", "slow", "M", "--margin", "0"), "--margin '0': expected a share above 0"),
    (("base", "slow", "M", "--margin", "200%"), "--margin"),
    (("base", "slow", "M", "--fdr", "x"), "--fdr 'x'"),
    (("base", "slow", "M", "--screen-rounds", "5"), "--screen-rounds 5: expected 6 to 1000"),
    (("base", "slow", "M", "--confirm-rounds", "-1"), "--confirm-rounds -1"),
    (("base", "slow", "M", "--budget", "-3s"), "--budget '-3s'"),
    (("base", "slow", "M", "--seed", "-1"), "--seed '-1'"),
    (("base", "slow", "M", "--primary", "speed"), "--primary 'speed'"),
    (("base", "slow", "M", "--inconclusive", "maybe"), "pass or fail"),
    (("base", "slow", "M", "--measure", "rounds"), "--measure 'rounds'"),
    (("base", "slow", "M", "--measure", "round=3"), "unknown key 'round'"),
    (("base", "slow", "M", "--control", "nothing*"), "matches no cell's label"),
    (("base", "slow", "M", "--control", "*", "--no-control"), "exclude each other"),
    (("base", "slow", "M", "--from", "M"), "measures nothing"),
    (("--from", "M"), ""),
    (("--from", "run.jsonl"), "the journal of a run, not of a comparison"),
    (("--from", "run.jsonl", "--budget", "3s"), "measures nothing"),
    (("base", "slow", "absent.yaml"), "absent.yaml"),
]


@pytest.mark.parametrize("arguments,message", BAD, ids=[" ".join(a)[:40] or "none" for a, _ in BAD])
def test_bad_usage(arms, arguments, message):
    for name in "base", "slow":
        arms.build(name)
    (arms.folder / "empty").mkdir()
    (arms.folder / "stranger").mkdir()
    shutil.copy(plugins.fixture("odd-workload"), arms.folder / "stranger" / "odd-workload.so")
    for sub in "a", "b":
        (arms.folder / "twice" / sub).mkdir(parents=True)
        shutil.copy(plugins.fixture("graded-base"), arms.folder / "twice" / sub / "graded.so")
    (arms.folder / "run.jsonl").write_text('{"type":"run","schema":1}\n{"type":"cell","id":"a","workload":"w","backend":"b","round":0,'
                                           '"status":"skipped","reason":"no"}\n')
    words = [str(arms.folder / a) if (arms.folder / a).exists() else str(arms.path) if a == "M" else a for a in arguments]
    result = plugins.run("ab", *words, BENCHHOST_PLUGIN_PATH=arms.folder / "base", TMPDIR=arms.folder)
    assert result.returncode == 64, result.stderr
    assert result.stderr.startswith("benchhost: ") and message in result.stderr, result.stderr
    assert result.stdout == "" and not (arms.folder / "results").exists()
