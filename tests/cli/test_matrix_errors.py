# SPDX-License-Identifier: MIT
"""Wrong, malformed and hostile matrices: each is refused with exit status 64, the place where it is wrong, and a phrase that
says what to do; nothing is printed to standard output and no file is written."""
import subprocess

import pytest
from plugins import BENCHHOST, run

HEAD = "benchhost: 1\n"
TAIL = "workloads: [noop]\nbackends: [serial]\n"

# (name, text, "line:column" or None where the whole file is meant, phrases)
BAD = [
    # bytes and YAML
    ("empty", "", "1:1", ["file is empty", "benchhost: 1"]),
    ("only comments", "# nothing\n", "1:1", ["file is empty"]),
    ("nul", "benchhost: 1\nname: a\0b\n", "2:8", ["NUL byte"]),
    ("utf-16", "benchhost: 1\n".encode("utf-16"), "1:1", ["UTF-16", "save it as UTF-8"]),
    ("latin-1", b"benchhost: 1\nname: caf\xe9\n", "2:10", ["invalid UTF-8 (byte 0xe9)"]),
    ("control character", "benchhost: 1\nname: a\x07b\n", "2:8", ["control character U+0007"]),
    ("tab", HEAD + "measure:\n\trounds: 3\n", "3:1", ["a tab", "spaces"]),
    ("unclosed bracket", HEAD + "workloads: [noop\nbackends: [serial]\n", "3:9", ["not valid YAML", "brackets"]),
    ("unclosed quote", HEAD + "name: 'abc\n", "3:1", ["not valid YAML"]),
    ("bad indentation", HEAD + "measure:\n  rounds: 1\n warmup: 1s\n", "4:2", ["not valid YAML", "indentation"]),
    ("colon in plain text", HEAD + "name: a: b\n", "2:8", ["not valid YAML"]),
    ("two documents", HEAD + TAIL + "---\nbenchhost: 1\n", "4:1", ["second document", "two files"]),
    ("a list", "- noop\n", "1:1", ["a matrix is a map", "a list"]),
    ("a word", "hello\n", "1:1", ["a matrix is a map"]),
    ("duplicate key", HEAD + "name: a\nname: b\n", "3:1", ["duplicate key 'name'", "line 2, column 1"]),
    ("duplicate parameter", HEAD + "workloads:\n  - noop: {items: 1, items: 2}\n", "3:22", ["duplicate key 'items'"]),
    ("list as key", HEAD + "? [a, b]\n: c\n", "2:3", ["a key must be a single word"]),
    ("empty key", HEAD + "seed: {'': 1}\n", "2:8", ["empty key"]),
    ("foreign tag", HEAD + "name: !!python/object:os.system x\n", "2:7", ["the tag", "remove it"]),
    ("tag of another kind", HEAD + "name: !!map x\n", "2:7", ["the tag"]),
    ("unknown alias", HEAD + "seed: *nothing\n", "2:7", ["'*nothing' refers to no anchor"]),
    ("alias cycle", HEAD + "sets: &a {x: *a}\n", "2:14", ["contains it", "cycle"]),
    ("merge of a word", HEAD + "measure: {<<: 5}\n", "2:15", ["'<<' merges maps"]),
    ("two merges", HEAD + "sets: {a: &a {x: 1}}\nmeasure: {<<: *a, <<: *a}\n", "3:19", ["duplicate key '<<'"]),
    ("deep nesting", HEAD + "sets: {a: " + "[" * 100 + "]" * 100 + "}\n", "2:73", ["deeper than 64 levels"]),
    ("alias bomb", HEAD + "sets:\n  a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"  a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)), "8:12", ["more than 200000 values"]),
    # top level
    ("no version", TAIL, "1:1", ["begin the matrix with 'benchhost: 1'"]),
    ("other version", "benchhost: 2\n" + TAIL, "1:12", ["version '2'", "reads version 1"]),
    ("misspelt key", HEAD + "workload: [noop]\nbackends: [serial]\n", "2:1", ["unknown key 'workload'", "did you mean 'workloads'"]),
    ("unrelated key", HEAD + "frobnicate: 1\n" + TAIL, "2:1", ["unknown key 'frobnicate'", "known: benchhost"]),
    ("no workloads", HEAD + "backends: [serial]\n", "1:1", ["'workloads' is missing"]),
    ("no backends", HEAD + "workloads: [noop]\n", "1:1", ["'backends' is missing", "NAME"]),
    ("workloads is a map", HEAD + "workloads: {noop: {}}\nbackends: [serial]\n", "2:12", ["expected a list", "- NAME"]),
    ("no workload in the list", HEAD + "workloads: []\nbackends: [serial]\n", "2:12", ["empty list"]),
    ("name is a list", HEAD + "name: [a]\n" + TAIL, "2:7", ["'name' is a list"]),
    ("negative seed", HEAD + "seed: -1\n" + TAIL, "2:7", ["at least 0"]),
    ("seed is text", HEAD + "seed: lucky\n" + TAIL, "2:7", ["'lucky' is not an integer"]),
    ("strict is yes", HEAD + "strict: yes\n" + TAIL, "2:9", ["expected true or false"]),
    ("data is a file", HEAD + "data: /etc/passwd\n" + TAIL, "2:7", ["is no folder"]),
    ("env is a list", HEAD + "env: [A]\n" + TAIL, "2:6", ["expected a map of environment variables"]),
    ("env name", HEAD + "env: {A-B: 1}\n" + TAIL, "2:7", ["'A-B' cannot name an environment variable"]),
    ("env value", HEAD + "env: {AB: [1]}\n" + TAIL, "2:11", ["one text, not a list"]),
    # measure and limits
    ("measure key", HEAD + "measure: {precison: 1%}\n" + TAIL, "2:11", ["did you mean 'precision'"]),
    ("limit in measure", HEAD + "measure: {deadline: 1s}\n" + TAIL, "2:11", ["belongs to 'limits'"]),
    ("precision too wide", HEAD + "measure: {precision: 1}\n" + TAIL, "2:22", ["out of range", "0% to 50%"]),
    ("rounds 0", HEAD + "measure: {rounds: 0}\n" + TAIL, "2:19", ["expected 1 to 10000"]),
    ("rounds half", HEAD + "measure: {rounds: 1.5}\n" + TAIL, "2:19", ["no whole number"]),
    ("duration unit", HEAD + "measure: {warmup: 3 parsecs}\n" + TAIL, "2:19", ["unknown unit 'parsecs'", "known: ns"]),
    ("swapped samples", HEAD + "measure: {min_samples: 50, max_samples: 20}\n" + TAIL, "2:41", ["max_samples (20) is less than"]),
    ("measure is a list", HEAD + "measure: [rounds]\n" + TAIL, "2:10", ["'measure' is a list", "expected a map"]),
    ("measure value missing", HEAD + "measure: {rounds: }\n" + TAIL, "2:19", ["'rounds' is one value, not nothing"]),
    ("memory negative", HEAD + "limits: {memory: -1}\n" + TAIL, "2:18", ["cannot be negative"]),
    ("budget in an entry", HEAD + "workloads: [{noop: {measure: {budget: 1s}}}]\nbackends: [serial]\n", "2:31", ["whole run"]),
    # entries and parameters
    ("unknown workload", HEAD + "workloads: [pirme]\nbackends: [serial]\n", "2:13", ["no workload 'pirme'", "did you mean 'prime'"]),
    ("unknown backend", HEAD + "workloads: [noop]\nbackends: [pthraed]\n", "3:12", ["no backend 'pthraed'", "did you mean 'pthread'"]),
    ("backend as workload", HEAD + "workloads: [serial]\nbackends: [serial]\n", "2:13", ["'serial' is a backend, not a workload"]),
    ("no such path", HEAD + "workloads: [./gone.so]\nbackends: [serial]\n", "2:13", ["gone.so: no such file"]),
    ("two keys in an entry", HEAD + "workloads:\n  - prime:\n    n: 10\nbackends: [serial]\n", "4:5", ["indent the parameters"]),
    ("entry is a list", HEAD + "workloads: [[noop]]\nbackends: [serial]\n", "2:13", ["expected NAME"]),
    ("entry settings", HEAD + "workloads: [noop: 5]\nbackends: [serial]\n", "2:19", ["expected its parameters"]),
    ("unknown parameter", HEAD + "workloads: [{noop: {itms: 5}}]\nbackends: [serial]\n", "2:21",
     ["'itms' is not a parameter of workload 'noop'", "did you mean 'items'"]),
    ("parameter of another", HEAD + "workloads: [noop]\nbackends: [{pthread: {transport: shm}}]\n", "3:23",
     ["'transport' is not a parameter of backend 'pthread'"]),
    ("choice", HEAD + "workloads: [noop]\nbackends: [{pthread: {schedule: dynamc}}]\n", "3:33", ["did you mean 'dynamic'"]),
    ("integer", HEAD + "workloads: [{noop: {items: many}}]\nbackends: [serial]\n", "2:28", ["unknown name 'many'"]),
    ("unit on an integer", HEAD + "workloads: [{noop: {items: 12 apples}}]\nbackends: [serial]\n", "2:28", ["'apples' follows the number"]),
    ("out of limits", HEAD + "workloads: [noop]\nbackends: [{pthread: {workers: 0}}]\n", "3:32", ["expected 1 to 1024"]),
    ("empty sweep", HEAD + "workloads: [{noop: {items: []}}]\nbackends: [serial]\n", "2:28", ["empty list"]),
    ("no value", HEAD + "workloads: [{noop: {items: }}]\nbackends: [serial]\n", "2:28", ["'items' has no value"]),
    ("map as value", HEAD + "workloads: [{noop: {items: {a: 1}}}]\nbackends: [serial]\n", "2:28", ["one integer at a time"]),
    ("list in a list", HEAD + "workloads: [{noop: {items: [[1, 2]]}}]\nbackends: [serial]\n", "2:29", ["one integer at a time, not a list"]),
    ("variant of a backend", HEAD + "workloads: [noop]\nbackends: [{serial: {variant: x}}]\n", "3:31", ["give it to an entry of 'workloads'"]),
    # ranges
    ("empty range", HEAD + "workloads: [{noop: {items: 9..1}}]\nbackends: [serial]\n", "2:28", ["smaller end first"]),
    ("long range", HEAD + "workloads: [{noop: {items: 1..1e9}}]\nbackends: [serial]\n", "2:28", ["more than 10000 values"]),
    ("factor 1", HEAD + "workloads: [{noop: {items: 1..9 x1}}]\nbackends: [serial]\n", "2:28", ["at least 2"]),
    ("step 0", HEAD + "workloads: [{noop: {items: 1..9 +0}}]\nbackends: [serial]\n", "2:28", ["greater than 0"]),
    ("factor from 0", HEAD + "workloads: [{noop: {items: 0..9 x2}}]\nbackends: [serial]\n", "2:28", ["begin above 0"]),
    ("range end", HEAD + "workloads: [{noop: {items: 1..}}]\nbackends: [serial]\n", "2:28", ["not an integer"]),
    ("range of a parameter", HEAD + "workloads: [{prime: {n: 1..limit}}]\nbackends: [serial]\n", "2:25", ["cannot depend on 'limit'"]),
    ("too many cells", HEAD + "workloads: [{noop: {items: 1..5000}}]\nbackends: [{pthread: {workers: 1..1000}}]\n", "2:14",
     ["5000000 cells", "more than 100000"]),
    ("too many combinations", HEAD + "workloads: [noop]\nbackends: [{pthread: {workers: 1..1000, chunk: 1..1000}}]\n", "3:13",
     ["more than 100000 combinations"]),
    # expressions
    ("unknown name", HEAD + "workloads: [{noop: {items: 2 * workrs}}]\nbackends: [pthread]\n", "2:32", ["unknown name 'workrs'", "did you mean 'workers'"]),
    ("dash in a name", HEAD + "workloads: [{noop: {items: cores-one}}]\nbackends: [serial]\n", "2:28", ["put blanks around '-'"]),
    ("division by zero", HEAD + "workloads: [{noop: {items: 10 / (cores - cores)}}]\nbackends: [serial]\n", "2:31", ["division by zero"]),
    ("no whole result", HEAD + "workloads: [{noop: {items: 10 / 4}}]\nbackends: [serial]\n", "2:28", ["2.5", "round down with //"]),
    ("overflow", HEAD + "workloads: [{noop: {items: 1e18 * 1e18}}]\nbackends: [serial]\n", "2:33", ["too large"]),
    ("unclosed parenthesis", HEAD + "workloads: [{noop: {items: (cores}}]\nbackends: [serial]\n", "2:34", ["ends too early"]),
    ("two operators", HEAD + "workloads: [{noop: {items: 2 * * 3}}]\nbackends: [serial]\n", "2:32", ["cannot stand here"]),
    ("comma in braces", HEAD + "workloads: [{noop: {items: max(1, 2)}}]\nbackends: [serial]\n", "2:33", ["ends too early", "quote an expression that has a comma"]),
    ("function", HEAD + "workloads: [{noop: {items: mxa(cores)}}]\nbackends: [serial]\n", "2:28", ["unknown function 'mxa'", "did you mean 'max'"]),
    ("circle", HEAD + "workloads: [noop]\nbackends: [{pthread: {workers: chunk + 1, chunk: workers}}]\n", "3:50", ["depends on itself"]),
    ("choice in an expression", HEAD + "workloads: [{noop: {items: schedule + 1}}]\nbackends: [pthread]\n", "2:28", ["'schedule' is a choice"]),
    ("seconds for an integer", HEAD + "workloads: [{noop: {items: 2 * 10ms}}]\nbackends: [serial]\n", "2:28", ["is a duration", "divide by a unit"]),
    ("computed out of limits", HEAD + "workloads: [noop]\nbackends: [{pthread: {workers: cores * 100000}}]\n", "3:32", ["expected 1 to 1024"]),
    ("deep expression", HEAD + "workloads: [{noop: {items: " + "(" * 60 + "1" + ")" * 60 + "}}]\nbackends: [serial]\n", "2:68", ["nested deeper"]),
    ("long expression", HEAD + "workloads: [{noop: {items: 1" + " + 1" * 200 + "}}]\nbackends: [serial]\n", "2:28", ["longer than 500"]),
    # sets
    ("unknown set", HEAD + "sets: {small: [1]}\nworkloads: [{noop: {items: $smal}}]\nbackends: [serial]\n", "3:28",
     ["'$smal' is not a set", "did you mean 'small'"]),
    ("no sets at all", HEAD + "workloads: [$x]\nbackends: [serial]\n", "2:13", ["the matrix defines none"]),
    ("set cycle", HEAD + "sets: {a: [$b], b: [$a]}\nworkloads: [{noop: {items: $a}}]\nbackends: [serial]\n", "2:21", ["contains itself"]),
    ("sets is a list", HEAD + "sets: [a]\n" + TAIL, "2:7", ["expected a map from names"]),
    ("set name", HEAD + "sets: {'a b': 1}\n" + TAIL, "2:8", ["cannot name a set"]),
    ("set bomb", HEAD + "sets:\n  a0: [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"  a{i}: [{','.join([f'$a{i - 1}'] * 10)}]\n" for i in range(1, 12)) + "workloads: [{noop: {items: $a11}}]\nbackends: [serial]\n",
     "4:16", ["more than 200000 values"]),
    # zip
    ("zip lengths", HEAD + "workloads: [noop]\nbackends: [{pthread: {zip: [{workers: [1, 2, 3], chunk: [4, 5]}]}}]\n", "3:57",
     ["'workers' has 3 values but 'chunk' has 2"]),
    ("zip twice", HEAD + "workloads: [noop]\nbackends: [{pthread: {workers: 1, zip: [{workers: [1, 2], chunk: [4, 5]}]}}]\n", "3:42", ["given twice"]),
    ("zip is a word", HEAD + "workloads: [noop]\nbackends: [{pthread: {zip: workers}}]\n", "3:28", ["a zip group is a single value"]),
    ("zip of unknown", HEAD + "workloads: [noop]\nbackends: [{pthread: {zip: {wrkers: [1]}}}]\n", "3:29", ["did you mean 'workers'"]),
    # patterns
    ("baseline", HEAD + TAIL + "baseline: pthread\n", "4:11", ["the matrix has no backend 'pthread'"]),
    ("baseline matches none", HEAD + "workloads: [{noop: {items: 5}}]\nbackends: [serial]\nbaseline: {items: 6}\n", "4:11", ["matches none of the 1 cells"]),
    ("exclude everything", HEAD + TAIL + "exclude: [{backend: serial}]\n", "4:11", ["drops all 1 cells"]),
    ("exclude empty", HEAD + TAIL + "exclude: [{}]\n", "4:11", ["empty pattern"]),
    ("exclude is a map", HEAD + TAIL + "exclude: {backend: serial}\n", "4:10", ["expected a list"]),
    ("exclude unknown key", HEAD + TAIL + "exclude: [{itmes: 5}]\n", "4:12", ["'itmes' is not a parameter", "did you mean 'items'"]),
    ("exclude qualified", HEAD + TAIL + "exclude: [{backend.items: 5}]\n", "4:12", ["not a parameter of any backend"]),
    ("exclude value", HEAD + TAIL + "exclude: [{items: lots%}]\n", "4:24", ["ends too early"]),
    ("exclude name", HEAD + TAIL + "exclude: [{workload: [nop]}]\n", "4:23", ["did you mean 'noop'"]),
    ("include key", HEAD + TAIL + "include: [{workloads: noop, backend: serial}]\n", "4:12", ["did you mean 'workload'"]),
    ("include half", HEAD + TAIL + "include: [{workload: noop}]\n", "4:11", ["needs both"]),
    ("override without match", HEAD + TAIL + "overrides: [{measure: {rounds: 3}}]\n", "4:13", ["needs 'match'"]),
    ("override without effect", HEAD + TAIL + "overrides: [{match: {backend: serial}}]\n", "4:13", ["at least one of"]),
    ("override key", HEAD + TAIL + "overrides: [{match: {backend: serial}, mesure: {}}]\n", "4:40", ["did you mean 'measure'"]),
    ("override makes nonsense", HEAD + TAIL + "overrides: [{match: {backend: serial}, measure: {max_samples: 3}}]\n", "4:63",
     ["max_samples (3) is less than min_samples (10)"]),
]

# (name, arguments, phrases); the matrix itself is right
BAD_OPTIONS = [
    ("set without value", ["--set", "seed"], ["'=' is missing", "PATH=VALUE"]),
    ("set empty value", ["--set", "seed="], ["value is missing"]),
    ("set misspelt", ["--set", "mesure.rounds=3"], ["--set mesure.rounds:1:1:", "did you mean 'measure'"]),
    ("set misspelt inside", ["--set", "measure.round=3"], ["--set measure.round:1:9:", "did you mean 'rounds'"]),
    ("set index", ["--set", "workloads[7].noop.items=3"], ["index 7 is beyond", "it has 1 items"]),
    ("set entry", ["--set", "workloads.nop.items=3"], ["no entry is named 'nop'", "did you mean 'noop'"]),
    ("set bad index", ["--set", "workloads[x]=3"], ["number in brackets"]),
    ("set into a word", ["--set", "name.x=3"], ["cannot be inside a single value"]),
    ("set bad value", ["--set", "measure.rounds=[1"], ["--set measure.rounds:", "not valid YAML"]),
    ("set bad parameter", ["--set", "workloads.noop.itms=3"], ["did you mean 'items'"]),
    ("set empty name", ["--set", "measure..rounds=3"], ["name is missing"]),
    ("set nothing", ["--set", "=3"], ["name is missing"]),
    ("param without value", ["--param", "items"], ["expected NAME=VALUE"]),
    ("param unknown", ["--param", "itms=3"], ["no plugin in the matrix", "did you mean 'items'"]),
    ("param of another", ["--param", "serial.items=3"], ["--param serial.items: no plugin"]),
    ("param value", ["--param", "items=-3"], ["--param items:1:1:", "expected 0 to 1e+15"]),
    ("filter matches none", ["--filter", "prime"], ["matches none of 1 cells", "noop items=5 | serial"]),
    ("filter key", ["--filter", "itms=3"], ["no cell has 'itms'", "did you mean 'items'"]),
    ("filter value", ["--filter", "items=3"], ["matches none"]),
    ("filter empty", ["--filter", ""], ["KEY=VALUE"]),
    ("data", ["--data", "/nonexistent"], ["--data '/nonexistent'", "no such folder"]),
    ("unknown option", ["--fliter", "x"], ["Unknown option --fliter"]),
    ("second matrix", ["other.yaml"], ["expected one matrix file"]),
]


def refused(result, where, phrases):
    message = result.stderr
    assert result.returncode == 64, f"exit {result.returncode}: {message}"
    assert result.stdout == ""
    assert message.startswith(f"benchhost: {where}"), message
    assert message.count("\n") == 1 or "Usage" in message, message
    for phrase in phrases:
        assert phrase in message, message


@pytest.mark.parametrize("name,text,place,phrases", BAD, ids=[row[0] for row in BAD])
def test_bad_matrix(tmp_path, name, text, place, phrases):
    path = tmp_path / "m.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = run("plan", path)
    refused(result, f"{path}:{place}: " if place else f"{path}: ", phrases)
    assert [p.name for p in tmp_path.iterdir()] == ["m.yaml"]


@pytest.mark.parametrize("name,options,phrases", BAD_OPTIONS, ids=[row[0] for row in BAD_OPTIONS])
def test_bad_option(tmp_path, name, options, phrases):
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + "name: m\nworkloads: [{noop: {items: 5}}]\nbackends: [serial]\n")
    refused(run("plan", path, *options), "", phrases)


def test_no_such_file(tmp_path):
    refused(run("plan", tmp_path / "gone.yaml"), f"{tmp_path}/gone.yaml: ", ["No such file", "path of a matrix file"])


def test_a_folder(tmp_path):
    refused(run("plan", tmp_path), f"{tmp_path}: ", ["directory"])


def test_endless_file():
    refused(run("plan", "/dev/zero"), "/dev/zero: ", ["larger than 8 MiB"])


def test_no_argument():
    refused(run("plan"), "plan: ", ["expected one matrix file"])


def test_large_file(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + "#" * (9 << 20) + "\n" + TAIL)
    refused(run("plan", path), f"{path}: ", ["larger than 8 MiB"])


def test_every_prefix_of_a_good_matrix(tmp_path):
    """A matrix that was cut off anywhere is planned or refused, never a crash."""
    text = (HEAD + "sets: {s: [1, 2]}\nmeasure: &m {rounds: 2}\nworkloads:\n  - noop: {items: $s, measure: {<<: *m}}\n"
            "backends: [serial, {pthread: {workers: 1..4 x2, zip: [{chunk: [1, 2]}]}}]\nexclude: [{workers: 4}]\n"
            "baseline: serial\n")
    path = tmp_path / "m.yaml"
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        result = subprocess.run([BENCHHOST, "plan", path], capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode in (0, 64), (text[:length], result)
        if result.returncode == 64:
            assert result.stderr.startswith(f"benchhost: {path}:"), (text[:length], result.stderr)
