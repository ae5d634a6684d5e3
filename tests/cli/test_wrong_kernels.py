# SPDX-License-Identifier: MIT
"""No backend lets a kernel pass that computes nothing, or something wrong: outputs are poisoned before every run, so
neither an earlier result nor a fresh page of zeros can stand in for work."""
import pytest
from plugins import run_json
from supervised import Place, WORKLOAD

MEASURE = "{min_samples: 2, max_samples: 2, max_time: 10ms, warmup: 0, min_sample: 1us}"
BACKENDS = {
    "serial": ["serial"],
    "pthread": ["pthread: {workers: [1, 3], schedule: [static, dynamic, guided]}"],
    "fork": ["fork: {workers: [1, 3], schedule: [static, dynamic], transport: [shm, pipe]}"],
    "openmp": ["openmp: {workers: [1, 3], schedule: [static, dynamic, guided]}"],
}


def statuses(tmp_path, backend, settings, limits="{deadline: 60s}"):
    if backend not in {plugin["name"] for plugin in run_json("list", "--json")}:
        pytest.skip(f"{backend} is not built here")
    place = Place(tmp_path)
    path = tmp_path / "matrix.yaml"
    path.write_text(f"benchhost: 1\nmeasure: {MEASURE}\nlimits: {limits}\nworkloads:\n"
                    + "".join(f"  - {WORKLOAD}: {{where: kernel, {one}}}\n" for one in settings)
                    + f"backends: [{', '.join(BACKENDS[backend])}]\n")
    result = place.run(path)
    place.assert_clean()
    return result, place.cells()


@pytest.mark.parametrize("backend", BACKENDS)
def test_fine_is_ok(tmp_path, backend):
    """Else the tests below would pass for a backend that gets everything wrong."""
    result, cells = statuses(tmp_path, backend, ["how: fine, items: [1, 64]"])
    assert result.returncode == 0, result.stderr
    assert {cell["status"] for cell in cells} == {"ok"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_and_null_are_wrong(tmp_path, backend):
    """From the first run on, or only after so many good chunks: by then the right answer has been in the outputs."""
    result, cells = statuses(tmp_path, backend, ['how: ["null", wrong], items: [1, 64]', 'how: ["null", wrong], after: 1'])
    assert result.returncode == 3, result.stderr
    assert {cell["status"] for cell in cells} == {"wrong"}, [(cell["label"], cell["status"]) for cell in cells]
    for cell in cells:
        assert "expected" in cell["reason"] or "never written" in cell["reason"]
        assert cell["steady"] is None and cell["total"] is None and cell["cold_ns"] is None
        assert all(value is None for value in (cell["throughput"] or {}).values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_that_ends_its_process_is_never_ok(tmp_path, backend):
    result, cells = statuses(tmp_path, backend, ["how: [crash, abort, exit, fail], items: 64"])
    assert result.returncode == 4, result.stderr
    expected = {"crash": {"crashed", "failed"}, "abort": {"crashed", "failed"}, "exit": {"crashed", "failed"}, "fail": {"failed"}}
    for cell in cells:
        assert cell["status"] in expected[cell["params"]["how"]], cell["label"]
        assert cell["reason"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_without_end(tmp_path, backend):
    result, cells = statuses(tmp_path, backend, ["how: memory, items: 64"], limits="{deadline: 60s, memory: 200MiB}")
    assert result.returncode == 4, result.stderr
    assert {cell["status"] for cell in cells} == {"out-of-memory"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_cannot_be_written(tmp_path, backend):
    _, cells = statuses(tmp_path, backend, ["how: params, items: 64"])
    assert {cell["status"] for cell in cells} <= {"crashed", "failed"}, [(cell["label"], cell["status"]) for cell in cells]


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_may_only_be_read(tmp_path, backend):
    """Through pipes a worker writes into a copy of its own, which nobody reads again."""
    _, cells = statuses(tmp_path, backend, ["how: input, items: 64"])
    for cell in cells:
        allowed = {"ok", "wrong"} if cell["options"].get("transport") == "pipe" else {"wrong"}
        assert cell["status"] in allowed, (cell["label"], cell["status"])
