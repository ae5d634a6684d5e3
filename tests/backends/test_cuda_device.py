# SPDX-License-Identifier: MIT
"""What test_devices.py asks of opencl, asked of cuda on the driver double (tests/fake-cuda): kernels of every form, role and
split, in every way in which that backend runs and repeats a loop. Kernels are compiled by NVRTC; without it: skipped."""
import os
import tempfile

import pytest
from test_devices import EXCHANGE, exchanges, ident, pair, sizes, workers

DOUBLE, TWINS = (os.environ[name] for name in ("FAKE_CUDA", "FAKE_CUDA_TWINS"))
CASES = ["roles", "chain", "ragged", "chunks", "reduce", "groups", "worker", "seen", "two-writers", "team"]
PLAIN = ("cuda", [])
VARIANTS = [
    PLAIN,
    ("cuda", ["streams=2"]),
    ("cuda", ["device=all", "streams=2", "block=8", "grid=3"]),
    ("cuda", ["block=7", "grid=5", "timing=isolated"]),
    ("cuda", ["block=1", "grid=1", "graph=no"]),
]
REPEATED = [("cuda", ["graph=yes"]), ("cuda", ["graph=yes", "timing=isolated", "streams=2"]),
            ("cuda", ["timing=batch", "batch-time=100us"]), ("cuda", ["timing=batch", "batch-time=100us", "graph=no"])]


@pytest.fixture(scope="module", name="env")
def fixture_env():
    with tempfile.TemporaryDirectory(prefix="benchhost-cuda-") as folder:
        env = {**os.environ, "BENCHHOST_CUDA_DRIVER": DOUBLE, "BENCHHOST_FAKE_CUDA_TWINS": TWINS,
               "BENCHHOST_FAKE_CUDA": "devices=2", "BENCHHOST_CACHE_DIR": folder}
        status, reason = pair(env, PLAIN, "case=roles", "n=1")
        if status == "skipped":
            pytest.skip(reason)
        yield env


@pytest.mark.parametrize("variant", VARIANTS, ids=ident)
@pytest.mark.parametrize("case", CASES)
def test_every_form_role_and_split(case, variant, env):
    for texts in sizes(case):
        assert pair(env, variant, *texts) == ("ok", ""), texts


@pytest.mark.parametrize("variant", VARIANTS[:3], ids=ident)
def test_exchanges(variant, env):
    """Also from device to device."""
    for texts in exchanges("device=all" in variant[1]):
        assert pair(env, variant, *texts, "samples=2", workload=EXCHANGE) == ("ok", ""), texts


@pytest.mark.parametrize("fault,words", [
    ("launch-failure=2@exchange_f64", "CUDA_ERROR_LAUNCH_FAILED"),
    ("illegal-address=4@exchange_fill", "CUDA_ERROR_ILLEGAL_ADDRESS"),
    ("device-lost=3@exchange_f64", "CUDA_ERROR_UNKNOWN"),
])
@pytest.mark.parametrize("call", ["all-reduce", "reduce-scatter"])
def test_a_member_fails_in_a_collective(call, fault, words, env):
    """Nobody waits for it, and its reason is the one that is told."""
    env = {**env, "BENCHHOST_FAKE_CUDA": f"devices=2,{fault}"}
    status, reason = pair(env, VARIANTS[2], f"call={call}", "n=1003", workload=EXCHANGE)
    assert status == "failed" and words in reason and "Fake" in reason


@pytest.mark.parametrize("variant", REPEATED, ids=ident)
@pytest.mark.parametrize("case", CASES)
def test_repeated_loops(case, variant, env):
    """A graph or a batch gives the same results, or it is refused: teams, and for a batch what changes its input."""
    batch = "timing=batch" in variant[1]
    refused = case == "team" or (batch and case in ("roles", "chain", "worker", "seen"))
    for texts in sizes(case):
        status, reason = pair(env, variant, *texts)
        if refused and "n=0" not in texts:
            assert status == "unsupported" and "cannot be repeated" in reason, (texts, reason)
        else:
            assert (status, reason) == ("ok", ""), texts


@pytest.mark.parametrize("variant", VARIANTS + REPEATED[:2], ids=ident)
def test_what_is_wrong_stays_wrong(variant, env):
    """No replay brings back an earlier result: the words of poison are those of test_devices.py."""
    status, reason = pair(env, variant, "case=nothing")
    assert status == "wrong" and "daa66d2c7ddf743f" in reason
    status, reason = pair(env, variant, "case=tired", "samples=2")
    assert status == "wrong" and "1715609f7c746c69" in reason


@pytest.mark.parametrize("variant", VARIANTS[:3], ids=ident)
def test_writing_a_whole_region(variant, env):
    status, reason = pair(env, variant, "case=whole-out")
    several = workers(variant) > 1 or "streams=2" in variant[1]
    assert status == ("unsupported" if several else "ok"), reason


def test_errors_of_the_compiler_are_told(env):
    status, reason = pair(env, PLAIN, "case=broken")
    assert status == "failed" and reason.startswith("kernel check_word: NVRTC ") and "error: " in reason
    status, reason = pair(env, PLAIN, "case=no-entry")
    assert status == "failed" and reason.startswith("cuModuleGetFunction: CUDA_ERROR_NOT_FOUND"), reason
