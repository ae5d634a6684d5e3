# SPDX-License-Identifier: MIT
"""What is to be run on a machine with a GPU (docs/gpu.md: tests/peers/gpu), as far as that can be shown without one: the commands
are planned, the script runs on the driver double with tiny sizes, and its judge knows good from bad."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import plugins

ROOT = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve()
FOLDER = ROOT / "tests" / "peers" / "gpu"
DOUBLE = plugins.BUILD / "tests" / "fake-cuda" / "libbenchhost-fake-cuda.so"
SANITIZER = """#!/bin/sh
while [ "$1" != {benchhost} ]; do [ "$1" = {tool} ] && bad={errors}; shift; done
"$@"
echo "========= ERROR SUMMARY: ${{bad:-0}} errors"
"""


def script(name, *arguments, path=None, **env):
    words = [str(FOLDER / name), *map(str, arguments)]
    full = {**os.environ, **{k: str(v) for k, v in env.items()}}
    if path:
        full["PATH"] = f"{path}:{full['PATH']}"
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=full)


def run_all(folder, *arguments, **more):
    return script("run-all", folder, "--build", plugins.BUILD, *arguments, **more)


def rows(done):
    """{check: (result, words)}"""
    found = re.findall(r"^\| (\S+) \| ([\w ]+) \| \d+ \| (.*) \|$", done.stdout, re.M)
    return {name: (result, words.strip()) for name, result, words in found}


@pytest.fixture(name="double")
def fixture_double():
    env = {"BENCHHOST_CUDA_DRIVER": DOUBLE, "BENCHHOST_FAKE_CUDA": "devices=2"}
    listed = {p["name"]: p for p in plugins.run_json("list", "--json", **env)}
    if not listed["cuda"]["runnable"]:
        pytest.skip(listed["cuda"]["reason"])
    return env


# ---- Without a device ----

def test_every_command_can_be_planned(tmp_path):
    done = run_all(tmp_path / "out", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    planned = rows(done)
    assert {result for result, _ in planned.values()} == {"planned"}, planned
    assert {"cuda", "driver", "isolated", "launches"} <= set(planned)
    for command in ("examples-on cuda quickstart", "examples-on cuda e5-memory", "benchhost peaks -b cuda", "beside_torch.py", "compute-sanitizer --target-processes all --tool racecheck"):
        assert command in done.stdout
    assert not (tmp_path / "out" / "summary.md").exists()


def test_a_quick_run_is_shorter(tmp_path):
    long, short = (run_all(tmp_path / "out", "--dry-run", *more).stdout for more in ((), ("--quick",)))
    assert short.count("--tool ") == 1 and short.count("example-") < long.count("example-")
    assert "--rounds 3" in long and "--rounds 1" in short


@pytest.mark.parametrize("arguments,words", [(["--bad"], "no option --bad"), (["nothing"], "no step 'nothing'"), (["--limit"], "needs a value")])
def test_usage(tmp_path, arguments, words):
    done = run_all(tmp_path, *arguments)
    assert done.returncode == 64 and words in done.stderr
    assert script("run-all").returncode == 64


def test_without_a_gpu_it_fails(tmp_path):
    """It goes on, says why, and nothing that did not run has passed."""
    done = run_all(tmp_path / "out", "found", "driver", BENCHHOST_CUDA_DRIVER=tmp_path / "none.so")
    assert done.returncode == 1
    found = rows(done)
    assert found["found"][0] == "FAILED" and "no driver" in found["found"][1]
    assert found["driver"][0] == found["isolated"][0] == "FAILED"
    assert "no driver" in found["driver"][1]
    assert (tmp_path / "out" / "summary.md").read_text().count("FAILED") >= 3


# ---- On the double ----

def test_on_the_double(tmp_path, double):
    out = tmp_path / "out"
    done = run_all(out, "--small", "found", "compute", "driver", "launches", **double)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {result for result, _ in rows(done).values()} <= {"passed", "left out"}
    for journal in ("cuda", "driver", "isolated", "launches"):
        assert (out / f"{journal}.jsonl").exists() and (out / f"{journal}.log").read_text().startswith("$ ")
    again = run_all(out, "--small", "launches", **double)
    assert again.returncode == 0
    assert (out / "summary.md").read_text().count("| launches |") == 2 and len(rows(again)) == 1


def test_a_double_is_no_gpu(tmp_path, double):
    """Without --small figures are wanted, and a test double's are none."""
    done = run_all(tmp_path / "out", "--limit", "120", "driver", **{**double, "BENCHHOST_FAKE_CUDA": "memory=1000000"})
    assert done.returncode == 1
    assert {result for result, _ in rows(done).values()} == {"FAILED"}


def test_a_check_is_ended(tmp_path, double):
    done = run_all(tmp_path / "out", "--small", "--limit", "3", "launches", **{**double, "BENCHHOST_FAKE_CUDA": "hang=1"})
    assert done.returncode == 1 and rows(done)["launches"][0] == "FAILED"
    assert "ended after 3 s" in (tmp_path / "out" / "launches.log").read_text()


def test_nvrtc_as_a_wheel(tmp_path):
    """Where CUDA came with PyTorch, its libraries are beside Python's packages, and no loader knows them."""
    nvrtc = tmp_path / "site" / "nvidia" / "cu99" / "lib" / "libnvrtc.so.99"
    nvrtc.parent.mkdir(parents=True)
    shutil.copy(plugins.BUILD / "tests" / "fake-cuda" / "libfake-nvrtc.so", nvrtc)
    env = {"BENCHHOST_CUDA_DRIVER": DOUBLE, "BENCHHOST_NVRTC": tmp_path / "none.so"}
    without = rows(run_all(tmp_path / "out", "found", **env))
    found = rows(run_all(tmp_path / "out", "found", PYTHONPATH=tmp_path / "site", **env))
    assert without["found"][0] == "FAILED" and "no NVRTC" in without["found"][1]
    assert found["found"][0] == found["describe"][0] == "passed", found
    assert f"BENCHHOST_NVRTC={nvrtc}" in (tmp_path / "out" / "machine.log").read_text()


@pytest.mark.parametrize("tool,errors,expected", [("memcheck", 0, "passed"), ("memcheck", 2, "FAILED"), ("initcheck", 2, "look")])
def test_what_a_sanitizer_says(tmp_path, double, tool, errors, expected):
    stub = tmp_path / "bin" / "compute-sanitizer"
    stub.parent.mkdir()
    stub.write_text(SANITIZER.format(benchhost=plugins.BUILD / "benchhost", tool=tool, errors=errors))
    stub.chmod(0o755)
    done = run_all(tmp_path / "out", "--small", "sanitizer", path=stub.parent, **double)
    found = {name: result for name, (result, _) in rows(done).items()}
    assert found == {f"sanitizer-{t}": expected if t == tool else "passed" for t in ("memcheck", "racecheck", "initcheck", "synccheck")}
    assert (done.returncode == 0) == (expected != "FAILED")


# ---- The judge ----

def judged(tmp_path, cells, *options, end=({"type": "end", "interrupted": False},)):
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in [*cells, *end]))
    done = script("judge.py", journal, *options)
    return done.returncode, done.stdout.strip()


def cell(status="ok", backend="cuda", reason=None, label="prime | cuda", **facts):
    facts = {name.replace("_", " "): text for name, text in facts.items()} if facts else {"gpu 0": "NVIDIA H200"}
    return {"type": "cell", "status": status, "backend": backend, "reason": reason, "label": label, "facts": facts}


@pytest.mark.parametrize("cells,options,passes", [
    ([cell()], [], True),
    ([cell(), cell("skipped", reason="no driver")], [], False),
    ([cell("skipped", reason="no driver")], ["--may", "skipped:no driver"], False),  # nothing ran
    ([cell(), cell("unsupported", label="x variant=simd | cuda")], ["--may", "unsupported:variant=simd"], True),
    ([cell(), cell("failed", label="x variant=simd | cuda")], ["--may", "unsupported:variant=simd"], False),
    ([cell()], ["--must", "out-of-memory:memory"], False),
    ([cell(), cell("out-of-memory", label="memory bytes=9TB | cuda")], ["--must", "out-of-memory:memory"], True),
    ([cell(backend="serial")], [], False),
    ([cell(gpu_0="Fake")], [], False),
    ([cell(gpu_0="Fake")], ["--double"], True),
    ([cell()], ["--double"], False),
    ([cell(gpu_0="NVIDIA H200", gpu_0_not_isolated="launches are in it")], ["--no-fact", "not isolated"], False),
    ([cell(gpu_0="NVIDIA H200", gpu_0_discarded="3 runs")], ["--no-fact", "not isolated"], True),
    ([cell(timing="events")], [], False),  # on no GPU that anybody named
    ([], [], False),
])
def test_the_judge(tmp_path, cells, options, passes):
    code, words = judged(tmp_path, cells, *options)
    assert code == (0 if passes else 1), words
    assert words


def test_half_a_run_is_none(tmp_path):
    assert judged(tmp_path, [cell()])[0] == 0
    for end in (), ({"type": "end", "interrupted": True},):
        code, words = judged(tmp_path, [cell()], end=end)
        assert code == 1 and "did not come to its end" in words


# ---- The bundle ----

@pytest.mark.skipif(not all(map(shutil.which, ("strip", "ldd"))), reason="no strip or no ldd")
def test_a_bundle_runs_alone(tmp_path):
    """Program, plugins and libraries in one folder: nothing of the build folder is asked for, and the environment says nothing."""
    folder = tmp_path / "bundle"
    done = script("bundle", plugins.BUILD, folder)
    assert done.returncode == 0, done.stderr
    assert script("bundle", plugins.BUILD, folder).returncode == 1  # it is there already
    clean = {"PATH": os.environ["PATH"], "BENCHHOST_CUDA_DRIVER": str(DOUBLE)}
    listed = subprocess.run([folder / "benchhost", "list", "--json"], env=clean, capture_output=True, text=True, timeout=120, check=True)
    paths = {p["name"]: p["path"] for p in json.loads(listed.stdout)}
    assert {"cuda", "serial", "prime", "peaks"} <= set(paths) and all(path.startswith(str(folder)) for path in paths.values())
    loaded = subprocess.run(["ldd", folder / "benchhost.bin"], env={**clean, "LD_LIBRARY_PATH": str(folder / "lib")}, capture_output=True,
                            text=True, timeout=60, check=True).stdout
    assert f"libglib-2.0.so.0 => {folder}/lib/" in loaded and f"libc.so.6 => {folder}" not in loaded
    planned = script("run-all", tmp_path / "out", "--build", folder, "--dry-run", "--quick")
    assert planned.returncode == 0 and "planned" in planned.stdout
    peaks = subprocess.run([folder / "benchhost", "peaks", "-b", "serial", "-p", "items=1", "-p", "bytes=4096", "-f", "op=fma", "-q", "-s",
                            "measure.rounds=1", "-s", "measure.max_time=1ms"], env=clean, capture_output=True, text=True, timeout=120, check=False)
    assert peaks.returncode in (0, 2), peaks.stderr
