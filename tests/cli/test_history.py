# SPDX-License-Identifier: MIT
"""`benchhost history`: what is kept, that an add is all or nothing whatever is killed when, what the file may be, and change
points that were put there."""
import csv
import io
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time

import pytest

import journals

try:
    import jsonschema
except ImportError:
    jsonschema = None

BENCHHOST = os.environ["BENCHHOST"]
SCHEMA = json.loads((pathlib.Path(os.environ["SOURCE_ROOT"]) / "schemas" / "history.schema.json").read_text())
MS = 1e6


def clean_environment(**env):
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "BENCHHOST_HISTORY") and not k.startswith("GIT_")}
    return {**clean, "LC_ALL": "C.UTF-8", **env}


def history(*args, cwd=None, env=None, **more):
    return subprocess.run([BENCHHOST, "history", *(arg if isinstance(arg, bytes) else str(arg) for arg in args)], capture_output=True, text=True, timeout=120, cwd=cwd,
                          env=clean_environment(**(env or {})), **more)


def good(*args, **more):
    out = history(*args, **more)
    assert out.returncode == 0, out.stderr
    if "--json" in args and jsonschema:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(out.stdout))
    return out.stdout


def journal(path, rounds=(MS,) * 6, cells=1, started="2026-01-02T03:04:05Z", environment=None, end=True, **more):
    lines = [journals.run_line("nightly", cells, len(rounds), started=started, environment=environment or {})]
    for k in range(cells):
        lines += [journals.cell_line(f"{k:012x}", "prime", "serial", [v * .99, v, v * 1.02], params={"n": 1000 + k}, round=r,
                                     total=10 * v, **more) for r, v in enumerate(rounds)]
    path.write_text(journals.text(lines + ([journals.end_line()] if end else [])))
    return path


@pytest.fixture
def db(tmp_path):
    folder = tmp_path / "db"
    folder.mkdir()
    return folder / "h.sqlite"


def query(db, sql):
    with sqlite3.connect(db) as connection:
        return connection.execute(sql).fetchall()


def whole(db):
    assert query(db, "PRAGMA integrity_check") == [("ok",)] and query(db, "PRAGMA foreign_key_check") == []


def test_json_is_looked_at():
    """Every --json above is validated; without python3-jsonschema that is said, not passed over."""
    if not jsonschema:
        pytest.skip("no jsonschema: nothing of the JSON here was validated")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate([{"run": 1}])


# ---- what is kept ----

def test_what_is_kept(tmp_path, db):
    rounds = [MS * v for v in (1, 1.01, .99, 1.02, .98, 1.005, .995)]
    path = journal(tmp_path / "a.jsonl", rounds, environment={"cpu_model": {"state": "ok", "value": "A 1", "note": None}})
    out = good("add", path, "--db", db, "--commit", "abc123", "--branch", "main", "--label", "first")
    assert out.startswith("run 1: ") and "commit abc123" in out
    run = json.loads(good("export", "--json", "--db", db))[0]
    import hashlib
    assert run["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (run["commit"], run["branch"], run["label"], run["dirty"], run["matrix"]) == ("abc123", "main", "first", False, "nightly")
    assert run["matrix_digest"] == hashlib.sha256(b"").hexdigest() and run["started"] == "2026-01-02T03:04:05Z"
    assert run["benchhost"] == "0.1.0" and run["finished"] is True and run["rounds"] == 7
    cell = run["cells"][0]
    assert cell["median"] == statistics.median(rounds) and cell["round_values"] == rounds
    assert cell["low"] < cell["median"] < cell["high"] and cell["basis"] == "rounds" and cell["n"] == 21
    assert cell["total_ns"] == 10 * statistics.median(rounds)
    assert (cell["figure"], cell["unit"], cell["better"], cell["status"]) == ("wall", "ns", "lower", "ok")
    assert json.loads(query(db, "SELECT pairs FROM machine")[0][0])["CPU model"] == "A 1"
    assert query(db, "SELECT params, workload, backend FROM cell") == [('{"n":1000}', "prime", "serial")]
    rows = list(csv.DictReader(io.StringIO(good("export", "--csv", "--db", db))))
    assert float(rows[0]["median"]) == cell["median"] and rows[0]["commit"] == "abc123" and rows[0]["cell"] == "0" * 12


def test_failed_cells_have_no_figures(tmp_path, db):
    path = tmp_path / "a.jsonl"
    lines = [journals.run_line(), journals.cell_line("a" * 12, "w", "b", [MS]),
             journals.cell_line("b" * 12, "w", "c", status="wrong", reason="=1+1"), journals.end_line()]
    path.write_text(journals.text(lines))
    good("add", path, "--db", db)
    assert query(db, "SELECT median, low, total_ns, round_values FROM result WHERE cell = 'bbbbbbbbbbbb'") == [(None, None, None, "[]")]
    rows = {row["cell"]: row for row in csv.DictReader(io.StringIO(good("export", "--csv", "--db", db)))}
    assert rows["b" * 12]["median"] == "" and rows["b" * 12]["reason"] == "'=1+1"
    assert "wrong: =1+1" in good("show", "c", "--db", db)


def test_default_file_and_variable(tmp_path):
    path = journal(tmp_path / "a.jsonl")
    good("add", path, cwd=tmp_path)
    assert (tmp_path / "benchhost-history.sqlite").exists()
    other = tmp_path / "other.sqlite"
    good("add", path, cwd=tmp_path, env={"BENCHHOST_HISTORY": str(other)})
    good("add", path, "--db", ":memory:", cwd=tmp_path)
    assert other.exists() and (tmp_path / ":memory:").exists(), "a name is a file, whatever SQLite makes of it"


def test_same_journal_twice(tmp_path, db):
    a, b = journal(tmp_path / "a.jsonl"), journal(tmp_path / "b.jsonl", started="2026-02-01T00:00:00Z")
    good("add", a, "--db", db)
    again = history("add", b, a, "--db", db)
    assert again.returncode == 64 and "is in" in again.stderr and "as run 1; nothing was added" in again.stderr
    assert query(db, "SELECT count(*) FROM run") == [(1,)], "all or nothing: b is not there either"
    assert history("add", b, b, "--db", db).returncode == 64
    good("add", a, "--again", "--db", db)
    assert query(db, "SELECT count(*) FROM run") == [(2,)]


def test_arms_are_runs(tmp_path, db):
    lines = [journals.run_line(kind="ab")]
    for k, arm in enumerate(("base", "candidate")):
        lines += [{**journals.cell_line("a" * 12, "w", "b", [MS * (k + 1)], round=r + 10 * k), "arm": arm} for r in range(6)]
    path = tmp_path / "ab.jsonl"
    path.write_text(journals.text(lines + [journals.end_line()]))
    good("add", path, "--db", db, "--commit", "abc", "--branch", "main")
    assert query(db, "SELECT arm, median, commit_id, branch FROM run JOIN result ON run.id = run ORDER BY arm") == [
        ("base", MS, None, None), ("candidate", 2 * MS, "abc", "main")], "the base is not what the commit is"
    assert history("add", path, "--db", db).returncode == 64


def test_unfinished_run_is_said(tmp_path, db):
    out = history("add", journal(tmp_path / "a.jsonl", end=False), "--db", db)
    assert out.returncode == 0 and "was not finished" in out.stderr
    assert "not finished" in good("list", "--db", db)


# ---- the commit ----

@pytest.fixture
def repository(tmp_path):
    if not shutil.which("git"):
        pytest.skip("no git here")
    folder = tmp_path / "repository"
    folder.mkdir()
    git = lambda *args: subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *args], cwd=folder, check=True,
                                       capture_output=True, text=True, env=clean_environment(GIT_CONFIG_GLOBAL="/dev/null"))
    git("init", "-q", "-b", "trunk")
    (folder / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "one")
    return folder, git("rev-parse", "HEAD").stdout.strip()


def test_commit_of_the_folder(tmp_path, repository):
    folder, commit = repository
    good("add", journal(tmp_path / "a.jsonl"), "--db", folder / "h", cwd=folder)
    (folder / "file").write_text("2")
    out = good("add", journal(tmp_path / "b.jsonl", started="2026-02"), "--db", folder / "h", cwd=folder)
    assert "changes that are not committed" in out
    good("add", journal(tmp_path / "c.jsonl", started="2026-03"), "--db", folder / "h", "--commit", "v1", cwd=folder)
    good("add", journal(tmp_path / "d.jsonl", started="2026-04"), "--db", folder / "h", "--commit", "", cwd=folder)
    assert query(folder / "h", "SELECT commit_id, dirty, branch FROM run ORDER BY id") == [
        (commit, 0, "trunk"), (commit, 1, "trunk"), ("v1", 0, None), (None, 0, None)]
    assert f"{commit[:10]}+" in good("list", "--db", folder / "h")
    assert good("list", "--branch", "trunk", "--db", folder / "h").count("nightly") == 2


def test_no_git(tmp_path, db):
    good("add", journal(tmp_path / "a.jsonl"), "--db", db, cwd="/", env={"PATH": "/nowhere"})
    assert query(db, "SELECT commit_id, dirty FROM run") == [(None, 0)]


# ---- looking back ----

def fill(tmp_path, db, medians, seed=1, spread=.01, machine="A", start=0, **more):
    """One run per median, a day apart, each of 7 rounds around it."""
    noise = random.Random(seed)
    for k, median in enumerate(medians, start):
        rounds = [median * (1 + noise.gauss(0, spread)) for _ in range(7)]
        path = journal(tmp_path / f"{machine}{k}.jsonl", rounds, started=f"2026-{1 + k // 28:02}-{1 + k % 28:02}T00:00:00Z",
                       environment={"cpu_model": {"state": "ok", "value": machine, "note": None}}, **more)
        good("add", path, "--db", db, "--commit", f"{k + 1:040x}")


def test_show(tmp_path, db):
    fill(tmp_path, db, [MS, MS, 2 * MS])
    fill(tmp_path, db, [5 * MS], machine="B")
    out = good("show", "prime*", "--db", db)
    assert out.count("prime n=1000 | serial") == 2, "one series for each machine"
    assert re.search(r"^▁▁█  [\d.]+ [um]s \.\. [\d.]+ ms$", out, re.M)
    assert good("show", "000000000000", "--db", db) == out == good("show", "000000", "--db", db)
    machine = json.loads(good("export", "--json", "--db", db))[-1]["machine"]
    only = good("show", "prime", "--machine", machine[:6], "--db", db)
    assert only.count("prime n=1000 | serial") == 1
    assert len(re.findall(r"^ +\d", good("show", "prime", "--since", "2026-01-03", "--db", db), re.M)) == 1
    for args in (("show", "prim3"), ("show", "*x*"), ("show", "prime", "--machine", "zz"), ("changes", "nothing")):
        none = history(*args, "--db", db)
        assert none.returncode == 64 and "has a cell that matches" in none.stderr


def test_change_point_is_found(tmp_path, db):
    """30 runs, one step of 10 % after the 18th: found, dated, advisory; the same machine only."""
    fill(tmp_path, db, [MS] * 18 + [1.1 * MS] * 12)
    out = " ".join(good("changes", "--db", db).split())
    assert "Advisory" in out and "1 change point in 1 series" in out
    assert "between run 18 (" in out and "and run 19 (" in out and "p = 0.001" in out
    found = json.loads(good("changes", "--json", "--db", db))
    assert found["advisory"] is True and len(found["changes"]) == 1
    change = found["changes"][0]
    assert (change["before"]["run"], change["after"]["run"]) == (18, 19)
    assert change["before"]["commit"] == f"{18:040x}" and change["after"]["commit"] == f"{19:040x}"
    assert change["to"] / change["from"] == pytest.approx(1.1, rel=.01) and change["p"] == pytest.approx(1 / 1000)
    assert good("changes", "--json", "--seed", "42", "--db", db) == good("changes", "--json", "--db", db), "same seed, same answer"


def test_seed_0_is_a_seed(tmp_path, db):
    fill(tmp_path, db, [MS] * 9)
    assert json.loads(good("changes", "--json", "--seed", "0", "--db", db))["seed"] == 0


def test_so_few_runs_cannot_change(tmp_path, db):
    """7 runs, 4 twice as slow as 3: 2 of 35 arrangements are as extreme, which is more than 0.05. Nothing is tested."""
    fill(tmp_path, db, [MS] * 4 + [2 * MS] * 3, spread=.001)
    found = json.loads(good("changes", "--json", "--db", db))
    assert found["series_tested"] == 0 and found["changes"] == []
    assert "in 0 series of 8 runs or more" in " ".join(good("changes", "--db", db).split())
    found = json.loads(good("changes", "--json", "--alpha", ".07", "--permutations", "9999", "--db", db))
    assert found["series_tested"] == 1 and len(found["changes"]) == 1 and .05 < found["changes"][0]["p"] < .07
    fill(tmp_path, db, [2 * MS], start=7, spread=.001)
    assert len(json.loads(good("changes", "--json", "--db", db))["changes"]) == 1


def test_no_change_point_where_none_is(tmp_path, db):
    fill(tmp_path, db, [MS] * 30, seed=7)
    assert json.loads(good("changes", "--json", "--db", db))["changes"] == []
    assert "0 change points in 1 series" in good("changes", "--db", db)


def test_two_machines_are_two_series(tmp_path, db):
    """Half of the runs on a machine that is twice as fast: no change on either."""
    fill(tmp_path, db, [MS] * 10)
    fill(tmp_path, db, [MS / 2] * 10, machine="B", start=10)
    found = json.loads(good("changes", "--json", "--db", db))
    assert found["series_tested"] == 2 and found["changes"] == []


def test_remove(tmp_path, db):
    fill(tmp_path, db, [MS, MS])
    fill(tmp_path, db, [MS], machine="B", cells=2)
    assert history("rm", 1, 99, "--db", db).returncode == 64
    assert query(db, "SELECT count(*) FROM run") == [(3,)], "all or nothing"
    good("rm", 3, "--db", db)
    assert query(db, "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM cell), (SELECT count(*) FROM machine)") == [(2, 1, 1)]
    good("rm", 1, 2, "--db", db)
    assert query(db, "SELECT (SELECT count(*) FROM result), (SELECT count(*) FROM cell), (SELECT count(*) FROM machine)") == [(0, 0, 0)]
    assert "No run matches" in good("list", "--db", db)
    whole(db)


# ---- kills and crowds ----

def test_killed_adds_leave_the_file_whole(tmp_path, db):
    """kill -9 at 12 moments of an add of many cells: nothing of it is there, or all."""
    small, big = journal(tmp_path / "small.jsonl"), journal(tmp_path / "big.jsonl", (MS,) * 2, cells=3000, started="2026-02")
    good("add", small, "--db", db)
    began = time.monotonic()
    good("add", big, "--db", db)
    took = time.monotonic() - began
    added = 1
    for k in range(12):
        process = subprocess.Popen([BENCHHOST, "history", "add", "--again", "--commit", "", "--db", str(db), str(big)],
                                   env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(took * (k + 1) / 12)
        process.kill()
        added += process.wait() == 0
        whole(db)
        counts = query(db, "SELECT run.id, count(*) FROM run JOIN result ON run.id = run GROUP BY run.id ORDER BY 1")
        assert counts[0] == (1, 1) and all(count == 3000 for _, count in counts[1:])
        assert len(counts) >= 1 + added
    good("add", "--again", small, "--db", db)


def test_adders_at_once(tmp_path, db):
    """8 programs, no file yet: each is added, whoever makes the tables."""
    paths = [journal(tmp_path / f"{k}.jsonl", cells=50, started=f"2026-01-{k + 1:02}") for k in range(8)]
    adders = [subprocess.Popen([BENCHHOST, "history", "add", "--db", str(db), str(path)], env=clean_environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for path in paths]
    for adder in adders:
        _, errors = adder.communicate(timeout=120)
        assert adder.returncode == 0, errors
    assert query(db, "SELECT count(*), count(DISTINCT digest) FROM run") == [(8, 8)]
    assert query(db, "SELECT count(*) FROM result") == [(400,)]
    whole(db)


def test_reader_while_another_adds(tmp_path, db):
    good("add", journal(tmp_path / "a.jsonl"), "--db", db)
    writer = sqlite3.connect(db, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE run SET label = 'half'")
    assert "half" not in good("list", "--db", db)
    writer.execute("ROLLBACK")
    writer.close()


# ---- files that are none ----

def test_files_that_are_no_history(tmp_path):
    path = journal(tmp_path / "a.jsonl")
    text = tmp_path / "text"
    text.write_text("This is no database, but a text that is long enough to have a header.\n" * 50)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    newer = tmp_path / "newer.sqlite"
    good("add", path, "--db", newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = {p: p.read_bytes() for p in (text, foreign, newer)}
    for where, message in ((text, "is no SQLite file"), (foreign, "of another program"), (newer, "use a newer benchhost"),
                           (tmp_path, "expected the path of a history file")):
        for args in (("add", "--again", path), ("list",), ("show", "prime"), ("rm", "1")):
            out = history(*args, "--db", where)
            assert out.returncode == 64 and message in out.stderr, out.stderr
    assert {p: p.read_bytes() for p in before} == before


def test_missing_and_empty_files(tmp_path, db):
    for args in (("list",), ("show", "x"), ("changes",), ("rm", "1"), ("export", "--csv")):
        out = history(*args, "--db", db)
        assert out.returncode == 64 and "history add JOURNAL" in out.stderr and not db.exists()
    db.touch()
    out = history("list", "--db", db)
    assert out.returncode == 64 and "holds no run yet" in out.stderr
    good("add", journal(tmp_path / "a.jsonl"), "--db", db)


def test_folder_that_is_not_there(tmp_path):
    out = history("add", journal(tmp_path / "a.jsonl"), "--db", tmp_path / "none" / "h.sqlite")
    assert out.returncode == 70 and "cannot be made: No such file or directory" in out.stderr


def test_damaged_file(tmp_path, db):
    """Pages overwritten with noise: an error in words or an answer, never a crash."""
    for k in range(3):
        good("add", journal(tmp_path / f"{k}.jsonl", cells=200, started=f"2026-01-0{k + 1}"), "--db", db)
    intact = db.read_bytes()
    noise = random.Random(3)
    seen = set()
    for _ in range(25):
        data = bytearray(intact)
        for _ in range(4):
            at = noise.randrange(200, len(data) - 600)
            data[at:at + 500] = noise.randbytes(500)
        db.write_bytes(data)
        for args in (("list",), ("show", "prime"), ("changes",), ("export", "--json")):
            out = history(*args, "--db", db)
            assert out.returncode in (0, 64, 70), (out.returncode, out.stderr)
            assert out.returncode == 0 or out.stderr.startswith("benchhost: ")
            seen.add("is damaged" in out.stderr)
    assert True in seen
    db.write_bytes(intact[:len(intact) // 2])
    out = history("show", "prime", "--db", db)
    assert out.returncode == 64 and "is damaged" in out.stderr


def test_edited_values_never_become_nan(tmp_path, db):
    fill(tmp_path, db, [MS] * 8)
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE result SET median = 9e999 WHERE run = 3")
        connection.execute("UPDATE result SET low = NULL, round_values = '[1, null, \"x\"' WHERE run = 4")
        connection.execute("UPDATE result SET status = 'great' WHERE run = 5")
    for args in (("list",), ("show", "prime"), ("changes",), ("changes", "--json"), ("export", "--json"), ("export", "--csv")):
        assert not re.search(r"\b(nan|inf)\b", good(*args, "--db", db), re.I)


def test_full_disk(tmp_path, db):
    """A limit on the file's size stands for it: the history is as it was, and the next add works."""
    good("add", journal(tmp_path / "a.jsonl"), "--db", db)
    big = journal(tmp_path / "b.jsonl", cells=500, started="2026-02")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    out = history("add", big, "--db", db, preexec_fn=limit)
    assert out.returncode == 70 and "is as it was before" in out.stderr, out.stderr
    whole(db)
    assert query(db, "SELECT count(*) FROM run") == [(1,)]
    good("add", big, "--db", db)


def test_read_only(tmp_path):
    """As somebody who may not write there; root may everywhere, so root becomes nobody."""
    root = os.geteuid() == 0
    folder = pathlib.Path(tempfile.mkdtemp(dir="/tmp" if root else tmp_path))
    try:
        db = folder / "h.sqlite"
        good("add", journal(folder / "a.jsonl"), "--db", db)
        journal(folder / "b.jsonl", started="2026-02")
        db.chmod(0o444)
        folder.chmod(0o555)
        who = {"user": 65534, "group": 65534, "extra_groups": []} if root else {}
        try:
            subprocess.run([BENCHHOST, "--version"], check=True, capture_output=True, **who)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("the program cannot be run by nobody here")
        out = history("add", folder / "b.jsonl", "--db", db, **who)
        assert out.returncode == 70 and "cannot be written" in out.stderr
        assert "nightly" in history("list", "--db", db, **who).stdout
        new = history("add", folder / "b.jsonl", "--db", folder / "new.sqlite", **who)
        assert new.returncode == 70 and "new.sqlite: cannot be made: Permission denied" in new.stderr
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


# ---- usage ----

@pytest.mark.parametrize("args,message", [
    ([], "expected add, list, show"), (["ad"], "did you mean 'add'"), (["add"], "expected a journal"),
    (["show"], "expected one cell"), (["show", "a", "b"], "expected one cell"), (["list", "x"], "expected no argument"),
    (["rm"], "number of a run"), (["rm", "x"], "'x' is no run"), (["rm", "-1"], "option"), (["export"], "--csv or --json"),
    (["export", "--csv", "--json"], "--csv or --json"), (["list", "--commit", "x"], "--commit does not go with `list`"),
    (["add", "x", "--alpha", ".1"], "--alpha does not go with `add`"), (["changes", "--alpha", "2"], "--alpha: expected"),
    (["changes", "--alpha", "x"], "--alpha: expected"), (["changes", "--permutations", "0"], "--permutations: expected"),
    (["changes", "--seed", "-1"], "--seed: expected"), (["list", "--seed", "0"], "--seed does not go with `list`"),
    (["list", "--since", "yesterday"], "--since 'yesterday': expected a date"), (["show", "x", "--since", "1.2.2026"], "expected a date"),
    (["show", b"*\xc3"], "UTF-8"), (["changes", "--permutations", "5"], "--permutations: expected"),
    (["changes", "--alpha", ".001", "--permutations", "99"], "more than 1/alpha"), (["add", "/nowhere.jsonl"], "No such file"),
    (["list", "--nonsense"], "Unknown option"), (["add", "x", "--label", "x" * 300], "at most 200 bytes"),
])
def test_usage(tmp_path, args, message):
    out = history(*args, cwd=tmp_path)
    assert out.returncode == 64 and message.lower() in out.stderr.lower() and out.stdout == "", out.stderr
    assert list(tmp_path.iterdir()) == [], "nothing is made on the way"
