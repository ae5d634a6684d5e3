# SPDX-License-Identifier: MIT
"""Ctrl-C: the first keeps everything and ends soon, the second at once. Nothing is left either way."""
import os
import pathlib
import pty
import signal
import subprocess
import time

import plugins
import pytest
from supervised import Place, matrix


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_once(tmp_path, number):
    """A cell that hangs is given up after its grace and not recorded; the run's end is."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "hang", "kernel")
    process = place.start(path)
    place.wait_for_worker(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert place.cells() == []
    assert place.lines()[-1]["type"] == "end"
    assert place.lines()[-1]["interrupted"] is True
    place.assert_clean(seconds=0.5)


def test_keeps_a_cell_that_has_enough(tmp_path):
    """One that would sample for hours ends with what it has."""
    place = Place(tmp_path)
    path = tmp_path / "long.yaml"
    path.write_text("benchhost: 1\nlimits: {deadline: 10h}\n"
                    "measure: {rounds: 1, precision: 0, min_samples: 6, max_samples: 1000000, max_time: 9h, warmup: 1ms}\n"
                    "workloads: [{sleep: {items: 1, duration: 20ms}}]\nbackends: [serial]\n")
    process = place.start(path)
    end = time.monotonic() + 30
    while time.monotonic() < end and not any(sleeps(pid) > 60 for pid in place.workers()):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (cell,) = place.cells()
    assert cell["status"] == "ok"
    assert cell["steady"]["stopped"] == "interrupted"
    assert 6 <= cell["steady"]["n"] < 1000000
    place.assert_clean(seconds=0.5)


def sleeps(pid):
    """How often a process has waited of its own will; a large number: it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 1 << 60
    return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def test_twice(tmp_path):
    place = Place(tmp_path)
    process = place.start(matrix(tmp_path, "hang", "kernel"))
    (worker,) = place.wait_for_worker(process)
    before = sleeps(worker)
    process.send_signal(signal.SIGINT)
    end = time.monotonic() + 30
    while sleeps(worker) == before and time.monotonic() < end: # its handler runs, and it sleeps again
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert place.cells() == []
    place.assert_clean(seconds=0.5)


def test_resume_goes_on(tmp_path):
    place = Place(tmp_path)
    path = matrix(tmp_path, "[fine, hang, wrong]", "kernel", limits="{deadline: 30s}")
    process = place.start(path)
    place.wait_for_worker(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    kept = place.cells()
    assert len(kept) < 3
    process = place.start(path, resume=True)
    place.wait_for_worker(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert place.cells()[:len(kept)] == kept
    assert "hang" not in {cell["params"]["how"] for cell in place.cells()}


def test_ctrl_c_on_a_terminal(tmp_path):
    """The key reaches the supervisor alone: its workers have sessions of their own."""
    place = Place(tmp_path)
    master, slave = pty.openpty()
    process = subprocess.Popen([plugins.BENCHHOST, "run", matrix(tmp_path, "hang", "kernel"), "--output", place.journal],
                               env=place.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
    os.close(slave)
    place.wait_for_worker(process)
    os.write(master, b"\x03")
    try:
        while os.read(master, 4096):
            pass
    except OSError: # the terminal has no user any more
        pass
    assert process.wait(timeout=60) == 130
    os.close(master)
    assert place.lines()[-1]["interrupted"] is True
    place.assert_clean(seconds=0.5)


def test_nohup(tmp_path):
    """Who ignores SIGHUP from outside goes on."""
    place = Place(tmp_path)
    process = place.start(matrix(tmp_path, "hang", "kernel", limits="{deadline: 2s}"),
                          preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    place.wait_for_worker(process)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 4
    assert place.cells()[0]["status"] == "timeout"


def test_reader_leaves(tmp_path):
    """`benchhost M.yaml 2>&1 | head -1`: the run is finished all the same, and nobody waits for the guardian."""
    place = Place(tmp_path)
    command = f"{plugins.BENCHHOST} run {matrix(tmp_path, 'fine', 'none', rounds=4)} --output {place.journal} 2>&1 | head -1"
    subprocess.run(["bash", "-c", command], env=place.env, timeout=60, check=True, capture_output=True)
    end = time.monotonic() + 30
    while place.processes() and time.monotonic() < end:
        time.sleep(0.01)
    assert len(place.cells()) == 4
    place.assert_clean()
