# SPDX-License-Identifier: MIT
"""The device form of every workload's kernels, run on this host lane by lane: the workload's own verification accepts it,
and notices when it is broken in one place. Needs TWIN (the program), WORKLOADS (folder of NAME/NAME.so), SOURCE_ROOT, CC."""
import os
import pathlib
import re
import subprocess

import pytest
from kernel_files import SOURCE, build_twin, copy

CASES = {
    "noop": [["items=0"], ["items=1"], ["items=1001"], ["items=4096"]],
    "prime": [["n=1"], ["n=500"], ["n=20000", "cost=variable"]],
    "sleep": [["items=9", "duration=100000"], ["items=70", "duration=0"]],
    "squares": [["size=500", "draws=1000"], ["size=64", "draws=33"], ["size=99", "draws=1"], ["size=3", "draws=77777"],
                ["size=1", "draws=20000001"]],
    "chunk-mean": [["elements=100000", "chunks=100"], ["elements=99991", "chunks=101"], ["elements=7", "chunks=7"],
                   ["elements=1000003", "chunks=1"]],
    "memory": [["items=5", "bytes=100000"], ["items=7", "bytes=17"], ["items=70", "bytes=8192"], ["items=1", "bytes=8"]],
    "peaks": [["op=fma", "items=3"], ["op=fma", "precision=single", "items=70"], ["op=read", "bytes=400000"],
              ["op=write", "bytes=40960"], ["op=copy", "bytes=4096"], ["op=copy", "bytes=400000"], ["op=triad", "bytes=400000"],
              ["op=read-l1", "bytes=8192", "items=7"], ["op=read-l2", "bytes=50000", "items=70"]],
}

# workload, what in its .k.h, by what, parameters
MUTANTS = [
    ("noop", "seen->count += n;", "seen->count = n;", []),
    ("squares", "k < count; k++", "k + 1 < count; k++", ["draws=20", "size=50"]),
    ("squares", "sums[item] = sum;", "sums[item - item % 2] = sum;", ["draws=20", "size=50"]),
    ("squares", "*total += (double)sum;", "*total = (double)sum;", ["draws=20", "size=50"]),
    ("squares", "BH_GROUP_SUM(parts, SQUARES_GROUP)", "BH_GROUP_SUM(parts, SQUARES_GROUP / 2)", ["draws=200", "size=50"]),
    ("squares", "p.draws % 2 ?", "p.draws % 4 == 3 ?", ["draws=21", "size=50"]),
    ("chunk-mean", "d += values[j + 3 * CHUNK_MEAN_GROUP];", "", ["elements=10000", "chunks=2"]),
    ("chunk-mean", "a += values[j];\n  return", "a += values[j + 1 < n ? j : 0];\n  return", ["elements=1000", "chunks=10"]),
    ("chunk-mean", "BH_GROUP_SUM(sums, CHUNK_MEAN_GROUP)", "", ["elements=10000", "chunks=2"]),
    ("memory", "array[j] = bh_random_unit(stream, j);", "array[j] = bh_random_unit(stream, j & ~(uint64_t)1);", ["bytes=80000"]),
    ("memory", "j < end; j += MEMORY_GROUP", "j + 1 < end; j += MEMORY_GROUP", ["bytes=80000"]),
    ("memory", "stream = bh_random_u64(p.seed, item);", "stream = bh_random_u64(p.seed, 0);", ["bytes=80000"]),
    ("sleep", "until = begin + p.duration_ns;", "until = begin + p.duration_ns / 2;", ["items=3", "duration=2000000"]),
    ("sleep", "naps[i].end_ns = now;", "naps[i].end_ns = until + 1000000000;", ["items=3", "duration=1000"]),
    ("peaks", "r < PEAKS_ROUNDS; r++", "r + 1 < PEAKS_ROUNDS; r++", ["items=2"]),
    ("peaks", "x[c] * a + b", "x[c] * a", ["items=2", "precision=single"]),
    ("peaks", "j < PEAKS_BLOCK; j += PEAKS_GROUP)\n    sum", "j + PEAKS_GROUP < PEAKS_BLOCK; j += PEAKS_GROUP)\n    sum",
     ["op=read", "bytes=100000"]),
    ("peaks", "BH_GROUP_SUM(parts, PEAKS_GROUP)", "BH_GROUP_SUM(parts, PEAKS_GROUP / 2)", ["op=read", "bytes=100000"]),
    ("peaks", "pass < p.passes", "pass + 1 < p.passes", ["op=read-l1", "bytes=16384", "items=3"]),
    ("peaks", "block = block + 1 < blocks ? block + 1 : 0;", "", ["op=read-l1", "bytes=16384", "items=3"]),
    ("peaks", "(double)(block + 1);", "(double)block;", ["op=write", "bytes=100000"]),
    ("peaks", "= x[k];\n  BH_SYNC\n}\nBH_GROUPS_KERNEL2(peaks_copy", "= x[0];\n  BH_SYNC\n}\nBH_GROUPS_KERNEL2(peaks_copy",
     ["op=copy", "bytes=100000"]),
    ("peaks", "+ 3.0 *", "+ 2.0 *", ["op=triad", "bytes=100000"]),
]


def run(workload, library, texts):
    plugin = f"{os.environ['WORKLOADS']}/{workload}/{workload}.so"
    return subprocess.run([os.environ["TWIN"], plugin, library, *texts], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """workload -> its kernel file's twin, built when first asked for"""
    folder, built = tmp_path_factory.mktemp("twins"), {}

    def get(workload):
        if workload not in built:
            built[workload] = build_twin(folder, SOURCE / "workloads" / workload / f"{workload}.k.h")
        return built[workload]
    return get


@pytest.mark.parametrize("workload,texts", [(name, texts) for name, cases in CASES.items() for texts in cases],
                         ids=lambda x: x if isinstance(x, str) else " ".join(x))
def test_accepted(twins, workload, texts):
    done = run(workload, twins(workload), texts)
    assert done.stdout == "ok: \n", done.stdout + done.stderr


def ident(mutant):
    return re.sub(r"[^a-z0-9]+", "-", f"{mutant[0]} {mutant[2][:40]} {' '.join(mutant[3])}".lower())


@pytest.mark.parametrize("mutant", MUTANTS, ids=ident)
def test_broken_is_noticed(tmp_path, mutant):
    workload, what, by, texts = mutant
    copy(tmp_path, workload, f"{workload}.k.h", what, by)
    done = run(workload, build_twin(tmp_path, tmp_path / f"{workload}.k.h"), texts)
    assert done.stdout.startswith("wrong: "), done.stdout + done.stderr


def test_every_kernel_file_has_a_case():
    with_kernels = {path.name[:-4] for path in pathlib.Path(SOURCE / "workloads").glob("*/*.k.h")}
    # Kernels of files are steps of its device program, those of collectives of its team's body; a twin runs loops of items.
    assert with_kernels - {"files", "collectives"} == set(CASES)
