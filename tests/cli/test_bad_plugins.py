# SPDX-License-Identifier: MIT
"""A malformed or hostile plugin costs one message: it names the file, says what is wrong, exits 64, and leaves nothing."""
import os
import shutil
import stat
import time

import pytest
from plugins import fixture, processes_with, run

REFUSED = {
    "wrong-magic": "wrong magic 0x12345678",
    "swapped-magic": "byte-swapped",
    "wrong-abi": "built for benchhost ABI 0.4, this host speaks 0.3: rebuild it",
    "short-struct": "bh_plugin_info has 24 bytes",
    "huge-struct": "1048576 bytes, which cannot be",
    "lying-struct": "says that it has 4096 bytes but the object has",
    "no-symbol": "exports no 'bh_plugin'",
    "function-symbol": "not a data object",
    "no-name": "has no name",
    "illegal-name": "its name 'Not Legal' is not legal",
    "wrong-name": "calls itself 'somebody-else' but its file is named 'wrong-name.so'",
    "no-summary": "has no summary",
    "both-kinds": "and is both",
    "no-kind": "and is neither",
    "short-workload": "bh_workload has 16 bytes",
    "short-backend": "bh_backend has 16 bytes",
    "no-open": "no 'open' callback",
    "no-verify": "no 'verify' callback",
    "no-close": "no 'close' callback",
    "no-accept": "no 'accept' callback",
    "no-backend-open": "no 'open' callback",
    "no-alloc": "no 'alloc' callback",
    "no-backend-close": "no 'close' callback",
    "no-run": "no 'run_loop' or 'run_team' callback",
    "no-target": "no legal 'target'",
    "param-name": "named 'Not Legal'",
    "param-reserved": "'variant' takes a name that the matrix uses itself",
    "param-twice": "two parameters are named 'n'",
    "param-type": "unknown type 77",
    "param-default": "default 'many' is not valid",
    "param-limit": "default '11' is not valid",
    "param-choices": "BH_CHOICE without choices",
    "param-choice-twice": "the choice 'a' twice",
    "param-env": "may not set the environment variable 'LD_PRELOAD'",
    "param-env-values": "2 choices but 1 env_values",
    "param-endless": "more than 256 rows",
    "unresolved": "undefined symbol: bh_fixture_symbol_that_nobody_has",
    "wild-pointer": "crashed with SIGSEGV",
    "ctor-crash": "crashed with SIGSEGV",
    "ctor-exit": "ended without an answer",
    "ctor-garbage": "gave no sensible answer",
    "probe-crash": "crashed with SIGABRT",
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_with_its_own_message(name):
    result = run("describe", fixture(name))
    assert result.returncode == 64
    assert result.stdout == ""
    assert result.stderr.count(str(fixture(name))) >= 1
    assert REFUSED[name] in result.stderr


@pytest.mark.parametrize("name", ["ctor-hang", "probe-hang"])
def test_hang_is_ended_by_the_deadline(name):
    start = time.monotonic()
    result = run("describe", fixture(name), BENCHHOST_PROBE_TIMEOUT_MS=700)
    assert result.returncode == 64
    assert "did not answer within 0.7 s and was killed" in result.stderr
    assert 0.6 < time.monotonic() - start < 30
    assert processes_with(str(fixture(name))) == []


def test_all_messages_differ():
    """One message for two faults would leave the author guessing."""
    assert len(set(REFUSED.values())) >= len(REFUSED) - 3  # open and close are missed in both kinds; SIGSEGV twice


def test_noisy_plugin_is_described_and_its_noise_bounded():
    result = run("describe", "--json", fixture("ctor-spam"))
    assert result.returncode == 0
    assert len(result.stderr) < 10000


def test_plugin_that_forks_leaves_no_process():
    result = run("describe", fixture("ctor-fork"), timeout=20)
    assert result.returncode == 0
    for _ in range(50):
        if not processes_with(str(fixture("ctor-fork"))):
            break
        time.sleep(0.1)
    assert processes_with(str(fixture("ctor-fork"))) == []


def test_probe_that_fails_silently_is_named_a_bug():
    result = run("describe", fixture("probe-silent"))
    assert result.returncode == 0
    assert "without saying why: a plugin bug" in result.stdout


def test_future_struct_is_accepted():
    result = run("describe", fixture("long-struct"))
    assert result.returncode == 0
    assert "a plugin of the future" in result.stdout


@pytest.mark.parametrize("content,expected", [(b"", "cannot be loaded"), (b"\x7fELF garbage", "cannot be loaded"),
                                              (b"#!/bin/sh\n", "cannot be loaded")])
def test_not_a_shared_object(tmp_path, content, expected):
    path = tmp_path / "thing.so"
    path.write_bytes(content)
    result = run("describe", path)
    assert result.returncode == 64
    assert expected in result.stderr and str(path) in result.stderr


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_truncated_file(tmp_path, share):
    whole = fixture("good-shape").read_bytes()
    path = tmp_path / "good-shape.so"
    path.write_bytes(whole[:int(len(whole) * share)])
    result = run("describe", path)
    assert result.returncode in (0, 64)  # only debug data may be cut off without harm
    assert result.returncode == 0 or str(path) in result.stderr


def test_folder_and_missing_file(tmp_path):
    folder = tmp_path / "folder.so"
    folder.mkdir()
    result = run("describe", folder)
    assert (result.returncode, "not a file" in result.stderr) == (64, True)
    result = run("describe", tmp_path / "absent.so")
    assert (result.returncode, "no such file" in result.stderr) == (64, True)


def copy_plugin(folder):
    path = folder / "good-shape.so"
    shutil.copy(fixture("good-shape"), path)
    path.chmod(0o644)
    return path


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an explicit path is only checked for root")


@as_root
def test_writable_file_is_refused_as_root(tmp_path):
    path = copy_plugin(tmp_path)
    assert run("describe", path).returncode == 0
    path.chmod(0o666)
    result = run("describe", path)
    assert result.returncode == 64
    assert f"can be written by anybody, so the plugin is not loaded: chmod o-w '{path}'" in result.stderr


@as_root
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_writable_folder_is_refused_as_root_sticky_or_not(tmp_path, mode):
    folder = tmp_path / "open"
    folder.mkdir()
    path = copy_plugin(folder)
    folder.chmod(mode)
    result = run("describe", path)
    folder.chmod(0o755)
    assert result.returncode == 64
    assert "this folder can be written by anybody" in result.stderr


@as_root
def test_foreign_group_is_refused_as_root(tmp_path):
    path = copy_plugin(tmp_path)
    path.chmod(0o664)
    assert run("describe", path).returncode == 0  # root's own group
    try:
        os.chown(path, 0, 12345)
    except PermissionError:
        pytest.skip("this process may not give files away (a user namespace)")
    result = run("describe", path)
    assert result.returncode == 64
    assert "can be written by group 12345" in result.stderr


@as_root
def test_link_out_of_a_safe_folder_is_followed(tmp_path):
    unsafe = tmp_path / "unsafe"
    unsafe.mkdir()
    copy_plugin(unsafe)
    unsafe.chmod(0o777)
    link = tmp_path / "good-shape.so"
    link.symlink_to(unsafe / "good-shape.so")
    result = run("describe", link)
    unsafe.chmod(stat.S_IRWXU)
    assert result.returncode == 64
    assert "can be written by anybody" in result.stderr
