# SPDX-License-Identifier: MIT
"""A journal that finds no more room keeps every finished cell, says what to do, and can be gone on with."""
import json
import resource
import subprocess

import pytest
from supervised import Place, matrix

ROUNDS = 8


def check_kept(text, stderr):
    assert "results so far are kept in" in stderr
    assert "free space and go on with --resume" in stderr
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0]["type"] == "run"
    cells = [line for line in lines if line["type"] == "cell"]
    assert 0 < len(cells) < 2 * ROUNDS
    return cells


def check_resumed(place, path, kept):
    assert place.run(path, resume=True).returncode == 3
    assert place.cells()[:len(kept)] == kept
    assert len({(cell["id"], cell["round"]) for cell in place.cells()}) == len(place.cells()) == 2 * ROUNDS
    place.assert_clean(seconds=0.5)


def test_size_limit(tmp_path):
    place = Place(tmp_path)
    path = matrix(tmp_path, "[fine, wrong]", "kernel", rounds=ROUNDS)
    # as large as the run line and a few cells: measured, since the run line quotes the machine
    place.run(path)
    size = place.journal.stat().st_size
    place.journal.unlink()
    limit = size * 3 // 4
    result = place.run(path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)))
    assert result.returncode == 70, result.stderr
    kept = check_kept(place.journal.read_text(), result.stderr)
    check_resumed(place, path, kept)


def test_full_file_system(tmp_path):
    place = Place(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    try:
        place.journal = disk / "results.jsonl"
        path = matrix(tmp_path, "[fine, wrong]", "kernel", rounds=ROUNDS)
        result = place.run(path)
        assert result.returncode == 70, result.stderr
        assert "No space left on device" in result.stderr
        kept = check_kept(place.journal.read_text(), result.stderr)
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        check_resumed(place, path, kept)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_room_at_all(tmp_path):
    """No partial file either."""
    place = Place(tmp_path)
    result = place.run(matrix(tmp_path, "fine", "none"),
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY)))
    assert result.returncode == 70, result.stderr
    assert "cannot write the journal's first line" in result.stderr
    assert not place.journal.exists()
    place.assert_clean(seconds=0.5)


def test_room_for_the_run_line_only(tmp_path):
    """The message says that the journal is kept, so it is."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "fine", "none")
    place.run(path)
    size = len(place.journal.read_text().splitlines(keepends=True)[0].encode())
    place.journal.unlink()
    limits = (size + 60, resource.RLIM_INFINITY)
    result = place.run(path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    assert result.returncode == 70
    assert f"go on with --resume {place.journal}" in result.stderr
    assert [line["type"] for line in place.lines()] == ["run"]
    assert place.run(path, resume=True).returncode == 0
