# SPDX-License-Identifier: MIT
"""`benchhost new` writes the example projects under another name, and nothing where it should not."""
import resource
import signal
import subprocess

import pytest
from plugins import BENCHHOST, SOURCE, run


@pytest.mark.parametrize("kind,example", [("workload", "my-histogram"), ("backend", "my-threads")])
def test_writes_the_example_under_its_name(tmp_path, kind, example):
    folder = tmp_path / "tally-2"
    result = run("new", kind, "tally-2", "--dir", folder)
    assert result.returncode == 0, result.stderr
    source = SOURCE / "examples" / f"plugin-{kind}"
    expected = {p.name.replace(example, "tally-2"): p.read_text().replace(example, "tally-2") for p in source.iterdir()
                if p.is_file()}
    assert {p.name: p.read_text() for p in folder.iterdir()} == expected
    assert "tally-2.c" in expected and ("tally-2.k.h" in expected) == (kind == "workload")
    assert f"benchhost check build/tally-2.so" in result.stdout


@pytest.mark.parametrize("name", ["", "Tally", "9lives", "a b", "../up", "a/b", "-x", "x_y", "x" * 65, "naïve"])
def test_bad_names(tmp_path, name):
    result = run("new", "workload", "--dir", tmp_path / "out", "--", name)
    assert result.returncode == 64
    assert not (tmp_path / "out").exists()


def test_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "keep").write_text("me")
    result = run("new", "workload", "tally", "--dir", tmp_path)
    assert result.returncode == 64
    assert "exists already; nothing was written" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["keep"]


@pytest.mark.parametrize("arguments", [[], ["workload"], ["plugin", "x"], ["workload", "a", "b"], ["--nonsense"]])
def test_bad_usage(tmp_path, arguments):
    result = run("new", *arguments)
    assert result.returncode == 64
    assert result.stderr


def test_no_half_a_project(tmp_path):
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    result = subprocess.run([BENCHHOST, "new", "workload", "sieve"], cwd=tmp_path, capture_output=True, text=True,
                            preexec_fn=small_files, check=False, timeout=60)
    assert result.returncode == 70
    assert "sieve: cannot be written" in result.stderr and "File too large" in result.stderr
    assert list(tmp_path.iterdir()) == []
