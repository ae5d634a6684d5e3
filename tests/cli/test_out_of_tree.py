# SPDX-License-Identifier: MIT
"""The example projects, and a freshly written one, build against a staged install by pkg-config alone, and run there."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from plugins import BUILD, QUIET_SANITIZERS, SOURCE

pytestmark = [
    pytest.mark.skipif(not shutil.which("meson"), reason="no meson"),
    pytest.mark.skipif(not shutil.which("pkg-config"), reason="no pkg-config"),
]


def call(*arguments, cwd, env):
    result = subprocess.run([str(a) for a in arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=280,
                            check=False)
    assert result.returncode == 0, f"{arguments}:\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The environment of somebody who has benchhost installed under another root, and no build tree."""
    root = tmp_path_factory.mktemp("stage")
    env = {k: v for k, v in os.environ.items() if not k.startswith("BENCHHOST")}
    call("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root, cwd=BUILD, env=env)
    program = next(root.rglob("bin/benchhost"))
    pc = next(root.rglob("benchhost.pc"))
    env |= {"PATH": f"{program.parent}:{env['PATH']}", "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(root),
            "ASAN_OPTIONS": QUIET_SANITIZERS}
    return root, program, env


def test_installed_files(staged):
    root, _, _ = staged
    headers = {p.name for p in next(root.rglob("include/benchhost")).iterdir()}
    assert headers == {p.name for p in (SOURCE / "core/include/benchhost").iterdir()}
    assert "Libs:" not in next(root.rglob("benchhost.pc")).read_text()  # there is nothing to link against


def test_staged_program_finds_its_plugins_there(staged):
    root, program, env = staged
    plugins = json.loads(call(program, "list", "--json", cwd=root, env=env))
    built = {p.stem for kind in ("plugins", "workloads") for p in (BUILD / kind).glob("*/*.so")}
    assert {p["name"] for p in plugins} == built
    assert all(pathlib.Path(p["path"]).is_relative_to(root) for p in plugins)


DEVICES = ("opencl", "cuda")


def build_and_run(project, env, name, other_kind):
    call("meson", "setup", "build", "-Dwerror=true", cwd=project, env=env)
    call("meson", "compile", "-C", "build", cwd=project, env=env)
    call("meson", "test", "-C", "build", "--print-errorlogs", cwd=project, env=env)  # check, and its matrix
    env = {**env, "BENCHHOST_PLUGIN_PATH": str(project / "build")}
    call("benchhost", "run", "matrix.yaml", "--output", "out.jsonl", "--quiet", cwd=project, env=env)
    cells = [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]
    cells = [c for c in cells if c["type"] == "cell"]
    mine = [c for c in cells if name in (c["workload"], c["backend"])]
    assert len(mine) >= 4
    assert {c["status"] for c in cells if c["backend"] not in DEVICES} == {"ok"}
    for cell in cells:  # a machine may lack a device, and a kernel that one cannot take is a failure
        assert cell["status"] in ("ok", "skipped") and bool(cell["reason"]) == (cell["status"] == "skipped"), cell["reason"]
    assert len({c[other_kind] for c in mine}) >= 2  # it met partners that know nothing of it


@pytest.mark.parametrize("kind,name,other", [("workload", "my-histogram", "backend"), ("backend", "my-threads", "workload")])
def test_example(staged, tmp_path, kind, name, other):
    _, _, env = staged
    project = tmp_path / "project"
    shutil.copytree(SOURCE / "examples" / f"plugin-{kind}", project)
    build_and_run(project, env, name, other)


def test_fresh_project(staged, tmp_path):
    _, _, env = staged
    call("benchhost", "new", "workload", "tally", cwd=tmp_path, env=env)
    build_and_run(tmp_path / "tally", env, "tally", "backend")


def test_fresh_project_against_a_build_tree(tmp_path):
    """With the build folder alone: its program, and meson-uninstalled/benchhost-uninstalled.pc."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("BENCHHOST")}
    env |= {"PATH": f"{BUILD}:{env['PATH']}", "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"), "ASAN_OPTIONS": QUIET_SANITIZERS}
    call("benchhost", "new", "workload", "tally", cwd=tmp_path, env=env)
    build_and_run(tmp_path / "tally", env, "tally", "backend")


def test_a_changed_kernel_is_embedded_again(staged, tmp_path):
    _, _, env = staged
    call("benchhost", "new", "workload", "tally", cwd=tmp_path, env=env)
    project = tmp_path / "tally"
    call("meson", "setup", "build", "-Dwerror=true", cwd=project, env=env)
    call("meson", "compile", "-C", "build", cwd=project, env=env)
    kernel, array = project / "tally.k.h", project / "build" / "tally.k.inc"
    assert array.read_text().startswith("static const char kernel_text[] =") and "BH_FN void count_item" in array.read_text()
    kernel.write_text(kernel.read_text().replace("#define LANES 32", "#define LANES 16"))
    call("meson", "compile", "-C", "build", cwd=project, env=env)
    assert "#define LANES 16" in array.read_text()


# ---- a fresh workload's kernel, by the commands of the pages ----

@pytest.fixture(name="tally", scope="module")
def fresh_workload(staged, tmp_path_factory):
    """(the project, built; the reader's environment)"""
    _, _, env = staged
    folder = tmp_path_factory.mktemp("fresh")
    call("benchhost", "new", "workload", "tally", cwd=folder, env=env)
    call("meson", "setup", "build", "-Dwerror=true", cwd=folder / "tally", env=env)
    call("meson", "compile", "-C", "build", cwd=folder / "tally", env=env)
    return folder / "tally", env


def shown(page, word):
    """The commands of the console block that has `word`."""
    block, = (b for b in re.findall(r"^```console\n(.*?)^```$", (SOURCE / page).read_text(), re.M | re.S) if word in b)
    return re.findall(r"^\$ (.*)$", block, re.M)


@pytest.mark.parametrize("program,where", [("clang", ""), ("nvcc", "/usr/local/cuda/bin")])
def test_other_compilers_take_it(tally, program, where):
    project, env = tally
    env = {**env, "PATH": f"{env['PATH']}:{where}"}
    if not shutil.which(program, path=env["PATH"]):
        pytest.skip(f"no {program}")
    command, = (c for c in shown("docs/kernels.md", "nvcc") if f"| {program} " in c)
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=project, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    if program == "nvcc":
        assert "Compiling entry function 'count'" in done.stderr and "0 bytes spill stores" in done.stderr


def test_oclgrind_sees_nothing_and_what_is_wrong(tally, tmp_path):
    project, env = tally
    commands = shown("docs/kernels.md", "OCL_ICD_VENDORS")
    library = re.search(r"OCL_ICD_VENDORS=(\S+)", commands[0])[1]
    if not pathlib.Path(library).exists():
        pytest.skip(f"Oclgrind is not installed ({library})")
    copy = tmp_path / "tally"
    shutil.copytree(project, copy)

    def log_of_run(verdict):
        script = "\n".join(["set -e", *commands[:-2], commands[-2] + " || true"]).replace("check build/tally.so", f"check {copy}/build/tally.so")
        said = subprocess.run(["bash", "-c", script], cwd=copy, env=env, capture_output=True, text=True, timeout=280, check=False).stdout
        assert re.search(rf"^{verdict} +runs and verifies with .*/opencl.so$", said, re.M), said
        log = copy / "oclgrind.log"
        return log.read_text() if log.exists() else ""
    assert log_of_run("ok") == ""
    kernel = copy / "tally.k.h"
    kernel.write_text(kernel.read_text().replace("values[i] &", "values[i + (i == 99) * 100000] &"))
    shutil.rmtree(copy / "build")
    call("meson", "setup", "build", cwd=copy, env=env)
    call("meson", "compile", "-C", "build", cwd=copy, env=env)
    line = next(n for n, text in enumerate(kernel.read_text().splitlines(), 1) if "i == 99" in text)
    said = log_of_run("FAILED")
    assert "Invalid read of size 4" in said and f"At line {line} " in said and "of tally.k.h" in said


def test_the_cuda_double_runs_it(tally, tmp_path):
    """plugins/cuda with a cubin of NVRTC, and the kernel's twin: as tests/fake-cuda/README.md says."""
    project, env = tally
    double = BUILD / "tests" / "fake-cuda" / "libbenchhost-fake-cuda.so"
    env = {**env, "SOURCE": str(SOURCE), "BUILD": str(BUILD), "BENCHHOST_CACHE_DIR": str(tmp_path)}
    commands = [c + " --json" if c.startswith("benchhost check") else c for c in shown("tests/fake-cuda/README.md", "twins-of-tally")]
    assert double.exists()
    done = subprocess.run(["bash", "-e", "-c", "\n".join(commands)], cwd=project, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    promise, = (p for p in json.loads(done.stdout)["promises"] if p["promise"].endswith("/cuda.so"))
    if "NVRTC" in (promise["why"] or ""):
        pytest.skip(promise["why"])
    assert (promise["verdict"], promise["why"]) == ("ok", None)


def test_installs_beside_the_others(staged, tmp_path):
    """`meson install` of an outside plugin puts it where the program looks, without any variable set."""
    root, program, env = staged
    call("benchhost", "new", "backend", "fresh", cwd=tmp_path, env=env)
    project = tmp_path / "fresh"
    call("meson", "setup", "build", cwd=project, env=env)
    # Some pkg-configs put the sysroot before variables, others do not.
    where = call("pkg-config", "--variable=plugindir", "benchhost", cwd=project, env=env)
    destdir = [] if where.startswith(str(root)) else ["--destdir", root]
    call("meson", "install", "-C", "build", *destdir, cwd=project, env=env)
    try:
        plugins = {p["name"]: p for p in json.loads(call(program, "list", "--json", cwd=root, env=env))}
        assert plugins["fresh"]["runnable"] is True
    finally:
        for path in root.rglob("fresh.so"):
            path.unlink()


def test_kernel_for_devices(staged, tmp_path):
    """A workload of this tree, in a project of its own by the lines that docs/plugins.md shows."""
    root, program, env = staged
    page = (SOURCE / "docs" / "plugins.md").read_text()
    lines = re.search(r"^```meson\n(.*?)^```$", page, re.M | re.S).group(1)
    (tmp_path / "meson.build").write_text("project('prime', 'c', default_options: ['c_std=gnu11'])\n" + lines.replace("rows", "prime"))
    for name in ("prime.c", "prime.k.h"):
        shutil.copy(SOURCE / "workloads" / "prime" / name, tmp_path)
    call("meson", "setup", "build", "-Dwerror=true", cwd=tmp_path, env=env)
    call("meson", "compile", "-C", "build", cwd=tmp_path, env=env)
    array = (tmp_path / "build" / "prime.k.inc").read_text()
    assert array.startswith("static const char prime_source[] =") and "BH_ITEMS_KERNEL1(prime," in array
    call(program, "check", tmp_path / "build" / "prime.so", "--param", "n=100", cwd=tmp_path, env=env)
    assert next(root.rglob("bin/benchhost-kernel")).stat().st_mode & 0o111

    kernel = tmp_path / "prime.k.h"
    kernel.write_text(kernel.read_text().replace("return n >= 2;", "return sqrtf(n) >= 2;"))
    refused = subprocess.run(["meson", "compile", "-C", "build"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280,
                             check=False)
    line = next(n for n, text in enumerate(kernel.read_text().splitlines(), 1) if "sqrtf" in text)
    assert refused.returncode != 0
    assert f"prime.k.h:{line}: 'sqrtf': write BH_SQRTF" in refused.stdout + refused.stderr
