# SPDX-License-Identifier: MIT
"""benchhost-kernel by itself: places, conditions, headers, output, exit statuses. What it refuses is test_subset.py's."""
import os
import re
import shutil
import subprocess
import sys

import compilers
import pytest

HEAD = "#include <benchhost/kernel.h>\n"
ITEM = """BH_FN void k_item(uint64_t i, BH_GLOBAL double *out, bh_no_params p) {{
  BH_UNUSED(p);
{body}  out[i] = 1;
}}
BH_ITEMS_KERNEL1(k, k_item, bh_no_params, double)
"""


def tool(*arguments, program=compilers.TOOL):
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def check(tmp_path, text):
    """[(line, message)] for a file with this text."""
    path = tmp_path / "k.k.h"
    path.write_text(text)
    done = tool("--check", path)
    assert done.returncode == (65 if done.stderr else 0), done.stderr
    assert done.stdout == ""
    found = [re.fullmatch(r"(.*?):(\d+): (.*)", line) for line in done.stderr.splitlines()]
    assert all(match and match[1] == str(path) for match in found), done.stderr
    return [(int(match[2]), match[3]) for match in found]


def lines_of(tmp_path, text):
    return [line for line, _ in check(tmp_path, text)]


def body(text, before=""):
    return HEAD + before + ITEM.format(body=text)


# ---- places ----

def test_every_complaint_at_once_in_order(tmp_path):
    found = check(tmp_path, body("  double a = sqrtf(2.0f);\n  double b = M_PI;\n  out[i] = a + b + expf(1);\n"))
    assert [line for line, _ in found] == [4, 5, 6]
    assert found[0][1] == "'sqrtf': write BH_SQRTF"
    assert "3.14159" in found[1][1] and "BH_EXPF" in found[2][1]


def test_comments_and_joined_lines_keep_the_numbers(tmp_path):
    text = body("  /* sqrtf(1)\n     expf(1) */ // sinf(1)\n  double a = \\\n    sqrtf(2.0f);\n  out[i] = a;\n",
                "#define LONG(x) \\\n  ((x) + \\\n   1)\n")
    assert lines_of(tmp_path, text) == [text.splitlines().index("    sqrtf(2.0f);") + 1]


def test_in_a_macro(tmp_path):
    assert lines_of(tmp_path, body("  out[i] = ROOT(2);\n", "#define ROOT(x) \\\n  (1 + \\\n   sqrtf(x))\n")) == [4]


def test_in_a_header_of_the_folder(tmp_path):
    (tmp_path / "own.h").write_text("/* SPDX */\nBH_FN float root(float x) {\n  return sqrtf(x);\n}\n")
    (tmp_path / "k.k.h").write_text(HEAD + '#include "own.h"\n#include "own.h"\n' + ITEM.format(body="  out[i] = root(2);\n"))
    done = tool("--check", tmp_path / "k.k.h")
    assert done.stderr == f"{tmp_path / 'own.h'}:3: 'sqrtf': write BH_SQRTF\n"
    text = (tmp_path / "own.h").read_text().replace("sqrtf", "BH_SQRTF")
    (tmp_path / "own.h").write_text(text)
    assert tool("--text", tmp_path / "k.k.h").stdout.count("BH_FN float root") == 1


# ---- one target only ----

BAD = "  out[i] = __builtin_popcountll(i) + sqrtf(2.0f) + INFINITY;\n"


@pytest.mark.parametrize("condition", [
    "#if defined(BH_ON_HOST)", "#ifdef BH_ON_HOST", "#if defined BH_ON_HOST && defined(__AVX2__)", "#if !(!defined(BH_ON_HOST))",
    "#if defined(BH_ON_CUDA)", "#if defined(BH_ON_OPENCL)", "#ifdef __OPENCL_VERSION__", "#if defined(__CUDACC_RTC__)", "#if 0",
    "#if defined(BH_TWIN) || defined(BH_ON_HOST)", "#if defined(BH_ON_OPENCL) && __OPENCL_VERSION__ >= 120", "#if __CUDA_ARCH__ >= 800",
    "#define MINE 0\n#if MINE", "#define MINE 3\n#if MINE == 2 || MINE > 3",
])
def test_not_looked_at(tmp_path, condition):
    assert check(tmp_path, body(f"{condition}\n{BAD}#endif\n")) == []


@pytest.mark.parametrize("condition", [
    "#if 1", "#if !defined(BH_ON_HOST)", "#ifndef BH_ON_HOST", "#if defined(BH_ON_CUDA) || defined(BH_ON_OPENCL)", "#if defined(SOMETHING)",
    "#ifdef __AVX2__", "#if SOMETHING > 3", "#define MINE 2\n#if MINE == 2", "#ifndef __never__", "#if 1 + 1",
])
def test_looked_at(tmp_path, condition):
    text = body(f"{condition}\n{BAD}#endif\n")
    assert set(lines_of(tmp_path, text)) == {text.splitlines().index(BAD.rstrip()) + 1}


@pytest.mark.parametrize("chain,seen", [
    (("#if defined(BH_ON_HOST)", "#else"), [False, True]),
    (("#if defined(BH_ON_HOST)", "#elif defined(BH_ON_CUDA)", "#else"), [False, False, False]),  # the last: OpenCL alone
    (("#ifdef BH_ON_OPENCL", "#else"), [False, True]),
    (("#if defined(UNKNOWN)", "#elif defined(BH_ON_HOST)", "#else"), [True, False, True]),
    (("#if 1", "#elif defined(UNKNOWN)", "#else"), [True, False, False]),
])
def test_branches(tmp_path, chain, seen):
    text = body("".join(f"{word}\n{BAD}" for word in chain) + "#endif\n")
    places = [n for n, line in enumerate(text.splitlines(), 1) if line == BAD.rstrip()]
    assert set(lines_of(tmp_path, text)) == {place for place, wanted in zip(places, seen) if wanted}


def test_what_one_device_lacks_may_stand_where_it_does_not_look(tmp_path):
    assert check(tmp_path, body("#if !defined(BH_ON_OPENCL)\n  out[i] = sqrtf(2.0f);\n#endif\n")) == []
    assert len(check(tmp_path, body("#if !defined(BH_ON_CUDA)\n  out[i] = sqrtf(2.0f);\n#endif\n"))) == 1


def test_nested_conditions(tmp_path):
    inner = "#if defined(BH_ON_HOST)\n#if defined(UNKNOWN)\n" + BAD + "#else\n" + BAD + "#endif\n#endif\n"
    assert check(tmp_path, body(inner)) == []


# ---- headers ----

def test_headers_for_the_host_alone(tmp_path):
    assert check(tmp_path, body("", '#if defined(BH_ON_HOST)\n#include <string.h>\n#include "nowhere.h"\n#endif\n')) == []


def test_own_header_that_is_missing(tmp_path):
    (tmp_path / "k.k.h").write_text(HEAD + '#include "nowhere.h"\n')
    done = tool("--check", tmp_path / "k.k.h")
    assert (done.returncode, done.stderr) == (65, f"{tmp_path / 'k.k.h'}:2: cannot find nowhere.h: give its folder by -I\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "nowhere.h").write_text("#define NOWHERE 1\n")
    assert tool("--check", "-I", tmp_path / "more", tmp_path / "k.k.h").returncode == 0


def test_finds_its_headers_where_it_is_installed(tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copytree(compilers.HEADERS, tmp_path / "include")
    program = shutil.copy(compilers.TOOL, tmp_path / "bin")
    (tmp_path / "k.k.h").write_text(body(""))
    assert tool("--check", tmp_path / "k.k.h", program=program).returncode == 0
    shutil.rmtree(tmp_path / "include")
    assert "cannot find benchhost/kernel.h" in tool("--check", tmp_path / "k.k.h", program=program).stderr


def test_needs_the_standard_library_only(tmp_path):
    (tmp_path / "k.k.h").write_text(body(""))
    done = subprocess.run([sys.executable, "-I", "-S", compilers.TOOL, "--check", tmp_path / "k.k.h"], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- output ----

def test_array_is_the_text(tmp_path):
    (tmp_path / "some-name.k.h").write_text(body('#if defined(BH_ON_HOST)\n  const char *s = "??=\\\\ \\"x\\" \\n";\n  (void)s;\n#endif\n'))
    text = tool("--text", tmp_path / "some-name.k.h").stdout
    assert tool("-o", tmp_path / "some.inc", tmp_path / "some-name.k.h").stdout == ""
    (tmp_path / "main.c").write_text('#include "some.inc"\n#include <stdio.h>\nint main(void) { fwrite(some_name_source, 1, sizeof some_name_source - 1, '
                                     "stdout); return 0; }\n")
    built = subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-overlength-strings", "-o", tmp_path / "main",
                            tmp_path / "main.c"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == text
    assert '"??=' in text and "#include <benchhost" not in re.sub(r"#include <benchhost/plugin.h>", "", text)
    assert "static const char other[] =" in tool("--name", "other", tmp_path / "some-name.k.h").stdout


def test_lines_of_the_text_say_where_they_are_from(tmp_path):
    """What a device's compiler says is then about the author's files, wherever they were built."""
    (tmp_path / "own.h").write_text("\n\n#define FAR(x) \\\n  ((x) + \\\n   1)\n")
    kernel = tmp_path / "k.k.h"
    kernel.write_text('#include "own.h"\n/* a\n   comment */\n' + body("  out[i] = FAR(i);\n" + "\n" * 20 + "  out[i] += 1;\n"))
    text = tool("--text", kernel).stdout
    assert str(tmp_path) not in text
    files = {"k.k.h": kernel, "own.h": tmp_path / "own.h", **{f"benchhost/{n}.h": compilers.HEADERS / f"benchhost/{n}.h" for n in ("kernel", "random")}}
    lines = {name: path.read_text().splitlines() for name, path in files.items()}
    seen, file, number = set(), None, 0
    for line in text.splitlines():
        place = re.fullmatch(r'#line (\d+) "(.*)"', line)
        if place:
            file, number = place[2], int(place[1])
            continue
        if line:
            assert lines[file][number - 1].startswith(line.split("/*")[0].rstrip()[:20]), (file, number, line)
            seen.add((file, number))
        number += 1
    assert {("own.h", 3), ("own.h", 5), ("k.k.h", len(lines["k.k.h"])), ("benchhost/kernel.h", len(lines["benchhost/kernel.h"]))} <= seen


def test_headers_that_it_is_made_of(tmp_path):
    """For make and ninja: a text of old headers would compute something else than the host's code."""
    folder = tmp_path / "a $ folder"
    folder.mkdir()
    (folder / "size.h").write_text("#define COLUMNS 4\n")
    (folder / "k.k.h").write_text('#include <benchhost/random.h>\n#include "size.h"\n' + body("  out[i] = COLUMNS;\n"))
    assert tool("--depfile", tmp_path / "d", "-o", tmp_path / "k.inc", folder / "k.k.h").returncode == 0
    if not shutil.which("make"):
        pytest.skip("no make, which reads the rule")
    (tmp_path / "Makefile").write_text(f"include d\n{tmp_path}/k.inc:\n\t@echo again\n")

    def made():
        return subprocess.run(["make", "-C", tmp_path, "--no-print-directory"], capture_output=True, text=True, check=True).stdout
    assert "up to date" in made()
    os.utime(folder / "size.h", (4e9, 4e9))
    assert made() == "again\n"
    assert all(f"/benchhost/{name}.h" in (tmp_path / "d").read_text() for name in ("kernel", "random"))
    assert tool("--depfile", tmp_path / "d", folder / "k.k.h").returncode == 64


def test_a_refused_kernel_writes_nothing(tmp_path):
    (tmp_path / "k.k.h").write_text(body("  out[i] = sqrtf(1);\n"))
    assert tool("-o", tmp_path / "k.inc", tmp_path / "k.k.h").returncode == 65
    assert not (tmp_path / "k.inc").exists()
    assert tool("--text", tmp_path / "k.k.h").stdout == ""


@pytest.mark.parametrize("arguments", [[], ["--wrong"], ["nowhere.k.h"], ["--check", "/"]])
def test_wrong_arguments(arguments):
    done = tool(*arguments)
    assert done.returncode == 64 and "benchhost-kernel: " in done.stderr and "Traceback" not in done.stderr


def test_manual_names_every_option():
    page = (compilers.SOURCE / "docs" / "man" / "benchhost-kernel.1").read_text()
    shown = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z]*)", tool("--help").stdout.split("options:", 1)[1]))
    documented = {"-" + name for name in re.findall(r"\bFl (-?\w+)", page)} | {"--help"}
    assert {o for o in shown if o.startswith("-")} == documented


# ---- what is fine, though it looks like what is not ----

FINE = {
    "multiplication": "  double a = 2, b = 3;\n  a = a * b;\n  out[i] = a * out[i];\n",
    "array of constants": "  double x[N + 1];\n  x[N] = 2;\n  out[i] = x[N];\n",
    "array of an enumerator": "  double x[LAST];\n  x[0] = 2;\n  out[i] = x[0];\n",
    "size of a variable": "  uint64_t a = 1;\n  uint8_t b[sizeof(uint64_t)];\n  b[0] = (uint8_t)a;\n  out[i] = b[0];\n",
    "array by index": "  uint32_t k = 3;\n  double x[4] = {0};\n  x[k] = 1;\n  return;\n",
    "value of a region": "  double a = out[i], b = *out;\n  double c = *(out + i);\n  out[i] = a + b + c;\n",
    "pointer to private of a value": "  double a = out[i];\n  double *at = &a;\n  *at += out[i];\n",
    "pointer to a region": "  BH_GLOBAL double *at = &out[i], *next = out + i + 1;\n  *at = *next;\n",
    "cast of a region": "  BH_GLOBAL uint64_t *at = (BH_GLOBAL uint64_t *)out;\n  at[i] = 1;\n",
    "braces after if": "  if ((i)) {\n    out[i] = 2;\n  } else {\n    out[i] = 3;\n  }\n  for (;;) {\n    break;\n  }\n",
    "label and case": "  switch (i) {\n  case 1: {\n    out[i] = 2;\n  } break;\n  default: break;\n  }\n",
    "conditional": "  out[i] = i ? 1 : 2;\n",
    "member named like a word": "  s_t s = {1, 2};\n  out[i] = s.time + s.free;\n",
    "letters": "  out[i] = 'a' + '\"' + '\\\\';\n",
    "loops": "  for (uint32_t k = 0, n = 4; k < n; k++)\n    out[i] += k;\n  while (i > 1000)\n    i--;\n  do {\n    i++;\n  } while (i < 3);\n",
    "helper with a private pointer": "  double a = out[i];\n  add(&a, out[i]);\n  out[i] = a;\n",
    "helper with both": "  double a = 1;\n  both(out, &a, i);\n",
}
BEFORE = """#define N 4
enum { FIRST, LAST };
typedef struct {
  uint32_t time, free;
} s_t;
BH_CONST double weights[2] = {1, 2};
BH_FN void add(double *sum, double x) {
  *sum += x * weights[0];
}
BH_FN void both(BH_GLOBAL double *to, const double *from, uint64_t i);
BH_FN void both(BH_GLOBAL double *to, const double *from, uint64_t i) {
  to[i] = *from;
}
"""


@pytest.mark.parametrize("name", FINE)
def test_fine(tmp_path, name):
    assert check(tmp_path, body(FINE[name], BEFORE)) == []
    accepted, said = compilers.host("gcc", tmp_path / "k.k.h")
    assert accepted, said


# ---- what is not fine, in other words than the table's ----

WRONG = {
    "pointer given later": "  double *at;\n  double a;\n  at = &a;\n  at = out + i; // HERE\n",
    "pointer by a cast": "  double *at = (double *)(out + i); // HERE\n  *at = 1;\n",
    "pointer by a condition": "  double a, *at = i ? &a : &out[i]; // HERE\n  *at = 1;\n",
    "pointer to what a pointer points to": "  BH_GLOBAL double *p1 = out;\n  double *p2 = p1 + 1; // HERE\n  *p2 = 1;\n",
    "table through a pointer": "  const double *w = weights; // HERE\n  out[i] = *w;\n",
    "table to a helper": "  out[i] = first(weights);\n",
    "second declarator": "  double a = 1, *at = out; // HERE\n  *at = a;\n",
    "length by a parameter of the function": "  double x[i]; // HERE\n  x[0] = 1;\n",
    "length in the second declarator": "  uint32_t n = 3;\n  double a = 1, x[n]; // HERE\n  x[0] = a;\n",
    "literal as an argument": "  out[i] = sum_of((s_t){1, 2}); // HERE\n",
    "literal returned": "  s_t s = made(i);\n  out[i] = s.a;\n",
    "designators in an array of structs": "  s_t s[2] = {{1, 2}, {.b = 1, .a = 2}}; // HERE\n  out[i] = s[1].a;\n",
    "function given": "  out[i] = apply(first_of, 1); // HERE\n",
    "calloc": "  double *x = (double *)calloc(1, 8); // HERE\n  out[i] = *x;\n",
}
WRONG_BEFORE = """typedef struct {
  uint32_t a, b;
} s_t;
BH_CONST double weights[2] = {1, 2};
BH_FN uint32_t sum_of(s_t s) {
  return s.a + s.b;
}
"""
WRONG_MORE = {
    "table to a helper": "BH_FN double first(const double *x) { // HERE\n  return x[0];\n}\n",
    "literal returned": "BH_FN s_t made(uint64_t i) {\n  return (s_t){(uint32_t)i, 2}; // HERE\n}\n",
    "function given": "BH_FN double first_of(double x) {\n  return x;\n}\nBH_FN double apply(double (*f)(double), double x) { // HERE\n  return f(x);\n}\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(tmp_path, name):
    text = body(WRONG[name], WRONG_BEFORE + WRONG_MORE.get(name, ""))
    marked = {n for n, line in enumerate(text.splitlines(), 1) if "// HERE" in line}
    assert marked and set(lines_of(tmp_path, text)) == marked


REDUCE = HEAD + """BH_FN void start({q}uint64_t *s) {{ // 2
  *s = 0;
}}
BH_FN void item(uint64_t i, {q}uint64_t *s, {g}const uint32_t *a, bh_no_params p) {{ // 5
  BH_UNUSED(p);
  *s += a[i];
}}
BH_FN void join(uint64_t *s, {q}const uint64_t *other) {{ // 9
  *s += *other;
}}
BH_REDUCE_KERNEL2(sums, start, item, join, 64, bh_no_params, uint64_t, const uint32_t)
"""


def test_sums_of_a_reduce_kernel_are_private(tmp_path):
    assert lines_of(tmp_path, REDUCE.format(q="", g="BH_GLOBAL ")) == []
    assert set(lines_of(tmp_path, REDUCE.format(q="BH_GLOBAL ", g="BH_GLOBAL "))) == {2, 5, 9}
    assert lines_of(tmp_path, REDUCE.format(q="", g="")) == [5]


@pytest.mark.parametrize("lanes,fine", [("64", True), ("1", True), ("48", False), ("MINE", False), ("OTHER", True), ("0", False)])
def test_lanes_of_a_reduce_kernel(tmp_path, lanes, fine):
    text = "#define MINE 96\n#define OTHER 32\n" + REDUCE.format(q="", g="BH_GLOBAL ").replace(" 64,", f" {lanes},")
    found = check(tmp_path, text)
    assert bool(found) != fine and all("power of two" in message and line == 14 for line, message in found)


GROUPS = HEAD + """BH_FN void body(uint64_t i, {l}double *sums, {g}double *out, bh_no_params p) {{
  BH_UNUSED(p);
  BH_LANES(t, 4) sums[t] = t; BH_SYNC
  BH_LANES(t, 4) if (t == 0) out[i] = sums[3]; BH_SYNC
}}
BH_GROUPS_KERNEL1(k, body, 4, double, 4, bh_no_params, double)
"""


def test_local_memory_of_a_groups_kernel(tmp_path):
    assert check(tmp_path, GROUPS.format(l="BH_LOCAL ", g="BH_GLOBAL ")) == []
    assert "BH_LOCAL" in check(tmp_path, GROUPS.format(l="", g="BH_GLOBAL "))[0][1]
    assert "BH_LOCAL" in check(tmp_path, GROUPS.format(l="BH_GLOBAL ", g="BH_GLOBAL "))[0][1]
    assert "BH_GLOBAL" in check(tmp_path, GROUPS.format(l="BH_LOCAL ", g="BH_LOCAL "))[0][1]


# ---- a kernel's macro and its phases ----

MACROS = HEAD + """typedef struct {
  uint32_t n;
} sum_params;
BH_FN void copy_item(uint64_t i, BH_GLOBAL const float *from, BH_GLOBAL double *to, sum_params p) {
  to[i] = from[i] * p.n;
}
BH_ITEMS_KERNEL2(copy, copy_item, sum_params, const float, double)
#define TILE 8
#define LANES (TILE * TILE)
BH_FN void turn_body(uint64_t i, BH_LOCAL float *tile, BH_GLOBAL const float *from, BH_GLOBAL float *to, bh_no_params p) {
  BH_PRIVATE(float, kept, LANES);
  BH_UNUSED(p);
  BH_LANES(t, LANES)
  BH_OF(kept, t) = 2;
  tile[t] = from[i * LANES + t];
  BH_SYNC
  for (uint32_t k = 1; k < 8; k *= 2) {
    BH_LANES(t, LANES)
    float mine = tile[t ^ k];
    mine++;
    if (t > k)
      BH_OF(kept, t) += mine;
    BH_SYNC
  }
  BH_LANES(t, LANES) to[i * LANES + t] = BH_OF(kept, t); BH_SYNC
}
BH_GROUPS_KERNEL2(turn, turn_body, LANES, float, LANES, bh_no_params, const float, float)
"""
MISTAKES = {  # (what is replaced, by what) -> (line, message)
    ("copy, copy_item", "copy, copy_itm"): (8, "'copy_itm' is no function of this file: write it before BH_ITEMS_KERNEL2, marked BH_FN"),
    ("const float, double)", "const double, double)"): (
        8, "type 'const double' of 'copy': 'from' of 'copy_item' is 'const float': types stand in the order of the function's parameters"),
    ("const float, double)", "double, const float)"): (8, "type 'double' of 'copy': 'from' of 'copy_item' is 'const float': types stand"),
    ("copy_item, sum_params", "copy_item, bh_no_params"): (
        8, "parameters 'bh_no_params' of 'copy': 'p' of 'copy_item' is 'sum_params': name the same struct"),
    ("BH_ITEMS_KERNEL2", "BH_ITEMS_KERNEL3"): (8, "BH_ITEMS_KERNEL3 with 5 arguments: it takes 6: (NAME, ITEM, P, T0, T1, T2), one type"),
    ("BH_ITEMS_KERNEL2", "BH_ITEMS_KERNEL7"): (8, "'BH_ITEMS_KERNEL7': a kernel has 1 to 6 uses"),
    ("BH_ITEMS_KERNEL2(copy, copy_item", "BH_CHUNKS_KERNEL2(copy, copy_item"): (
        5, "'copy_item' has 4 parameters: BH_CHUNKS_KERNEL2 in line 8 calls it with 5: (uint64_t begin, uint64_t end, const float *, double *, "
           "sum_params)"),
    ("KERNEL2(copy,", "KERNEL2(dot,"): (8, "'dot': it is a function of OpenCL C: choose another name"),
    ("turn_body, LANES", "turn_body, 32"): (14, "BH_LANES for 64 lanes: the kernel's macro says 32"),
    ("float, kept, LANES", "float, kept, 32"): (12, "BH_PRIVATE for 32 lanes: the kernel's macro says 64"),
    ("LANES, float, LANES,", "LANES, float, 200 * LANES,"): (28, "51200 bytes of local memory: a group has 1 to 49152 on CUDA"),
    ("tile[t] = from[i * LANES + t];\n  BH_SYNC\n", "tile[t] = from[i * LANES + t];\n"): (
        18, "BH_LANES inside of the phase of line 14: end that one by BH_SYNC first"),
    ("= BH_OF(kept, t); BH_SYNC", "= BH_OF(kept, t);"): (26, "BH_LANES without BH_SYNC: every phase ends in BH_SYNC"),
    ("  BH_UNUSED(p);\n", "  tile[0] = 1;\n"): (13, "'tile[...]' is written outside of a phase: every lane would"),
}


def test_macros_and_phases_that_are_fine(tmp_path):
    assert check(tmp_path, MACROS) == []
    accepted, said = compilers.host("gcc", tmp_path / "k.k.h")
    assert accepted, said


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m[1][:24].strip())
def test_mistakes(tmp_path, mistake):
    assert MACROS.count(mistake[0]) >= 1
    line, message = MISTAKES[mistake]
    found = check(tmp_path, MACROS.replace(*mistake, 1))
    assert (found[0][0], found[0][1][:len(message)]) == (line, message)


def test_a_variable_that_the_hosts_lanes_would_share(tmp_path):
    text = MACROS.replace("BH_PRIVATE(float, kept, LANES);", "float kept = 0;").replace("BH_OF(kept, t)", "kept")
    found = check(tmp_path, text)
    assert [line for line, _ in found] == [15, 23]
    assert found[0][1] == ("'kept' is written in a phase and declared outside of it: on the host all lanes share it: declare it by BH_PRIVATE(T, "
                           "kept, LANES), name it BH_OF(kept, t)")


def test_types_that_only_the_compiler_knows(tmp_path):
    """An alias, a macro's name, functions that a macro makes: not for this tool to say."""
    alias = MACROS.replace("BH_GLOBAL const float *from, BH_GLOBAL double *to, sum", "BH_GLOBAL const real *from, BH_GLOBAL WIDE *to, sum")
    assert check(tmp_path, alias.replace("typedef", "typedef float real;\n#define WIDE double\ntypedef", 1)) == []
    made = HEAD + """#define MAKE(NAME) \\
  BH_FN void NAME(uint64_t i, BH_GLOBAL double *out, bh_no_params p) { \\
    BH_UNUSED(p); \\
    out[i] = 1; \\
  }
MAKE(one_item)
BH_ITEMS_KERNEL1(one, one_item, bh_no_params, double)
"""
    assert check(tmp_path, made) == []


def test_recursion_names_the_way(tmp_path):
    text = HEAD + "".join(f"BH_FN uint32_t {a}(uint32_t n) {{\n  return {b}(n);\n}}\n" for a, b in ("ab", "bc", "ca", "da"))
    found = check(tmp_path, text)
    assert [line for line, _ in found] == [3] and "a -> b -> c -> a" in found[0][1]


def test_every_kernel_file_is_accepted():
    for path in [*compilers.kernel_files(), *sorted(compilers.SOURCE.glob("examples/*/*.k.h"))]:
        done = tool("--check", path)
        assert (done.returncode, done.stderr) == (0, ""), path
