# SPDX-License-Identifier: MIT
"""Deadlines and memory limits hold for a cell's whole family of processes, and are taken as the matrix says."""
from supervised import Place, matrix


def test_deadline_of_a_cell(tmp_path):
    """The run goes on after it, and the next cells are not shortened by it."""
    place = Place(tmp_path)
    assert place.run(matrix(tmp_path, "[hang, fine]", "kernel", rounds=2, limits="{deadline: 300ms}")).returncode == 4
    for cell in place.cells():
        assert cell["status"] == {"hang": "timeout", "fine": "ok"}[cell["params"]["how"]], cell["reason"]
        if cell["status"] == "timeout":
            assert cell["wall_ns"] >= 300e6
    place.assert_clean()


def test_deadline_reaches_forked_workers(tmp_path):
    place = Place(tmp_path)
    path = matrix(tmp_path, "hang", "kernel", limits="{deadline: 500ms}", backends="[fork: {workers: 2}]")
    assert place.run(path).returncode == 4
    assert place.cells()[0]["status"] == "timeout"
    place.assert_clean(seconds=0.5)


def test_memory_of_forked_workers(tmp_path):
    """Each of two workers takes without end: their sum is what counts."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "memory", "kernel", limits="{deadline: 60s, memory: 200MiB}", backends="[fork: {workers: 2}]")
    assert place.run(path).returncode == 4
    (cell,) = place.cells()
    assert cell["status"] == "out-of-memory", cell
    assert "the limit is 200.0 MiB" in cell["reason"]
    assert cell["memory"]["peak_bytes"] > 200 << 20
    assert cell["memory"]["limit_bytes"] == 200 << 20
    place.assert_clean()


def test_footprint_is_refused_before_it_is_taken(tmp_path):
    place = Place(tmp_path)
    path = tmp_path / "big.yaml"
    path.write_text("benchhost: 1\nlimits: {memory: 50MB}\nmeasure: {rounds: 1, max_time: 10ms}\n"
                    "workloads: [{memory: {bytes: 400MB}}]\nbackends: [serial]\n")
    assert place.run(path).returncode == 4
    (cell,) = place.cells()
    assert cell["status"] == "out-of-memory", cell
    assert cell["memory"]["peak_bytes"] < 50e6


def test_limits_from_the_command_line(tmp_path):
    place = Place(tmp_path)
    assert place.run(matrix(tmp_path, "hang", "kernel"), "--set", "limits.deadline=200ms").returncode == 4
    assert "no end after 200.0 ms" in place.cells()[0]["reason"]
