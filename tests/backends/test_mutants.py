# SPDX-License-Identifier: MIT
"""Workloads whose kernels were broken in one place, compiled and run: verification must notice every one. Needs PAIR,
BACKENDS (see test_pairs.py), SOURCE_ROOT and CC."""
import os
import re
import subprocess

import pytest
from kernel_files import build, copy

SERIAL = f"{os.environ['BACKENDS']}/serial/serial.so"
PTHREAD = f"{os.environ['BACKENDS']}/pthread/pthread.so"

# workload, file, what, by what, parameters
MUTANTS = [
    ("noop", "noop.k.h", "seen->count += n;", "seen->count += n - 1;", []),
    ("noop", "noop.k.h", "twice_middle / 2 * n;", "twice_middle / 2 * n + 1;", ["items=999"]),
    ("prime", "prime.k.h", "d += 2", "d += 4", []),
    ("prime", "prime.k.h", "d += 2", "d += 4", ["cost=variable"]),
    ("prime", "prime.k.h", "d * d <= n", "d * d < n", []),
    ("prime", "prime.k.h", "if (n % 2 == 0)", "if (n % 2 == 7)", []),
    ("prime", "prime.k.h", "return n >= 2;", "return 1;", ["cost=variable"]),
    ("prime", "prime.k.h", "answers[i] = prime_answer(i, p);", "answers[i] = (uint32_t)i * 2 + 1;", []),
    ("prime", "prime.k.h", "answers[i] = prime_answer(i, p);", "answers[i] = prime_answer(i - i % 2, p);", []),
    ("sleep", "sleep.h", "now + duration_ns;", "now + duration_ns / 2;", ["items=2", "duration=2000000"]),
    ("sleep", "sleep.h", ".item = item, .begin_ns", ".item = 0, .begin_ns", ["items=2", "duration=1000"]),
    ("squares", "squares.k.h", "first + j, pairs - j <", "first + j + 1, pairs - j <", []),
    ("squares", "squares.k.h", "for (; j < pairs; j++)", "for (; j + 1 < pairs; j++)", []),
    ("squares", "squares.k.h", "if (draws % 2) {", "if (draws % 2 && draws < 8) {", ["draws=999"]),
    ("squares", "squares.k.h", "a * a + b * b;", "a * a + a * b;", []),
    ("squares", "squares.k.h", "first = item * ((draws + 1) / 2);", "first = item * (draws / 2 - 1);", []),
    ("squares", "squares.k.h", "half; half /= 2", "half > 1; half /= 2", []),
    ("squares", "squares.c", "total += (double)sums[i];", "total += (double)sums[begin];", []),
    ("squares", "squares.c", "*(double *)args->region[1] += total;", "*(double *)args->region[1] = total;",
     ["workers=2", "chunk=10"]),
    ("chunk-mean", "chunk-mean.k.h", "for (uint64_t j = 0; j < n; j++)\n    sum += values[j];\n  return sum / (double)n;",
     "for (uint64_t j = 1; j < n; j++)\n    sum += values[j];\n  return sum / (double)n;", []),
    ("chunk-mean", "chunk-mean.k.h", "for (uint64_t j = 0; j < n; j++)", "for (uint64_t j = 1; j < n; j++)",
     ["elements=10000000", "chunks=1"]),
    ("chunk-mean", "chunk-mean.k.h", "return sum / (double)n;", "return sum / (double)(n + 1);", []),
    ("chunk-mean", "chunk-mean.c", "uint64_t start = chunk_mean_start(p, c);\n    means[c]",
     "uint64_t start = chunk_mean_start(p, begin);\n    means[c]", []),
    ("memory", "memory.k.h", "array[j] = bh_random_unit(stream, j);", "array[j] = bh_random_unit(stream, j & ~1u);",
     ["bytes=80000"]),
    ("memory", "memory.k.h", "j < count; j++", "j < count - 1; j++", ["bytes=80000", "allocator=mmap"]),
    ("memory", "memory.c", "uint64_t stream = bh_random_u64(p->seed, i), sample = 0;\n    double",
     "uint64_t stream = bh_random_u64(p->seed, begin), sample = 0;\n    double", ["bytes=80000"]),
    ("files", "files.c", "write(fd, letters + at, p->bytes - at)", "write(fd, letters + at, (p->bytes - at) / 2)", []),
    ("files", "files.c", "if (record.step != STEP_OPEN && unlink(path) != 0", "if (record.step != STEP_OPEN && 0", []),
    ("files", "files.c", "write(fd, letters + at, p->bytes - at)", "write(fd, letters, p->bytes - at)", ["size=9999999", "count=2"]),
    ("files", "files.c", "files_letters(p, i, letters);\n    files_item", "files_letters(p, begin, letters);\n    files_item",
     []),
    ("collectives", "ops.c", "run->team->all_reduce(", "k == 7 ? BH_OK : run->team->all_reduce(", ["workers=2"]),
    ("collectives", "ops.c", "team->broadcast(", "k == 7 ? BH_OK : team->broadcast(", ["workers=2", "op=broadcast", "repeats=8"]),
    ("collectives", "ops.c", "team->all_gather(", "k == 7 ? BH_OK : team->all_gather(", ["workers=2", "op=all-gather"]),
    ("collectives", "ops.c", "team->reduce_scatter(", "k == 7 ? BH_OK : team->reduce_scatter(",
     ["workers=2", "op=reduce-scatter"]),
    ("collectives", "ops.c", "team->exchange(", "k == 7 ? BH_OK : team->exchange(", ["workers=2", "op=ring"]),
    ("collectives", "collectives.k.h", "p.add ? data[at] + p.value : p.value", "p.value", ["workers=2", "op=ring"]),
    ("collectives", "collectives.k.h", "trace[i] = col_fold(trace[i], data[p.at]);", "", ["workers=2", "op=all-gather"]),
    ("collectives", "collectives.k.h", "data[j] = spare[j];", "data[j] = spare[0];", ["workers=2", "op=ring", "repeats=3"]),
    ("collectives", "ops.c", "status = run->team->barrier(run->team);\n  now =", "status = team_lag(run);\n  now =",
     ["workers=2", "op=barrier"]),
    ("peaks", "vectors.h", "r < PEAKS_ROUNDS; r++", "r + 1 < PEAKS_ROUNDS; r++", ["items=2"]),
    ("peaks", "vectors.h", "r < PEAKS_ROUNDS; r++", "r + 1 < PEAKS_ROUNDS; r++", ["items=2", "precision=single"]),
    ("peaks", "vectors.h", "x[c] * (REAL)PEAKS_A + (REAL)PEAKS_B", "x[c] * (REAL)PEAKS_A", ["items=2"]),
    ("peaks", "vectors.h", "peaks_item_start(p->seed, i)", "peaks_item_start(p->seed, begin)", ["items=2", "precision=single"]),
    ("peaks", "vectors.h", "first < LANES; first += PER_BLOCK", "first < LANES; first += 2 * PER_BLOCK", ["items=2"]),
    ("peaks", "vectors.h", "j < n; j += 8 * N", "j + 8 * N < n; j += 8 * N", ["op=read", "bytes=1000000"]),
    ("peaks", "vectors.h", "pass < p->passes", "pass + 1 < p->passes", ["op=read-l1", "bytes=16384", "items=3"]),
    ("peaks", "vectors.h", "value += (double)(i + 1);", "value += (double)(begin + 1);", ["op=write", "bytes=1000000"]),
    ("peaks", "vectors.h", "j = i * PEAKS_BLOCK; j < (i + 1) * PEAKS_BLOCK; j += N)", "j = i * PEAKS_BLOCK; j < (i + 1) * PEAKS_BLOCK - N; j += N)",
     ["op=write", "bytes=1000000"]),
    ("peaks", "vectors.h", "*(PEAKS(d) *)(c + j) = *(const PEAKS(d) *)(a + j);", "*(PEAKS(d) *)(c + j) = *(const PEAKS(d) *)(a + (j & ~(uint64_t)8));",
     ["op=copy", "bytes=1000000"]),
    ("peaks", "vectors.h", "+ 3.0 * *", "+ 2.0 * *", ["op=triad", "bytes=1000000"]),
    ("command", "spawn.c", "execve(plan->path, plan->argv, environ);", "_exit(0);", ["script=exit 3", "expect-exit=3"]),
    ("command", "spawn.c", "sha256_add(&hash, bytes, (size_t)n);", "sha256_add(&hash, bytes, (size_t)n - 1);",
     ["script=echo a", "expect-output=a\n"]),
]


def build_mutant(folder, workload, file, what, by):
    copy(folder, workload, file, what, by)
    if "team_lag" in by:  # rank 1 enters late, and the barrier does not wait for it
        text = (folder / file).read_text()
        text = text.replace("static bh_status col_step_barrier(", "static bh_status team_lag(col_run *run) {\n"
                            "  volatile int x = 0;\n  for (int i = 0; run->team->rank && i < 1000000; i++)\n    x++;\n"
                            "  return BH_OK;\n}\n\nstatic bh_status col_step_barrier(", 1)
        (folder / file).write_text(text)
    return build(folder, workload)


def ident(mutant):
    return re.sub(r"[^a-z0-9]+", "-", f"{mutant[0]} {mutant[3][:40]} {' '.join(mutant[4])}".lower())


@pytest.mark.parametrize("mutant", MUTANTS, ids=ident)
def test_mutant_is_found(tmp_path, mutant):
    workload, file, what, by, texts = mutant
    library = build_mutant(tmp_path, workload, file, what, by)
    backend = PTHREAD if any(text.startswith("workers=") for text in texts) else SERIAL
    done = subprocess.run([os.environ["PAIR"], library, backend, "quiet=1", "samples=2", *texts], capture_output=True,
                          text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.stdout.startswith(("wrong: ", "failed: ")), done.stdout + done.stderr
