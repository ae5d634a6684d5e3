# SPDX-License-Identifier: MIT
"""kill -9 of the supervisor, of a worker, at random moments: every cell exactly once, nothing lost, nothing left behind. The
same campaign with 200 kills: tests/faults/kill-campaign.py."""
import importlib.util
import os
import pathlib
import signal

import plugins
from supervised import Place, matrix

CAMPAIGN = plugins.SOURCE / "tests" / "faults" / "kill-campaign.py"


def test_supervisor_killed(tmp_path):
    """Its worker, the worker's forked pool and the scratch folder go with it."""
    place = Place(tmp_path)
    process = place.start(matrix(tmp_path, "hang", "kernel", backends="[fork: {workers: 2}]"))
    place.wait_for_worker(process)
    assert list(place.tmp.iterdir()) != []
    process.kill()
    process.communicate(timeout=60)  # nobody else holds its output
    place.assert_clean()


def test_worker_killed(tmp_path):
    place = Place(tmp_path)
    process = place.start(matrix(tmp_path, "[hang, fine]", "kernel"))
    (worker,) = place.wait_for_worker(process)
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=60)
    by_how = {cell["params"]["how"]: cell for cell in place.cells()}
    assert by_how["hang"]["status"] == "crashed"
    assert by_how["hang"]["signal"] == "SIGKILL"
    assert by_how["fine"]["status"] == "ok"
    place.assert_clean(seconds=0.5)


def test_guardian_killed_too(tmp_path):
    """Then the next run sweeps the folder that was left; the worker dies with its supervisor in any case."""
    place = Place(tmp_path)
    path = matrix(tmp_path, "hang", "kernel")
    process = place.start(path)
    place.wait_for_worker(process)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (guardian,) = [int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text() == "bh-guardian\n"]
    os.kill(guardian, signal.SIGKILL)
    process.kill()
    process.communicate(timeout=60)
    assert len(list(place.tmp.iterdir())) == 1
    assert place.run(matrix(tmp_path, "fine", "none"), "--retry-failed").returncode == 64  # no journal to resume is named
    place.journal.unlink()
    assert place.run(matrix(tmp_path, "fine", "none")).returncode == 0
    place.assert_clean(seconds=0.5)


def test_twenty_kills(tmp_path):
    spec = importlib.util.spec_from_file_location("kill_campaign", CAMPAIGN)
    campaign = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(campaign)
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")  # shown when it fails
    report = campaign.run(kills=20, seed=seed, folder=tmp_path)
    assert report["problems"] == []
    assert report["kills"] >= 20
    assert report["runs"] >= 1
