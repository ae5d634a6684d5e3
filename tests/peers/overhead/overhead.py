#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What measuring costs: the same compiled kernel timed by benchhost (serial backend) and by a loop written by hand, in turn,
PAIRS times. Prints the ratio benchhost/hand with its spread, and the bias of a sample of 1 ms.

Usage: overhead.py BUILD [PAIRS]     (BUILD: a build folder)"""
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(sys.argv[1]).resolve()
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 30
HERE = BUILD / "tests" / "peers" / "overhead"
SAMPLES = 60
# (name, steps): an empty kernel, and one of about a microsecond
KERNELS = (("empty kernel", 0), ("1 us kernel", 850))


def by_hand(steps):
    out = subprocess.run([HERE / "overhead-hand", str(steps), "1", str(SAMPLES)], check=True, capture_output=True, text=True)
    return float(out.stdout)


def by_benchhost(steps, folder):
    matrix = folder / "overhead.yaml"
    matrix.write_text(
        "benchhost: 1\nname: overhead\n"
        f"measure: {{min_sample: 1ms, min_samples: {SAMPLES}, max_samples: {SAMPLES}, precision: 0, warmup: 100ms}}\n"
        f"workloads:\n  - {HERE}/spin-workload.so: {{steps: {steps}}}\nbackends: [serial]\n")
    journal = folder / "overhead.jsonl"
    journal.unlink(missing_ok=True)
    subprocess.run([BUILD / "benchhost", matrix, "--quiet", "--no-table", "--output", journal], check=True)
    cells = [json.loads(line) for line in journal.read_text().splitlines()]
    cell = next(c for c in cells if c["type"] == "cell")
    assert cell["status"] == "ok", cell["reason"]
    return cell["steady"]["median_ns"]


def main():
    print(f"{PAIRS} pairs, {SAMPLES} samples of >= 1 ms on each side; ratio = benchhost / hand")
    print(f"{'kernel':14s} {'hand':>12s} {'benchhost':>12s} {'ratio: median':>14s} {'quartiles':>20s}")
    with tempfile.TemporaryDirectory() as folder:
        for name, steps in KERNELS:
            rows = []
            for _ in range(PAIRS):
                sides = [("hand", lambda: by_hand(steps)), ("bh", lambda: by_benchhost(steps, pathlib.Path(folder)))]
                random.shuffle(sides)
                row = {side: run() for side, run in sides}
                rows.append((row["hand"], row["bh"]))
            ratios = [b / a for a, b in rows]
            low, _, high = statistics.quantiles(ratios, n=4)
            hand, ours = (statistics.median(x) for x in zip(*rows))
            print(f"{name:14s} {hand:9.2f} ns {ours:9.2f} ns {statistics.median(ratios):14.4f} {low:9.4f} .. {high:7.4f}"
                  f"   (difference {statistics.median([b - a for a, b in rows]):+.2f} ns a run)")


main()
