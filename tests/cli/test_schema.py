# SPDX-License-Identifier: MIT
"""The JSON Schemas, by a public validator: they are schemas, right matrices and journals pass, wrong ones do not; and
docs/matrix.md's examples do what they say."""
import copy
import json
import re

import pytest
import yaml
from plugins import SOURCE, run, run_json
from supervised import Place, WORKLOAD

jsonschema = pytest.importorskip("jsonschema")
Validator = jsonschema.Draft202012Validator

STATIC = json.loads((SOURCE / "schemas" / "matrix.schema.json").read_text())
JOURNAL = json.loads((SOURCE / "schemas" / "journal.schema.json").read_text())
EXAMPLES = sorted((SOURCE / "examples").glob("*.yaml"))
DOCUMENTED = re.findall(r"^```yaml\n(.*?)^```", (SOURCE / "docs" / "matrix.md").read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def installed():
    return Validator(run_json("schema"))


@pytest.fixture(scope="module")
def present():
    return {plugin["name"] for plugin in run_json("list", "--json")}


def whole(block):
    """An example of the manual with what it leaves out."""
    return block + "".join(f"\n{key}: {value}\n" for key, value in
                           (("benchhost", 1), ("workloads", "[noop]"), ("backends", "[serial]"))
                           if not re.search(rf"^{key}:", block, re.M))


def names_in(matrix):
    names = set()
    for section in ("workloads", "backends"):
        for entry in matrix[section]:
            names |= set(entry) if isinstance(entry, dict) else {entry}
    for item in matrix.get("include", []):
        for entry in item.values():
            for one in entry if isinstance(entry, list) else [entry]:
                names |= set(one) if isinstance(one, dict) else {one}
    return {name for name in names if not name.startswith("$")}


@pytest.mark.parametrize("schema", [STATIC, JOURNAL], ids=["matrix", "journal"])
def test_schemas_are_schemas(schema):
    Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")


def test_installed_schema_is_one(installed):
    Validator.check_schema(installed.schema)


def test_committed_schema_is_current():
    """To refresh: benchhost schema --static >schemas/matrix.schema.json"""
    assert run_json("schema", "--static") == STATIC


@pytest.mark.parametrize("path", EXAMPLES, ids=[p.stem for p in EXAMPLES])
def test_examples_pass(installed, path):
    matrix = yaml.safe_load(path.read_text())
    Validator(STATIC).validate(matrix)
    installed.validate(matrix)


def test_the_manual_has_examples():
    assert len(DOCUMENTED) >= 9


@pytest.mark.parametrize("block", DOCUMENTED, ids=range(len(DOCUMENTED)))
def test_manual(tmp_path, installed, present, block):
    text = whole(block)
    matrix = yaml.safe_load(text)
    missing = names_in(matrix) - present
    if missing:
        pytest.skip(f"not built here: {', '.join(sorted(missing))}")
    Validator(STATIC).validate(matrix)
    installed.validate(matrix)
    path = tmp_path / "m.yaml"
    path.write_text(text)
    plan = run_json("plan", "--json", path)
    said = re.match(r"# (\d+) cells", block)
    assert said, "an example begins with '# N cells'"
    assert len(plan["cells"]) == int(said[1])


def test_installed_schema_knows_every_parameter(installed):
    defs = installed.schema["$defs"]
    kinds = {"workload": 0, "backend": 0}
    for plugin in run_json("list", "--json"):
        kinds[plugin["kind"]] += 1
        names, entries = defs[plugin["kind"]]["anyOf"]
        assert plugin["name"] in names["anyOf"][0]["enum"]
        settings = entries["properties"][plugin["name"]]["properties"]
        described = run("describe", plugin["name"]).stdout
        own = set(settings) - {"variant", "zip", "measure", "limits", "env"}
        for name in own:
            assert re.search(rf"\b{re.escape(name)}\b", described), (plugin["name"], name)
    assert kinds["workload"] >= 5 and kinds["backend"] >= 3
    schedule = defs["backend"]["anyOf"][1]["properties"]["pthread"]["properties"]["schedule"]
    assert schedule["anyOf"][0]["anyOf"][0]["enum"] == ["static", "dynamic", "guided"]
    assert schedule["default"] == "static" and "chunks reach workers" in schedule["description"]


GOOD = {"benchhost": 1, "workloads": ["noop"], "backends": ["serial"]}
WRONG = [
    {"benchhost": 2},
    {"workloads": "noop"},
    {"workloads": []},
    {"workloads": [{"noop": {}, "prime": {}}]},
    {"worklaods": ["noop"]},
    {"seed": -1},
    {"strict": "yes"},
    {"measure": {"round": 3}},
    {"measure": {"precision": 3}},
    {"measure": {"warmup": "3 parsecs"}},
    {"measure": {"deadline": 3}},
    {"limits": {"memory": "12 apples"}},
    {"env": {"A-B": 1}},
    {"env": ["A"]},
    {"sets": {"a b": 1}},
    {"exclude": {"workload": "noop"}},
    {"exclude": [{}]},
    {"include": [{"workload": "noop"}]},
    {"overrides": [{"measure": {"rounds": 1}}]},
    {"overrides": [{"match": {"backend": "serial"}}]},
    {"overrides": [{"match": {"backend": "serial"}, "measure": {"budget": "1s"}}]},
]
WRONG_FOR_PLUGINS = [
    {"workloads": ["pirme"]},
    {"workloads": [{"prime": {"m": 3}}]},
    {"workloads": [{"prime": {"n": True}}]},
    {"workloads": [{"prime": {"n": -1}}]},
    {"workloads": [{"prime": {"n": []}}]},
    {"workloads": [{"prime": {"cost": "eqal"}}]},
    {"workloads": [{"prime": {"n": {"a": 1}}}]},
    {"backends": ["prime"]},
    {"backends": [{"pthread": {"workers": 0}}]},
    {"backends": [{"pthread": {"variant": "x"}}]},
    {"backends": [{"fork": {"transport": ["shm", "tcp"]}}]},
]


def test_the_good_one_is_good(installed):
    Validator(STATIC).validate(GOOD)
    installed.validate(GOOD)


@pytest.mark.parametrize("change", WRONG, ids=json.dumps)
def test_wrong_matrices_fail(installed, change):
    assert not Validator(STATIC).is_valid({**GOOD, **change})
    assert not installed.is_valid({**GOOD, **change})


@pytest.mark.parametrize("change", WRONG + WRONG_FOR_PLUGINS, ids=json.dumps)
def test_what_the_schema_refuses_is_refused(tmp_path, installed, change):
    """Never stricter than the program."""
    matrix = {**GOOD, **change}
    assert not installed.is_valid(matrix)
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(matrix))
    result = run("plan", path)
    assert result.returncode == 64, result.stdout


@pytest.mark.parametrize("values", [
    {"n": "1..16 x2"}, {"n": [1, "2..4", "cores"]}, {"n": "max(1, workers // 2)"}, {"n": "$small"}, {"n": ["$small", 9]},
    {"n": 1e3}, {"n": "1e3"}, {"cost": ["equal", "variable"]}, {"variant": ["portable", "other"]}, {"zip": {"n": [1, 2], "number": "3..4"}},
    {"zip": [{"n": [1, 2]}]}, {"measure": {"precision": "2%", "warmup": 0.5, "min_sample": "2 ms"}}, {"limits": {"memory": "1.5 GiB"}}],
    ids=json.dumps)
def test_all_ways_to_write_a_value_pass(tmp_path, installed, values):
    matrix = {**GOOD, "sets": {"small": [1, 2]}, "workloads": [{"prime": values}]}
    installed.validate(matrix)
    Validator(STATIC).validate(matrix)
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(matrix))
    assert run("plan", path).returncode == 0


def test_null_settings_pass(installed):
    installed.validate({**GOOD, "workloads": [{"noop": None}, "./x.so", {"./y.so": {"a": [1, [2]]}}]})


# ---- the journal ----

@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A real run with cells that are ok, out of time, and not supported."""
    folder = tmp_path_factory.mktemp("journal")
    (folder / "m.yaml").write_text(
        "benchhost: 1\nmeasure: {min_samples: 1, max_samples: 8, max_time: 20ms, warmup: 0}\n"
        "workloads:\n  - noop\n  - prime: {n: 10, variant: [portable, nowhere]}\n"
        "  - collectives: {repeats: 3}\n  - sleep: {items: 1, duration: 30s, limits: {deadline: 200ms}}\n"
        "backends: [serial, pthread: {workers: 2}]\nexclude: [{workload: sleep, backend: pthread}]\nbaseline: serial\n")
    result = run("run", folder / "m.yaml", "--output", folder / "r.jsonl", "--quiet")
    assert result.returncode == 4, result.stderr  # the cell that ran out of time
    lines = [json.loads(line) for line in (folder / "r.jsonl").read_text().splitlines()]
    assert [lines[0]["type"], lines[-1]["type"]] == ["run", "end"]
    assert {line["status"] for line in lines if line["type"] == "cell"} >= {"ok", "timeout", "unsupported"}
    return lines


def errors(line):
    definition = {**JOURNAL, "oneOf": [{"$ref": f"#/$defs/{line.get('type')}"}]}
    return [f"{list(e.path)}: {e.message[:200]}" for e in Validator(definition).iter_errors(line)]


def test_journal_passes(journal):
    for line in journal:
        assert errors(line) == []
        Validator(JOURNAL).validate(line)


def test_every_status_and_every_kind_of_line_pass(tmp_path):
    """A run that ends in each of the eight statuses, resumed after a cut, and once more with --retry-failed."""
    place = Place(tmp_path)
    path = tmp_path / "m.yaml"
    path.write_text(
        "benchhost: 1\nstrict: true\nmeasure: {min_samples: 1, max_samples: 2, max_time: 20ms, warmup: 0}\nworkloads:\n"
        f"  - {WORKLOAD}: {{where: kernel, how: [wrong, crash, fail]}}\n"
        f"  - {WORKLOAD}: {{where: open, how: [fine, skip, unsupported]}}\n"
        f"  - {WORKLOAD}: {{where: kernel, how: hang, limits: {{deadline: 300ms}}}}\n"
        f"  - {WORKLOAD}: {{where: open, how: memory, limits: {{memory: 150MiB}}}}\n"
        "backends: [serial]\n")
    assert place.run(path).returncode == 4
    assert {cell["status"] for cell in place.cells()} == {
        "ok", "skipped", "unsupported", "wrong", "crashed", "timeout", "out-of-memory", "failed"}
    whole = place.journal.read_text().splitlines(keepends=True)
    place.journal.write_text("".join(whole[:4]))
    assert place.run(path, resume=True).returncode == 4
    assert place.run(path, "--retry-failed", resume=True).returncode == 4
    lines = place.lines()
    assert {line["type"] for line in lines} == {"run", "cell", "round", "resume", "retry", "end"}
    for line in lines:
        assert errors(line) == []
        Validator(JOURNAL).validate(line)


@pytest.mark.parametrize("change", [{"id": "x"}, {"round": -1}, {"round": None}, {"status": "ok"}], ids=json.dumps)
def test_wrong_retry_line_fails(change):
    good = {"type": "retry", "id": "0123456789ab", "round": 0}
    assert Validator(JOURNAL).is_valid(good)
    assert not Validator(JOURNAL).is_valid({**good, **change})


@pytest.mark.parametrize("path,value", [
    (("round",), -1), (("started",), KeyError), (("disturbed",), ""), (("rejected",), None), (("flags",), ["odd"]),
    (("disturbance", "steal_s"), KeyError), (("disturbance", "steal_s"), -1), (("disturbance", "throttles"), .5),
    (("disturbance", "other"), 1)], ids=str)
def test_wrong_round_line_fails(journal, path, value):
    good = next(line for line in journal if line["type"] == "round")
    assert Validator(JOURNAL).is_valid(good)
    assert Validator(JOURNAL).is_valid(change(good, ("disturbance", "steal_s"), None))
    assert not Validator(JOURNAL).is_valid(change(good, path, value))


def change(line, path, value):
    line = copy.deepcopy(line)
    at = line
    for key in path[:-1]:
        at = at[key]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return line


@pytest.mark.parametrize("path,value", [
    (("id",), "xyz"), (("id",), KeyError), (("status",), "fine"), (("reason",), "because"), (("steady",), None),
    (("steady", "median_ns"), -1), (("steady", "median_ns"), "5"), (("steady", "samples_ns"), []), (("steady", "ci_reason"), KeyError),
    (("steady", "ci_ns"), [1]), (("steady", "n"), 0), (("steady", "stopped"), "bored"), (("total", "median_ns"), None),
    (("cold_ns",), None), (("phases_ns", "lunch"), 5), (("params",), None), (("flags",), ["Not A Flag"]), (("round",), -1),
    (("memory", "peak"), 5), (("started",), "yesterday"), (("signal",), "SIGSEGV"), (("wall_ns",), KeyError), (("type",), "cel"),
    (("unknown",), 1), (("baseline",), 1), (("kernels",), [{"name": "x"}])], ids=str)
def test_wrong_cell_fails(journal, path, value):
    ok = next(line for line in journal if line.get("status") == "ok")
    assert Validator(JOURNAL).is_valid(ok)
    assert not Validator(JOURNAL).is_valid(change(ok, path, value))


def test_interval_or_reason(journal):
    ok = next(line for line in journal if line.get("status") == "ok")
    both = change(change(ok, ("total", "ci_ns"), [1, 2]), ("total", "ci_reason"), "why not")
    neither = change(change(ok, ("total", "ci_ns"), None), ("total", "ci_reason"), None)
    assert not Validator(JOURNAL).is_valid(both) and not Validator(JOURNAL).is_valid(neither)


@pytest.mark.parametrize("path,value", [(("reason",), None), (("total",), {}), (("cold_ns",), 5), (("status",), "ok")], ids=str)
def test_cell_that_failed_has_no_figure(journal, path, value):
    failed = next(line for line in journal if line.get("status") == "timeout")
    assert not Validator(JOURNAL).is_valid(change(failed, path, value))


@pytest.mark.parametrize("path,value", [
    (("schema",), 2), (("plan",), []), (("matrix", "text"), KeyError), (("environment", "kernel", "state"), "fine"),
    (("measure", "rounds"), -1), (("plugins",), []), (("seed",), "x"), (("argv",), "run")], ids=str)
def test_wrong_run_line_fails(journal, path, value):
    assert not Validator(JOURNAL).is_valid(change(journal[0], path, value))


def test_wrong_end_line_fails(journal):
    assert not Validator(JOURNAL).is_valid(change(journal[-1], ("interrupted",), "no"))
    assert not Validator(JOURNAL).is_valid(change(journal[-1], ("wall_s",), None))
