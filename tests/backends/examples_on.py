# SPDX-License-Identifier: MIT
"""Every matrix of examples/ on a backend of one's choice, and what may not run there. For tests/backends/examples-on, and for
tests: nothing else puts another backend into an example."""
import json
import pathlib
import re
import statistics
import subprocess

import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = SOURCE / "examples"

# Fewer samples for all. Parameters per example: what makes its published size a few milliseconds.
QUICK = ["measure.rounds=1", "measure.min_samples=1", "measure.max_samples=2", "measure.warmup=0s", "measure.max_time=50ms"]
REDUCED = {
    "collectives": ["collectives.repeats=20"],
    "commands": ["command.items=2"],
    "counters": ["prime.n=500", "chunk-mean.elements=10007"],
    "crossover": ["prime.n=3"],
    "devices": ["prime.n=500", "chunk-mean.elements=10007", "chunk-mean.chunks=100", "squares.size=50"],
    "e5-cpu-equal": ["prime.n=100"],
    "e5-cpu-variable": ["prime.n=2000"],
    "e5-file-large": ["files.count=7"],
    "e5-file-small": ["files.count=7"],
    "e5-io-latency": ["sleep.items=6", "sleep.duration=1ms"],
    "e5-memory": ["memory.items=3", "memory.bytes=100 kB"],
    "e5-serialisation": ["chunk-mean.elements=10007", "chunk-mean.chunks=100"],
    "metg": ["squares.draws=[1, 16, 256]"],
    "pools": ["files.count=5", "collectives.repeats=10", "squares.size=100", "chunk-mean.elements=10007", "prime.n=500",
              "command.items=2", "sleep.items=4"],
    "quickstart": ["prime.n=500", "chunk-mean.elements=10007"],
    "roofline": ["peaks.bytes=1MB", "peaks.items=20", "chunk-mean.elements=10007", "chunk-mean.chunks=100", "squares.size=300"],
    "scaling": ["sleep.items=12", "squares.size=300"],
    "sleep-scaling": ["sleep.items=9", "sleep.duration=1ms"],
    "squares": ["squares.size=300"],
}
WORKERS = {"cuda": "streams"}  # the parameter that says how many share the work, where that is not `workers`


def cannot_run(backend):
    """-> (cells by their label, the reason that they give): all that may be `unsupported` there. plugins/opencl/README.md says the
    same, in the same order; tests/cli/test_opencl.py compares."""
    workers = WORKERS.get(backend, "workers")
    return [
        (r"command .*", r"kernel 'command' has no code for devices"),
        (r".* variant=(simd|avx512)( .*)?", rf"no kernel has a variant '(simd|avx512)' for {backend} backends; there are: .*"),
        (rf"collectives .*op=pingpong .* {workers}=1", r"the team needs at least 2 members, but there are 1 workers"),
    ]


def names():
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


# ---- The matrix ----

def still_applies(pattern, backend):
    """A pattern that names backends applies where this one is among them; `baseline` may be a backend's name alone."""
    named = pattern.get("backend", backend) if isinstance(pattern, dict) else pattern
    return backend in (named if isinstance(named, list) else [named])


def with_portable(entry):
    """Where an example names only variants of the host's, what else runs there is added: `portable`."""
    params = next(iter(entry.values())) if isinstance(entry, dict) else {}
    variants = params.get("variant", "portable")
    variants = variants if isinstance(variants, list) else [variants]
    if "portable" not in variants:
        params["variant"] = variants + ["portable"]


def matrix(name, backend, workers=()):
    """The example as a matrix of that backend alone, with these numbers of workers (none: the backend's default)."""
    one = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    for entry in one["workloads"]:
        with_portable(entry)
    one["backends"] = [{backend: {WORKERS.get(backend, "workers"): list(workers)}} if workers else backend]
    if not still_applies(one.get("baseline", {}), backend):
        del one["baseline"]
    one["exclude"] = [pattern for pattern in one.get("exclude", []) if still_applies(pattern, backend)]
    if not one["exclude"]:
        del one["exclude"]
    return one


# ---- Running it ----

def quick(name):
    """What makes a run of this example a short one."""
    return [word for text in QUICK for word in ("--set", text)] + [word for text in REDUCED[name] for word in ("--param", text)]


def run(benchhost, one, folder, name, arguments=()):
    """Leaves NAME.yaml, NAME.jsonl and NAME.txt (all that was said) in the folder. -> (cells of all rounds, what is wrong with the
    run as a whole or None)."""
    path, journal = folder / f"{name}.yaml", folder / f"{name}.jsonl"
    path.write_text(yaml.safe_dump(one, sort_keys=False))
    journal.unlink(missing_ok=True)
    with open(folder / f"{name}.txt", "w") as said:
        code = subprocess.run([benchhost, "run", path, "--output", journal, *arguments], stdin=subprocess.DEVNULL, stdout=said,
                              stderr=subprocess.STDOUT, check=False).returncode
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    cells = [line for line in lines if line["type"] == "cell"]
    if not lines or lines[-1]["type"] != "end" or lines[-1]["interrupted"] or not cells:
        return cells, f"the run did not come to its end (exit status {code}): {(folder / f'{name}.txt').read_text()[-2000:]}"
    return cells, None


# ---- Judging ----

def documented(cell):
    """Is it unsupported, and is that so by the list?"""
    label, reason = cell["label"].replace(" |", ""), cell["reason"] or ""
    return cell["status"] == "unsupported" and any(re.fullmatch(cells, label) and re.fullmatch(why, reason)
                                                   for cells, why in cannot_run(cell["backend"]))


def verified(cell):
    return cell["status"] == "ok" and cell["phases_ns"]["verify"] > 0


def merged(cells):
    """One row for all rounds of a cell: (label, status, reason, verified, seconds of a steady run or None, as it should be)."""
    by_id = {}
    for cell in cells:
        by_id.setdefault(cell["id"], []).append(cell)
    rows = []
    for rounds in by_id.values():
        bad = [cell for cell in rounds if not verified(cell)]
        worst = next((cell for cell in bad if not documented(cell)), (bad or rounds)[0])
        times = [cell["steady"]["median_ns"] * 1e-9 for cell in rounds if verified(cell)]
        rows.append((worst["label"], worst["status"], worst["reason"], all(map(verified, rounds)),
                     statistics.median(times) if times else None, all(map(verified, rounds)) or all(map(documented, rounds))))
    return sorted(rows, key=lambda row: row[0])
