#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills benchhost with -9 at random moments, its supervisor or one of its workers, and resumes it, until so many kills are
done; checks after each kill that nothing is left behind and that the journal only grew, and after each completed run that every
cell is there exactly once.

    BENCHHOST=build/benchhost SOURCE_ROOT=. tests/faults/kill-campaign.py --kills 200 [--seed N]

Prints a report; exit status 1 when anything was lost, doubled or left behind."""
import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import supervised  # noqa: E402

BACKENDS = "[serial, pthread: {workers: 2}, fork: {workers: 2, transport: [shm, pipe]}]"
ROUNDS = 3


class Campaign:
    def __init__(self, kills, seed, folder):
        self.random = random.Random(seed)
        self.wanted = kills
        self.folder = pathlib.Path(folder)
        self.report = {"seed": seed, "kills": 0, "supervisor_killed": 0, "worker_killed": 0, "sessions": 0, "runs": 0,
                       "cells": 0, "ok": 0, "killed_cells": 0, "torn_lines": 0, "problems": []}

    def problem(self, text):
        self.report["problems"].append(text)

    def kill_at_random(self, process, place):
        """Until the supervisor was killed or has ended."""
        while process.poll() is None:
            time.sleep(self.random.uniform(0, 0.25))
            workers = place.workers() if self.random.random() < 0.5 else []
            victim = self.random.choice(workers) if workers else process.pid
            if process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                self.report["kills"] += 1
                self.report["worker_killed" if workers else "supervisor_killed"] += 1
            if not workers:
                break
        process.communicate(timeout=120)

    def session(self, place, path, resume):
        before = place.journal.read_bytes() if resume else b""
        process = place.start(path, "--quiet", "--no-table", resume=resume)
        self.report["sessions"] += 1
        self.kill_at_random(process, place)
        if process.returncode not in (0, 4, -signal.SIGKILL):
            self.problem(f"exit status {process.returncode}")
        after = place.journal.read_bytes() if place.journal.exists() else b""
        whole = before[:before.rfind(b"\n") + 1]
        if not after.startswith(whole):
            self.problem("the journal lost what it had")
        if after and not after.endswith(b"\n"):
            self.report["torn_lines"] += 1
        try:
            place.assert_clean()
        except AssertionError:
            self.problem(f"left behind: {place.processes()} {[str(p) for p in place.tmp.iterdir()]}")
        return process.returncode in (0, 4)

    def check_run(self, place, planned):
        cells = place.cells()
        pairs = [(cell["id"], cell["round"]) for cell in cells]
        if len(pairs) != len(set(pairs)):
            self.problem("a cell comes twice")
        if len(set(pairs)) != planned:
            self.problem(f"{len(set(pairs))} of {planned} cells")
        for cell in cells:
            self.report["cells"] += 1
            if cell["status"] == "ok":
                self.report["ok"] += 1
            elif cell["status"] == "crashed" and cell["signal"] == "SIGKILL":
                self.report["killed_cells"] += 1
            elif cell["status"] == "failed" and "fork" in cell["backend"]:
                self.report["killed_cells"] += 1  # a member of its pool was the victim
            else:
                self.problem(f"{cell['label']}: {cell['status']}: {cell['reason']}")
        if place.lines()[-1]["type"] != "end":
            self.problem("no end line")

    def one_run(self):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            place = supervised.Place(folder)
            path = supervised.matrix(folder, "[fine, orphan]", "open", rounds=ROUNDS, backends=BACKENDS)
            while not self.session(place, path, resume=place.journal.exists()):
                if self.report["problems"]:
                    return
            self.check_run(place, planned=2 * 4 * ROUNDS)
            self.report["runs"] += 1

    def run(self):
        while self.report["kills"] < self.wanted and not self.report["problems"]:
            self.one_run()
        return self.report


def run(kills, seed, folder):
    return Campaign(kills, seed, folder).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchhost-campaign-") as folder:
        report = run(options.kills, options.seed, folder)
    print(json.dumps(report, indent=2))
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
