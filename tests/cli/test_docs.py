# SPDX-License-Identifier: MIT
"""What the documents show is so: every command in them is run in order, in a folder like the reader's; whole matrices are planned;
commands named in the text exist with their options; links and paths lead somewhere.

A command that is shown is run, unless NOT_RUN says why not. REDUCED gives what makes a published size a few milliseconds."""
import json
import os
import re
import shutil
import subprocess

import pytest
from plugins import BENCHHOST, BUILD, QUIET_SANITIZERS, SOURCE
from test_out_of_tree import staged  # noqa: F401 (a fixture)

MARKDOWN = sorted(p for pattern in ("*.md", "docs/*.md", "plugins/*/*.md", "workloads/*/*.md", "examples/*/*.md", "tests/**/*.md")
                  for p in SOURCE.glob(pattern))
MANUALS = sorted((SOURCE / "docs" / "man").glob("*.[1-9]"))

# Beginnings of commands that no test runs, and why.
NOT_RUN = {
    "tools/quickstart": "installs packages",
    "tools/test": "runs this",
    "tools/studies": "a quarter of an hour of measuring",
    "tests/peers/": "minutes of measuring, and a virtual environment from the network",
    "meson test": "test_out_of_tree runs it in the same projects",
    "meson install": "changes the system; test_out_of_tree installs under another root",
}
QUICK = ("--set measure.min_samples=1 --set measure.max_samples=2 --set measure.max_time=20ms --set measure.warmup=0s "
         "--param prime.n=100 --param chunk-mean.elements=10007")
QUICK_PROJECT = "--set measure.rounds=1 --set measure.min_samples=1 --set measure.max_samples=2 --set measure.max_time=20ms --set measure.warmup=0s"
# What is added to a command.
REDUCED = {
    "build/benchhost first.yaml": QUICK + " --set measure.rounds=1",
    "build/benchhost first.yaml --filter 'prime*' --set measure.rounds=6 --output prime.jsonl": QUICK + " --filter backend=serial,fork",
    # Two cells and few rounds; whether a schedule is slower is for the machine to say (2: nothing could be decided).
    "build/benchhost ab schedule=static schedule=dynamic first.yaml --filter 'prime*' --output ab.jsonl":
        "--param prime.n=100 --filter backend=pthread --filter cost=equal --screen-rounds 6 --confirm-rounds 6 || test $? -le 2",
    "build/benchhost ab --from ab.jsonl --margin 5%": "|| test $? -le 2",
    "benchhost ab schedule=static schedule=dynamic pools.yaml --output schedules.jsonl":
        "--screen-rounds 6 --confirm-rounds 6 || test $? -le 2",
    "BENCHHOST_PLUGIN_PATH=build benchhost matrix.yaml": QUICK_PROJECT,
    "benchhost check build/my-histogram.so": "--param n=1000",
    "benchhost check build/tally.so --with serial": "--param n=1000",
    "benchhost check build/tally.so": "--param n=1000",
    "benchhost check build/tally.so --with opencl": "--param n=1000",
}
# What stands for a file that a page supposes.
SMALL = """benchhost: 1
measure: {rounds: 2, min_samples: 2, max_samples: 3, max_time: 20ms, warmup: 0s}
workloads: [noop]
backends: [serial, pthread: {workers: 2}]
"""
STARTS = re.compile(r"(?:[A-Z_]+=\S* )*(?:build/)?(?:benchhost|meson|ninja|cd|cc|git|sudo|apt-get|python3?|pip|tools/\S+|tests/\S+\.py)\s")


def relative(path):
    return str(path.relative_to(SOURCE))


def fences(text):
    """(language, text) of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


def uncommented(line):
    return re.sub(r"\s+# .*$", "", line).strip()


def commands_of(path):
    text = path.read_text()
    if path.suffix != ".md":
        text = re.sub(r"\\f[A-Z]|\\&", "", text.replace("\\-", "-"))
        lines = [line for block in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.M | re.S) for line in block.splitlines()]
        return lines + re.findall(r"^\.Dl (.*)$", text, re.M)
    found = []
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$|^    (\S[^\n]*)$", text, re.M | re.S):
        language, body, indented = block[1], block[2], block[3]
        if language == "sh":
            found += [uncommented(line) for line in body.splitlines() if uncommented(line)]
        else:
            lines = body.splitlines() if body is not None and not language else (indented or "").splitlines()
            found += [uncommented(line) for line in lines if STARTS.match(line.strip() + " ")]
    return [c for c in found if not c.startswith("#")]


def not_run(command):
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


def reduced(document, command):
    """What is added to a command. The studies' own take minutes each: they are planned, and test_examples runs the matrices."""
    if relative(document) == "docs/studies.md" and command.startswith("benchhost examples/"):
        return "--dry-run"
    return REDUCED.get(command, "")


DOCUMENTS = [p for p in MARKDOWN + MANUALS if commands_of(p)]


def reader(folder, document, installed):
    """What the reader has: a clone with a build, or, for projects of one's own, an installed benchhost."""
    if document.is_relative_to(SOURCE / "examples") and document.suffix == ".md":
        shutil.copytree(document.parent, folder, dirs_exist_ok=True)
        return installed
    if document.name in ("plugins.md", "benchhost-plugin.3"):
        shutil.copy(SOURCE / "examples" / "plugin-backend" / "my-threads.c", folder / "NAME.c")
        return installed
    for name in ("examples", "tools", "docs"):
        (folder / name).symlink_to(SOURCE / name)
    (folder / "build").symlink_to(BUILD)
    (folder / "pools.yaml").write_text(SMALL)
    if document.suffix == ".md":
        for language, block in fences(document.read_text()):
            name = re.search(r"^name: (\S+)$", block, re.M)
            if language == "yaml" and name:
                (folder / f"{name[1]}.yaml").write_text(block)
    return {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "ASAN_OPTIONS": QUIET_SANITIZERS}


def test_documents_are_found():
    names = {relative(p) for p in DOCUMENTS}
    assert names >= {"README.md", "docs/plugins.md", "docs/studies.md", "docs/man/benchhost.1", "docs/man/benchhost-plugin.3",
                     "examples/plugin-workload/README.md", "examples/plugin-backend/README.md", "tests/peers/README.md"}
    assert len(commands_of(SOURCE / "README.md")) >= 6 and len(commands_of(SOURCE / "docs" / "plugins.md")) >= 6


def test_the_lists_name_what_is_shown():
    shown = [command for p in DOCUMENTS for command in commands_of(p)]
    inline = re.findall(r"`([^`\n]+)`", "".join(p.read_text() for p in MARKDOWN))
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in shown + inline), f"NOT_RUN: nothing shows '{start}'"
    for command in REDUCED:
        assert command in shown, f"REDUCED: nothing shows '{command}'"


@pytest.mark.parametrize("document", DOCUMENTS, ids=map(relative, DOCUMENTS))
def test_commands(tmp_path, request, document):
    own = [command for command in commands_of(document) if not not_run(command)]
    if not own:
        pytest.skip("; ".join(sorted({f"{c.split()[0]}: {not_run(c)}" for c in commands_of(document)})))
    needs_install = any(re.match(r"(?:\S+=\S+ )*(?:meson|cc)\b", command) for command in own)
    if needs_install and not (shutil.which("meson") and shutil.which("pkg-config")):
        pytest.skip("no meson or no pkg-config")
    env = reader(tmp_path, document, request.getfixturevalue("staged")[2] if needs_install else None)
    script = "set -e -o pipefail\nless() { cat; }\n"
    for command in own:
        script += f"echo {shell_quoted('$ ' + command)}\n{command} {reduced(document, command)}\n"
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=280, check=False)
    assert result.returncode == 0, f"{relative(document)}: the last of these failed:\n{result.stdout[-5000:]}"
    assert [c for c in own if f"$ {c}\n" not in result.stdout] == []


def shell_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def whole_matrices():
    """docs/matrix.md's are test_schema's, which knows how many cells each gives."""
    for path in MARKDOWN:
        if relative(path) == "docs/matrix.md":
            continue
        for n, (language, block) in enumerate(fences(path.read_text())):
            if language == "yaml" and re.search(r"^workloads:", block, re.M):
                yield pytest.param(block, id=f"{relative(path)}-{n}")


@pytest.mark.parametrize("block", whole_matrices())
def test_matrices_plan(tmp_path, block):
    path = tmp_path / "m.yaml"
    path.write_text(block)
    result = subprocess.run([BENCHHOST, "plan", path], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_readme_has_a_matrix():
    assert len(list(whole_matrices())) >= 1


@pytest.fixture(scope="module")
def helps():
    def text(*command):
        result = subprocess.run([BENCHHOST, *command, "--help"], capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout
    listed = re.findall(r"^  ([a-z]+) ", text().split("Commands", 1)[1].split("\n\n")[0], re.M)
    return {command: set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text(command))) for command in listed}


@pytest.mark.parametrize("document", MARKDOWN, ids=map(relative, MARKDOWN))
def test_commands_in_the_text_exist(document, helps):
    """`benchhost COMMAND --option` in a sentence, which often has a placeholder and so cannot be run."""
    for said in re.findall(r"`(benchhost [^`]+)`", document.read_text()):
        words = said.split()
        command = words[1]
        if command.startswith("internal-") or command.isupper() or command.startswith("--"):
            continue
        if command.endswith(".yaml"):
            command = "run"
        assert command in helps, said
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", said):
            assert option in helps[command], said


def slugs(path):
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("document", MARKDOWN, ids=map(relative, MARKDOWN))
def test_links_and_paths_lead_somewhere(document):
    text = document.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in slugs(target), link
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for path in re.findall(r"`((?:core|docs|examples|plugins|workloads|tests|tools|schemas)/[\w./-]*)[ `]", prose):
        if not any(word.isupper() and len(word) > 2 for word in re.split(r"[/.]", path)):  # plugins/NAME
            assert (SOURCE / path).exists(), path


def built(kind):
    """Plugins of this build: plugins/device is a part of several."""
    return sorted(path.stem for path in BUILD.glob(f"{kind}/*/*.so") if path.stem == path.parent.name)


@pytest.mark.parametrize("kind", ["plugins", "workloads"])
def test_readme_names_every_plugin(kind):
    readme = (SOURCE / "README.md").read_text()
    assert "serial" in built(kind) or "noop" in built(kind)
    assert [name for name in built(kind) if f"| [`{name}`]({kind}/{name}/README.md) |" not in readme] == []


@pytest.mark.parametrize("name", built("plugins"))
def test_readme_names_every_option(name):
    """Its table of backends: an option is in the row, or one of those that the table's head names and the row does not take away."""
    readme = (SOURCE / "README.md").read_text()
    head = re.search(r"^\| backend \| workers are \|(.*)\|$", readme, re.M)[1]
    row = re.search(rf"^\| \[`{name}`\]\(.*?\) \|[^|]*\|(.*)\|$", readme, re.M)[1]
    said = subprocess.run([BENCHHOST, "describe", "--json", name], capture_output=True, text=True, timeout=60, check=True).stdout
    options = {param["name"] for param in json.loads(said)["params"]}
    row = re.sub(r"(`[\w-]+): .*", r"\1`", row)  # `transport: shm` or `pipe`: those are values
    assert options <= set(re.findall(r"`([\w-]+)`", head + row)), options
    assert set(re.findall(r"`([\w-]+)`", row.split(";")[0])) <= options, row


def test_journal_page_names_every_key(tmp_path):
    (tmp_path / "m.yaml").write_text(SMALL)
    run = [BENCHHOST, "m.yaml", "-q", "--no-table"]
    for more in (["-o", "j.jsonl"], ["--resume", "j.jsonl"]):
        result = subprocess.run(run + more, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stderr
    page = (SOURCE / "docs" / "journal.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    lines = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert {line["type"] for line in lines} == {"run", "cell", "round", "resume", "end"}
    for line in lines:
        keys = set(line)
        for group in ("steady", "total", "phases_ns", "throughput", "cost", "memory", "rusage"):
            keys |= set(line.get(group) or {})
        assert keys <= named, f"{line['type']}: {sorted(keys - named)} not in docs/journal.md"


def test_every_flag_is_explained():
    """All that the program can put into `flags` is in docs/journal.md."""
    page = (SOURCE / "docs" / "journal.md").read_text()
    flags = set()
    for path in ("core/worker/record.c", "core/supervisor/cell-line.c"):
        flags |= set(re.findall(r'json_array_add_string_element\(\w+, "([a-z-]+)"\)', (SOURCE / path).read_text()))
    assert len(flags) >= 8
    assert [flag for flag in sorted(flags) if f"`{flag}`" not in page] == []


def test_results_page_shows_a_real_table():
    """The table in docs/results.md is what `report` says of tests/data/pools.jsonl at 80 columns: its first lines."""
    shown = next(block for language, block in fences((SOURCE / "docs" / "results.md").read_text()) if not language)
    result = subprocess.run([BENCHHOST, "report", SOURCE / "tests" / "data" / "pools.jsonl"], capture_output=True, text=True,
                            timeout=60, check=False, env={**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"})
    assert result.stdout.startswith(shown), result.stdout
