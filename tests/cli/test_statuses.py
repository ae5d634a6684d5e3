# SPDX-License-Identifier: MIT
"""Every way in which a cell can end is one line of the journal, with the right status, and decides the exit status."""
import json

import plugins
import pytest
from supervised import Place, matrix, BACKEND

# how, where: status, part of the reason, signal, exit status
ENDINGS = [
    ("fine", "none", "ok", None, None, 0),
    ("skip", "open", "skipped", "fixture: told to skip in open", None, 0),
    ("unsupported", "open", "unsupported", "fixture: told to be unsupported in open", None, 0),
    ("wrong", "kernel", "wrong", "expected", None, 3),
    ("'null'", "kernel", "wrong", "never written by the run", None, 3),
    ("crash", "kernel", "crashed", "killed by SIGSEGV (Segmentation fault) in phase cold", "SIGSEGV", 4),
    ("abort", "verify", "crashed", "killed by SIGABRT (Aborted) in phase verify", "SIGABRT", 4),
    ("exit", "fill", "crashed", "ended with exit status 0 and without a result, in phase fill", None, 4),
    ("hang", "kernel", "timeout", "no end after 500.0 ms (the cell's deadline), in phase cold", None, 4),
    ("spin", "prepare", "timeout", "no end after 500.0 ms (the cell's deadline)", None, 4),
    ("memory", "kernel", "out-of-memory", "the limit is 300.0 MiB", None, 4),
    ("fail", "prepare", "failed", "fixture: told to fail in prepare", None, 4),
]
SECTIONS = {"steady", "total", "cold_ns"}


@pytest.mark.parametrize("how,where,status,reason,signal,code", ENDINGS, ids=[f"{e[0]}-{e[1]}" for e in ENDINGS])
def test_status(tmp_path, how, where, status, reason, signal, code):
    place = Place(tmp_path)
    deadline = "500ms" if status == "timeout" else "60s"
    result = place.run(matrix(tmp_path, how, where, limits=f"{{deadline: {deadline}, memory: 300MiB}}"))
    assert result.returncode == code, result.stderr
    (cell,) = place.cells()
    assert cell["status"] == status, cell
    assert cell["signal"] == signal
    if status == "ok":
        assert cell["reason"] is None
        assert cell["steady"]["n"] == len(cell["steady"]["samples_ns"]) == 6
        assert cell["total"]["n"] == 1
        assert 0 < cell["memory"]["footprint_bytes"] < cell["memory"]["peak_bytes"] < cell["memory"]["limit_bytes"]
    else:
        assert reason in cell["reason"]
        assert all(cell[key] is None for key in SECTIONS)
    assert cell["wall_ns"] > 0
    assert cell["rusage"]["maxrss_bytes"] > 0
    place.assert_clean()


def test_one_crash_costs_one_cell(tmp_path):
    place = Place(tmp_path)
    result = place.run(matrix(tmp_path, "[fine, crash, wrong, skip, exit, abort]", "open", rounds=2))
    # told to misbehave in open, `wrong` has nothing to do there and is fine
    assert result.returncode == 4, result.stderr
    statuses = [(cell["params"]["how"], cell["round"], cell["status"]) for cell in place.cells()]
    expected = {"fine": "ok", "crash": "crashed", "wrong": "ok", "skip": "skipped", "exit": "crashed", "abort": "crashed"}
    assert sorted(statuses) == sorted((how, n, expected[how]) for how in expected for n in (0, 1))
    place.assert_clean()


def test_last_words(tmp_path):
    """What a process wrote before it died is quoted, and a million lines do not harm."""
    place = Place(tmp_path)
    assert place.run(matrix(tmp_path, "[abort, spam]", "kernel")).returncode == 4
    by_how = {cell["params"]["how"]: cell for cell in place.cells()}
    assert by_how["abort"]["stderr_tail"] == "fixture: aborting in kernel\n"
    assert by_how["spam"]["status"] == "ok"
    assert by_how["spam"]["stderr_tail"] is None


@pytest.mark.parametrize("by", ["option", "matrix"])
def test_strict(tmp_path, by):
    """By --strict or by the matrix, and `report` gives the run's own exit status afterwards."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "skip", "open")
    if by == "matrix":
        path.write_text(path.read_text() + "strict: true\n")
    assert place.run(path, *(["--strict"] if by == "option" else [])).returncode == 4
    assert place.cells()[0]["status"] == "skipped"
    assert plugins.run("report", place.journal).returncode == 4
    assert place.lines()[0]["strict"] is True


def test_not_strict(tmp_path):
    place = Place(tmp_path)
    assert place.run(matrix(tmp_path, "skip", "open")).returncode == 0
    assert plugins.run("report", place.journal).returncode == 0


def test_no_number_that_is_none(tmp_path):
    place = Place(tmp_path)
    place.run(matrix(tmp_path, "[fine, crash, fail]", "kernel"))

    def refuse(text):
        raise AssertionError(text)
    for line in place.journal.read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_orphans_are_ended(tmp_path):
    """A process that a plugin left behind does not outlive its cell; the cell says so."""
    place = Place(tmp_path)
    assert place.run(matrix(tmp_path, "orphan", "open")).returncode == 0
    (cell,) = place.cells()
    assert "left-processes" in cell["flags"]
    place.assert_clean(seconds=0.5)


def test_backend_crash(tmp_path):
    place = Place(tmp_path)
    result = place.run(matrix(tmp_path, "fine", "none", backends=f"[{BACKEND}: {{where: run, how: crash}}]"))
    assert result.returncode == 4, result.stderr
    assert place.cells()[0]["signal"] == "SIGSEGV"
