#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What measuring costs: the same compiled kernel timed by benchhost (serial backend) and by peers, in turn, in random order,
each in a process of its own. Ratios are formed within a round. Samples last 1 ms everywhere.

The peers: a loop by hand around the backend's own call (what is left between both is the measuring alone), a loop by hand
around the kernel (the backend's call is then part of the difference), and google-benchmark where it is installed.

Usage: overhead.py BUILD [--rounds N] [--output FOLDER]     (BUILD: a build folder; FOLDER: results/ beside this script)"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools"))
import evidence  # noqa: E402

SAMPLES = 60
MARGIN = 0.01  # the bias that is promised at most, of samples of 1 ms
# An empty kernel, one of about a microsecond, and the workload that does nothing, with 1000 items: name -> (workload, its
# parameter, value).
KERNELS = {"empty kernel": ("spin-workload", "steps", 0), "1 us kernel": ("spin-workload", "steps", 850), "noop": ("noop", "items", 1000)}
OURS, CALL, KERNEL, GBENCH = "benchhost", "backend's call by hand", "kernel by hand", "google-benchmark"


class Sides:
    def __init__(self, build, folder):
        self.build, self.folder, self.here = build, folder, build / "tests" / "peers" / "overhead"

    def workload(self, name):
        return self.here / f"{name}.so" if name == "spin-workload" else self.build / "workloads" / name / f"{name}.so"

    def all(self, kernel):
        """Only the kernel of our own has a peer that calls it without the plugin."""
        workload, key, value = KERNELS[kernel]
        sides = {OURS: lambda: self.by_benchhost(workload, key, value), CALL: lambda: self.by_call(workload, key, value)}
        if workload == "spin-workload":
            sides[KERNEL] = lambda: float(self.output(self.here / "overhead-hand", value, 1, SAMPLES))
            if (self.here / "overhead-gbench").exists():
                sides[GBENCH] = lambda: self.by_gbench(value)
        return sides

    def output(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"overhead.py: {command[0]}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def by_call(self, workload, key, value):
        return float(self.output(self.here / "overhead-hand", f"{key}={value}", 1, SAMPLES, self.workload(workload),
                                 self.build / "plugins" / "serial" / "serial.so"))

    def by_gbench(self, steps):
        out = json.loads(self.output(self.here / "overhead-gbench", steps, f"--benchmark_repetitions={SAMPLES}",
                                     "--benchmark_min_time=0.001", "--benchmark_format=json"))
        return evidence.median([run["real_time"] for run in out["benchmarks"] if run["run_type"] == "iteration"])

    def by_benchhost(self, workload, key, value):
        matrix, journal = self.folder / "overhead.yaml", self.folder / "overhead.jsonl"
        matrix.write_text(
            "benchhost: 1\nname: overhead\n"
            f"measure: {{min_sample: 1ms, min_samples: {SAMPLES}, max_samples: {SAMPLES}, precision: 0, warmup: 100ms}}\n"
            f"workloads:\n  - {self.workload(workload)}: {{{key}: {value}}}\nbackends: [serial]\n")
        journal.unlink(missing_ok=True)
        self.output(self.build / "benchhost", matrix, "--quiet", "--no-table", "--output", journal)
        cell = next(c for c in map(json.loads, journal.read_text().splitlines()) if c["type"] == "cell")
        if cell["status"] != "ok":
            sys.exit(f"overhead.py: {cell['label']}: {cell['status']}: {cell['reason']}")
        return cell["steady"]["median_ns"]


def run_rounds(sides, rounds, seed):
    """sides: {(kernel, side): measure}"""
    order, found = random.Random(seed), {key: [] for key in sides}
    for r in range(rounds):
        for key in order.sample(list(sides), len(sides)):
            found[key].append(sides[key]())
        print(f"round {r + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def verdict(ratios):
    """Is the bias within the margin? By the whole interval of the median ratio."""
    interval = evidence.median_interval(ratios)
    if interval is None:
        return "undecided"
    if 1 - MARGIN <= interval[0] and interval[1] <= 1 + MARGIN:
        return "kept"
    return "missed" if interval[0] > 1 + MARGIN or interval[1] < 1 - MARGIN else "undecided"


def analyse(found):
    out = {"times_ns": {kernel: {} for kernel in KERNELS}, "ratios": []}
    for (kernel, side), values in found.items():
        out["times_ns"][kernel][side] = evidence.summary(values)
        if side == OURS:
            continue
        ours = found[kernel, OURS]
        ratios = evidence.paired(ours, values)
        # The empty kernel alone takes less than the backend's call: only against the same call is its ratio a bias.
        promised = side == CALL or (side == KERNEL and kernel != "empty kernel")
        out["ratios"].append({"kernel": kernel, "peer": side, **evidence.summary(ratios),
                              "difference_ns": evidence.median([a - b for a, b in zip(ours, values)]),
                              "verdict": verdict(ratios) if promised else None})
    return out


def page(result):
    head = list(max(result["times_ns"].values(), key=len))
    times = [[kernel, *(evidence.with_interval(sides[side], evidence.duration) if side in sides else "-" for side in head)]
             for kernel, sides in result["times_ns"].items()]
    form = lambda x: f"{x:.4f}"
    ratios = [[f"{r['kernel']}: benchhost / {r['peer']}", evidence.with_interval(r, form), f"{form(r['q1'])} .. {form(r['q3'])}",
               f"{r['difference_ns']:+.2f} ns", "" if r["verdict"] is None else f"within {MARGIN:.0%}: {r['verdict']}"]
              for r in result["ratios"]]
    return "\n".join([
        "# What measuring costs", "",
        f"Written by `tests/peers/overhead/overhead.py`, {result['rounds']} rounds, {SAMPLES} samples of at least 1 ms a process, "
        f"seed {result['seed']}, {result['wall_s']:.0f} s. What each column is: `tests/peers/README.md`.", "",
        "## Machine", "", evidence.machine_text(result["machine"]), "", "## Time of a run", "",
        evidence.table(["kernel", *head], times), "", "## Ratios within rounds", "",
        evidence.table(["ratio", "median [95 % interval]", "quartiles", "difference of a run", "promised"], ratios), ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    given = parser.parse_args()
    build, start = given.build.resolve(), os.times().elapsed
    facts = evidence.machine(build)
    with tempfile.TemporaryDirectory() as folder:
        every = Sides(build, pathlib.Path(folder))
        sides = {(kernel, side): measure for kernel in KERNELS for side, measure in every.all(kernel).items()}
        found = run_rounds(sides, given.rounds, given.seed)
    result = {"machine": facts, "rounds": given.rounds, "seed": given.seed, "wall_s": os.times().elapsed - start,
              **analyse(found), "processes_ns": {f"{kernel}: {side}": values for (kernel, side), values in found.items()}}
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "overhead.json").write_text(evidence.strict_json(result))
    (given.output / "overhead.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
