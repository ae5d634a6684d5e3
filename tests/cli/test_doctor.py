# SPDX-License-Identifier: MIT
"""`benchhost doctor` on machines that exist only as files, and what the record and the journal say there; on this machine
only what must hold anywhere."""
import json
import shutil
import subprocess

import pytest

import plugins
from made_up import CPUS, Machine
from supervised import Place

LOOK = "--watch=0.1"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


def doctor(machine, *options):
    return plugins.run("doctor", *options, **machine.env)


def checks(machine, *options):
    """-> exit status, {name: check}, the whole"""
    result = doctor(machine, "--json", *(options or (LOOK,)))
    assert result.returncode in (0, 2), result.stderr
    assert "NaN" not in result.stdout and "Infinity" not in result.stdout
    whole = json.loads(result.stdout)
    found = {check["name"]: check for check in whole["checks"]}
    assert len(found) == len(whole["checks"])
    bad = {name for name, check in found.items() if check["state"] == "bad"}
    assert whole["bad"] == len(bad) and result.returncode == (2 if bad else 0)
    return bad - NOISE, found, whole


def always_bad():
    """What is bad wherever this build is tried: a build for debugging, variables of the shell that runs the tests."""
    environment = json.loads(plugins.run("doctor", "--json", "--watch=0").stdout)["environment"]
    return {name for name in ("build", "variables_removed", "variables_kept") if environment[name]["state"] == "bad"}


NOISE = always_bad()
quiet_build = pytest.mark.skipif(NOISE, reason=f"bad in this build or shell: {', '.join(sorted(NOISE))}")


def test_quiet_machine(machine):
    bad, found, whole = checks(machine)
    assert bad == set()
    assert found["governor"] == {"name": "governor", "title": "governor", "state": "ok", "found": "performance",
                                 "why": "the clock rate follows the load", "todo": None, "needs_root": False,
                                 "tool": "warms up before it measures"}
    assert found["live_steal"]["state"] == "unavailable" # no tick has passed
    assert found["live_gaps"]["state"] == "unavailable" and whole["live"]["spinning"] is None
    assert whole["environment"]["made_up"]["value"] == "BENCHHOST_TEST_ROOT"
    assert whole["environment"]["cores"]["value"] == len(CPUS)


@quiet_build
def test_exit_statuses(machine):
    assert doctor(machine, LOOK).returncode == 0
    quiet = doctor(machine, LOOK, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    machine.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n")
    quiet = doctor(machine, LOOK, "--quiet")
    assert quiet.returncode == 2 and quiet.stdout.startswith("BAD  clock source") and "hpet" in quiet.stdout
    assert "needs root" in quiet.stdout and "governor" not in quiet.stdout


@pytest.mark.parametrize("options", [("--watch=-1",), ("--watch=nan",), ("--watch=1e9",), ("--watch=soon",), ("x",), ("--jsn",)])
def test_bad_usage(machine, options):
    result = doctor(machine, *options)
    assert result.returncode == 64 and result.stdout == "" and result.stderr.startswith("benchhost")


def test_laptop(machine):
    for cpu in CPUS:
        machine.put(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", "powersave\n")
    machine.put("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n")
    machine.put("proc/sys/kernel/randomize_va_space", "0\n")
    machine.put("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 500000 kB\n")
    bad, found, whole = checks(machine)
    assert bad == {"governor", "turbo", "aslr", "memory_available_bytes"}
    for name in ("governor", "turbo", "aslr"):
        assert found[name]["needs_root"] and found[name]["todo"]
    assert found["turbo"]["todo"] == "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
    assert "benchhost ab" in whole["expect"] or NOISE


def test_turbo_of_others_than_intel(machine):
    machine.remove("sys/devices/system/cpu/intel_pstate/no_turbo")
    machine.put("sys/devices/system/cpu/cpufreq/boost", "1\n")
    assert checks(machine)[1]["turbo"]["todo"] == "echo 0 > /sys/devices/system/cpu/cpufreq/boost"


@pytest.mark.skipif(len(CPUS) < 2, reason="one CPU has no sibling")
def test_siblings(machine):
    for cpu in CPUS[:2]:
        machine.put(f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", f"{CPUS[0]},{CPUS[1]}\n")
    bad, found, _ = checks(machine)
    assert bad == {"smt_siblings"}
    assert found["smt_siblings"]["todo"] == f"taskset -c {CPUS[0]} benchhost ..."


def test_virtual_machine(machine):
    machine.virtual(steal=0)
    assert checks(machine)[0] == {"hypervisor"} # which says nothing of steal
    machine.virtual(steal=7)
    bad, _, whole = checks(machine)
    assert bad == set()
    assert whole["expect"].startswith("A virtual machine, quiet now") or NOISE
    assert checks(machine, "--watch=0")[2]["live"] is None


def test_container(machine):
    machine.quota(1.5, throttled=3, throttled_us=1000)
    bad, found, whole = checks(machine)
    assert bad == {"cgroup_cpu_quota"}
    assert found["cgroup_cpu_quota"]["found"] == "1.5" and not found["cgroup_cpu_quota"]["needs_root"]
    assert found["live_throttling"]["state"] == "ok" # not meanwhile
    assert whole["environment"]["cores"]["value"] == min(2, len(CPUS))


def test_busy_machine(machine):
    machine.stat(running=4)
    bad, found, whole = checks(machine)
    assert bad == {"live_run_queue"}
    assert found["live_run_queue"]["found"] == "3.0 tasks besides us on average"
    assert whole["expect"].startswith("Other programs are running") or NOISE


def test_kernel_that_says_nothing(machine):
    """Unavailable alone is fine, and what could be had says how."""
    for kind in ("cpu", "memory", "io"):
        machine.remove(f"proc/pressure/{kind}")
    machine.put("proc/sys/kernel/perf_event_paranoid", "4\n")
    machine.put("sys/class/powercap/intel-rapl:0/name", "package-0\n")
    bad, found, _ = checks(machine)
    assert bad == set()
    for name, words in (("pressure_cpu", "psi=1"), ("perf_event_paranoid", "sysctl"), ("rapl", "chmod")):
        assert found[name]["state"] == "unavailable" and words in found[name]["todo"] and found[name]["needs_root"]
    assert found["live_pressure_cpu"]["state"] == "unavailable" and found["live_pressure_cpu"]["found"]


def test_empty_machine(tmp_path):
    """Not one file: everything unavailable, nothing bad, no crash."""
    class Nothing:
        env = {"BENCHHOST_TEST_ROOT": str(tmp_path / "nowhere")}
    bad, found, whole = checks(Nothing)
    assert bad == set()
    assert {check["state"] for name, check in found.items() if name.startswith("live_")} == {"unavailable"}
    assert all(check["found"] for check in found.values())


def test_names_of_programs_are_not_for_terminals(tmp_path):
    """Another user's program may have any name."""
    program = tmp_path / "a\n\033[31mred"
    shutil.copy("/bin/sh", program)
    with subprocess.Popen([program, "-c", "while :; do :; done"]) as process:
        try:
            result = plugins.run("doctor", "--watch=0.5")
        finally:
            process.kill()
    assert result.returncode in (0, 2)
    assert "\033" not in result.stdout and not any(line.startswith("\033[31mred") for line in result.stdout.splitlines())


def test_this_machine():
    whole = json.loads(plugins.run("doctor", "--json", "--watch=0.4").stdout)
    found = {check["name"]: check for check in whole["checks"]}
    live = whole["live"]
    assert "made_up" not in whole["environment"]
    assert live["quiet"]["wall_s"] >= 0.19 and live["spinning"]["wall_s"] >= 0.19
    assert 0 <= live["gaps"]["share"] <= 1
    assert 1 <= live["clock"]["step_ns"] and live["clock"]["median_reading_ns"] <= live["clock"]["slow_reading_ns"]
    assert found["live_clock"]["state"] in ("ok", "bad") and found["live_gaps"]["state"] in ("ok", "bad")
    text = plugins.run("doctor", "--watch=0.1").stdout
    assert f" of {len(found)} checks found something that disturbs." in text
    assert all(check["title"] in text for check in found.values())


# ---- What a run records ----

MATRIX = """benchhost: 1
name: test
measure: {rounds: 2, min_samples: 1, max_samples: 1, min_sample: 1ms, max_time: 10ms, warmup: 0s, MORE}
workloads:
  - command: {argv: "COMMAND"}
backends: [serial]
"""


def run(tmp_path, machine, command="true"):
    place = Place(tmp_path)
    place.env.update(machine.env)
    path = tmp_path / "m.yaml"
    path.write_text(MATRIX.replace("COMMAND", command).replace(", MORE", ""))
    result = place.run(path)
    assert result.returncode == 0, result.stderr
    return place, [line for line in place.lines() if line["type"] == "round"]


def test_quiet_rounds(tmp_path, machine):
    place, rounds = run(tmp_path, machine)
    assert [line["round"] for line in rounds] == [0, 1]
    for line in rounds + place.cells():
        assert line["disturbance"]["steal_s"] == 0 and line["disturbance"]["throttles"] is None
    for line in rounds:
        assert line["disturbed"] is None and line["flags"] == [] and line["rejected"] is False
    environment = place.lines()[0]["environment"]
    assert environment["cpu_model"]["value"] == "Made-Up 9000" and "made_up" in environment


def test_stolen_rounds(tmp_path, machine):
    """A cell whose command turns the kernel's clock: half of the time that passes is stolen."""
    place, rounds = run(tmp_path, machine, f"sh {machine.stealing_script()}")
    for line in rounds + place.cells():
        disturbance = line["disturbance"]
        assert disturbance["steal_s"] == pytest.approx(disturbance["cpu_s"] / 2) and disturbance["steal_s"] > 0
        assert "stolen" in line["flags"]
    assert all("steal" in line["disturbed"] for line in rounds)
    table = plugins.run("report", str(place.journal)).stdout
    assert "stolen" in table or "disturbed-round" in table


def test_throttled_rounds(tmp_path, machine):
    machine.quota(1.5)
    stat = machine.root / "sys/fs/cgroup/box/cpu.stat"
    script = machine.root / "throttle.sh"
    script.write_text(f"awk '{{ $2 += 90000000 }} {{ print }}' '{stat}' > '{stat}.new' && mv '{stat}.new' '{stat}'\n")
    place, rounds = run(tmp_path, machine, f"sh {script}")
    for line in rounds + place.cells():
        assert line["flags"].count("throttled") == 1
        assert line["disturbance"]["throttled_s"] >= 90
    assert all("quota" in line["disturbed"] for line in rounds)
