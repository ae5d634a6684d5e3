# SPDX-License-Identifier: MIT
"""`benchhost list`: what is found, whether it runs here, and that broken plugins are lines and not the end of it."""
import json
import shutil

from plugins import BUILD, FIXTURES, fixture, run, run_json


def put(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(fixture(name), folder / f"{name}.so")
    return folder


def by_name(plugins):
    return {p["name"]: p for p in plugins}


def test_json_has_good_skipping_and_broken_ones(tmp_path):
    folder = put(tmp_path / "p", "good-shape", "skips", "wrong-abi", "bad-backend")
    found = by_name(run_json("list", "--json", BENCHHOST_PLUGIN_PATH=folder))
    assert found["good-shape"]["kind"] == "workload" and found["good-shape"]["runnable"] is True
    assert found["good-shape"]["path"] == str(folder / "good-shape.so")
    assert found["skips"]["runnable"] is False and found["skips"]["reason"] == "no frobnicator in this machine"
    assert found["bad-backend"]["kind"] == "backend" and found["bad-backend"]["target"] == "host"
    assert "rebuild it" in found["wrong-abi"]["error"] and found["wrong-abi"]["path"] == str(folder / "wrong-abi.so")


def test_table(tmp_path):
    folder = put(tmp_path / "p", "good-shape", "skips", "wrong-abi", "ctor-crash")
    result = run("list", BENCHHOST_PLUGIN_PATH=folder)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "VERSION", "RUNS", "FILE", "SUMMARY"]
    rows = {line.split()[0]: line.split() for line in lines[1:] if not line.startswith(" ")}
    assert rows["good-shape"][1:4] == ["workload", "1.0", "yes"]
    assert rows["skips"][3] == "no"
    assert rows["wrong-abi"][3] == "broken"
    assert "cannot run here: no frobnicator in this machine" in result.stdout
    assert "refused: built for benchhost ABI 0.4" in result.stdout
    assert "crashed with SIGSEGV" in result.stdout


def test_first_folder_of_the_path_wins(tmp_path):
    first, second = put(tmp_path / "a", "good-shape"), put(tmp_path / "b", "good-shape", "skips")
    found = by_name(run_json("list", "--json", BENCHHOST_PLUGIN_PATH=f"{first}:{tmp_path / 'absent'}::{second}"))
    assert found["good-shape"]["path"] == str(first / "good-shape.so")
    assert found["skips"]["path"] == str(second / "skips.so")


def test_build_tree_finds_its_own_plugins():
    """Every plugin that was built is found without any variable set, none is broken, and fixtures are not among them."""
    built = {p.stem for kind in ("plugins", "workloads") for p in (BUILD / kind).glob("*/*.so")}
    found = by_name(run_json("list", "--json", BENCHHOST_PLUGIN_PATH=""))
    assert set(found) == built
    assert [p for p in found.values() if "error" in p] == []


def test_hanging_plugins_are_probed_side_by_side(tmp_path):
    folder = put(tmp_path / "p", "ctor-hang", "probe-hang", "good-shape")
    found = by_name(run_json("list", "--json", BENCHHOST_PLUGIN_PATH=folder, BENCHHOST_PROBE_TIMEOUT_MS=700))
    assert "did not answer within 0.7 s" in found["ctor-hang"]["error"]
    assert "did not answer within 0.7 s" in found["probe-hang"]["error"]
    assert found["good-shape"]["runnable"] is True


def test_all_fixtures_at_once():
    """Dozens of broken plugins in one folder: one line each, in one run."""
    found = by_name(run_json("list", "--json", BENCHHOST_PLUGIN_PATH=FIXTURES, BENCHHOST_PROBE_TIMEOUT_MS=5000))
    for path in FIXTURES.glob("*.so"):
        assert path.stem in found


def test_bad_usage():
    assert run("list", "extra").returncode == 64
    result = run("list", "--jsn")
    assert result.returncode == 64 and "--jsn" in result.stderr
    assert run("list", "--help").returncode == 0


def test_json_is_utf8_and_finite(tmp_path):
    folder = put(tmp_path / "p", "bad-backend")
    text = run("list", "--json", BENCHHOST_PLUGIN_PATH=folder).stdout
    assert "NaN" not in text and "Infinity" not in text
    json.loads(text)


def test_names_that_are_not_for_terminals(tmp_path):
    """A link to nothing is said to be one, and what a file is called stays on its line."""
    folder = put(tmp_path / "p", "good-shape")
    (folder / "dangling.so").symlink_to("nowhere")
    (folder / "a\nb\033[31m.so").write_bytes(b"")
    result = run("list", BENCHHOST_PLUGIN_PATH=folder)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert "\033" not in result.stdout and any(line.startswith("a b [31m ") for line in lines)
    at = next(i for i, line in enumerate(lines) if line.startswith("dangling "))
    assert "No such file or directory" in lines[at + 1]


def test_counters():
    """Each with its group; one that cannot be read says why. As a table and as JSON, the same ones."""
    found = run_json("list", "--counters", "--json")
    assert {c["group"] for c in found} == {"cycles", "caches", "branches", "kernel", "energy"}
    assert {"cycles", "instructions", "cache-misses", "branch-misses", "context-switches", "page-faults",
            "energy"} <= {c["name"] for c in found}
    assert all(c["summary"] for c in found)
    assert all(c["note"] for c in found if not c["available"])
    result = run("list", "--counters")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "GROUP", "AVAILABLE", "SUMMARY"]
    rows = {line.split()[0]: line.split()[1:3] for line in lines[1:] if not line.startswith(" ")}
    assert rows == {c["name"]: [c["group"], "yes" if c["available"] else "no"] for c in found}
    assert run("list", "--counters", "extra").returncode == 64
