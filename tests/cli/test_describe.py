# SPDX-License-Identifier: MIT
"""`benchhost describe`: everything that a plugin's table says, and whether it runs here."""
import os
import re
import shutil
import subprocess

import pytest
from plugins import FIXTURES, fixture, run, run_json


def test_json_gives_the_whole_table():
    plugin = run_json("describe", "--json", fixture("bad-workload"))
    assert (plugin["name"], plugin["kind"], plugin["version"]) == ("bad-workload", "workload", "1.0")
    params = {p["name"]: p for p in plugin["params"]}
    assert list(params) == ["items", "where", "how", "after", "min-chunk", "partial"]
    assert params["items"] == {"name": "items", "type": "int", "default": "64", "choices": None, "unit": "items",
                               "help": "number of items", "min": 0.0, "max": 1e9, "env": None, "env_values": None}
    assert params["where"]["choices"] == ["none", "open", "fill", "prepare", "kernel", "verify", "close"]
    assert params["partial"]["type"] == "bool"


def test_open_limit_is_null():
    params = {p["name"]: p for p in run_json("describe", "--json", fixture("bad-backend"))["params"]}
    assert (params["chunk"]["min"], params["chunk"]["max"]) == (0.0, None)


def test_who_built_it_and_what_came_with_it():
    """`readelf` knows the compiler, `ldd` the libraries: what is found is behind the names that the file asks for."""
    plugin = run_json("describe", "--json", fixture("good-shape"))
    if shutil.which("readelf"):
        out = subprocess.run(["readelf", "-p", ".comment", plugin["path"]], capture_output=True, text=True).stdout
        texts = dict.fromkeys(re.findall(r"^  \[ *[0-9a-f]+\]  (.*)$", out, re.M))
        assert plugin["compiler"] == ("; ".join(texts) or None)
    omp = run_json("describe", "--json", "openmp")
    for soname in omp["libraries"]:
        stem = soname.split(".so")[0]
        here = stem in ("libpthread", "libm", "libdl", "libasan", "libubsan", "libtsan")  # the program has them already
        assert any(name.startswith(stem) for name in omp["loaded"]) or here, omp


def test_text():
    result = run("describe", fixture("bad-backend"))
    assert result.returncode == 0
    assert "bad-backend 1.0, a backend: misbehaves" in result.stdout
    assert "runs here  yes" in result.stdout
    assert "runs code  host" in result.stdout
    assert "one of: none, accept, open" in result.stdout
    assert "from 1 to 64" in result.stdout
    assert "at least 0" in result.stdout


def test_why_it_cannot_run_here():
    assert "runs here  no: no frobnicator in this machine" in run("describe", fixture("skips")).stdout


def test_did_you_mean():
    result = run("describe", "bad-backnd", BENCHHOST_PLUGIN_PATH=FIXTURES, BENCHHOST_PROBE_TIMEOUT_MS=5000)
    assert result.returncode == 64
    assert "did you mean 'bad-backend'?" in result.stderr


def test_by_name_by_path_and_by_file_in_the_current_folder():
    by_name = run_json("describe", "--json", "skips", BENCHHOST_PLUGIN_PATH=FIXTURES)
    assert by_name == run_json("describe", "--json", fixture("skips"))
    here = os.getcwd()
    os.chdir(FIXTURES)
    try:
        assert by_name == run_json("describe", "--json", "skips.so")
    finally:
        os.chdir(here)


def test_build_id_is_the_linkers():
    if not shutil.which("readelf"):
        pytest.skip("no readelf")
    notes = subprocess.run(["readelf", "-n", fixture("good-shape")], capture_output=True, text=True, check=True).stdout
    expected = re.search(r"Build ID: ([0-9a-f]+)", notes)
    if not expected:
        pytest.skip("this linker writes no build id")
    assert run_json("describe", "--json", fixture("good-shape"))["build_id"] == expected.group(1)


def test_without_a_build_id_the_file_is_hashed(tmp_path):
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy")
    path = tmp_path / "good-shape.so"
    subprocess.run(["objcopy", "--remove-section", ".note.gnu.build-id", fixture("good-shape"), path], check=True)
    expected = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert run_json("describe", "--json", path)["build_id"] == f"sha256:{expected}"


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--nonsense"]])
def test_bad_usage(arguments):
    result = run("describe", *arguments)
    assert result.returncode == 64
    assert result.stderr
