# SPDX-License-Identifier: MIT
"""Measures one of Python's process pools in one process, for dispatch.py; the same figures, in the same JSON, as peer.c.
Starting the pool is not part of any figure; results come back to the caller and are checked.

Usage: pools.py POOL WORKERS STEPS,STEPS,... SPIN-PYTHON.so     (POOL: multiprocessing, futures, joblib)"""
import functools
import json
import statistics
import sys
import time

import pool_items

ITEMS_STATIC, ITEMS_ONE = 20000, 1000


class Multiprocessing:
    def __init__(self, workers):
        import multiprocessing
        self.pool, self.version = multiprocessing.Pool(workers), sys.version.split()[0]

    def map(self, function, items, chunk):
        return self.pool.map(function, range(items), chunksize=chunk)

    def close(self):
        self.pool.terminate()


class Futures:
    def __init__(self, workers):
        import concurrent.futures
        self.pool, self.version = concurrent.futures.ProcessPoolExecutor(workers), sys.version.split()[0]

    def map(self, function, items, chunk):
        return list(self.pool.map(function, range(items), chunksize=chunk))

    def close(self):
        self.pool.shutdown()


class Joblib:
    def __init__(self, workers):
        import joblib
        self.workers, self.version, self.joblib, self.open = workers, joblib.__version__, joblib, {}

    def map(self, function, items, chunk):
        if chunk not in self.open:  # what others call chunk is batch_size here, and belongs to the Parallel
            self.close()
            self.open[chunk] = self.joblib.Parallel(n_jobs=self.workers, batch_size=chunk, pre_dispatch="all").__enter__()
        delayed = self.joblib.delayed(function)
        return self.open[chunk](delayed(i) for i in range(items))

    def close(self):
        for parallel in self.open.values():
            parallel.__exit__(None, None, None)
        self.open.clear()


def measure(run, share, sample_s, samples, least_runs=1):
    """The median over samples, in ns per run / share; each sample is `sample_s` or longer."""
    run()
    each, start = least_runs, time.perf_counter_ns()
    run()
    once = time.perf_counter_ns() - start
    each = max(least_runs, round(sample_s * 1e9 / once))
    found = []
    for _ in range(samples):
        start = time.perf_counter_ns()
        for _ in range(each):
            run()
        found.append((time.perf_counter_ns() - start) / each / share)
    return {"median_ns": statistics.median(found), "min_ns": min(found), "max_ns": max(found), "samples": samples, "runs": each}


def main():
    name, workers, steps, path = sys.argv[1], int(sys.argv[2]), [int(x) for x in sys.argv[3].split(",")], sys.argv[4]
    pool_items.load(path)
    pool = {"multiprocessing": Multiprocessing, "futures": Futures, "joblib": Joblib}[name](workers)
    out = {}
    for label, items, chunk in (("item_static", ITEMS_STATIC, ITEMS_STATIC // workers), ("item_one", ITEMS_ONE, 1),
                                ("dispatch", workers, 1)):
        assert pool.map(pool_items.item, items, chunk) == list(range(items)), label
        share = 1 if label == "dispatch" else items
        out[label] = measure(lambda i=items, c=chunk: pool.map(pool_items.item, i, c), share, 0.05, 5, 20 if label == "dispatch" else 1)
    for k in steps:
        run = functools.partial(pool_items.task, path, k)
        assert pool.map(run, workers, 1) == [pool_items.spin(i, k) for i in range(workers)], k
        out[f"steps {k}"] = measure(lambda r=run: pool.map(r, workers, 1), 1, 0.005, 5, 3)
    out["version"] = pool.version
    pool.close()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
