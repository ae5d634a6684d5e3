# SPDX-License-Identifier: MIT
"""What the tests of the supervisor share: matrices of a plugin that misbehaves as told, runs with a scratch place of their
own, and the look afterwards at what was left behind."""
import contextlib
import json
import os
import pathlib
import platform
import subprocess
import time

import plugins

WORKLOAD = plugins.fixture("bad-workload")
BACKEND = plugins.fixture("bad-backend")
PAUSE = 34 if platform.machine() == "x86_64" else 73 # where there is no pause(), the C library uses ppoll()
QUICK = "{rounds: %d, min_samples: 6, max_samples: 6, min_sample: 10us, max_time: 20ms, warmup: 1ms}"


def matrix(folder, how, where="kernel", rounds=1, limits="{deadline: 60s}", backends="[serial]", measure=None):
    """A matrix of one workload; `how` may be several, in YAML's flow form."""
    path = pathlib.Path(folder) / "matrix.yaml"
    path.write_text(f"benchhost: 1\nname: test\nmeasure: {measure or QUICK % rounds}\nlimits: {limits}\n"
                    f"workloads:\n  - {WORKLOAD}: {{where: {where}, how: {how}}}\nbackends: {backends}\n")
    return path


class Place:
    """A folder with a TMPDIR and a journal, and a mark by which processes are found again."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir()
        self.journal = self.folder / "results.jsonl"
        self.mark = f"BENCHHOST_TEST_PLACE={self.folder}"
        name, value = self.mark.split("=", 1)
        self.env = {**os.environ, "TMPDIR": str(self.tmp), name: value, "ASAN_OPTIONS": plugins.QUIET_SANITIZERS}

    def start(self, matrix_path, *options, resume=False, **keywords):
        where = ["--resume" if resume else "--output", str(self.journal)]
        return subprocess.Popen([plugins.BENCHHOST, "run", str(matrix_path), *where, *options], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)

    def run(self, matrix_path, *options, resume=False, **keywords):
        process = self.start(matrix_path, *options, resume=resume, **keywords)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def lines(self):
        text = self.journal.read_text()
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def cells(self):
        return [line for line in self.lines() if line["type"] == "cell"]

    def processes(self):
        """Those that bear our mark and live."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    if "\nState:\tZ" not in (entry / "status").read_text():
                        found.append(int(entry.name))
        return found

    def assert_clean(self, seconds=10):
        """Nothing is left: no process, no scratch folder. After a kill the guardian needs a moment."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (self.processes() or list(self.tmp.iterdir())):
            time.sleep(0.01)
        assert self.processes() == []
        assert list(self.tmp.iterdir()) == []

    def wait_for_worker(self, process, seconds=30):
        """Until a cell's process sleeps: our plugin hangs in its kernel."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert process.poll() is None, process.communicate()
            workers = self.workers()
            if workers and all(is_paused(pid) for pid in workers):
                return workers
            time.sleep(0.005)
        raise AssertionError("no worker that hangs")

    def workers(self):
        found = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if b"internal-worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found


def is_paused(pid):
    """In pause(): nothing of ours but a fixture that hangs does that."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] == str(PAUSE)
    return False
