# SPDX-License-Identifier: MIT
"""The cuda backend on the driver double (tests/fake-cuda): every kernel, order and arguments of calls, lifetimes, and what each
fault does to its cell and to the next one. Kernels are compiled by the real NVRTC; without it these tests are skipped."""
import collections
import json
import pathlib
import re
import struct

import pytest

import plugins

FOLDER = plugins.BUILD / "tests" / "fake-cuda"
DOUBLE = FOLDER / "libbenchhost-fake-cuda.so"
UUID = "46616b65-2043-5544-4120-646f75626c30"  # "Fake CUDA doubl0"
QUICK = "{rounds: 1, min_samples: 2, max_samples: 3, warmup: 0s, max_time: 50ms}"
WORKLOADS = [
    "noop: {items: [1, 1001]}",
    "sleep: {items: 7, duration: 200us}",
    "prime: {n: [1, 301], cost: [equal, variable], number: 9973}",
    "files: {count: 11, size: [0 B, 200 B, 20001 B]}",
    "memory: {items: 5, bytes: [8 B, 100 kB]}",
    "chunk-mean: {elements: [9991, 10000], chunks: [1, 100]}",
    "chunk-mean: {elements: 2000003, chunks: 7}",  # more than one staging buffer
    "prime: {n: 2000003, cost: equal, number: 9}",
    "squares: {size: [1, 97], draws: [1, 999]}",
    "collectives: {op: [barrier, all-reduce, broadcast, reduce-scatter, all-gather, ring, pingpong], bytes: [24 B, 1000 B], repeats: 31}",
    "peaks: {op: fma, items: [1, 11], precision: [double, single]}",
    "peaks: {op: [read, write, copy, triad], bytes: [4096, 100 kB]}",
    "peaks: {op: [read-l1, read-l2], items: 5, bytes: 8192}",
]
# The one that is hit, and others behind it: the seed puts it first.
HIT = ["prime: {n: 301, cost: variable}", "squares: {size: 7, draws: 99}", "noop: {items: 5}"]

Result = collections.namedtuple("Result", "code cells calls error")


class Call:
    """One line of the trace: PID.THREAD NUMBER CALL key=value... -> RESULT."""

    def __init__(self, line):
        head, result = line.rsplit(" -> ", 1)
        who, self.number, self.name, *rest = head.split(" ")
        self.process, self.thread = who.split(".")
        self.result = int(result)
        self.values = dict(word.split("=", 1) for word in rest if "=" in word)
        self.line = line

    def __getitem__(self, name):
        return self.values[name]

    def number_of(self, name):
        return int(self.values[name], 0)


def matrix(workloads, backends="[cuda]", seed=1, limits="{deadline: 60s}"):
    rows = "".join(f"  - {row}\n" for row in workloads)
    return f"benchhost: 1\nseed: {seed}\nmeasure: {QUICK}\nlimits: {limits}\nworkloads:\n{rows}backends: {backends}\n"


class Place:
    def __init__(self, folder):
        self.folder, self.runs = pathlib.Path(folder), 0

    def run(self, text, faults="", driver=DOUBLE):
        self.runs += 1
        path, journal, trace = (self.folder / f"{self.runs}.{end}" for end in ("yaml", "jsonl", "trace"))
        path.write_text(text)
        done = plugins.run("run", path, "--output", journal, timeout=300, BENCHHOST_CUDA_DRIVER=driver,
                           BENCHHOST_FAKE_CUDA=faults, BENCHHOST_FAKE_CUDA_TRACE=trace,
                           BENCHHOST_CACHE_DIR=self.folder / "cache")
        lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        calls = [Call(line) for line in trace.read_text().splitlines()] if trace.exists() else []
        return Result(done.returncode, [line for line in lines if line["type"] == "cell"], calls, done.stderr)


def why_not():
    if not DOUBLE.exists() or not (plugins.BUILD / "plugins" / "cuda" / "cuda.so").exists():
        return "the cuda backend was left out of this build"
    described = plugins.run("list", "--json", BENCHHOST_CUDA_DRIVER=DOUBLE)
    if "no NVRTC" in described.stdout + described.stderr:
        return "no NVRTC here: there is nothing to compile kernels with"
    return None


@pytest.fixture(scope="module", autouse=True)
def possible():
    reason = why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory):
    """Every workload with a kernel, with one stream and with three."""
    return Place(tmp_path_factory.mktemp("all")).run(matrix(WORKLOADS, "[cuda, cuda: {streams: 3}]"))


def only(cells, workload):
    found = [cell for cell in cells if cell["workload"] == workload]
    assert len(found) == 1, [cell["label"] for cell in cells]
    return found[0]


def by_process(calls):
    processes = collections.defaultdict(list)
    for call in calls:
        processes[call.process].append(call)
    return processes


def workers(calls):
    """Processes that had a context."""
    return [process for process in by_process(calls).values() if any(c.name == "cuDevicePrimaryCtxRetain" for c in process)]


# ---- Every kernel ----

def test_every_example(tmp_path):
    """At reduced sizes: every cell ok and verified, or unsupported for a reason of the list, and none by another device."""
    done = plugins.run("cuda", "--quick", "--workers", "1,2", "--output", tmp_path / "out", timeout=600,
                       program=plugins.SOURCE / "tests" / "backends" / "examples-on", BENCHHOST_CUDA_DRIVER=DOUBLE,
                       BENCHHOST_CACHE_DIR=tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [json.loads(line) for path in (tmp_path / "out").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert {cell["facts"]["gpu 0"] for cell in cells if cell["type"] == "cell" and cell["status"] == "ok"} == {"Fake"}


def test_every_kernel_is_ok(all_of_them):
    bad = [f"{c['label']}: {c['status']}: {c['reason']}" for c in all_of_them.cells if c["status"] != "ok"]
    assert not bad, "\n".join(bad)
    assert all_of_them.code == 0
    assert {c["workload"] for c in all_of_them.cells} == {row.split(":")[0] for row in WORKLOADS}


def test_every_record_says_fake(all_of_them):
    for cell in all_of_them.cells:
        assert cell["facts"]["gpu 0"] == "Fake", cell["label"]
        assert cell["facts"]["gpu 0 uuid"] == UUID, cell["label"]


def test_every_kernel_ran_on_the_device(all_of_them):
    ran = {call["entry"] for call in all_of_them.calls if call.name == "run:kernel"}
    assert ran >= {"prime", "squares", "chunk_mean", "files_words", "memory_arrays", "noop", "sleep_items", "peaks_triad", "col_mark",
                   "exchange_f64"}


@pytest.mark.parametrize("options", ["{device: all, streams: 2}", "{block: 7, grid: 5, timing: isolated}"])
def test_every_form_leaves_nothing_behind(place, options):
    """Each form, role and split of benchhost/kernel.h, and teams, on several devices: tests/backends has more about results."""
    check = plugins.BUILD / "tests" / "backends" / "check-device.so"
    cases = "[roles, chain, ragged, chunks, reduce, groups, worker, two-writers, team]"
    result = place.run(matrix([f"{check}: {{case: {cases}, n: [0, 1003]}}"], f"[cuda: {options}]"), "devices=2")
    bad = [f"{c['label']}: {c['status']}: {c['reason']}" for c in result.cells if c["status"] != "ok"]
    assert len(result.cells) == 18 and not bad, "\n".join(bad)
    assert {process[-1]["leaks"] for process in workers(result.calls)} == {"0"}
    failed = [c.line for c in result.calls if c.result and (c.name, c.result) != ("cuModuleGetGlobal", 500)]
    assert not failed, failed


def test_beside_backends_that_fork(place):
    """The driver refuses children of a process that used it; no cell is one."""
    result = place.run(matrix(["prime: {n: 301, cost: variable}", "chunk-mean: {elements: 9991, chunks: 100}"],
                              "[fork: {workers: 2}, cuda, pthread: {workers: 2}, serial]"))
    assert {(c["backend"], c["status"]) for c in result.cells} == {(name, "ok") for name in ("fork", "cuda", "pthread", "serial")}
    for process in by_process(result.calls).values():
        assert [c.result for c in process if c.name == "cuInit"] == [0]


# ---- Order, arguments, lifetimes ----

def test_order_of_calls(all_of_them):
    before = {"cuDeviceGetCount": "cuInit", "cuDevicePrimaryCtxRetain": "cuInit", "cuMemAlloc": "cuCtxSetCurrent",
              "cuStreamCreate": "cuCtxSetCurrent", "cuModuleGetFunction": "cuModuleLoadData",
              "cuLaunchKernel": "cuModuleGetFunction", "cuStreamSynchronize": "cuStreamCreate"}
    assert workers(all_of_them.calls)
    for process in workers(all_of_them.calls):
        seen = set()
        for call in process:
            assert before.get(call.name, call.name) in seen | {call.name}, call.line
            seen.add(call.name)
        assert process[-1].name == "exit"


def test_nothing_went_wrong(all_of_them):
    """No call fails, not even a question: compute-sanitizer counts such answers as errors of the program."""
    failed = [c.line for c in all_of_them.calls if c.result]
    assert not failed, failed
    assert not [c.line for c in all_of_them.calls if c.name in ("overrun", "bad-pointer")]


def test_streams_are_in_order(all_of_them):
    """What was enqueued on a stream ran in that order, and no sooner than somebody waited."""
    waits = {"cuStreamSynchronize", "cuEventSynchronize", "cuMemFree", "cuMemFreeHost", "cuStreamDestroy", "cuMemcpyHtoD",
             "cuMemcpyDtoH", "cuModuleUnload", "cuDevicePrimaryCtxRelease", "cuStreamQuery", "cuEventQuery"}
    for process in workers(all_of_them.calls):
        stream_of, last, running, capturing = {}, {}, collections.Counter(), set()
        for call in process:
            if call.name == "cuStreamBeginCapture":
                capturing.add(call["stream"])
            elif call.name == "cuStreamEndCapture":
                capturing.remove(call["stream"])
            elif call.values.get("stream") in capturing:
                continue  # into the graph, which has an order of its own
            if call.name.startswith("run:") and call["op"] in stream_of:
                stream = stream_of[call["op"]]
                assert call.number_of("op") > last.get(stream, 0), call.line
                last[stream] = call.number_of("op")
                running[call.thread] += 1
            elif "op" in call.values and "stream" in call.values and not call.name.startswith("run:"):
                stream_of[call["op"]] = call["stream"]
                if call.name not in waits:
                    assert not running[call.thread], f"ran before {call.line}"
            if call.name in waits:
                running[call.thread] = 0


def test_no_stream_is_the_default_one(all_of_them):
    """Own streams that wait for no other: flags=1 is CU_STREAM_NON_BLOCKING; the default stream is the context's first."""
    for process in workers(all_of_them.calls):
        own = {c["stream"] for c in process if c.name == "cuStreamCreate"}
        assert all(c["flags"] == "1" for c in process if c.name == "cuStreamCreate")
        assert {c["stream"] for c in process if c.name in ("cuLaunchKernel", "cuMemcpyDtoHAsync")} <= own


def test_memory_is_freed_once_and_unused(all_of_them):
    for process in workers(all_of_them.calls):
        alive = {}
        for call in process:
            if call.name in ("cuMemAlloc", "cuMemAllocManaged", "cuMemHostAlloc"):
                alive[call["id"]] = call
            elif call.name in ("cuMemFree", "cuMemFreeHost"):
                assert alive.pop(call["id"], None), call.line
                assert call["pending"] == "0", call.line
            elif call.name in ("cuStreamDestroy", "cuModuleUnload"):
                assert call["pending"] == "0", call.line
        assert not alive
        assert process[-1]["leaks"] == "0", [c.line for c in process if c.name == "leak"]


def unpack(text):
    """The arguments of a launch, as bytes."""
    return [bytes.fromhex(word) for word in text.split(",")]


def launches(process, entry):
    return [call for call in process if call.name == "cuLaunchKernel" and call["entry"] == entry]


def test_arguments_of_a_launch(place):
    """bh_launch by value, then pointer and stride for each use, then the parameters, at the device's own places."""
    result = place.run(matrix(["prime: {n: 301, cost: equal, number: 9973}"]))
    assert [c["status"] for c in result.cells] == ["ok"]
    (process,) = workers(result.calls)
    sizes = {c["at"]: c.number_of("bytes") for c in process if c.name == "cuMemAlloc"}
    assert launches(process, "prime")
    for call in launches(process, "prime"):
        launch, answers, stride, params = unpack(call["arguments"])
        assert struct.unpack("<QQQ", launch)[:2] == (0, 301)
        assert struct.unpack("<II", params) == (0, 9973)
        assert struct.unpack("<Q", stride) == (0,)
        assert sizes[hex(struct.unpack("<Q", answers)[0])] >= 301 * 4


@pytest.mark.parametrize("backend,faults,lanes", [("cuda: {streams: 3}", "", 3), ("cuda: {device: all}", "devices=2", 2),
                                                  ("cuda: {device: '1,0', streams: 2}", "devices=2", 4)])
def test_lanes_share_the_items(place, backend, faults, lanes):
    result = place.run(matrix(["prime: {n: 301, cost: variable}"], f"[{backend}]"), faults)
    assert [(c["status"], c["reason"]) for c in result.cells] == [("ok", None)]
    (process,) = workers(result.calls)
    parts = sorted({struct.unpack("<QQ", unpack(c["arguments"])[0][:16]) for c in launches(process, "prime")})
    assert len(parts) == lanes
    assert [begin for begin, _ in parts] == [0] + [end for _, end in parts[:-1]] and parts[-1][1] == 301
    assert len({c["stream"] for c in launches(process, "prime")}) == lanes
    devices = {c["device"] for c in process if c.name == "cuStreamCreate"}
    assert devices == ({"0", "1"} if faults else {"0"})


@pytest.mark.parametrize("backend,faults,call", [("cuda: {streams: 3}", "", "cuMemcpyDtoDAsync"),
                                                 ("cuda: {device: all}", "devices=2", "cuMemcpyPeerAsync")])
@pytest.mark.parametrize("op", ["all-reduce", "broadcast", "reduce-scatter", "all-gather"])
def test_collectives_stay_on_the_devices(place, op, backend, faults, call):
    """However often they are repeated, the host sees the data no more often; other GPUs' memory is asked for by its own call."""
    seen = []
    for repeats in 3, 30:
        result = place.run(matrix([f"collectives: {{op: {op}, bytes: 100 kB, repeats: {repeats}}}"], f"[{backend}]"), faults)
        assert [(c["status"], c["reason"]) for c in result.cells] == [("ok", None)]
        (process,) = workers(result.calls)
        host = [c for c in process if c.name in ("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync") and c.number_of("bytes") > 1000]
        runs = sum(c["entry"] == "col_fill" for c in launches(process, "col_fill"))
        seen.append((len(host) / runs, sum(c.name == call for c in process) / runs))
    assert seen[1][0] <= seen[0][0] + 1 and seen[1][1] > 5 * seen[0][1] > 0, seen


def test_no_such_device(place):
    result = place.run(matrix(["noop: {items: 5}"], "[cuda: {device: 1}, serial]"))
    statuses = {c["backend"]: (c["status"], c["reason"]) for c in result.cells}
    assert statuses["serial"][0] == "ok"
    assert statuses["cuda"][0] == "skipped" and "device 1" in statuses["cuda"][1]


# ---- Faults ----

@pytest.mark.parametrize("fault,status,words", [
    ("launch-failure=1@prime", "failed", "CUDA_ERROR_LAUNCH_FAILED"),
    ("launch-failure=3@prime", "failed", "CUDA_ERROR_LAUNCH_FAILED"),
    ("illegal-address=1@prime", "failed", "CUDA_ERROR_ILLEGAL_ADDRESS"),
    ("host-pointer=1@prime", "failed", "CUDA_ERROR_ILLEGAL_ADDRESS"),
    ("device-lost=1@prime", "failed", "CUDA_ERROR_UNKNOWN"),
    ("device-lost=2@prime", "failed", "CUDA_ERROR_UNKNOWN"),
    ("wrong-arch@prime", "failed", "CUDA_ERROR_NO_BINARY_FOR_GPU"),
    ("skip-sync@prime", "wrong", "found"),
])
def test_a_fault_ends_one_cell(place, fault, status, words):
    result = place.run(matrix(HIT), fault)
    hit = only(result.cells, "prime")
    assert (hit["status"], result.code != 0) == (status, True)
    assert words in hit["reason"]
    assert {c["workload"]: c["status"] for c in result.cells if c is not hit} == {"squares": "ok", "noop": "ok"}
    assert hit is not result.cells[-1], "the seed must put the cell that is hit before others"
    if status == "failed":
        assert "Fake" in hit["reason"]


def test_a_kernel_hangs(place):
    assert place.run(matrix(HIT)).code == 0  # compiled now: the deadline below is not for NVRTC
    result = place.run(matrix(HIT, limits="{deadline: 6s}"), "hang=1@prime")
    hit = only(result.cells, "prime")
    assert hit["status"] == "timeout" and "deadline" in hit["reason"]
    assert {c["workload"]: c["status"] for c in result.cells if c is not hit} == {"squares": "ok", "noop": "ok"}


@pytest.mark.parametrize("timing", ["isolated", "batch"])
@pytest.mark.parametrize("fault", ["launch-failure=2@prime", "illegal-address=3@prime", "device-lost=4@prime"])
def test_a_fault_while_it_is_timed(place, fault, timing):
    result = place.run(matrix(HIT, f"[cuda: {{timing: {timing}, batch-time: 1ms, graph: yes}}]"), fault)
    hit = only(result.cells, "prime")
    assert hit["status"] == "failed" and "Fake" in hit["reason"]
    assert {c["workload"]: c["status"] for c in result.cells if c is not hit} == {"squares": "ok", "noop": "ok"}


def test_an_allocation_fails(place):
    """The device says that there is memory, and has none: as happens on real ones."""
    result = place.run(matrix(["prime: {n: [100000, 301], cost: variable}"]), "oom=65536")
    cells = {c["params"]["n"]: c for c in result.cells}
    assert cells[301]["status"] == "ok"
    assert cells[100000]["status"] == "out-of-memory"
    assert all(words in cells[100000]["reason"] for words in ("390.6 KiB", "2 GiB free", "Fake"))
    assert [c for c in result.calls if c.name == "cuMemAlloc" and c.result == 2]


def test_memory_cannot_be_locked(place):
    """Page-locked memory is the host's: what the device has free is no answer."""
    result = place.run(matrix(["prime: {n: [2000000, 301], cost: variable}"]), "pinned=9000000")  # two staging buffers and a bit
    cells = {c["params"]["n"]: c for c in result.cells}
    assert cells[301]["status"] == "ok"
    assert cells[2000000]["status"] == "out-of-memory"
    assert "cuMemHostAlloc of 7.629 MiB" in cells[2000000]["reason"] and "free" not in cells[2000000]["reason"]


def test_a_footprint_is_refused(place):
    """Nothing is allocated for what cannot fit."""
    result = place.run(matrix(["prime: {n: [100000, 301], cost: variable}"]), "memory=100000")
    cells = {c["params"]["n"]: c for c in result.cells}
    assert cells[301]["status"] == "ok"
    assert cells[100000]["status"] == "out-of-memory"
    assert "needs 390.6 KiB" in cells[100000]["reason"] and "97.66 KiB" in cells[100000]["reason"]
    assert not [c for c in result.calls if c.name == "cuMemAlloc" and c.result]


@pytest.mark.parametrize("fault,words", [("no-device", "no device"), ("stub", "stub")])
def test_no_device(place, fault, words):
    result = place.run(matrix(HIT, "[cuda, serial]"), fault)
    assert result.code == 0
    for cell in result.cells:
        if cell["backend"] == "serial":
            assert cell["status"] == "ok"
        else:
            assert cell["status"] == "skipped" and words in cell["reason"]
    assert not [c for c in result.calls if c.name == "cuDevicePrimaryCtxRetain"]


def test_no_driver(place):
    result = place.run(matrix(HIT, "[cuda, serial]"), driver=place.folder / "nowhere.so")
    assert {c["status"] for c in result.cells if c["backend"] == "serial"} == {"ok"}
    skipped = [c for c in result.cells if c["backend"] == "cuda"]
    assert skipped and all(c["status"] == "skipped" and "no driver" in c["reason"] for c in skipped)


# ---- The cache of cubins ----

def cubins(place):
    return sorted((place.folder / "cache").glob("*.cubin"))


def compiled(result):
    """How many cubins were compiled, how many came from the cache."""
    return tuple(map(int, re.search(r"(\d+) compiled, (\d+) from the cache", result.cells[0]["facts"]["jit"]).groups()))


def damage_flip(entry):
    return entry[:-100] + bytes([entry[-100] ^ 1]) + entry[-99:]


def damage_cut(entry):
    return entry[:-1]


def damage_empty(_):
    return b""


def damage_text(_):
    return b"no cubin at all\n" * 100


@pytest.mark.parametrize("damage", [damage_flip, damage_cut, damage_empty, damage_text])
def test_a_damaged_cubin_is_rebuilt(place, damage):
    text = matrix(["prime: {n: 301, cost: variable}"])
    first = place.run(text)
    whole = {path: path.read_bytes() for path in cubins(place)}
    assert whole and compiled(first) == (len(whole), 0)
    for path, entry in whole.items():
        path.write_bytes(damage(entry))
    again = place.run(text)
    assert (again.cells[0]["status"], again.cells[0]["facts"]["gpu 0"]) == ("ok", "Fake")
    assert compiled(again) == (len(whole), 0)
    assert sum("rebuilding" in line for line in again.cells[0]["log"]) == len(whole)
    assert {path: len(path.read_bytes()) for path in cubins(place)} == {path: len(entry) for path, entry in whole.items()}
    third = place.run(text)
    assert third.cells[0]["status"] == "ok" and compiled(third) == (0, len(whole))


# ---- Timing and graphs ----

@pytest.mark.parametrize("graph", ["yes", "no"])
@pytest.mark.parametrize("timing", ["events", "isolated", "batch"])
def test_timing(place, timing, graph):
    result = place.run(matrix(["prime: {n: 301, cost: variable}", "chunk-mean: {elements: 9991, chunks: 100}"],
                              f"[cuda: {{timing: {timing}, graph: '{graph}', batch-time: 1ms}}]"))
    assert [(c["status"], c["reason"]) for c in result.cells] == [("ok", None)] * 2
    for cell in result.cells:
        assert cell["facts"]["timing"].startswith(timing)
        phases = cell["cold_phases"]
        assert ("graph" in phases) == (graph == "yes") and 0 < phases["jit"]["ns"] <= cell["phases_ns"]["open"]
        assert cell["metrics"]["device time"]["median"] > 0
    for process in workers(result.calls):
        names = collections.Counter(call.name for call in process)
        assert (names["cuGraphLaunch"] > 0) == (names["run:graph"] > 0) == (graph == "yes")
        assert names["cuGraphInstantiateWithFlags"] == names["cuGraphExecDestroy"] == names["cuGraphDestroy"]
        blocked = [c for c in process if c.name == "cuLaunchKernel" and c["entry"] == "bh_cuda_block"]
        assert bool(blocked) == (timing != "events")
        assert process[-1]["leaks"] == "0"


def test_isolated_runs_begin_cold(place):
    """The L2 is written over before each run, and what is timed was enqueued while a kernel held the stream back."""
    result = place.run(matrix(["prime: {n: 301, cost: variable}"], "[cuda: {timing: isolated, graph: 'no'}]"))
    assert result.cells[0]["status"] == "ok"
    (process,) = workers(result.calls)
    order = [c["entry"] if c.name == "run:kernel" else "flush" for c in process
             if c.name == "run:kernel" or (c.name == "run:set" and c.number_of("bytes") == 1 << 20)]
    runs = [k for k, what in enumerate(order) if what == "prime"]
    assert len(runs) > 1
    for k in runs[1:]:  # the first one loads the kernel, which may wait for the device: it is not held back, and not counted
        assert "flush" in order[:k] and "bh_cuda_block" in order[max(0, k - 2):k], order[max(0, k - 5):k + 1]
    assert "bh_cuda_block" not in order[:runs[0]]


@pytest.mark.parametrize("graph", ["yes", "no"])
@pytest.mark.parametrize("timing", ["isolated", "batch"])
def test_first_launch_waits(place, timing, graph):
    """Lazy loading: a stream that is held back when a kernel is launched for the first time would wait for its host for ever. So
    would one that is held back when a graph is launched that lies in the host's memory."""
    result = place.run(matrix(["prime: {n: 301, cost: variable}", "squares: {size: 97, draws: 99}"],
                              f"[cuda: {{timing: {timing}, batch-time: 1ms, graph: '{graph}'}}]"), "load-waits")
    assert [(c["status"], c["reason"]) for c in result.cells] == [("ok", None)] * 2
    assert not [c["facts"] for c in result.cells if any("not isolated" in name for name in c["facts"])]
    for process, entry in zip(workers(result.calls), [c["workload"] for c in result.cells]):
        first = next(k for k, c in enumerate(process) if c.name == "cuLaunchKernel" and c["entry"] == entry)
        assert not [c.line for c in process[:first] if c.name == "run:kernel" and c["entry"] == "bh_cuda_block"]


def test_batches_run_alone(place):
    """A lane's batch begins when all other lanes are done with the run before it."""
    result = place.run(matrix(["prime: {n: 301, cost: variable}"], "[cuda: {streams: 3, timing: batch, batch-time: 1ms, graph: 'no'}]"))
    assert [(c["status"], c["reason"]) for c in result.cells] == [("ok", None)]
    (process,) = workers(result.calls)
    stream_of, waiting, lanes = {}, set(), set()
    for call in process:
        if call.name == "cuLaunchKernel":
            stream_of[call["op"]] = call["stream"]
            waiting |= {call["op"]} if call["entry"] == "prime" else set()
        elif call.name == "run:kernel":
            waiting.discard(call["op"])
            if call["entry"] == "bh_cuda_block":
                lanes.add(stream_of[call["op"]])
                others = {op for op in waiting if stream_of[op] not in lanes}
                assert not others, f"{call.line}: {len(others)} launches of other lanes are not done"
    assert len(lanes) == 3


def test_a_slow_clock_is_noticed(place):
    """Below 75 % of the rated clock samples are discarded, and there is an end to that."""
    result = place.run(matrix(["prime: {n: 20000, cost: variable}"], "[cuda: {timing: isolated}]"), "clock=50")
    cell = result.cells[0]
    assert cell["status"] == "ok"
    said = json.dumps([cell["facts"], cell["log"]])
    assert re.search(r"[1-9]\d* runs discarded for an SM clock below 75 %", said), said


def test_a_coarse_timer_is_no_slow_clock(place):
    """Where the device's timer stands still for a millisecond, a short span on it says nothing of the SM clock. (Its times do not:
    sleep's verification would refuse them.)"""
    result = place.run(matrix(["prime: {n: 20000, cost: variable}"], "[cuda: {timing: isolated}]"), "timer-step=1000000")
    cell = result.cells[0]
    assert cell["status"] == "ok"
    step = int(re.search(r"in steps of (\d+) ns$", cell["facts"]["device clock"])[1])
    assert step and step % 1000000 == 0  # more than one where the double had to wait for a CPU all the time
    assert not [name for name in cell["facts"] if "discarded" in name], cell["facts"]
