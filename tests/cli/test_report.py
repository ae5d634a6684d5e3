# SPDX-License-Identifier: MIT
"""`benchhost report`: the table, its exit status, and journals that are torn, damaged or none at all."""
import os
import pathlib
import subprocess

import pytest

import journals

BENCHHOST = os.environ["BENCHHOST"]
DATA = pathlib.Path(os.environ["SOURCE_ROOT"]) / "tests" / "data"


def report(*args, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run([BENCHHOST, "report", *map(str, args)], capture_output=True, text=True, timeout=60,
                          env={**clean, "LC_ALL": "C.UTF-8", **env})


def write(tmp_path, lines, tail=""):
    path = tmp_path / "results.jsonl"
    path.write_text(journals.text(lines) + tail)
    return path


def test_stored_journals_are_those_of_the_helper():
    assert (DATA / "pools.jsonl").read_text() == journals.text(journals.pools())
    assert (DATA / "rounds.jsonl").read_text() == journals.text(journals.rounds())


def test_table_and_exit_status():
    out = report(DATA / "pools.jsonl")
    assert out.returncode == 4 and out.stderr == ""
    line = next(l for l in out.stdout.splitlines() if l.startswith("pthread") and "static" in l)
    assert line.split()[:4] == ["pthread", "2", "static", "ok"] and "500.0 us" in line and "2.00±" in line
    assert "9 cells: 6 ok, 1 skipped, 1 wrong, 1 timeout." in out.stdout
    assert "\033" not in out.stdout
    assert report(DATA / "rounds.jsonl").returncode == 0


@pytest.mark.parametrize("status,code,strict", [("skipped", 0, 4), ("unsupported", 0, 4), ("wrong", 3, 3),
                                                ("crashed", 4, 4), ("timeout", 4, 4), ("out-of-memory", 4, 4),
                                                ("failed", 4, 4)])
def test_exit_statuses(tmp_path, status, code, strict):
    path = write(tmp_path, [journals.run_line(), journals.cell_line("a", "w", "b", [1e6]),
                            journals.cell_line("b", "w", "c", status=status, reason="because")])
    assert report(path).returncode == code
    assert report("--strict", path).returncode == strict


def test_not_ok_never_in_a_ratio(tmp_path):
    """The serial cell is wrong in one of its rounds: nobody gets a speedup over it."""
    path = write(tmp_path, [journals.run_line(rounds=2),
                            journals.cell_line("a", "w", "serial", [2e6] * 6, round=0),
                            journals.cell_line("a", "w", "serial", round=1, status="wrong", reason="7 is no prime"),
                            journals.cell_line("b", "w", "pool", [1e6] * 6, workers=2, round=0),
                            journals.cell_line("b", "w", "pool", [1e6] * 6, workers=2, round=1)])
    out = report(path)
    assert out.returncode == 3
    assert "wrong: round 1: 7 is no prime" in out.stdout
    assert "no speedup" in out.stdout and "2.00" not in out.stdout


def test_killed_run(tmp_path):
    lines = journals.pools()[:4]
    out = report(write(tmp_path, lines, '{"type": "cell", "id": "0000'))
    assert out.returncode == 0
    assert "last line is torn" in out.stdout and "not finished: it holds 3 cell runs of about 9" in out.stdout


@pytest.mark.parametrize("text,message", [
    (b"", "holds no whole line"),
    (b"hello", "holds no whole line"),
    (b"hello\nworld\n", ":1: no line of a journal: column 1: expected a value"),
    (b'{"type":"end"}\n', ":1: expected a line of type 'run' first"),
    (b'{"type":"run","schema":1}\n', "holds no cell yet"),
    (b'{"type":"run","schema":9}\n', "schema 9"),
    (b'{"type":"run","schema":1}\n\x00\x00\n{}\n', ":2: no line of a journal: column 1: a NUL byte"),
    (b'{"type":"run","schema":1}\n{"type":"cell","id":3}\n', ":2: 'id' of a cell line: expected text"),
    (b'{"type":"run","schema":1}\n' + b"[" * 100000 + b"\n", ":2: no line of a journal: column 65: nested deeper"),
], ids=range(9))
def test_bad_journals(tmp_path, text, message):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(text)
    out = report(path)
    assert out.returncode == 64 and out.stdout == ""
    assert out.stderr.startswith(f"benchhost: {path}") and message in out.stderr


def test_usage(tmp_path):
    assert report().returncode == 64
    assert report("a", "b").returncode == 64
    assert report("--nonsense", DATA / "pools.jsonl").returncode == 64
    missing = report(tmp_path / "missing.jsonl")
    assert missing.returncode == 64 and "cannot be read: No such file or directory" in missing.stderr
    out = report("--help")
    assert out.returncode == 0 and "--strict" in out.stdout and "--no-color" in out.stdout


def test_full_disk():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        out = subprocess.run([BENCHHOST, "report", str(DATA / "rounds.jsonl")], stdout=full, stderr=subprocess.PIPE, text=True)
    assert out.returncode == 70 and "No space left" in out.stderr


def test_terminal_colors_and_width():
    """Through a pseudo-terminal of 80 columns: colours, no line too long; NO_COLOR and --no-color are obeyed."""
    import fcntl, pty, re, struct, termios

    def through_terminal(*args, **env):
        pid, fd = pty.fork()
        if pid == 0:
            for key in ("COLUMNS", "NO_COLOR"):
                os.environ.pop(key, None)
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.execve(BENCHHOST, [BENCHHOST, "report", *args, str(DATA / "pools.jsonl")],
                      {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
        text = b""
        try:
            while block := os.read(fd, 65536):
                text += block
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(fd)
        return text.decode()

    text = through_terminal()
    assert "\033[31mwrong\033[0m" in text
    plain = re.sub(r"\033\[[0-9;]*m", "", text).replace("\r\n", "\n")
    # Paths are not cut: a person copies them.
    assert max(len(line) for line in plain.splitlines() if not line.startswith(("Journal: ", "  /"))) <= 80
    assert "\033" not in through_terminal("--no-color")
    assert "\033" not in through_terminal(NO_COLOR="1")
    assert "\033" not in through_terminal(TERM="dumb")
