# SPDX-License-Identifier: MIT
"""The CI recipe (docs/ci.md) on a repository of its own: two revisions of a plugin, one of which is slower in one cell, are built,
compared and reported. The plugin reports a known cost (tests/fixtures/graded.c), so there is one right answer."""
import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import plugins
import pytest
from plugins import BENCHHOST, SOURCE

TOOL = SOURCE / "tools" / "ab-revisions"
MATRIX = """benchhost: 1
name: gate
measure: {min_samples: 1, max_samples: 2, min_sample: 0, max_time: 5ms, warmup: 0s, primary: 'metric:cost'}
workloads: [graded: {part: [0, 1, 2]}]
backends: [serial]
"""
MAKEFILE = f"""graded.so: graded.c options
\tcc -shared -fPIC -fvisibility=hidden $$(cat options) -I{SOURCE}/core/include -o $@ graded.c
"""
# git clones submodules from a path only when told so.
LOCAL_SUBMODULES = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}
FEW = ("--screen-rounds", "8", "--confirm-rounds", "8")


class Repository:
    def __init__(self, folder):
        self.folder = folder
        self.init()
        shutil.copy(SOURCE / "tests" / "fixtures" / "graded.c", folder)
        (folder / "Makefile").write_text(MAKEFILE)
        (folder / ".gitignore").write_text("*.so\n*.jsonl\n*.xml\n*.md\n")
        (folder / "matrix.yaml").write_text(MATRIX)
        self.fast = self.commit("-DSALT=1")
        self.slow = self.commit("-DSALT=1 -DPERCENT=110")
        self.broken = self.commit("-DPERCENT=(")

    def init(self):
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments):
        quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", **LOCAL_SUBMODULES}
        return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments], cwd=self.folder, check=True,
                              capture_output=True, text=True, env={**os.environ, **quiet}).stdout.strip()

    def commit(self, options):
        (self.folder / "options").write_text(options + "\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"options {options}")
        return self.git("rev-parse", "HEAD")

    def compare(self, *arguments, options=(), **env):
        full = {**os.environ, "ASAN_OPTIONS": plugins.QUIET_SANITIZERS, "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8", **env}
        return subprocess.run([TOOL, "--benchhost", BENCHHOST, *arguments, "--", *FEW, "--output", self.folder / "ab.jsonl", *options],
                              cwd=self.folder, capture_output=True, text=True, timeout=300, env=full, check=False)


@pytest.fixture
def repository(tmp_path):
    if not shutil.which("git") or not shutil.which("make"):
        pytest.skip("git or make is not installed")
    folder = tmp_path / "a project"
    folder.mkdir()
    return Repository(folder)


def check_junit(path):
    """By the structure that Jenkins' schema asks for, and by a parser of its own."""
    suite = ElementTree.parse(path).getroot()
    assert suite.tag == "testsuite"
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases)
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(attribute)) == sum(case.find(kind) is not None for case in cases)
    junitparser = pytest.importorskip("junitparser")
    parsed = junitparser.JUnitXml.fromfile(str(path))
    assert sum(1 for suite in [parsed] for _ in suite) == len(cases)
    return suite


def check_annotations(lines):
    for line in lines:
        assert re.fullmatch(r"::(error|warning|notice) (?:\w+=[^:,\r\n]*)(?:,\w+=[^:,\r\n]*)*::[^\r\n]+", line), line


def test_a_slower_revision_fails_and_is_named(repository):
    summary = repository.folder / "summary.md"
    summary.write_text("what an earlier step wrote\n")
    result = repository.compare(repository.fast, repository.slow, "matrix.yaml",
                                options=("--junit", "junit.xml", "--markdown", "out.md", "--github", "--json", "ab.json"),
                                GITHUB_STEP_SUMMARY=str(summary))
    assert result.returncode == 1, result.stdout + result.stderr
    report = json.loads((repository.folder / "ab.json").read_text())
    assert [cell["outcome"] for cell in report["cells"]] == ["equivalent", "regressed", "equivalent"]
    suite = check_junit(repository.folder / "junit.xml")
    failed = [case for case in suite.findall("testcase") if case.find("failure") is not None]
    assert len(failed) == 1 and "part=1" in failed[0].get("name") and failed[0].find("failure").get("type") == "regressed"
    annotations = [line for line in result.stdout.splitlines() if line.startswith("::")]
    check_annotations(annotations)
    errors = [line for line in annotations if line.startswith("::error ")]
    assert len(errors) == 1 and "part=1" in errors[0] and "file=matrix.yaml" in errors[0]
    markdown = (repository.folder / "out.md").read_text()
    assert markdown.startswith("## benchhost: regression") and markdown.count("**regressed**") == 1
    assert summary.read_text() == "what an earlier step wrote\n" + markdown


def test_a_revision_against_itself_passes(repository):
    result = repository.compare(repository.fast, repository.fast, "matrix.yaml", options=("--junit", "junit.xml", "--github"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert not [case for case in check_junit(repository.folder / "junit.xml").findall("testcase") if case.find("failure") is not None]
    assert "::error" not in result.stdout


def test_the_working_tree_and_the_disk_are_left_alone(repository):
    (repository.folder / "graded.c").write_text("not even C\n")
    before = sorted(p.name for p in repository.folder.iterdir())
    result = repository.compare(repository.fast, repository.slow, "matrix.yaml")
    assert result.returncode == 1, result.stderr
    assert (repository.folder / "graded.c").read_text() == "not even C\n"
    assert sorted(set(p.name for p in repository.folder.iterdir()) - {"ab.jsonl"}) == before
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_kept_builds_are_used_again(repository):
    keep = repository.folder.parent / "kept"
    first = repository.compare("--keep", keep, repository.fast, repository.slow, "matrix.yaml")
    (repository.folder / "ab.jsonl").unlink()
    again = repository.compare("--keep", keep, repository.fast, repository.slow, "matrix.yaml")
    assert first.stderr.count("building") == 2
    assert again.returncode == 1 and "building" not in again.stderr and again.stderr.count("is built already") == 2
    assert (keep / "a" / "build" / "graded.so").exists()


def test_a_build_of_ones_own(repository):
    command = f'cc -shared -fPIC $(cat options) -I{SOURCE}/core/include -o "$BUILD_DIR/graded.so" graded.c'
    result = repository.compare("--build", command, repository.fast, repository.slow, "matrix.yaml")
    assert result.returncode == 1, result.stdout + result.stderr


def test_folders_of_others_are_left_alone(repository):
    keep = repository.folder / "kept"
    (keep / "b").mkdir(parents=True)
    (keep / "b" / "thesis.txt").write_text("years of work")
    result = repository.compare("--keep", keep, repository.fast, repository.slow, "matrix.yaml")
    assert result.returncode == 64 and "we did not make it" in result.stderr
    assert (keep / "b" / "thesis.txt").read_text() == "years of work"


def test_worktrees_of_others_are_left_alone(repository):
    away = repository.folder.parent / "on a disk that is not there"
    repository.git("worktree", "add", "--quiet", "--detach", str(away))
    shutil.rmtree(away)
    assert repository.compare(repository.fast, repository.fast, "matrix.yaml").returncode == 0
    assert str(away) in repository.git("worktree", "list")


def test_submodules_are_checked_out(repository):
    library = Repository.__new__(Repository)
    library.folder = repository.folder.parent / "library"
    library.folder.mkdir()
    library.init()
    shutil.move(repository.folder / "graded.c", library.folder / "graded.c")
    library.commit("")
    repository.git("submodule", "--quiet", "add", str(library.folder), "library")
    (repository.folder / "Makefile").write_text(MAKEFILE.replace("graded.c", "library/graded.c"))
    fast, slow = repository.commit("-DSALT=1"), repository.commit("-DSALT=1 -DPERCENT=110")
    result = repository.compare(fast, slow, "matrix.yaml", **LOCAL_SUBMODULES)
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_what_fails_inside_is_no_regression(repository):
    result = repository.compare(repository.fast, repository.slow, "matrix.yaml", TMPDIR="/nowhere")
    assert result.returncode == 70 and "a command failed" in result.stderr


def test_ended_by_a_signal(repository):
    journal = repository.folder / "ab.jsonl"
    process = subprocess.Popen([TOOL, "--benchhost", BENCHHOST, "HEAD~2", "HEAD~1", "matrix.yaml", "--", "--screen-rounds", "1000",
                                "--output", journal], cwd=repository.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "TMPDIR": str(repository.folder), "ASAN_OPTIONS": plugins.QUIET_SANITIZERS})
    while not journal.exists() or journal.read_text().count("\n") < 5:
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
    process.terminate()  # the script alone
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stdout + stderr
    end = json.loads(journal.read_text().splitlines()[-1])
    assert end["type"] == "end" and end["interrupted"]
    assert len(repository.git("worktree", "list").splitlines()) == 1 and not list(repository.folder.glob("ab-revisions.*"))


@pytest.mark.parametrize("arguments, status, text", [
    ((), 64, "expected BASE CANDIDATE MATRIX"),
    (("HEAD", "HEAD", "none.yaml"), 64, "no matrix at 'none.yaml'"),
    (("HEAD", "nowhere", "matrix.yaml"), 64, "'nowhere' is no revision"),
    (("--margin", "HEAD", "HEAD", "matrix.yaml"), 64, "unknown option '--margin'"),
    (("HEAD~1", "HEAD", "matrix.yaml"), 65, "does not build"),
    (("--benchhost",), 64, "needs a value"),
])
def test_bad_usage(repository, arguments, status, text):
    result = subprocess.run([TOOL, *arguments], cwd=repository.folder, capture_output=True, text=True, timeout=60, check=False,
                            env={**os.environ, "TMPDIR": str(repository.folder)})
    assert result.returncode == status and text in result.stderr
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_reports_that_cannot_be_written_do_not_cost_the_table(repository):
    result = repository.compare(repository.fast, repository.slow, "matrix.yaml", options=("--junit", "/nowhere/j.xml"))
    assert result.returncode == 70 and "--junit /nowhere/j.xml" in result.stderr
    assert "regressed" in result.stdout
