# SPDX-License-Identifier: MIT
"""Bash completion, sourced into a bare bash and asked the way readline asks."""
import os
import pathlib
import shutil
import subprocess

import pytest

BENCHHOST = os.environ["BENCHHOST"]
SCRIPT = pathlib.Path(os.environ["SOURCE_ROOT"]) / "tools" / "completions" / "benchhost"
pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")


def complete(*words, cwd=None):
    """What is offered for the last word. `=` is a word of its own, as readline's COMP_WORDBREAKS has it."""
    code = f"""
    source {SCRIPT}
    [[ $(complete -p benchhost) == *"-F _benchhost benchhost" ]] || exit 3
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _benchhost "$1" "${{!#}}"
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    out = subprocess.run(["bash", "--norc", "--noprofile", "-u", "-c", code, "bash", BENCHHOST, *words], capture_output=True,
                         text=True, timeout=60, cwd=cwd)
    assert out.returncode == 0 and out.stderr == "", out.stderr
    return sorted(line for line in out.stdout.splitlines() if line)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.yaml", "b.yml", "run.jsonl", "notes.txt", "plug.so", "two words.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_commands(folder):
    assert complete("re", cwd=folder) == ["report"]
    found = complete("", cwd=folder)
    assert {"run", "plan", "list", "describe", "report", "export", "a.yaml", "sub"} <= set(found)
    assert "notes.txt" not in found and not any(word.startswith("internal") for word in found)
    assert complete("--v", cwd=folder) == ["--version"]


def test_every_command_of_help_is_offered(folder):
    text = subprocess.run([BENCHHOST, "--help"], capture_output=True, text=True).stdout
    commands = [line.split()[0] for line in text.split("Commands", 1)[1].splitlines()[1:] if line.startswith("  ")]
    assert len(commands) >= 8
    for command in commands:
        if not command.startswith("-"):
            assert command in complete(command, cwd=folder)


def test_files(folder):
    assert complete("run", "", cwd=folder) == ["a.yaml", "b.yml", "sub", "two words.yaml"]
    assert complete("run", "two", cwd=folder) == ["two words.yaml"]
    assert complete("report", "", cwd=folder) == ["run.jsonl", "sub"]
    assert complete("export", "r", cwd=folder) == ["run.jsonl"]
    assert complete("ab", "p", cwd=folder) == ["plug.so"] and "a.yaml" in complete("ab", "", cwd=folder)
    assert complete("ab", "--from", "", cwd=folder) == ["run.jsonl", "sub"]
    assert complete("describe", "./p", cwd=folder) == ["./plug.so"]
    assert complete("export", "-o", "no", cwd=folder) == ["notes.txt"]


def test_options(folder):
    assert complete("export", "--f", cwd=folder) == ["--format"]
    assert {"--format", "--output", "--samples", "--repetitions", "--help"} <= set(complete("export", "--", cwd=folder))
    assert complete("report", "--st", cwd=folder) == ["--strict"]


def test_values(folder):
    for words in (("--format", "="), ("--format", "=", ""), ("--format", ""), ("-f", "")):
        assert complete("export", *words, cwd=folder) == ["csv", "gbench", "json", "markdown"]
    assert complete("export", "--format", "=", "g", cwd=folder) == ["gbench"]
    assert complete("export", "--repetitions", "r", cwd=folder) == ["rounds"]
    assert complete("new", "w", cwd=folder) == ["workload"]
    assert complete("new", "--dir", "", cwd=folder) == ["sub"]
    assert complete("ab", "--margin", "", cwd=folder) == complete("ab", "--seed", "=", "", cwd=folder) == []


def test_stored_runs(folder):
    assert complete("compare", "", cwd=folder) == complete("compare", "run.jsonl", "", cwd=folder) == ["run.jsonl", "sub"]
    assert complete("compare", "--sort", "=", "r", cwd=folder) == ["ratio"]
    assert complete("history", "", cwd=folder) == ["add", "changes", "export", "list", "rm", "show"]
    assert complete("history", "add", "r", cwd=folder) == ["run.jsonl"]
    assert complete("history", "rm", "", cwd=folder) == complete("history", "add", "--label", "", cwd=folder) == []


def test_plugin_names(folder):
    lines = subprocess.run([BENCHHOST, "list"], capture_output=True, text=True).stdout.splitlines()[1:]
    listed = [line.split()[0] for line in lines if not line.startswith(" ")]  # those say why a plugin cannot run here
    if not listed:
        pytest.skip("no plugins are built")
    assert set(listed) <= set(complete("describe", "", cwd=folder))
    assert complete("describe", listed[0], cwd=folder) == [n for n in sorted(listed) if n.startswith(listed[0])]


def test_options_of_run(folder):
    text = subprocess.run([BENCHHOST, "run", "--help"], capture_output=True, text=True).stdout
    if "--output" not in text:
        pytest.skip("`run` is not written yet")
    assert {"--output", "--resume", "--set", "--param", "--filter", "--dry-run"} <= set(complete("run", "--", cwd=folder))
    assert complete("a.yaml", "--res", cwd=folder) == ["--resume"], "the short form is `run`"
    assert complete("run", "--resume", "", cwd=folder) == ["run.jsonl", "sub"]
