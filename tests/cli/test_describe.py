# SPDX-License-Identifier: MIT
"""`benchhost describe`: everything that a plugin's table says, and whether it runs here."""
import os
import platform
import re
import shutil
import subprocess

import pytest
from plugins import FIXTURES, fixture, processes_with, run, run_json


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


# ---- kernels and variants: known once the workload is opened ----

def variants(*arguments, **env):
    """Of each kernel: (name, target, code) of its variants."""
    plugin = run_json("describe", "--json", *arguments, **env)
    assert plugin["kernels_reason"] is None
    for kernel in plugin["kernels"]:
        for variant in kernel["variants"]:
            assert set(variant) == {"name", "target", "code", "summary", "runnable", "reason"}
            assert variant["runnable"] == (variant["reason"] is None), variant
    return {k["name"]: [(v["name"], v["target"], v["code"]) for v in k["variants"]] for k in plugin["kernels"]}


PORTABLE = [("portable", "host", "host"), ("portable", "device", "source")]


def test_variants_of_the_shipped_workloads():
    assert variants("chunk-mean") == {
        "chunk-mean": PORTABLE + [("simd", "host", "host"), ("cublas", "cuda", "program")]}
    simd = [("simd", "host", "host"), ("avx512", "host", "host")]
    assert variants("peaks")["fma_double"][:4] == PORTABLE + simd
    assert variants("noop") == {"noop": PORTABLE}  # none but the one that each has
    assert variants("files") == {"files": [("portable", "host", "host"), ("portable", "device", "program")]}
    assert variants("collectives") == {name: PORTABLE for name in ("col_fill", "col_mark", "col_note", "col_move")}


def test_kernels_follow_the_parameters():
    assert list(variants("--param", "op=read", "peaks")) == ["read"]
    assert list(variants("--param", "op=copy", "--param", "op=triad", "peaks")) == ["triad"]  # the last one counts


def test_variants_as_text():
    out = run("describe", "chunk-mean").stdout.split("\nVariants, with its default parameters:\n")[1]
    lines = [line for line in out.splitlines() if "cannot run here" not in line]
    assert lines == ["  kernel chunk-mean", "    portable (host)", "    portable (device)",
                     "    simd (host): sixteen sums at once (AVX2 on x86)",
                     "    cublas (cuda): one matrix-vector product; chunks of equal length"]
    out = run("describe", "--param", "case=quitter", fixture("odd-workload")).stdout
    assert out.endswith("\nIt has no kernels, so there is no variant to choose.\n")
    assert "Variants" not in run("describe", "serial").stdout


def test_a_variants_probe_is_asked():
    arguments = ("--param", "case=variants", fixture("odd-workload"))
    kernel, = run_json("describe", "--json", *arguments)["kernels"]
    found = {v["name"]: (v["runnable"], v["reason"]) for v in kernel["variants"]}
    assert found == {"portable": (True, None), "plain": (True, None), "picky": (False, "needs a \033[31mred\nunit"),
                     "mute": (False, "its probe failed without saying why: a bug in the plugin")}
    out = run("describe", *arguments).stdout
    assert out.split("Variants, with these parameters:\n")[1] == (
        "  kernel many\n    portable (host)\n    plain (host): the same again\n    picky (host)\n"
        "      cannot run here: needs a  [31mred unit\n    mute (host)\n"
        "      cannot run here: its probe failed without saying why: a bug in the plugin\n")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the CPU's flags are x86's")
def test_a_cpus_instructions_decide():
    with open("/proc/cpuinfo") as file:
        flags = set(re.search(r"^flags\s*:(.*)$", file.read(), re.M).group(1).split())
    kernel, = run_json("describe", "--json", "peaks")["kernels"]
    found = {v["name"]: v["runnable"] for v in kernel["variants"] if v["target"] == "host"}
    assert found == {"portable": True, "simd": {"avx2", "fma"} <= flags, "avx512": "avx512f" in flags}


def test_without_a_default_they_are_not_known():
    why = "parameter 'case' has no default: give --param case=VALUE"
    result = run("describe", fixture("odd-workload"))
    assert result.returncode == 0 and result.stdout.endswith(f"\nVariants: not known: {why}\n")
    plugin = run_json("describe", "--json", fixture("odd-workload"))
    assert (plugin["kernels"], plugin["kernels_reason"]) == (None, why)
    result = run("describe", "command")
    assert result.returncode == 0 and "\nVariants: not known: command: open: give argv" in result.stdout
    assert list(variants("--param", "argv=true", "command")) == ["command"]


def test_what_cannot_run_here_is_not_opened():
    plugin = run_json("describe", "--json", fixture("skips"))
    assert (plugin["kernels"], plugin["kernels_reason"]) == (None, plugin["reason"])
    assert "kernels" not in run_json("describe", "--json", "serial")


@pytest.mark.parametrize("how, words", [
    ("crash", "crashed with SIGSEGV"), ("abort", "crashed with SIGABRT"), ("exit", "ended without an answer"),
    ("hang", "did not answer within 1.5 s and was killed"), ("fail", "bad-workload: open: fixture: told to fail in open"),
    ("silent", "bad-workload: open: it failed without saying why"), ("skip", "bad-workload: open: fixture: told to skip")])
def test_a_plugin_whose_open_goes_wrong(how, words, tmp_path):
    path = fixture("bad-workload")
    result = run("describe", "--param", "where=open", "--param", f"how={how}", path, BENCHHOST_PROBE_TIMEOUT_MS=1500,
                 TMPDIR=tmp_path)
    assert result.returncode == 64 and words in result.stderr and not result.stdout
    assert not list(tmp_path.iterdir()) and not processes_with(str(tmp_path))


def test_a_variant_whose_probe_dies():
    result = run("describe", "--param", "case=variant-dies", fixture("odd-workload"))
    assert result.returncode == 64 and "crashed with SIGABRT" in result.stderr


@pytest.mark.parametrize("arguments, words", [
    (["--param", "nothing=5", "noop"], "NAME a parameter of 'noop'"), (["--param", "elements", "chunk-mean"], "NAME=VALUE"),
    (["--param", "elements=many", "chunk-mean"], "'many' is not an integer"),
    (["--param", "elements=3", "--param", "chunks=9", "chunk-mean"], "chunk-mean: open: chunks=9 is more than"),
    (["--param", "workers=2", "serial"], "this is a backend")])
def test_parameters_that_are_none(arguments, words):
    result = run("describe", *arguments)
    assert result.returncode == 64 and words in result.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--nonsense"]])
def test_bad_usage(arguments):
    result = run("describe", *arguments)
    assert result.returncode == 64
    assert result.stderr
