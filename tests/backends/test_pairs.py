# SPDX-License-Identifier: MIT
"""Every backend against workloads that notice broken promises, without the core: each cell is one run of `pair`,
the contract's life of a cell. Needs PAIR (the program), CHECKS (folder of check-*.so), BACKENDS (folder of NAME/NAME.so)."""
import os
import random
import re
import subprocess
import time

import pytest

PAIR, CHECKS, BACKENDS = (os.environ[name] for name in ("PAIR", "CHECKS", "BACKENDS"))

VARIANTS = [
    ("serial", []),
    ("serial", ["pin=compact"]),
    ("pthread", ["workers=1"]),
    ("pthread", ["workers=2"]),
    ("pthread", ["workers=2", "wait=spin", "pin=compact"]),
    ("pthread", ["workers=2", "chunk=5"]),
    ("pthread", ["workers=3", "schedule=dynamic"]),
    ("pthread", ["workers=5", "schedule=guided", "chunk=3", "wait=spin"]),
    ("openmp", ["workers=1"]),
    ("openmp", ["workers=2"]),
    ("openmp", ["workers=2", "chunk=5", "pin=compact"]),
    ("openmp", ["workers=3", "schedule=dynamic", "wait=spin"]),
    ("openmp", ["workers=4", "schedule=guided"]),
    ("fork", ["workers=1"]),
    ("fork", ["workers=2"]),
    ("fork", ["workers=3", "schedule=dynamic", "wait=spin"]),
    ("fork", ["workers=4", "schedule=guided", "chunk=2", "pin=compact"]),
    ("fork", ["workers=1", "transport=pipe"]),
    ("fork", ["workers=2", "transport=pipe"]),
    ("fork", ["workers=2", "transport=pipe", "chunk=5"]),
    ("fork", ["workers=3", "transport=pipe", "schedule=dynamic", "pin=compact"]),
    ("fork", ["workers=3", "transport=pipe", "schedule=guided"]),
]


def ident(variant):
    return " ".join([variant[0], *variant[1]])


def on_every_backend(test):
    return pytest.mark.parametrize("variant", VARIANTS, ids=ident)(test)


def is_pipe(variant):
    return "transport=pipe" in variant[1]


def workers(variant):
    return int(next((text[8:] for text in variant[1] if text.startswith("workers=")), 1))


def pair(check, variant, *texts):
    """-> (status, reason) of one cell."""
    name, options = variant
    library = f"{BACKENDS}/{name}/{name}.so"
    if not os.path.exists(library):
        pytest.skip(f"the {name} backend was left out of this build")
    command = [PAIR, f"{CHECKS}/{check}.so", library, "quiet=1", *options, *texts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    match = re.match(r"([a-z-]+): (.*)", done.stdout)
    assert match, f"{command}: exit {done.returncode}, {done.stderr}"
    assert done.stderr == ""
    return match.groups()


@on_every_backend
@pytest.mark.parametrize("n", [0, 1, 2, 1003])
@pytest.mark.parametrize("case", ["roles", "chain", "ragged", "two-writers", "seen"])
def test_items(case, n, variant):
    for min_chunk in 1, 16, 5000:
        texts = [f"case={case}", f"n={n}", f"min-chunk={min_chunk}", "samples=4"]
        assert pair("check-items", variant, *texts) == ("ok", "")


@on_every_backend
def test_big_regions(variant):
    """Messages far larger than a pipe's buffer, in both directions at once."""
    assert pair("check-items", variant, "case=roles", "n=700000", "samples=2") == ("ok", "")


@on_every_backend
def test_null_kernel_is_wrong(variant):
    status, reason = pair("check-items", variant, "case=nothing")
    assert status == "wrong"
    # The first poison, untouched: 0x9E3779B97F4A7C15 * 3 modulo 2^64.
    assert "daa66d2c7ddf743f" in reason


@on_every_backend
def test_results_of_an_earlier_run_do_not_survive(variant):
    assert pair("check-items", variant, "case=tired", "samples=1") == ("ok", "")
    status, reason = pair("check-items", variant, "case=tired", "samples=2")
    assert status == "wrong"
    # The second poison: 0x9E3779B97F4A7C15 * 5 modulo 2^64.
    assert "1715609f7c746c69" in reason


@on_every_backend
def test_kernel_without_host_code(variant):
    expected = ("unsupported", "kernel 'check' has no code for the host")
    assert pair("check-items", variant, "case=device-only") == expected


@on_every_backend
def test_writing_a_whole_region(variant):
    status, reason = pair("check-items", variant, "case=whole-out")
    if is_pipe(variant) and workers(variant) > 1:
        assert status == "unsupported"
        assert "transport: pipe" in reason
    else:
        assert (status, reason) == ("ok", "")


@on_every_backend
@pytest.mark.parametrize("count", [1, 256, 40000])
def test_team(count, variant):
    status, reason = pair("check-team", variant, f"count={count}")
    if is_pipe(variant):
        assert status == "unsupported"
        assert "transport: pipe runs no teams" in reason
    else:
        assert (status, reason) == ("ok", "")


@on_every_backend
@pytest.mark.parametrize(
    "case, expected",
    [
        ("fail", "the last member gives up"),
        ("leave", r"member 0 ended its body while member \d+ waited"),
        ("leftover", r"member \d+ never received"),
        ("wrong-length", r"member \d+ expects 4 bytes .* has 8"),
    ],
)
def test_team_failures(case, expected, variant):
    if workers(variant) == 1 or is_pipe(variant):
        pytest.skip("needs two members, and a transport that runs teams")
    status, reason = pair("check-team", variant, f"case={case}")
    assert status == "failed"
    assert re.search(expected, reason)


WITH_CHILDREN = [v for v in VARIANTS if v[0] == "fork" and (workers(v) > 1 or is_pipe(v))]


@pytest.mark.parametrize("variant", WITH_CHILDREN, ids=ident)
def test_dead_worker_is_reported(variant):
    status, reason = pair("check-items", variant, "case=die", "n=1000")
    assert status == "failed"
    assert re.fullmatch(r"worker \d+ \(pid \d+\) died: SIGSEGV", reason)
    if is_pipe(variant):
        return
    status, reason = pair("check-team", variant, "case=die")
    assert status == "failed"
    assert re.fullmatch(r"worker \d+ \(pid \d+\) died: SIGKILL", reason)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("transport, count", [("shm", 2), ("pipe", 3)])
def test_workers_die_with_their_parent(transport, count):
    command = [PAIR, f"{CHECKS}/check-items.so", f"{BACKENDS}/fork/fork.so", "workers=3", f"transport={transport}"]
    with subprocess.Popen([*command, "quiet=1", "n=1000000", "samples=100000"]) as process:
        wait_until(lambda: len(children(process.pid)) == count)
        workers_seen = children(process.pid)
        with open(f"/proc/{process.pid}/maps", encoding="ascii") as file:
            assert "/dev/shm/" not in file.read()  # shared memory without a name that could stay behind
        process.kill()
    wait_until(lambda: not any(alive(pid) for pid in workers_seen))


def test_random_combinations():
    """A seeded walk through the product of all options."""
    rng = random.Random(7)
    for _ in range(60):
        backend = rng.choice(["pthread", "openmp", "fork"])
        options = [
            f"workers={rng.randint(1, 6)}",
            f"schedule={rng.choice(['static', 'dynamic', 'guided'])}",
            f"chunk={rng.choice([0, 1, 2, 7, 100, 10**9])}",
            f"pin={rng.choice(['none', 'compact'])}",
        ]
        pipe = backend == "fork" and rng.random() < 0.5
        options.append("transport=pipe" if pipe else f"wait={rng.choice(['block', 'spin'])}")
        case = rng.choice(["roles", "chain", "ragged", "two-writers"])
        texts = [f"case={case}", f"n={rng.randint(0, 3000)}", f"min-chunk={rng.choice([0, 1, 3, 64])}"]
        assert pair("check-items", (backend, options), *texts) == ("ok", "")
