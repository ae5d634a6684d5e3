# SPDX-License-Identifier: MIT
"""Journals made by hand, for tests of what reads them: docs/journal.md's lines with as few keys as a reader needs."""
import json
import statistics


PLUGINS = {"workload": ["prime", "sleep", "noop", "train"], "backend": ["serial", "pthread", "fork", "cuda"]}


def run_line(name="pools", cells=1, rounds=1, **more):
    return {"type": "run", "schema": 1, "benchhost": "0.1.0", "started": "2026-01-02T03:04:05Z",
            "argv": ["benchhost", "run", f"{name}.yaml"], "matrix": {"path": f"{name}.yaml", "name": name, "text": ""},
            "seed": 42, "measure": {}, "cells": cells, "rounds": rounds, "environment": {},
            "plugins": [{"kind": kind, "name": name} for kind, found in PLUGINS.items() for name in found], **more}


def figure(samples):
    samples = [float(x) for x in samples]
    ordered = sorted(samples)
    return {"median_ns": statistics.median(samples), "ci_ns": None, "ci_reason": "made by hand", "min_ns": ordered[0],
            "p95_ns": ordered[-1], "mean_ns": statistics.fmean(samples), "cv": 0.0, "n": len(samples),
            "samples_ns": samples, "inner": 1, "stopped": "max-samples"}


def cell_line(id, workload, backend, samples=None, *, params=None, options=None, workers=1, round=0, status="ok",
              reason=None, total=None, items=1000, unit="numbers", flags=(), baseline=False, label=None, **more):
    params, options = params or {}, options or {}
    if label is None:
        side = lambda name, values: " ".join([name] + [f"{k}={v}" for k, v in values.items()])
        label = f"{side(workload, params)} | {side(backend, options)}"
    return {"type": "cell", "id": id, "label": label, "workload": workload, "params": params, "backend": backend,
            "options": options, "variant": "portable", "round": round, "status": status, "reason": reason,
            "baseline": baseline, "steady": figure(samples) if samples else None,
            "total": figure([total]) if total else None, "workers": workers,
            "cost": {"items": items, "flops": 0, "bytes_read": 0, "bytes_written": 0, "item_unit": unit},
            "flags": list(flags), **more}


def end_line(cells=1, **more):
    return {"type": "end", "finished": "2026-01-02T03:05:05Z", "interrupted": False, "cells": cells, "wall_s": 60.0,
            "overhead_s": 0.5, "overhead_per_cell_ms": 4.25, **more}


def text(lines):
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def pools():
    """One round. n=1000 by hand: serial's median 1 ms, pthread's .5 ms, so 2x."""
    n, big = {"n": 1000, "cost": "equal"}, {"n": 100000, "cost": "equal"}
    static, dynamic = {"workers": 2, "schedule": "static"}, {"workers": 2, "schedule": "dynamic"}
    ms = lambda *values: [1e6 * v for v in values]
    return [
        run_line(cells=9),
        cell_line("000000000001", "prime", "serial", ms(.99, .995, .998, 1, 1, 1.002, 1.01, 1.2), params=n, total=1.5e6,
                  options={}, baseline=True),
        cell_line("000000000002", "prime", "pthread", ms(.49, .495, .498, .5, .5, .502, .51, .6), params=n, total=3e6,
                  options=static, workers=2),
        cell_line("000000000003", "prime", "pthread", ms(.25, .25, .25, .26), params=n, total=3e6, options=dynamic,
                  workers=2, flags=["few-samples", "oversubscribed"]),
        cell_line("000000000004", "prime", "fork", params=n, options={"workers": 2, "schedule": "static"}, workers=2,
                  status="wrong", reason="primes: expected 168, found 0 in region 'counts', worker 1: the kernel has not written "
                  "its part, or has written it into its own copy only"),
        cell_line("000000000005", "prime", "serial", ms(*[100] * 6), params=big, total=101e6, items=100000, baseline=True),
        cell_line("000000000006", "prime", "pthread", ms(*[50, 51] * 5), params=big, total=54e6, items=100000,
                  options=dynamic, workers=2, flags=["from-the-future"]),
        cell_line("000000000007", "prime", "fork", params=big, options=static, workers=2, status="timeout",
                  reason="no result after 10.00 s"),
        cell_line("000000000008", "sleep", "pthread", ms(1000, 1000, 1001), params={"items": 25}, total=1.1e9,
                  items=25, unit="naps", options=static, workers=2),
        cell_line("000000000009", "train", "cuda", params={"batch": 8}, status="skipped", reason="no GPU"),
        end_line(9),
    ]


def rounds(n=10):
    """n rounds of a serial and a pthread cell; the medians of round r are 100 + r and 50 + r microseconds."""
    lines = [run_line("rounds", 2, n)]
    for r in range(n):
        for id, backend, level, workers in (("aaaaaaaaaaaa", "serial", 100, 1), ("bbbbbbbbbbbb", "pthread", 50, 2)):
            middle = 1e3 * (level + r)
            options = {"workers": workers} if workers > 1 else {}
            lines.append(cell_line(id, "noop", backend, [middle - 100, middle, middle + 200], round=r, options=options,
                                   workers=workers, params={"items": 1000}, total=1e6 * (level + r), unit=None))
    return lines + [end_line(2 * n)]
