# SPDX-License-Identifier: MIT
"""What the figures and the verdicts of one cell stand on: sizes of samples, poison, seeds, sums of phases."""
import pytest

import plugins
from supervised import Place

ODD = plugins.fixture("odd-workload")
QUICK = "{rounds: 1, min_samples: 6, max_samples: 6, min_sample: 1ms, max_time: 100ms, warmup: 50ms}"
POOLS = ["serial", "pthread: {workers: 2}", "openmp: {workers: 2}", "fork: {workers: 2}",
         "fork: {workers: 2, transport: pipe}"]


def run(folder, case, backends, measure=QUICK, workload=None):
    """-> the cells, in the order of `backends`."""
    place = Place(folder)
    path = folder / "matrix.yaml"
    path.write_text(f"benchhost: 1\nname: test\nseed: 7\nmeasure: {measure}\nworkloads:\n"
                    f"  - {workload or f'{ODD}: {{case: {case}}}'}\n"
                    "backends:\n" + "".join(f"  - {name}\n" for name in backends))
    result = place.run(path)
    place.assert_clean()
    assert place.journal.exists(), result.stderr
    order = place.lines()[0]["plan"]
    return sorted(place.cells(), key=lambda cell: order.index(cell["id"]))


@pytest.mark.parametrize("warmup", ["50ms", "0s"])
def test_slow_first_run_does_not_size_samples(tmp_path, warmup):
    """A first run of 60 ms says nothing of the next, of microseconds: samples must still last about `min_sample`."""
    (cell,) = run(tmp_path, "slow-cold", ["serial"], QUICK.replace("50ms", warmup))
    assert cell["status"] == "ok", cell
    assert cell["cold_ns"] >= 60e6
    assert cell["steady"]["inner"] > 100
    assert len(cell["steady"]["samples_ns"]) == 6


@pytest.mark.parametrize("backend", POOLS[:1] + ["fork: {workers: 1, transport: pipe}"])
def test_temp_of_an_earlier_run_is_no_result(tmp_path, backend):
    (cell,) = run(tmp_path, "stale-temp", [backend])
    assert cell["status"] == "wrong", cell


@pytest.mark.parametrize("backend", POOLS[1:4])
def test_status_is_that_of_the_reason(tmp_path, backend):
    """Several members fail, each with a status of its own: the first one that said why counts, for both."""
    (cell,) = run(tmp_path, "quitter", [backend])
    assert (cell["status"], cell["reason"]) == ("unsupported", "the last member does not like it")


def test_all_backends_get_the_same_inputs(tmp_path):
    cells = run(tmp_path, "seed", POOLS)
    assert [cell["status"] for cell in cells] == ["ok"] * len(POOLS)
    assert len({cell["facts"]["seed"] for cell in cells}) == 1


@pytest.mark.parametrize("backend", POOLS)
def test_what_a_kernel_leaves_of_an_inout(tmp_path, backend):
    (cell,) = run(tmp_path, "inout-out", [backend])
    assert cell["status"] == "ok", cell


def test_total_is_the_sum_of_what_a_user_waits_for(tmp_path):
    (cell,) = run(tmp_path, "seed", ["serial"])
    phases = cell["phases_ns"]
    waited = sum(phases[name] for name in ("load", "open", "alloc", "bind", "cold", "fetch"))
    assert cell["total"]["samples_ns"] == [pytest.approx(waited, abs=1)]


@pytest.mark.parametrize("workload,repeats", [("sleep: {items: 1, duration: 0s}", True), ("command: {argv: 'true'}", True),
                                              ("command: {argv: 'true', prepare: 'true'}", False)])
def test_only_what_is_restored_runs_alone(tmp_path, workload, repeats):
    (cell,) = run(tmp_path, None, ["serial"], QUICK.replace("1ms", "20ms"), workload)
    assert cell["status"] == "ok", cell
    assert (cell["steady"]["inner"] > 1) == repeats
