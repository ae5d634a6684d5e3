# SPDX-License-Identifier: MIT
"""Every workload's kernel, as its plugin embeds it: NVRTC and ptxas for each architecture compile it without spilling, clang and PoCL
take it as OpenCL C. New kernels are found by themselves."""
import re
import subprocess

import compilers
import pytest

FILES = compilers.kernel_files()
NAMES = [path.parent.name for path in FILES]
KERNELS = {path: compilers.kernels_of(path) for path in FILES}
REGISTERS = compilers.SOURCE / "tests" / "kernels" / "results" / "registers.md"

SPILLS = """ptxas info    : Compiling entry function 'b' for 'sm_90'
ptxas info    : Function properties for b
    64 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 64 bytes cumulative stack size
"""


def skipping(function, *arguments, **named):
    try:
        return function(*arguments, **named)
    except compilers.Absent as error:
        pytest.skip(str(error))


def test_kernels_are_found():
    assert "prime" in NAMES
    for path, kernels in KERNELS.items():
        assert kernels and len(set(kernels)) == len(kernels), path


@pytest.mark.parametrize("architecture", compilers.ARCHITECTURES)
@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nvrtc_and_ptxas(path, architecture):
    used = skipping(compilers.registers_of, compilers.checked_text(path), architecture)[0]
    assert sorted(used) == KERNELS[path]
    for kernel, figures in used.items():
        assert (figures["stores"], figures["loads"]) == (0, 0), f"{kernel} spills on sm_{architecture}: {figures}"
        assert 0 < figures["registers"] <= 255


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_cubin(path):
    """What the backend does: a cubin for a real architecture, an ELF file of machine 190 (EM_CUDA)."""
    accepted, said, result = skipping(compilers.nvrtc, compilers.checked_text(path), "sm_90")
    assert accepted, said
    code = bytes.fromhex(result["code"])
    assert code[:4] == b"\x7fELF" and int.from_bytes(code[18:20], "little") == 190
    assert all(kernel.encode() in code for kernel in KERNELS[path])


@pytest.mark.parametrize("architecture,naps", [(610, False), (700, True), (900, True)])
def test_devices_before_volta_cannot_nap(architecture, naps):
    """NVRTC 12 compiles for them, and they have no __nanosleep; NVRTC 13 does not know them, so the text is looked at."""
    text = compilers.checked_text(FILES[NAMES.index("sleep")])
    done = subprocess.run(["cc", "-E", "-P", "-x", "c", "-D__CUDACC_RTC__", f"-D__CUDA_ARCH__={architecture}", "-"], input=text, text=True,
                          capture_output=True, check=True, timeout=60)
    assert ("__nanosleep" in done.stdout) == naps


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_clang_as_opencl(path):
    accepted, said = skipping(compilers.opencl_clang, compilers.checked_text(path))
    assert accepted, said


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_pocl(path):
    accepted, said, _ = skipping(compilers.pocl, compilers.checked_text(path), run=False)
    assert accepted, said


def test_usage_sees_spills():
    assert compilers.usage(SPILLS) == {"b": {"registers": 255, "stores": 12, "loads": 16, "stack": 64}}


def test_ptxas_reports_spills():
    """A kernel with far more live values than there are registers."""
    text = compilers.checked_text(next(p for p in FILES if p.parent.name == "prime"))
    names = [f"x{k}" for k in range(300)]
    body = "".join(f"  double {x} = out[i + {k}];\n" for k, x in enumerate(names))
    body += "".join(f"  for (int r = 0; r < p.number; r++) {x} = {x} * {y} + 1;\n" for x, y in zip(names, names[1:] + names[:1]))
    text += f"BH_FN void much_item(uint64_t i, double *out, prime_params p) {{\n{body}  out[i] = {' + '.join(names)};\n}}\n"
    text += "BH_ITEMS_KERNEL1(much, much_item, prime_params, double)\n"
    used = skipping(compilers.registers_of, text, "90")[0]["much"]
    assert used["stores"] > 0 and used["loads"] > 0


def test_registers_page_names_kernels_that_exist():
    rows = re.findall(r"^\| ([\w-]+) \| (\w+) \| \d", REGISTERS.read_text(), re.M)
    assert rows
    known = {(path.parent.name, kernel) for path in FILES for kernel in KERNELS[path]}
    assert set(rows) <= known, "run tests/kernels/registers --write"


def test_registers_script_prints_the_page():
    done = subprocess.run([REGISTERS.parents[1] / "registers"], capture_output=True, text=True, check=False)
    if done.returncode == 69:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    for path in FILES:
        for kernel in KERNELS[path]:
            assert re.search(rf"^\| {path.parent.name} \| {kernel} \|( \d+ \|){{4}}$", done.stdout, re.M), done.stdout
