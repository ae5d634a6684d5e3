# SPDX-License-Identifier: MIT
"""What the tests about plugins share: where the program and the fixture plugins are, and how to run it."""
import json
import os
import pathlib
import subprocess

BENCHHOST = pathlib.Path(os.environ["BENCHHOST"]).resolve()
BUILD = BENCHHOST.parent
SOURCE = pathlib.Path(os.environ["SOURCE_ROOT"]).resolve()
FIXTURES = BUILD / "tests" / "fixtures"

# Sanitizers would turn a plugin's crash into their own report; what a plain build sees is wanted.
QUIET_SANITIZERS = ("handle_segv=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0:detect_leaks=0:"
                    "allocator_may_return_null=1:" + os.environ.get("ASAN_OPTIONS", ""))


def run(*arguments, timeout=60, program=BENCHHOST, **env):
    full = {**os.environ, "ASAN_OPTIONS": QUIET_SANITIZERS, "LC_ALL": "C.UTF-8", **{k: str(v) for k, v in env.items()}}
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, env=full,
                          check=False)


def run_json(*arguments, **env):
    result = run(*arguments, **env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def fixture(name):
    path = FIXTURES / f"{name}.so"
    assert path.exists(), f"{path} was not built"
    return path


def processes_with(text):
    """Process ids whose command line contains `text`, zombies left out."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if text.encode() in (entry / "cmdline").read_bytes() and "\nState:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
