# SPDX-License-Identifier: MIT
"""Every compiler that a kernel's text meets, each behind one function that gives (accepted, what it said) or raises Absent with
the reason. Vendors' compilers run in a child process (this file, run as a program), because they can crash."""
import ctypes
import ctypes.util
import functools
import glob
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("SOURCE_ROOT") or pathlib.Path(__file__).resolve().parents[2]).resolve()
HEADERS = SOURCE / "core" / "include"
TOOL = SOURCE / "tools" / "benchhost-kernel"
NVRTC_OPTIONS = ["--std=c++20"]
OPENCL_OPTIONS = "-cl-std=CL1.2"
ARCHITECTURES = ("75", "80", "90", "100")


class Absent(Exception):
    """A compiler that is not here; the text says what was looked for."""


class Crashed(Exception):
    """A compiler that died."""


@functools.cache
def load_tool():
    """benchhost-kernel as a module: for the text of files that it refuses."""
    loader = importlib.machinery.SourceFileLoader("benchhost_kernel", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("benchhost_kernel", loader))
    loader.exec_module(module)
    return module


def text_of(path):
    """The text that a device's compiler would get, without the check."""
    tool = load_tool()
    return tool.text_of(tool.Reader([HEADERS]).read(path))


def call(*command, text=None):
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode == 0, done.stderr + done.stdout


# ---- the host's ----

def host(compiler, path):
    if not shutil.which(compiler):
        raise Absent(f"no {compiler}")
    # -Wvla is for the language's own arrays; a missing declaration is an error, as in every current compiler.
    return call(compiler, "-std=gnu11", "-Werror=implicit-function-declaration", "-fsyntax-only", f"-I{HEADERS}", "-x", "c", path)


# ---- OpenCL's ----

def opencl_clang(text):
    if not shutil.which("clang"):
        raise Absent("no clang")
    return call("clang", "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-fsyntax-only", "-", text=text)


def child(action, jobs):
    """What one action of this file, as a program, says to each job: (accepted, said, result), or Absent or Crashed. One process
    takes all of them, as starting a vendor's compiler takes longer than a small kernel; after a crash another takes the rest."""
    outcomes = []
    while len(outcomes) < len(jobs):
        rest = jobs[len(outcomes):]
        with tempfile.TemporaryDirectory(prefix="benchhost-kernels-") as folder:
            env = {**os.environ, "POCL_CACHE_DIR": folder, "LD_PRELOAD": "", "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run([sys.executable, __file__, action], input=json.dumps(rest), capture_output=True, text=True,
                                  timeout=300 + 10 * len(rest), env=env, check=False)
        if done.returncode == 69:
            return [Absent(done.stderr.strip())] * len(jobs)
        answers = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
        if done.returncode and len(answers) == len(rest) > 1:  # died when it ended: whose fault it was, each by itself shows
            return outcomes + [child(action, [job])[0] for job in rest]
        if done.returncode and len(answers) == len(rest):
            answers.pop()
        outcomes += answers
        if done.returncode < 0:
            outcomes.append(Crashed(f"signal {-done.returncode}: {done.stderr[-500:]}"))
        elif done.returncode:
            outcomes.append((False, done.stderr, None))
        elif len(answers) != len(rest):
            raise AssertionError(f"{action}: {len(answers)} answers to {len(rest)} jobs: {done.stdout}{done.stderr}")
    return outcomes


def only(outcomes):
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
    return outcomes[0]


def pocl_job(text, parameters=b"\0\0\0\0", items=16, run=True):
    return [text, parameters.hex(), items, run]


def pocl(*job, **more):
    """Compiles, and launches kernel `snippet` (one region of `items` doubles): PoCL compiles the rest then."""
    return only(child("pocl", [pocl_job(*job, **more)]))


def nvrtc(text, architecture="compute_90"):
    """To PTX or, for sm_NN, to a cubin; the result is a hexadecimal text."""
    return only(child("nvrtc", [[text, architecture]]))


# ---- in the child ----

class Refused(Exception):
    """What the compiler said to one job."""


def absent(why):
    sys.stderr.write(why)
    sys.exit(69)


def answer(do):
    """A line for each job, at once: the parent sees at which one this process died."""
    for job in json.load(sys.stdin):
        try:
            line = (True, "", do(*job))
        except Refused as error:
            line = (False, str(error), None)
        print(json.dumps(line), flush=True)


class OpenCL:
    """As much of OpenCL's API as one launch takes."""

    def __init__(self):
        try:
            self.cl = ctypes.CDLL("libOpenCL.so.1")
        except OSError as error:
            absent(f"no OpenCL loader: {error}")
        for name in ("clCreateContext", "clCreateCommandQueue", "clCreateProgramWithSource", "clCreateKernel", "clCreateBuffer"):
            getattr(self.cl, name).restype = ctypes.c_void_p
        self.device = self.find()
        error = ctypes.c_int()
        self.context = ctypes.c_void_p(self.cl.clCreateContext(None, 1, ctypes.byref(self.device), None, None, ctypes.byref(error)))
        self.queue = ctypes.c_void_p(self.cl.clCreateCommandQueue(self.context, self.device, ctypes.c_uint64(0), ctypes.byref(error)))
        self.expect(error.value, "clCreateCommandQueue")

    def find(self):
        """PoCL's device: other vendors' would need rows of their own."""
        platforms, count = (ctypes.c_void_p * 16)(), ctypes.c_uint()
        self.cl.clGetPlatformIDs(16, platforms, ctypes.byref(count))
        for platform in list(platforms)[:count.value]:
            name = ctypes.create_string_buffer(200)
            self.cl.clGetPlatformInfo(ctypes.c_void_p(platform), 0x0902, 200, name, None)
            device = ctypes.c_void_p()
            found = self.cl.clGetDeviceIDs(ctypes.c_void_p(platform), ctypes.c_uint64(0xFFFFFFFF), 1, ctypes.byref(device), None)
            if b"Portable Computing Language" in name.value and found == 0:
                self.cl.clGetPlatformInfo(ctypes.c_void_p(platform), 0x0901, 200, name, None)
                self.version = re.search(rb"[Pp]o[Cc][Ll] ([\d.]+)", name.value)[1].decode()  # "OpenCL 3.0 PoCL 3.1+debian ..."
                return device
        return absent("no OpenCL platform named Portable Computing Language (PoCL)")

    @staticmethod
    def expect(code, what):
        if code != 0:
            raise Refused(f"{what}: OpenCL error {code}")

    def build(self, text):
        source, error = ctypes.c_char_p(text.encode()), ctypes.c_int()
        program = ctypes.c_void_p(self.cl.clCreateProgramWithSource(self.context, 1, ctypes.byref(source), None, ctypes.byref(error)))
        code = self.cl.clBuildProgram(program, 1, ctypes.byref(self.device), OPENCL_OPTIONS.encode(), None, None)
        if code:
            log = ctypes.create_string_buffer(20000)
            self.cl.clGetProgramBuildInfo(program, self.device, 0x1183, 20000, log, None)
            raise Refused(log.value.decode(errors="replace") or f"clBuildProgram: OpenCL error {code}")
        return program

    def launch(self, program, parameters, items):
        error = ctypes.c_int()
        kernel = ctypes.c_void_p(self.cl.clCreateKernel(program, b"snippet", ctypes.byref(error)))
        self.expect(error.value, "clCreateKernel")
        out = (ctypes.c_double * items)()
        memory = ctypes.c_void_p(self.cl.clCreateBuffer(self.context, ctypes.c_uint64(1 | 32), ctypes.c_size_t(8 * items), out,
                                                        ctypes.byref(error)))
        self.expect(error.value, "clCreateBuffer")
        whole = (ctypes.c_uint64 * 3)(0, items, 1)
        for k, value in enumerate((whole, memory, ctypes.c_uint64(0), ctypes.create_string_buffer(parameters, len(parameters)))):
            self.expect(self.cl.clSetKernelArg(kernel, k, ctypes.c_size_t(ctypes.sizeof(value)), ctypes.byref(value)), f"clSetKernelArg {k}")
        size, group = ctypes.c_size_t(4), ctypes.c_size_t(4)
        self.expect(self.cl.clEnqueueNDRangeKernel(self.queue, kernel, 1, None, ctypes.byref(size), ctypes.byref(group), 0, None, None),
                    "clEnqueueNDRangeKernel")
        self.expect(self.cl.clEnqueueReadBuffer(self.queue, memory, 1, ctypes.c_size_t(0), ctypes.c_size_t(8 * items), out, 0, None, None),
                    "clEnqueueReadBuffer")
        return list(out)


def pocl_child():
    opencl = OpenCL()

    def do(text, parameters, items, run):
        program = opencl.build(text)
        return {"values": opencl.launch(program, bytes.fromhex(parameters), items) if run else None, "version": opencl.version}
    answer(do)


def cuda_folders():
    named = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    return [*named, "/usr/local/cuda", *sorted(glob.glob("/usr/local/cuda-*"), reverse=True), "/usr/lib/cuda", "/opt/cuda"]


def find_nvrtc():
    if os.environ.get("BENCHHOST_NVRTC"):
        return os.environ["BENCHHOST_NVRTC"]
    for folder in cuda_folders():
        for place in ("lib64", "targets/*/lib", "lib"):
            for path in sorted(glob.glob(f"{folder}/{place}/libnvrtc.so*"), key=len):
                return path
    return ctypes.util.find_library("nvrtc")


def find_ptxas():
    for path in [shutil.which("ptxas"), *(f"{folder}/bin/ptxas" for folder in cuda_folders())]:
        if path and os.access(path, os.X_OK):
            return path
    raise Absent("no ptxas on PATH or in a CUDA folder")


def nvrtc_child():
    path = find_nvrtc()
    if not path:
        absent("no libnvrtc.so: neither BENCHHOST_NVRTC nor a CUDA folder has it")
    try:
        rtc = ctypes.CDLL(path)
    except OSError as error:
        absent(f"NVRTC cannot be loaded: {error}")
    major, minor = ctypes.c_int(), ctypes.c_int()
    rtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))

    def do(text, architecture):
        return {"code": compiled(rtc, text, architecture).hex(), "version": f"{major.value}.{minor.value}"}
    answer(do)


def compiled(rtc, text, architecture):
    program = ctypes.c_void_p()
    rtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    options = [*NVRTC_OPTIONS, f"--gpu-architecture={architecture}"]
    code = rtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*[o.encode() for o in options]))
    size = ctypes.c_size_t()
    if code:
        rtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(max(1, size.value))
        rtc.nvrtcGetProgramLog(program, log)
        raise Refused(log.value.decode(errors="replace") or f"NVRTC error {code}")
    kind = "CUBIN" if architecture.startswith("sm_") else "PTX"
    getattr(rtc, f"nvrtcGet{kind}Size")(program, ctypes.byref(size))
    result = ctypes.create_string_buffer(size.value)
    getattr(rtc, f"nvrtcGet{kind}")(program, result)
    return result.raw


# ---- what ptxas says about a kernel ----

def kernel_files():
    """Every file with a kernel of a workload or of the device engine, its own or by a header of its folder."""
    return [path for path in sorted([*SOURCE.glob("plugins/*/*.k.h"), *SOURCE.glob("workloads/*/*.k.h")]) if kernels_of(path)]


def kernels_of(path):
    """The names of the kernels in a file, those that its macros make included."""
    accepted, said = call(shutil.which("gcc") or "cc", "-E", "-P", "-D__OPENCL_VERSION__=120", "-x", "c", "-", text=text_of(path))
    if not accepted:
        raise AssertionError(said)
    return sorted(re.findall(r"\bvoid (\w+)\(bh_launch ", said))


def checked_text(path):
    """The text as a plugin embeds it; the check is part of it."""
    done = subprocess.run([TOOL, "--text", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def registers_of(text, architecture):
    """(what ptxas says of each entry, NVRTC's version)"""
    accepted, said, result = nvrtc(text, f"compute_{architecture}")
    if not accepted:
        raise AssertionError(said)
    return ptxas(bytes.fromhex(result["code"]).rstrip(b"\0").decode(), architecture), result["version"]


def ptxas(ptx, architecture):
    """{entry: {"registers", "stores", "loads", "stack"}}: spills in bytes, from ptxas -v."""
    with tempfile.TemporaryDirectory(prefix="benchhost-kernels-") as folder:
        path = pathlib.Path(folder) / "kernel.ptx"
        path.write_text(ptx)
        accepted, said = call(find_ptxas(), "-v", f"-arch=sm_{architecture}", "-o", pathlib.Path(folder) / "kernel.cubin", path)
    if not accepted:
        raise AssertionError(said)
    return usage(said)


def usage(said):
    found = {}
    for entry, rest in re.findall(r"Compiling entry function '(\w+)' for '\w+'(.*?)(?=Compiling entry function|\Z)", said, re.S):
        numbers = [int(n) for n in re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", rest).groups()]
        found[entry] = {"registers": int(re.search(r"Used (\d+) registers", rest).group(1)), "stack": numbers[0],
                        "stores": numbers[1], "loads": numbers[2]}
    return found


if __name__ == "__main__":
    {"pocl": pocl_child, "nvrtc": nvrtc_child}[sys.argv[1]]()
