# SPDX-License-Identifier: MIT
"""Kernels that run everywhere, on every backend: each form, role and split of benchhost/kernel.h, several lanes, teams; and
what a device backend answers to what it cannot do. See test_pairs.py for the environment."""
import glob
import os
import re
import subprocess

import pytest

PAIR, CHECKS, BACKENDS = (os.environ[name] for name in ("PAIR", "CHECKS", "BACKENDS"))
POCL = "/etc/OpenCL/vendors/pocl.icd"
EXCHANGE = f"{CHECKS}/check-exchange.so"
OCLGRIND = glob.glob("/usr/lib/oclgrind/liboclgrind-rt-icd.so") + glob.glob("/usr/lib/*/oclgrind/liboclgrind-rt-icd.so")
CASES = ["roles", "chain", "ragged", "chunks", "reduce", "groups", "worker", "seen", "two-writers", "team"]

HOSTS = [("serial", []), ("pthread", ["workers=3", "schedule=dynamic"]), ("fork", ["workers=2"]),
         ("openmp", ["workers=2"])]
DEVICES = [
    ("opencl", []),
    ("opencl", ["workers=2"]),
    ("opencl", ["workers=3", "group-size=8", "groups=3"]),
    ("opencl", ["group-size=7", "groups=5", "profile=true"]),
    ("opencl", ["groups=1", "group-size=1"]),
]


def ident(variant):
    return " ".join([variant[0], *variant[1]])


def on(variants):
    return pytest.mark.parametrize("variant", variants, ids=ident)


@pytest.fixture(name="env")
def fixture_env():
    return {**os.environ, "OCL_ICD_VENDORS": POCL}


def pair(env, variant, *texts, workload=f"{CHECKS}/check-device.so"):
    """-> (status, reason) of one cell."""
    name, options = variant
    library = f"{BACKENDS}/{name}/{name}.so"
    if not os.path.exists(library):
        pytest.skip(f"the {name} backend was left out of this build")
    if name == "opencl" and not os.path.exists(POCL):
        pytest.skip("PoCL is not installed (pocl-opencl-icd)")
    command = [PAIR, workload, library, "quiet=1", *options, *texts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    match = re.match(r"([a-z-]+): (.*)", done.stdout, re.S)
    assert match, f"{command}: exit {done.returncode}, {done.stdout} {done.stderr}"
    return match.group(1), match.group(2).rstrip("\n")


def sizes(case):
    every = (0, 1), (1, 1), (2, 5000), (1003, 1), (1003, 16)
    for n, min_chunk in every[2::2] if os.environ.get("FEW_SIZES") else every:
        yield [f"case={case}", f"n={n}", f"min-chunk={min_chunk}", "samples=3"]


def workers(variant):
    return int(next((text[8:] for text in variant[1] if text.startswith("workers=")), 1))


@on(HOSTS + DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_every_form_role_and_split(case, variant, env):
    for texts in sizes(case):
        assert pair(env, variant, *texts) == ("ok", ""), texts


def exchanges(whole):
    """Each call; whole: each type and operation of the reductions, counts around what goes by slices and in pieces."""
    for call in "all-reduce", "broadcast", "reduce-scatter", "all-gather", "exchange", "messages":
        yield [f"call={call}", "n=1003", "at=3"]
        yield [f"call={call}", "n=500", "mixed=true"]
        for n in (0, 1, 7, 30000) if whole else ():
            yield [f"call={call}", f"n={n}", "at=3"]
    if not whole:
        return
    for dtype in "u8", "i32", "u32", "i64", "u64", "f32", "f64":
        for op in "sum", "min", "max":
            yield ["call=all-reduce", f"dtype={dtype}", f"op={op}", "n=1001", "at=1"]
            if dtype in ("f32", "f64"):
                yield ["call=all-reduce", f"dtype={dtype}", f"op={op}", "n=1001", "odd=true"]
        yield ["call=reduce-scatter", f"dtype={dtype}", "n=9001"]
    yield ["call=all-reduce", "n=1500007", "most=4", "dtype=f64"]


@on(HOSTS + DEVICES[:3])
def test_exchanges(variant, env):
    for texts in exchanges(workers(variant) == 3):
        assert pair(env, variant, *texts, "samples=2", workload=EXCHANGE) == ("ok", ""), texts


@on(DEVICES[1:3])
def test_exchange_outside_of_the_own_part(variant, env):
    status, reason = pair(env, variant, "call=outside", "n=10", workload=EXCHANGE)
    assert status == "failed"
    assert re.fullmatch(r"team: member \d gives all_reduce 80 bytes at byte \d+ of region 'in', of which it has bytes \d+ to \d+",
                        reason), reason


@on(DEVICES)
def test_many_items(variant, env):
    for case in "roles", "reduce", "chunks":
        assert pair(env, variant, f"case={case}", "n=300000", "samples=2") == ("ok", "")


@on(DEVICES)
def test_kernel_that_writes_nothing_is_wrong(variant, env):
    status, reason = pair(env, variant, "case=nothing")
    assert status == "wrong"
    assert "daa66d2c7ddf743f" in reason  # the first poison, untouched: 0x9E3779B97F4A7C15 * 3 modulo 2^64


@on(DEVICES)
def test_results_of_an_earlier_run_do_not_survive(variant, env):
    assert pair(env, variant, "case=tired", "samples=1") == ("ok", "")
    status, reason = pair(env, variant, "case=tired", "samples=2")
    assert status == "wrong"
    assert "1715609f7c746c69" in reason  # the second poison: 0x9E3779B97F4A7C15 * 5 modulo 2^64


@on(DEVICES)
def test_writing_a_whole_region(variant, env):
    status, reason = pair(env, variant, "case=whole-out")
    if workers(variant) > 1:
        assert status == "unsupported"
        assert "may write anywhere in region 'BH_OUT'" in reason and "workers: 1" in reason
    else:
        assert (status, reason) == ("ok", "")


@on(DEVICES[:1])
def test_errors_of_the_compiler_are_told(variant, env):
    status, reason = pair(env, variant, "case=broken")
    assert status == "failed"
    assert reason.startswith("kernel 'check_word': clBuildProgram: CL_BUILD_PROGRAM_FAILURE (-11): ")
    assert "error: " in reason
    status, reason = pair(env, variant, "case=no-entry")
    assert (status, reason) == (
        "failed", "kernel 'check_word': clCreateKernel(\"check_nowhere\"): CL_INVALID_KERNEL_NAME (-46)")


@on(DEVICES[:2])
def test_host_code_alone_is_unsupported(variant, env):
    for check, kernel in ("check-items", "check"), ("check-team", "inline"):
        expected = ("unsupported", f"kernel '{kernel}' has no code for devices")
        assert pair(env, variant, workload=f"{CHECKS}/{check}.so") == expected


@pytest.mark.parametrize("case", [*CASES, "racy"])
def test_oclgrind(case, tmp_path):
    """No race, nothing out of bounds, no wrong call; and one kernel that shows that it would be seen."""
    if not OCLGRIND:
        pytest.skip("Oclgrind is not installed (oclgrind)")
    log = tmp_path / "log"
    (tmp_path / "oclgrind.icd").write_text(OCLGRIND[0] + "\n")
    env = {**os.environ, "OCL_ICD_VENDORS": str(tmp_path / "oclgrind.icd"), "OCLGRIND_DATA_RACES": "1",
           "OCLGRIND_CHECK_API": "1", "OCLGRIND_LOG": str(log)}
    status, reason = pair(env, ("opencl", ["groups=3", "group-size=4"]), f"case={case}", "n=40", "samples=1")
    found = log.read_text() if log.exists() else ""
    if case == "racy":
        assert "data race" in found
    else:
        assert (status, reason, found) == ("ok", "", "")
