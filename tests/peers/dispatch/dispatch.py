#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What handing out work costs, our backends and their peers side by side in one run: a dispatch of an empty loop of one chunk
per worker, an item, and METG(50 %). Every round measures every pool once, each in a process of its own (idle workers that
spin would take the core from whoever is measured next), one at a time, in random order. Ratios are formed within a round.

Usage: dispatch.py BUILD [--rounds N] [--workers N] [--output FOLDER] [--only WORD] [--no-python]
       (BUILD: a build folder; FOLDER: results/ beside this script, where dispatch.md and dispatch.json are written)"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools"))
import evidence  # noqa: E402

FINE = [2 ** k for k in range(18)]             # tasks of 1 ns to 150 us
COARSE = [2 ** k for k in range(8, 25, 2)]     # of 0.3 us to 20 ms, for pools whose dispatch costs 0.1 ms and more
GOMP_PINNED = {"OMP_PROC_BIND": "close", "OMP_PLACES": "threads"}


class Pool:
    """One row. `command` is for peer.c, or the name of one of Python's pools."""

    def __init__(self, name, pool, options=(), env=None, pinned=True, workers=None, steps=tuple(FINE)):
        self.name, self.pool, self.options, self.env = name, pool, list(options), dict(env or {})
        self.pinned, self.workers, self.steps = pinned, workers, list(steps)
        self.python = pool in ("multiprocessing", "futures", "joblib")
        if pool == "libgomp" and pinned:
            self.env.update(GOMP_PINNED)

    def command(self, build, python, workers):
        here = build / "tests" / "peers" / "dispatch"
        workers = self.workers or workers
        steps = ",".join(map(str, self.steps))
        if self.python:
            return [python, HERE / "pools.py", self.pool, str(workers), steps, here / "spin-python.so"]
        plugin = self.pool if self.pool in ("libgomp", "hand") else build / "plugins" / self.pool / f"{self.pool}.so"
        pin = ["--pin"] if self.pinned and self.pool not in ("libgomp", "hand") else []
        sweep = ["--steps", steps] if steps else []
        return [here / "peer", "--pool", plugin, "--workers", str(workers), *sweep, *pin, *self.options]


def pools(with_python):
    active, passive = {"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "passive"}
    rows = [
        Pool("loop by hand", "hand", workers=1, pinned=False),
        Pool("serial", "serial", workers=1, steps=()),  # no METG: it hands out nothing
        Pool("libgomp active", "libgomp", env=active),
        Pool("pthread spin", "pthread", ["wait=spin"]),
        Pool("openmp spin", "openmp", ["wait=spin"], active),
        Pool("fork shm spin", "fork", ["wait=spin"]),
        Pool("libgomp passive", "libgomp", env=passive),
        Pool("pthread block", "pthread", ["wait=block"]),
        Pool("openmp block", "openmp", ["wait=block"], passive),
        Pool("fork shm block", "fork", ["wait=block"]),
        Pool("fork pipe", "fork", ["transport=pipe"]),
        Pool("libgomp active, not pinned", "libgomp", env=active, pinned=False),
        Pool("pthread spin, not pinned", "pthread", ["wait=spin"], pinned=False),
        Pool("fork shm spin, not pinned", "fork", ["wait=spin"], pinned=False),
        Pool("libgomp passive, not pinned", "libgomp", env=passive, pinned=False),
        Pool("pthread block, not pinned", "pthread", ["wait=block"], pinned=False),
        Pool("fork shm block, not pinned", "fork", ["wait=block"], pinned=False),
    ]
    if with_python:
        rows += [Pool(name, pool, pinned=False, steps=COARSE) for name, pool in (
            ("Python multiprocessing.Pool", "multiprocessing"), ("Python ProcessPoolExecutor", "futures"),
            ("Python joblib (loky)", "joblib"))]
    # The loop by hand is the one reference of all sweeps, so it runs every size.
    rows[0].steps = sorted({k for row in rows for k in row.steps})
    return rows


# (pool, peer, figure, limit): what is promised about the ratio pool/peer. Python's rows: at least 100, so peer and pool swap.
def promises(names):
    wanted = []
    for suffix in ("", ", not pinned"):
        wanted += [("pthread spin" + suffix, "libgomp active" + suffix, "dispatch", 1.0),
                   ("pthread block" + suffix, "libgomp passive" + suffix, "dispatch", 1.0),
                   ("fork shm spin" + suffix, "pthread spin" + suffix, "dispatch", 2.0),
                   ("fork shm block" + suffix, "pthread block" + suffix, "dispatch", 2.0)]
    for python in names:
        if python.startswith("Python"):
            wanted += [("pthread block", python, figure, 0.01) for figure in ("dispatch", "item_one", "item_static")]
    return [row for row in wanted if row[0] in names and row[1] in names]


# ---- Running ----

def python_with_peers(build):
    """An interpreter in a virtual environment below the build folder, with requirements.txt; made when it is missing."""
    folder, wanted = build / "peers-venv", HERE.parent / "requirements.txt"
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "-r", wanted], check=True)
        stamp.write_text(wanted.read_text())
    return folder / "bin" / "python"


def run_pool(pool, build, python, workers):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(pool.command(build, python, workers), env={**env, **pool.env}, capture_output=True, text=True,
                          timeout=300, check=False)
    if done.returncode:
        sys.exit(f"dispatch.py: {pool.name}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def run_rounds(rows, build, python, workers, rounds, seed):
    order, found = random.Random(seed), {row.name: [] for row in rows}
    for r in range(rounds):
        for row in order.sample(rows, len(rows)):
            found[row.name].append(run_pool(row, build, python, workers))
        print(f"round {r + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


# ---- Figures ----

FIGURES = ("dispatch", "item_one", "item_static")


def values(found, name, figure):
    return [one[figure]["median_ns"] for one in found[name]]


def metg_figures(found, row, work):
    """Per round the smallest task that keeps half of the ideal rate; or why the sweep gives none."""
    per_round = []
    try:
        for one in found[row.name]:
            per_round.append(evidence.metg([work[k] for k in row.steps], [one[f"steps {k}"]["median_ns"] for k in row.steps]))
    except evidence.NoFigure as reason:
        return {"reason": f"round {len(per_round)}: {reason}"}
    return {"work_ns": evidence.summary([w for w, _ in per_round]), "granularity_ns": evidence.summary([g for _, g in per_round])}


def analyse(rows, found):
    hand = rows[0]
    work = {k: evidence.median(values(found, hand.name, f"steps {k}")) for k in hand.steps}
    out = {"reference_ns": work, "pools": {}, "promises": []}
    for row in rows:
        figures = {figure: evidence.summary(values(found, row.name, figure)) for figure in FIGURES}
        if row is not hand and row.steps:
            figures["metg"] = metg_figures(found, row, work)
        out["pools"][row.name] = figures
    for ours, peer, figure, limit in promises(found):
        ratios = evidence.paired(values(found, ours, figure), values(found, peer, figure))
        below = sum(ratio <= limit for ratio in ratios)
        out["promises"].append({"pool": ours, "peer": peer, "figure": figure, "limit": limit, "verdict": evidence.judge(ratios, limit),
                                "within": below, "sign_test_p": evidence.sign_test(below, len(ratios)), **evidence.summary(ratios)})
    return out


# ---- The page ----

MEANING = {"dispatch": "dispatch of an empty loop", "item_one": "an item, handed out alone", "item_static": "an item in one chunk per worker"}


def metg_cell(figures):
    metg = figures.get("metg")
    if metg is None:
        return "-", "-"
    if "reason" in metg:
        return "none: " + metg["reason"], "-"
    return evidence.with_interval(metg["granularity_ns"], evidence.duration), evidence.duration(metg["work_ns"]["median"])


def promise_row(p):
    times = p["limit"] < 0.1  # how many times the peer's cost is ours reads better the other way round
    flip = (lambda x: 1 / x) if times else (lambda x: x)
    low, high = sorted(map(flip, p["ci"])) if p["ci"] else (None, None)
    quartiles = sorted(map(flip, (p["q1"], p["q3"])))
    sides = (p["peer"], p["pool"]) if times else (p["pool"], p["peer"])
    interval = f"[{evidence.number(low)}, {evidence.number(high)}]" if p["ci"] else "too few rounds"
    return [f"{sides[0]} / {sides[1]}", MEANING[p["figure"]], ("at least " if times else "at most ") + evidence.number(flip(p["limit"])),
            evidence.number(flip(p["median"])), interval, " .. ".join(map(evidence.number, quartiles)),
            f"{p['within']} of {p['n']} (p = {evidence.number(p['sign_test_p'], 2)})", p["verdict"]]


def page(result):
    out = ["# Dispatch cost beside peers", "",
           f"Written by `tests/peers/dispatch/dispatch.py`, {result['rounds']} rounds, {result['workers']} workers, "
           f"seed {result['seed']}, {result['wall_s']:.0f} s. What each column is: `tests/peers/README.md`.", "",
           "## Machine", "", evidence.machine_text(result["machine"]), "", "## Costs", "",
           "Median over rounds of the processes' medians, its 95 % order-statistic interval, and (dispatch) the quartiles.", ""]
    rows = []
    for name, figures in result["pools"].items():
        d = figures["dispatch"]
        rows.append([name, evidence.with_interval(d, evidence.duration), f"{evidence.duration(d['q1'])} .. {evidence.duration(d['q3'])}",
                     *(evidence.with_interval(figures[f], evidence.duration) for f in FIGURES[1:]), *metg_cell(figures)])
    out += [evidence.table(["pool", "dispatch, empty loop", "its quartiles", "item, handed out alone", "item, one chunk per worker",
                            "METG(50 %)", "work in it"], rows), "", "## Promises", "",
            "Ratios within rounds. *kept*: the whole interval is within the limit; *missed*: none of it is; *undecided*: the limit "
            "lies inside. The sign test counts the rounds within the limit.", "",
            evidence.table(["ratio", "of", "promised", "median", "95 % interval", "quartiles", "rounds within", "verdict"],
                           [promise_row(p) for p in result["promises"]]), ""]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "results")
    parser.add_argument("--only", help="only pools whose name holds this word, and the loop by hand")
    parser.add_argument("--no-python", action="store_true", help="leave out Python's pools: no virtual environment is needed")
    given = parser.parse_args()
    build = given.build.resolve()
    python = None if given.no_python else python_with_peers(build)
    rows = pools(not given.no_python)
    rows = [row for row in rows if not given.only or given.only in row.name or row is rows[0]]
    facts = evidence.machine(build)
    if "clang" in facts["compiler"]:
        sys.exit("dispatch.py: the peer is libgomp, and clang brings another OpenMP: give a folder that gcc built")
    start = os.times().elapsed
    found = run_rounds(rows, build, python, given.workers, given.rounds, given.seed)
    for row in rows:
        if row.python:
            facts[row.name] = found[row.name][0]["version"]
    result = {"machine": facts, "rounds": given.rounds, "workers": given.workers, "seed": given.seed,
              "wall_s": os.times().elapsed - start, **analyse(rows, found), "processes": found}
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "dispatch.json").write_text(evidence.strict_json(result))
    (given.output / "dispatch.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
