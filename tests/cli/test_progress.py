# SPDX-License-Identifier: MIT
"""Progress of a real run: plain lines through a pipe, one rewritten line on a pseudo-terminal that leaves nothing behind."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

BENCHHOST = os.environ["BENCHHOST"]
MATRIX = """\
benchhost: 1
name: tiny
measure: {rounds: 2, min_samples: 1, max_samples: 7, max_time: 20ms, warmup: 1ms}
workloads:
  - noop: {items: [1, 10]}
backends:
  - serial
"""


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(MATRIX)
    out = subprocess.run([BENCHHOST, "plan", str(path)], capture_output=True, text=True)
    if out.returncode == 70:
        pytest.skip("`plan` is not written yet")
    if out.returncode:
        pytest.skip(f"the matrix cannot be planned here: {out.stderr.strip()[:100]}")
    return path


def run(matrix, *args, **env):
    return subprocess.run([BENCHHOST, "run", str(matrix), "--output", str(matrix.with_suffix(f".{len(args)}.jsonl")), *args],
                          capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8", **env})


def test_plain_lines(matrix):
    out = run(matrix)
    assert out.returncode == 0, out.stderr
    lines = [l for l in out.stderr.splitlines() if l.startswith("[")]
    assert [l[:5] for l in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    for line in lines:
        assert re.fullmatch(r"\[\d/4\] ok  noop items=10? \| serial, round [12]  \d[\d.]* (ns|us|ms|s)( ±\d+\.\d%)?", line), line
    assert "\r" not in out.stderr and "\033" not in out.stderr
    assert not any(l.startswith("[") for l in out.stdout.splitlines()), "progress is no data"


def test_quiet(matrix):
    out = run(matrix, "--quiet")
    assert out.returncode == 0 and out.stderr == ""
    assert "4 cells" in out.stdout or "2 cells: 2 ok." in out.stdout


def on_terminal(matrix, columns, *args, **env):
    """What arrives at a terminal of this width."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.environ.pop("NO_COLOR", None)
        os.execve(BENCHHOST, [BENCHHOST, "run", str(matrix), "--output", str(matrix) + f".{columns}.jsonl", "--no-table", *args],
                  {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
    text = b""
    try:
        while block := os.read(fd, 65536):
            text += block
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)
    return text.decode()


def screen(text):
    """The rows that are left on the screen; knows just what progress uses."""
    rows, at = [""], 0
    for token in re.findall(r"\033\[\d*[A-Za-z]|\r|\n|[^\033\r\n]+", text):
        if token == "\n":
            rows.append("")
        elif token == "\r":
            at = 0
        elif token == "\033[J":
            rows[-1] = rows[-1][:at]
        elif token.startswith("\033["):
            assert token.endswith("m") or token.endswith("A"), token
        else:
            rows[-1] = rows[-1][:at] + token + rows[-1][at + len(token):]
            at += len(token)
        if token == "\n":
            at = 0
    return [row for row in rows if row]


@pytest.mark.parametrize("columns", [100, 40])
def test_live_line(matrix, columns):
    text = on_terminal(matrix, columns, "--set", "measure.max_time=300ms", "--set", "measure.min_samples=1000",
                       "--set", "measure.max_samples=1000000", "--set", "measure.precision=0")
    frames = re.findall(r"\[\d/4\] [^\r\n\033]*", text)
    assert frames and all(len(frame) < columns for frame in frames)
    assert any(" left" in frame for frame in frames)
    left = screen(text)
    assert not any(row.startswith("[") for row in left), "the live line is erased and good cells leave none"


def test_dumb_terminal_gets_plain_lines(matrix):
    text = on_terminal(matrix, 90, TERM="dumb")
    assert text.count("] ok  noop") == 4 and "\033" not in text


def test_plain_on_terminal(matrix):
    text = on_terminal(matrix, 91, "--plain")
    assert text.count("] ok  noop") == 4 and "\033[J" not in text
