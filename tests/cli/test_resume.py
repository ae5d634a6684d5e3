# SPDX-License-Identifier: MIT
"""--resume: goes on where a journal stops, repeats nothing, refuses what does not fit."""
import fcntl
import json

import pytest
from supervised import Place, matrix


def finished(tmp_path, rounds=2):
    place = Place(tmp_path)
    path = matrix(tmp_path, "[fine, wrong]", "kernel", rounds=rounds)
    assert place.run(path).returncode == 3
    return place, path


def keep(place, n_cells, tail=""):
    """Cuts the journal back to its run line and `n_cells` cells, as a kill would have."""
    text = ""
    for line in place.journal.read_text().splitlines(keepends=True):
        if json.loads(line)["type"] == "cell":
            n_cells -= 1
        if n_cells < 0:
            break
        text += line
    place.journal.write_text(text + tail)
    return text


def types(place):
    """Of the journal's lines, without those about rounds."""
    return [line["type"] for line in place.lines() if line["type"] != "round"]


@pytest.mark.parametrize("tail", ["", '{"type":"cell","id":"0', '{"type":"cell"', "{", "\0" * 100], ids=repr)
@pytest.mark.parametrize("n_cells", [0, 1, 3])
def test_torn_anywhere(tmp_path, n_cells, tail):
    place, path = finished(tmp_path)
    before = keep(place, n_cells, tail)
    result = place.run(path, resume=True)
    assert result.returncode == 3, result.stderr
    assert place.journal.read_text().startswith(before)
    assert types(place) == ["run"] + ["cell"] * n_cells + ["resume"] + ["cell"] * (4 - n_cells) + ["end"]
    assert len({(cell["id"], cell["round"]) for cell in place.cells()}) == 4
    assert place.lines()[-1]["cells"] == 4 - n_cells


def test_torn_run_line(tmp_path):
    place, path = finished(tmp_path)
    place.journal.write_text(place.journal.read_text()[:40])
    assert place.run(path, resume=True).returncode == 3
    assert types(place) == ["run"] + ["cell"] * 4 + ["end"]


def test_nothing_left_to_do(tmp_path):
    place, path = finished(tmp_path)
    cells = place.cells()
    assert place.run(path, resume=True).returncode == 3
    assert place.cells() == cells
    assert place.lines()[-1]["cells"] == 0


def test_retry_failed(tmp_path):
    place, path = finished(tmp_path)
    cells = place.cells()
    assert place.run(path, "--retry-failed", resume=True).returncode == 3
    again = place.cells()[len(cells):]
    assert sorted((cell["params"]["how"], cell["round"]) for cell in again) == [("wrong", 0), ("wrong", 1)]
    retried = [(line["id"], line["round"]) for line in place.lines() if line["type"] == "retry"]
    assert sorted(retried) == sorted((cell["id"], cell["round"]) for cell in again)
    # and the journal is a good one for whoever reads it
    assert place.run(path, resume=True).returncode == 3


def refused(place, path, *options):
    before = place.journal.read_bytes()
    result = place.run(path, *options, resume=True)
    assert result.returncode == 64, result.stderr
    assert place.journal.read_bytes() == before
    return result.stderr


def test_other_matrix(tmp_path):
    place, path = finished(tmp_path)
    path.write_text(path.read_text() + "# changed\n")
    assert "its matrix is another one" in refused(place, path)


def test_other_seed_and_cells(tmp_path):
    place, path = finished(tmp_path)
    assert "its seed is not 7" in refused(place, path, "--set", "seed=7")
    assert "its cells are others" in refused(place, path, "--set", "measure.rounds=3")
    assert "its cells are others" in refused(place, path, "--filter", "*fine*")


def test_other_build(tmp_path):
    place, path = finished(tmp_path)
    lines = place.journal.read_text().splitlines(keepends=True)
    run = json.loads(lines[0])
    run["plugins"][0]["build_id"] = "00"
    place.journal.write_text(json.dumps(run) + "\n" + "".join(lines[1:]))
    assert "was rebuilt since" in refused(place, path)


def test_no_journal(tmp_path):
    place, path = finished(tmp_path)
    place.journal.write_text("hello\nthere\n")
    assert "results.jsonl:1" in refused(place, path)
    place.journal.unlink()
    result = place.run(path, resume=True)
    assert result.returncode == 64
    assert not place.journal.exists()


def test_run_that_cannot_begin_leaves_no_journal(tmp_path):
    """Else the next try, with the mistake mended, would be told that its journal exists already."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "fine", "none")
    place.env["TMPDIR"] = str(tmp_path / "nowhere")
    result = place.run(path)
    assert result.returncode == 70
    assert "set TMPDIR to another place" in result.stderr and result.stdout == ""
    assert not place.journal.exists()
    place.env["TMPDIR"] = str(place.tmp)
    assert place.run(path).returncode == 0


def test_existing_output_is_kept(tmp_path):
    place, path = finished(tmp_path)
    before = place.journal.read_bytes()
    result = place.run(path)
    assert result.returncode == 64
    assert "--resume" in result.stderr
    assert place.journal.read_bytes() == before


def test_second_writer(tmp_path):
    place, path = finished(tmp_path)
    keep(place, 1)
    with place.journal.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another benchhost is writing" in refused(place, path)
    assert place.run(path, resume=True).returncode == 3
