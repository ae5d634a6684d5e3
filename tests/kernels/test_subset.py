# SPDX-License-Identifier: MIT
"""The table in docs/kernels.md tells the truth: each row's snippet meets every compiler, and benchhost-kernel refuses what the page
says it refuses, at the right line. What the page says to write instead works everywhere and gives the host's results."""
import concurrent.futures
import functools
import math
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import compilers
import pytest
import snippets

PAGE = compilers.SOURCE / "docs" / "kernels.md"
COLUMNS = ("gcc", "clang", "nvrtc", "opencl-clang", "pocl")
WORDS = {"ok", "fails", "crashes", "varies"}  # found may also be "differs": compiles, and gives another result than the host
ITEMS = 16


def table():
    """{row: (construct, {column: word}, refused, instead)}"""
    section = PAGE.read_text().split("## What works where", 1)[1].split("\n## ", 1)[0]
    rows = {}
    for line in re.findall(r"^\| (`.*)\|$", section, re.M):
        cells = [cell.strip() for cell in line.split(" | ")]
        assert len(cells) == 9, line
        assert cells[0].strip("`") not in rows, line
        rows[cells[0].strip("`")] = (cells[1], dict(zip(COLUMNS, cells[2:7])), cells[7], cells[8].rstrip(" |"))
    return rows


ROWS = table()
REFUSED = [name for name, row in ROWS.items() if row[2] == "yes"]


def test_rows_and_snippets_are_the_same():
    assert list(ROWS) and set(ROWS) == set(snippets.ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_row_is_complete(name):
    construct, words, refused, instead = ROWS[name]
    assert construct and set(words.values()) <= WORDS and refused in ("yes", "no")
    assert bool(instead) == (refused == "yes") == (snippets.ROWS[name].instead is not None)
    if refused == "no":
        assert set(words.values()) == {"ok"}, "what does not work everywhere must be refused"


# ---- what the compilers say ----

@functools.cache
def tried_versions():
    """The versions that the page names: others may take more, or less."""
    text = " ".join(PAGE.read_text().split("## What works where", 1)[1][:600].split())
    return {"gcc": re.search(r"gcc (\d+)", text)[1], "clang": re.search(r"clang (\d+)", text)[1],
            "nvrtc": re.search(r"NVRTC (\d+\.\d+)", text)[1], "pocl": re.search(r"PoCL (\d+\.\d+)", text)[1]}


@functools.cache
def version(column):
    if column in ("nvrtc", "pocl"):
        return getattr(compilers, column)(device_text("double", "bad"))[2]["version"]
    program = column if column in ("gcc", "clang") else "clang"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    return re.search(r"(\d+)\.\d+\.\d+", said)[1]


FOLDER = tempfile.TemporaryDirectory(prefix="benchhost-snippets-")


@functools.cache
def written(name, kind):
    path = pathlib.Path(FOLDER.name) / f"{name}.{kind}.k.h"
    path.write_text(getattr(snippets.ROWS[name], kind))
    return path


@functools.cache
def device_text(name, kind):
    return compilers.text_of(written(name, kind))


def parameters_of(name, kind):
    """(type, initializer) in C."""
    match = re.search(r"BH_\w+_KERNEL\d\(snippet, .*?(\w+_params|uneven|held), ", getattr(snippets.ROWS[name], kind))
    return match[1], snippets.PARAMETERS.get(name, "{0}")


HOST_RUN = """
#include <stdio.h>
#define BH_TWIN
#include "%s"
_Thread_local uint64_t bh_twin_index, bh_twin_count = 1;
uint64_t bh_twin_clock_ns(void) { return 1; }
int main(void) {
  static double out[%d];
  double *at = out;
  bh_launch whole = {0, %d, 1};
  uint64_t none = 0;
  %s p = %s;
  void *arguments[] = {&whole, &at, &none, &p};
  const unsigned char *bytes = (const unsigned char *)&p;
  snippet(arguments);
  for (unsigned k = 0; k < sizeof p; k++)
    printf("%%02x", bytes[k]);
  for (int k = 0; k < %d; k++)
    printf(" %%.17g", out[k]);
  return 0;
}
"""


@functools.cache
def on_host(name, kind):
    """(the parameters' bytes, the results), by the kernel's twin."""
    if not shutil.which("gcc"):
        raise compilers.Absent("no gcc, which makes the results to compare with")
    path = written(name, kind)
    source = path.with_suffix(".c")
    text = HOST_RUN % (path, ITEMS, ITEMS, *parameters_of(name, kind), ITEMS)
    source.write_text(text.replace(f'#include "{path}"\n', path.read_text().replace("BH_ON_HOST", "BH_ON_TWIN")))
    program = path.with_suffix("")
    done = subprocess.run(["gcc", "-std=gnu11", "-w", f"-I{compilers.HEADERS}", source, "-o", program, "-lm"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    return bytes.fromhex(words[0]), [float(word) for word in words[1:]]


def same(found, expected):
    return all(math.isclose(a, b, rel_tol=1e-6) or (a != a and b != b) for a, b in zip(found, expected, strict=True))


def on_pocl(rows):
    """For each (name, kind): `ok`, `fails`, `crashes` or `differs`, and what was said."""
    hosts = [on_host(*row) for row in rows]
    jobs = [compilers.pocl_job(device_text(*row), parameters, ITEMS) for row, (parameters, _) in zip(rows, hosts)]
    verdicts = []
    for (_, expected), outcome in zip(hosts, compilers.child("pocl", jobs)):
        if isinstance(outcome, compilers.Crashed):
            verdicts.append(("crashes", str(outcome)))
        elif isinstance(outcome, compilers.Absent):
            verdicts.append(outcome)
        elif not outcome[0]:
            verdicts.append(("fails", outcome[1]))
        elif same(outcome[2]["values"], expected):
            verdicts.append(("ok", outcome[1]))
        else:
            verdicts.append(("differs", f"host {expected}, PoCL {outcome[2]['values']}"))
    return verdicts


def on_nvrtc(rows):
    outcomes = compilers.child("nvrtc", [[device_text(*row), "compute_90"] for row in rows])
    return [o if isinstance(o, Exception) else ("ok" if o[0] else "fails", o[1]) for o in outcomes]


def by_program(column, name, kind):
    if column == "tool":
        return tool_says(written(name, kind))
    if column == "opencl-clang":
        accepted, said = compilers.opencl_clang(device_text(name, kind))[:2]
    else:
        accepted, said = compilers.host(column, written(name, kind))[:2]
    return ("ok" if accepted else "fails"), said


def tool_says(path):
    done = subprocess.run([compilers.TOOL, "--check", path], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


BATCHES = {"nvrtc": on_nvrtc, "pocl": on_pocl}
ASKED = {"test_the_page_tells_the_truth": "bad", "test_what_to_write_instead_works": "instead", "test_refusal": "bad",
         "test_what_to_write_instead_is_accepted": "instead"}  # test -> the kind of snippet that it asks about


class Answers:
    """What every compiler says to what the tests of this run will ask, made by as many of them at once as there are CPUs."""

    def __init__(self, questions):
        cpus = len(os.sched_getaffinity(0))
        for _, name, kind in questions:
            written(name, kind)  # here, as nobody may write a file that somebody reads
        self.pool = concurrent.futures.ThreadPoolExecutor(cpus)
        self.futures = {}
        for column, ask in BATCHES.items():  # the longest first
            rows = [question[1:] for question in questions if question[0] == column]
            for part in filter(None, (rows[k::cpus] for k in range(cpus))):
                future = self.pool.submit(ask, part)
                self.futures.update({(column, *row): (future, k) for k, row in enumerate(part)})
        for question in questions:
            if question[0] not in BATCHES:
                self.futures[question] = (self.pool.submit(by_program, *question), None)

    def get(self, column, name, kind):
        future, at = self.futures[(column, name, kind)]
        answer = future.result() if at is None else future.result()[at]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(name="answers", scope="session")
def answers_of_all(request):
    asked = [(item.originalname, item.callspec.params) for item in request.session.items if getattr(item, "originalname", "") in ASKED]
    questions = [(params.get("column", "tool"), params["name"], ASKED[test]) for test, params in asked]
    answers = Answers([q for q in questions if q[2] == "instead" or ROWS[q[1]][1].get(q[0]) != "varies"])
    yield answers
    answers.pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", ROWS)
def test_the_page_tells_the_truth(answers, name, column):
    expected = ROWS[name][1][column]
    if expected == "varies":
        pytest.skip(f"{name} varies with the version of {column}")
    try:
        found, said = answers.get(column, name, "bad")
    except compilers.Absent as error:
        pytest.skip(str(error))
    if found != expected:
        tried, mine = tried_versions()[column.replace("opencl-", "")], version(column)
        if tried != mine:
            pytest.skip(f"{column} {mine} says '{found}' to {name}, where {tried} says '{expected}'")
    assert found == expected, said


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_to_write_instead_works(answers, name, column):
    try:
        found, said = answers.get(column, name, "instead")
    except compilers.Absent as error:
        pytest.skip(str(error))
    assert found == "ok", said


# ---- what benchhost-kernel says ----

@pytest.mark.parametrize("name", ROWS)
def test_refusal(answers, name):
    path = written(name, "bad")
    marked = [n for n, line in enumerate(path.read_text().splitlines(), 1) if "// HERE" in line]
    status, said = answers.get("tool", name, "bad")
    assert status == (65 if name in REFUSED else 0), said
    assert bool(marked) == (name in REFUSED)
    for line in said.splitlines():
        assert re.fullmatch(re.escape(str(path)) + r":\d+: .+: .+", line), line  # FILE:LINE: what: what to write instead
    assert sorted({int(line[len(str(path)) + 1:].split(":")[0]) for line in said.splitlines()}) == marked, said


@pytest.mark.parametrize("name", REFUSED)
def test_what_to_write_instead_is_accepted(answers, name):
    assert answers.get("tool", name, "instead") == (0, "")


# ---- the page's examples ----

EXAMPLES = [block for block in re.findall(r"^```c\n(.*?)^```$", PAGE.read_text(), re.M | re.S) if "<benchhost/kernel.h>" in block]


def test_every_form_has_an_example():
    shown = "".join(EXAMPLES)
    for form in ("ITEMS", "CHUNKS", "REDUCE", "GROUPS"):
        assert f"BH_{form}_KERNEL" in shown


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("n", range(len(EXAMPLES)))
def test_example(tmp_path, n, column):
    path = tmp_path / "example.k.h"
    path.write_text(EXAMPLES[n])
    assert tool_says(path) == (0, "")
    try:
        if column in ("gcc", "clang"):
            found = compilers.host(column, path)
        elif column == "pocl":
            found = compilers.pocl(compilers.text_of(path), run=False)
        else:
            found = (compilers.nvrtc if column == "nvrtc" else compilers.opencl_clang)(compilers.text_of(path))
    except compilers.Absent as error:
        pytest.skip(str(error))
    assert found[0], found[1]
