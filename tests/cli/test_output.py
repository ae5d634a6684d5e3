# SPDX-License-Identifier: MIT
"""Standard output and error that are closed, full or gone: nothing that was lost looks like success, and nothing but the
journal's own lines ever gets into the journal."""
import json
import subprocess

import pytest
from plugins import BENCHHOST
from supervised import Place

MEASURE = "{min_samples: 1, max_samples: 1, max_time: 10ms, warmup: 0}"


def write(tmp_path, cells):
    path = tmp_path / "matrix.yaml"
    path.write_text(f"benchhost: 1\nmeasure: {MEASURE}\nworkloads: [noop: {{items: 1..{cells}}}]\nbackends: [serial]\n")
    return path


def shell(place, redirection, *arguments):
    return subprocess.run(["bash", "-c", f'"$0" "$@" {redirection}', str(BENCHHOST), *map(str, arguments)], env=place.env,
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("closed,status", [(">&-", 70), ("2>&-", 0), (">&- 2>&-", 70), ("<&- >&- 2>&-", 70)])
def test_closed_descriptors_are_not_the_journal(tmp_path, closed, status):
    """The journal must not be opened with the number of what was closed: a table of more than stdio's buffer, printed
    while the journal is still open, would land in it."""
    place = Place(tmp_path)
    result = shell(place, closed, "run", write(tmp_path, 40), "--output", place.journal, "--plain")
    assert result.returncode == status
    lines = place.lines()
    assert [line["type"] for line in lines] == ["run"] + ["cell"] * 40 + ["round", "end"]
    place.assert_clean()


def test_gone_reader(tmp_path):
    """`| head -1` takes nothing from the journal."""
    place = Place(tmp_path)
    shell(place, "2>&1 | head -1", "run", write(tmp_path, 20), "--output", place.journal, "--plain")
    assert [line["type"] for line in place.lines()] == ["run"] + ["cell"] * 20 + ["round", "end"]
    place.assert_clean()


@pytest.mark.parametrize("command", [
    ["run", "M", "--output", "J2", "--quiet"], ["run", "M", "--dry-run"], ["plan", "M"], ["plan", "M", "--json"], ["list"],
    ["list", "--json"], ["describe", "noop"], ["schema"], ["report", "J"], ["export", "--format=csv", "J"], ["--help"]],
    ids=" ".join)
def test_full_standard_output(tmp_path, command):
    place = Place(tmp_path)
    names = {"M": write(tmp_path, 2), "J": place.journal, "J2": tmp_path / "second.jsonl"}
    assert place.run(names["M"]).returncode == 0
    result = shell(place, ">/dev/full", *[names.get(word, word) for word in command])
    assert result.returncode == 70, result.stderr
    assert result.stderr.count("\n") == 1 and "No space left on device" in result.stderr


def test_full_output_keeps_the_results(tmp_path):
    place = Place(tmp_path)
    assert shell(place, ">/dev/full", "run", write(tmp_path, 2), "--output", place.journal).returncode == 70
    assert [json.loads(line)["type"] for line in place.journal.read_text().splitlines()] == ["run", "cell", "cell", "round", "end"]
