# SPDX-License-Identifier: MIT
"""`benchhost check` finds every broken promise that the fixtures can break, and none in plugins that keep them."""
import json
import os
import pathlib
import time

import pytest
from plugins import BUILD, fixture, processes_with, run, run_json


def check(plugin, *settings, **env):
    """(exit status, {promise: (verdict, why)})"""
    arguments = [x for setting in settings for x in ("--param", setting)]
    result = run("check", "--json", plugin, *arguments, timeout=280, **env)
    assert result.returncode in (0, 64), result.stderr
    data = json.loads(result.stdout)
    promises = data["promises"]
    assert data["kept"] + data["broken"] + data["not_tried"] == len(promises)
    assert (result.returncode == 0) == (data["broken"] == 0)
    return result.returncode, [(p["promise"], p["verdict"], p["why"] or "") for p in promises]


def broken(promises):
    return [(promise, why) for promise, verdict, why in promises if verdict == "failed"]


def test_well_behaved_workload():
    status, promises = check(fixture("bad-workload"))
    assert (status, broken(promises)) == (0, [])
    kept = [p for p, verdict, _ in promises if verdict == "ok"]
    for part in ("close accepts NULL", "smallest chunks, 1 worker", "reverse order, 3 workers", "items=0", "items=1",
                 "damaged element in region out", "never written", "writes only the slices", "gives back all memory"):
        assert [p for p in kept if part in p], part


def test_well_behaved_backend():
    status, promises = check(fixture("bad-backend"))
    assert (status, broken(promises)) == (0, [])


WORKLOAD = [
    # where, how, part of the promise that is broken, part of the reason
    ("kernel", "wrong", "runs and verifies", "expected"),
    ("kernel", "null", "runs and verifies", "expected"),
    ("kernel", "overrun", "writes only the slices", "owns bytes"),
    ("kernel", "input", "runs and verifies", "region in, which is an input of the run, at byte 0"),
    ("kernel", "params", "runs and verifies", "changed its parameters' bytes"),
    ("kernel", "worker", "smallest chunks, 3 workers", "expected"),
    ("kernel", "crash", "runs and verifies", "crashed with SIGSEGV"),
    ("kernel", "abort", "runs and verifies", "crashed with SIGABRT"),
    ("kernel", "exit", "runs and verifies", "does the plugin call exit()?"),
    ("kernel", "fail", "runs and verifies", "told to fail in kernel"),
    ("verify", "blind", "never written", "a kernel that does nothing would pass"),
    ("verify", "first", "one damaged element", "after element 63 of region out was changed"),
    ("verify", "mute", "never written", "without saying why"),
    ("verify", "silent", "runs and verifies", "without saying why"),
    ("fill", "silent", "opens and fills", "without saying why"),
    ("prepare", "silent", "runs and verifies", "without saying why"),
    ("prepare", "leak", "fill, run, verify, close gives back", "descriptors"),
    ("open", "silent", "open succeeds", "without saying why"),
    ("open", "leak", "open, close gives back", "descriptors"),
    ("open", "crash", "open succeeds", "crashed with SIGSEGV"),
    ("close", "abort", "open succeeds", "crashed with SIGABRT"),
]


@pytest.mark.parametrize("where,how,promise,why", WORKLOAD, ids=[f"{w}-{h}" for w, h, _, _ in WORKLOAD])
def test_broken_workload(where, how, promise, why):
    status, promises = check(fixture("bad-workload"), f"where={where}", f"how={how}")
    assert status == 64
    found = broken(promises)
    assert [p for p, reason in found if promise in p and why in reason], found


def test_write_behind_a_region_is_caught_in_the_act():
    _, promises = check(fixture("bad-workload"), "where=kernel", "how=beyond")
    reasons = [why for _, why in broken(promises)]
    assert [why for why in reasons if "of region out, which has 512" in why], reasons


BACKEND = [
    ("run", "never", "items", "REDUCE"),
    ("run", "drop", "items", "item 0 was visited 0 times"),
    ("run", "twice", "items", "item 0 was visited 2 times"),
    ("run", "small", "items", "multiple of min_chunk"),
    ("run", "empty", "items", "begin >= end"),
    ("run", "number", "items", "args->worker is not below"),
    ("run", "noreduce", "items", "a worker's part was lost"),
    ("run", "noidentity", "items", "identity"),
    ("run", "share", "items", "BY_WORKER part was given to worker"),
    ("run", "crash", "items", "crashed with SIGSEGV"),
    ("run", "exit", "items", "does the plugin call exit()?"),
    ("run", "silent", "items", "without saying why"),
    ("run", "leak", "open, run, close gives back", "descriptors"),
    ("alloc", "null", "items", "alloc returned NULL"),
    ("alloc", "dirty", "items", "not zeroed at byte 0"),
    ("alloc", "skew", "items", "not 64-byte aligned"),
    ("accept", "silent", "items", "without saying why"),
    ("bind", "fail", "items", "told to fail in bind"),
    ("fetch", "crash", "items", "crashed with SIGSEGV"),
    ("close", "leak", "gives back all memory", "descriptors"),
]


@pytest.mark.parametrize("where,how,promise,why", BACKEND, ids=[f"{w}-{h}" for w, h, _, _ in BACKEND])
def test_broken_backend(where, how, promise, why):
    status, promises = check(fixture("bad-backend"), f"where={where}", f"how={how}")
    assert status == 64
    found = broken(promises)
    assert [p for p, reason in found if promise in p and why in reason], found


def test_results_of_an_earlier_run_must_not_survive():
    """`stale` puts back what the first run left: the idle run must find it where the poison should be."""
    _, promises = check(fixture("bad-backend"), "where=run", "how=stale", "after=2")
    reasons = [why for _, why in broken(promises)]
    assert [why for why in reasons if "instead of the host's poison" in why or "TEMP" in why or "is wrong" in why], reasons


def test_hang_is_ended_and_named():
    start = time.monotonic()
    _, promises = check(fixture("bad-backend"), "where=run", "how=hang", BENCHHOST_CHECK_TIMEOUT_MS=400)
    assert [p for p, why in broken(promises) if "did not answer within 0.4 s" in why and "items" in p]
    assert time.monotonic() - start < 120
    assert processes_with("check --trial") == [] or processes_with(str(fixture("bad-backend"))) == []


def test_orphans_are_ended():
    check(fixture("bad-workload"), "where=open", "how=orphan")
    for _ in range(50):
        if not processes_with(str(fixture("bad-workload"))):
            break
        time.sleep(0.1)
    assert processes_with(str(fixture("bad-workload"))) == []


def test_no_folder_is_left(tmp_path):
    check(fixture("bad-workload"), "where=kernel", "how=crash", TMPDIR=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pair():
    result = run_json("check", "--json", fixture("bad-workload"), "--with", fixture("bad-backend"))
    pair = [p for p in result["promises"] if "bad-backend" in p["promise"]]
    assert [p["verdict"] for p in pair] == ["ok"]
    result = run_json("check", "--json", fixture("bad-workload"), "--with", fixture("bad-workload"))
    pair = [p for p in result["promises"] if p["promise"].startswith("runs and verifies with /")]
    assert [(p["verdict"], p["why"]) for p in pair] == [("not-tried", "both are workloads")]


def test_text_form():
    result = run("check", fixture("bad-workload"), "--param", "where=verify", "--param", "how=blind")
    assert result.returncode == 64
    assert "FAILED     verify notices outputs that were never written" in result.stdout
    assert "ok         close accepts NULL" in result.stdout
    assert "broken" in result.stdout.splitlines()[-1]


def test_a_reason_is_said_once():
    """One fault breaks many promises."""
    lines = run("check", fixture("bad-workload"), "--param", "where=kernel", "--param", "how=crash").stdout.splitlines()
    reasons = [line.strip() for line in lines if line.startswith("   ")]
    assert reasons[:2] == ["it crashed with SIGSEGV", "as above"]
    assert not any(one == two != "as above" for one, two in zip(reasons, reasons[1:]))


@pytest.mark.parametrize("arguments,expected", [
    ([], "give one plugin"),
    (["no-such-plugin"], "no plugin 'no-such-plugin'"),
    (["bad", "--param"], "--param"),
])
def test_bad_usage(arguments, expected):
    result = run("check", *arguments)
    assert result.returncode == 64
    assert expected in result.stderr


def test_bad_parameter_is_told_before_anything_is_tried():
    result = run("check", fixture("bad-workload"), "--param", "nonsense=1")
    assert result.returncode == 64
    assert "nonsense" in result.stdout + result.stderr


def test_refused_and_skipping_plugins():
    assert "rebuild it" in run("check", fixture("wrong-abi")).stderr
    result = run("check", fixture("skips"))
    assert result.returncode == 64
    assert "no frobnicator in this machine" in result.stderr


BACKENDS = sorted(p.stem for p in (BUILD / "plugins").glob("*/*.so"))


@pytest.mark.parametrize("name", BACKENDS)
def test_our_own_backends_keep_the_contract(name):
    if os.environ.get("BH_SKIP_OWN"):
        pytest.skip("BH_SKIP_OWN is set")
    if not run_json("describe", "--json", name)["runnable"]:
        pytest.skip(f"{name} cannot run here")
    _, promises = check(name)
    assert broken(promises) == []


# Small values, so that it takes seconds: what is checked does not depend on size.
OWN = {
    "chunk-mean": ["elements=10000", "chunks=100"],
    "command": ["argv=true", "items=3"],
    "files": ["count=5", "size=100"],
    "memory": ["items=3", "bytes=4096"],
    "peaks": ["op=triad", "bytes=64KiB"],
    "sleep": ["items=5", "duration=1ms"],
    "squares": ["size=300"],
}


@pytest.mark.parametrize("name", sorted(p.stem for p in (BUILD / "workloads").glob("*/*.so")))
def test_our_own_workloads_keep_the_contract(name):
    if not run_json("describe", "--json", name)["runnable"]:
        pytest.skip(f"{name} cannot run here")
    _, promises = check(pathlib.Path(name).name, *OWN.get(name, []))
    assert broken(promises) == []
