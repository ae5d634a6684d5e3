#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The cuda backend beside PyTorch on the same GPU, in the same rounds: chunk-mean and squares, with copies between host and
device and without, and as a share of the peaks that were measured in the same round. Each side in a process of its own, one
at a time, in random order.

Usage: beside_torch.py BUILD [--rounds N] [--seed N] [--output FOLDER] [--param NAME=VALUE ...]

BUILD: a build folder. FOLDER gets beside-torch.json and beside-torch.md (results/ beside this script). --param goes to benchhost, for other sizes.
PyTorch with CUDA must be importable by this Python; without it the table has benchhost's columns alone."""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TASKS = {"chunk-mean": "double", "squares": "single"}  # and the precision of nearly all their arithmetic
SIZES = {"chunk-mean.elements": 268435456, "chunk-mean.chunks": 262144, "squares.size": 2000000, "squares.draws": 1000}  # gpu.yaml's
REPEATS, WARMUPS = 30, 5


def torch_side(sizes):
    """In a process of its own. Seconds: {task: {"device": [...], "steady": [...], "with copies": [...]}}."""
    import time

    import torch

    device, found = torch.device("cuda"), {"version": torch.__version__, "device": torch.cuda.get_device_name(0)}

    def run(task, work, upload, result_of):
        times = {"device": [], "steady": [], "with copies": []}
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        upload()
        for i in range(WARMUPS + REPEATS):
            torch.cuda.synchronize()
            begin = time.perf_counter()
            start.record()
            work()
            end.record()
            torch.cuda.synchronize()
            steady = time.perf_counter() - begin
            begin = time.perf_counter()
            upload()
            result_of(work())  # .cpu() waits
            copies = time.perf_counter() - begin
            if i >= WARMUPS:
                times["device"].append(start.elapsed_time(end) / 1e3)
                times["steady"].append(steady)
                times["with copies"].append(copies)
        found[task] = {name: statistics.median(values) for name, values in times.items()}

    n, chunks = sizes["chunk-mean.elements"], sizes["chunk-mean.chunks"]
    host = torch.rand(n, dtype=torch.float64, pin_memory=True)
    at = {}
    run("chunk-mean", lambda: at["x"].view(chunks, -1).mean(1), lambda: at.update(x=host.to(device, non_blocking=True)),
        lambda y: y.cpu())
    size, draws = sizes["squares.size"], sizes["squares.draws"]
    block = max(1, min(size, (1 << 28) // draws))  # PyTorch has to hold the numbers that it draws

    def squares():
        return torch.cat([torch.rand((min(block, size - i), draws), device=device).square_().sum(1) for i in range(0, size, block)])
    run("squares", squares, lambda: None, lambda y: y.cpu())
    json.dump(found, sys.stdout)


def benchhost_side(options, folder, seed):
    journal = folder / "round.jsonl"
    journal.unlink(missing_ok=True)
    command = [options.build / "benchhost", HERE / "gpu.yaml", "--output", journal, "--no-table", "--quiet", "--set", f"seed={seed}"]
    for value in options.param:
        command += ["--param", value]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if not journal.exists():
        sys.exit(f"beside_torch.py: benchhost: {done.stderr}")
    cells = [c for c in map(json.loads, journal.read_text().splitlines()) if c["type"] == "cell"]
    for cell in cells:
        if cell["status"] != "ok":
            print(f"{cell['label']}: {cell['status']}: {cell['reason']}", file=sys.stderr)
    return [c for c in cells if c["status"] == "ok"]


def summary(cell):
    """Copies: what bind took to bring inputs, one run, and what fetch took to bring results."""
    steady = cell["steady"]["median_ns"] / 1e9
    copies = steady + (cell["phases_ns"].get("bind", 0) + cell["phases_ns"].get("fetch", 0)) / 1e9
    return {"device": cell["metrics"]["device time"]["median"], "steady": steady, "with copies": copies}


def peaks_of(cells):
    """The most flop/s of each precision, and byte/s, that this round reached, by device time."""
    best = {"gflops double": 0.0, "gflops single": 0.0, "gb_per_s": 0.0}
    for cell in (c for c in cells if c["workload"] == "peaks"):
        for key, amount in ((f"gflops {cell['params']['precision']}", cell["cost"]["flops"]), ("gb_per_s", bytes_of(cell))):
            best[key] = max(best[key], (amount or 0) / cell["metrics"]["device time"]["median"] / 1e9)
    return best


def bytes_of(cell):
    return (cell["cost"]["bytes_read"] or 0) + (cell["cost"]["bytes_written"] or 0)


def one_round(options, folder, seed, order):
    row, sizes = {}, {**SIZES, **{k: int(v) for k, _, v in (p.partition("=") for p in options.param) if k in SIZES}}
    for side in order:
        if side == "torch":
            done = subprocess.run([sys.executable, __file__, "--torch-side", json.dumps(sizes)], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                row["PyTorch"] = json.loads(done.stdout)
            else:
                print(f"PyTorch left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        cells = benchhost_side(options, folder, seed)
        if not any(cell["workload"] in TASKS for cell in cells):
            sys.exit("beside_torch.py: neither workload ran on cuda, for the reasons above: there is nothing to compare")
        row["peaks"] = peaks_of(cells)
        for cell in cells:
            if cell["workload"] in TASKS:
                name = f"{cell['workload']} {cell['variant']}"
                row[name] = summary(cell)
                row[name]["gflops"] = (cell["cost"]["flops"] or 0) / row[name]["device"] / 1e9
                row[name]["gb_per_s"] = bytes_of(cell) / row[name]["device"] / 1e9
                row["gpu"] = cell["facts"].get("gpu 0")
    return row


def median(rows, *path):
    values = []
    for row in rows:
        for key in path:
            row = row.get(key) if isinstance(row, dict) else None
        if row is not None:
            values.append(row)
    return statistics.median(values) if values else None


def table(rows):
    lines = ["| | device time | steady | with copies | of the peak flop/s | of the peak byte/s |", "|---|---|---|---|---|---|"]
    names = sorted({name for row in rows for name in row if name.split()[0] in TASKS})
    for name in names + [f"PyTorch {task}" for task in TASKS]:
        path = name.split() if name.startswith("PyTorch") else [name]
        times = [median(rows, *path, key) for key in ("device", "steady", "with copies")]
        shares = [median(rows, *path, key) for key in ("gflops", "gb_per_s")]
        peaks = [median(rows, "peaks", key) for key in (f"gflops {TASKS[name.split()[name.startswith('PyTorch')]]}", "gb_per_s")]
        if times[0] is not None:
            lines.append(f"| {name} | " + " | ".join(f"{t * 1e3:.3f} ms" for t in times) + " | " +
                         " | ".join(f"{s / p:.1%}" if s and p else "-" for s, p in zip(shares, peaks)) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--param", action="append", default=[])
    parser.add_argument("--torch-side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_side:
        torch_side(json.loads(options.torch_side))
        return
    if not options.build:
        parser.error("give a build folder")
    order, rows = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(options.rounds):
            rows.append(one_round(options, pathlib.Path(folder), options.seed + i, order.sample(["benchhost", "torch"], 2)))
    options.output.mkdir(parents=True, exist_ok=True)
    text = f"GPU: {rows[0].get('gpu')}; medians of {options.rounds} rounds; peaks of the same rounds\n\n" + table(rows)
    (options.output / "beside-torch.json").write_text(json.dumps(rows, indent=1) + "\n")
    (options.output / "beside-torch.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
