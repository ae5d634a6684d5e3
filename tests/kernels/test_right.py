# SPDX-License-Identifier: MIT
"""Right kernels, written in ways that are not the examples': benchhost-kernel takes them, and so does every compiler. A kernel that is
refused without a reason is worse than a mistake that only a device's compiler finds."""
import functools
import pathlib

import compilers
import pytest

ITEMS = """BH_FN void item(uint64_t i, BH_GLOBAL double *out, params p) {
  out[i] = BODY;
}
BH_ITEMS_KERNEL1(snippet, item, params, double)
"""
PARAMS = "typedef struct {\n  uint32_t n;\n} params;\n"
GROUPS = """BH_FN void body(uint64_t i, BH_LOCAL double *s, BH_GLOBAL const double *x, BH_GLOBAL double *y, bh_no_params p) {
  BH_UNUSED(p);
BODY
}
BH_GROUPS_KERNEL2(snippet, body, 64, double, 64, bh_no_params, const double, double)
"""


def items(body, before="", params=PARAMS):
    return params + before + ITEMS.replace("BODY", body)


def groups(body, before=""):
    return before + GROUPS.replace("BODY", body)


RIGHT = {
    "products-in-parameters": items("p.w[5] + p.in[1].v[1][2] + p.in[0].v[0][0]", params="#define ROWS 2\ntypedef struct {\n  double v[ROWS][3];\n"
                                    "} inner;\ntypedef struct {\n  double w[2 * 3];\n  inner in[ROWS * 1];\n} params;\n"),
    "member-named-as-a-function": items("n(p.n)", "BH_FN double n(double v) {\n  return v * 2;\n}\n"),
    "variable-named-as-a-function": items("more(p.n)", "BH_FN double half_of(double v) {\n  return v / 2;\n}\nBH_FN double more(double v) {\n"
                                          "  double half_of = v;\n  return half_of + 1;\n}\n"),
    "names-that-no-device-has": items("norm(out, i) + saturate(p.n)", "BH_FN double norm(BH_GLOBAL const double *x, uint64_t n) {\n  return x[n];\n}\n"
                                      "BH_FN double saturate(double x) {\n  return x > 1 ? 1 : x;\n}\n"),
    "enumeration-with-values": items("WIDTH + B", "enum { WIDTH = 8, DEPTH = 2 };\ntypedef enum { A = 1, B } letters;\n"),
    "const-in-a-type": PARAMS.replace("} params", "} params, same") + """typedef const double fixed;
BH_FN void item(uint64_t i, BH_GLOBAL fixed *a, BH_GLOBAL double const *b, BH_GLOBAL double *out, same p) {
  out[i] = a[i] + b[i] * p.n;
}
BH_ITEMS_KERNEL3(snippet, item, params, const double, double const, double)
BH_ITEMS_KERNEL3(another, item, params, fixed, const double, double)
""",
    "parameters-by-a-macro": PARAMS + """#define COMMON BH_GLOBAL const double *a, BH_GLOBAL double *out, params p
#define IN(T, name) BH_GLOBAL const T *name, uint32_t at_##name
BH_FN double at(IN(double, a)) {
  return a[at_a];
}
BH_FN void item(uint64_t i, COMMON) {
  out[i] = at(a, 0) + p.n;
}
BH_ITEMS_KERNEL2(snippet, item, params, const double, double)
""",
    "names-for-words": """#define FN BH_FN
#define GLOBAL BH_GLOBAL
#define LOCAL BH_LOCAL
#define END BH_SYNC
#define KERNEL BH_GROUPS_KERNEL1
FN void body(uint64_t i, LOCAL double *s, GLOBAL double *y, bh_no_params p) {
  BH_UNUSED(p);
  BH_LANES(t, 64) s[t] = y[t]; END
  if (i > 4)
    return;
  BH_LANES(t, 64) y[t] = s[63 - t]; END
}
KERNEL(snippet, body, 64, double, 64, bh_no_params, double)
""",
    "one-of-two": PARAMS + """#ifdef WITH_BIAS
BH_FN void item(uint64_t i, BH_GLOBAL const double *b, BH_GLOBAL const double *x, BH_GLOBAL double *y, params p) {
  y[i] = x[i] * p.n + b[i];
}
BH_ITEMS_KERNEL3(snippet, item, params, const double, const double, double)
#else
BH_FN void item(uint64_t i, BH_GLOBAL const double *x, BH_GLOBAL double *y, params p) {
  y[i] = x[i] * p.n;
}
BH_ITEMS_KERNEL2(snippet, item, params, const double, double)
#endif
""",
    "phase-that-begins-in-one-of-two": groups("""#if WIDE * 2 > 8
  BH_LANES(t, 64) s[t] = x[t] * 2;
#else
  BH_LANES(t, 64) s[t] = x[t];
#endif
  BH_SYNC
  BH_LANES(t, 64) y[t] = s[t] + i; BH_SYNC"""),
    "pointer-that-goes-on": groups("""  BH_GLOBAL const double *at = x + i;
  for (uint32_t r = 0; r < 2; r++) {
    BH_LANES(t, 64) s[t] = at[t]; BH_SYNC
    at += 64;
    at--;
    ++at;
  }
  BH_LANES(t, 64) y[t] = s[t]; BH_SYNC"""),
    "sums-of-parts": groups("""  BH_PRIVATE(double, kept, 128);
  BH_LANES(t, 64) BH_OF(kept, t) = x[t]; s[t] = BH_OF(kept, t); BH_SYNC
  BH_GROUP_SUM(s, 32)
  BH_GROUP_SUM(s + 32, 32)
  BH_LANES(t, 64) if (t < 2) y[t + i] = s[32 * t]; BH_SYNC"""),
    "lanes-of-each-kernel": """#define LANES 64
BH_FN void small(uint64_t i, BH_LOCAL double *s, BH_GLOBAL double *y, bh_no_params p) {
  BH_UNUSED(p);
  BH_LANES(t, 64) s[t] = y[t + i]; BH_SYNC
}
BH_GROUPS_KERNEL1(snippet, small, LANES, double, LANES, bh_no_params, double)
#undef LANES
#define LANES 128
BH_FN void large(uint64_t i, BH_LOCAL double *s, BH_GLOBAL double *y, bh_no_params p) {
  BH_UNUSED(p);
  BH_LANES(t, 128) s[t] = y[t + i]; BH_SYNC
}
BH_GROUPS_KERNEL1(another, large, LANES, double, LANES, bh_no_params, double)
""",
    "phases-by-macros": groups("""  double q = 0;
  BH_LANES(t, 64) FOR(k, 3) { s[t] = x[t + k]; } END()
  q = ADD(q,

          /* a



          word */

          1);
  if (q > 3)
    return;
  BH_LANES(t, 64) y[t] = same(s[t]) + i; END()""", """#define FOR(k, n) for (uint32_t k = 0; k < (n); k++)
#define END() BH_SYNC
#define ADD(a, b) /* goes on
  behind its comment */ ((a) + (b))
#define DEFINE(NAME, T) BH_FN T NAME(T a) { return a; }
DEFINE(same, double)
enum { UNUSED_ONE = 1 };
"""),
    "helper-with-phases": groups("  load(s, x + i * 64);\n  if (i % 2) {\n    BH_LANES(t, 64) y[t] = s[t]; BH_SYNC\n  } else {\n    BH_LANES(t, 64)\n"
                                 "    double q[2] = {0, 1};\n    q[0] = s[t];\n    if (t < 32)\n      y[t] = q[0];\n    else\n      y[t] = q[1];\n"
                                 "    BH_SYNC\n  }", "BH_FN void load(BH_LOCAL double *to, BH_GLOBAL const double *from) {\n  double q[2] = {1, 2};\n"
                                 "  BH_LANES(t, 64) to[t] = from[t] + q[1]; BH_SYNC\n}\n"),
    "names-by-a-macro": """#define NAME(a) double_##a
BH_FN double NAME(one)(double v) {
  return v;
}
BH_FN void NAME(item)(uint64_t i, BH_GLOBAL double *out, bh_no_params p) {
  BH_UNUSED(p);
  out[i] = NAME(one)(1);
}
BH_ITEMS_KERNEL1(NAME(snippet), NAME(item), bh_no_params, double)
""",
    "a-name-in-two-scopes": groups("""  BH_LANES(t, 64) { double v[2] = {1, 2}; double *q = v; q = v + 1; s[t] = q[0]; } BH_SYNC
  BH_LANES(t, 64) { BH_LOCAL double *q = s; q = s + i % 2; y[t] = q[t / 2] + x[t]; } BH_SYNC"""),
    "a-variable-that-hides-a-table": items("twice(p.n) + w[1]", """BH_CONST double w[4] = {1, 2, 3, 4};
BH_FN double sum(const double *v) {
  return v[0] + v[1];
}
BH_FN double twice(double a) {
  double w[2] = {a, a};
  return sum(w);
}
"""),
    "length-by-sizeof": items("last(p.n)", """BH_FN double last(double a) {
  double b[3] = {a, a, a}, c[sizeof b / sizeof(b[0])];
  for (uint32_t k = 0; k < sizeof(c) / sizeof c[0]; k++)
    c[k] = b[k];
  return c[2];
}
"""),
}


def written(folder, name):
    path = pathlib.Path(folder) / f"{name}.k.h"
    path.write_text("#include <benchhost/kernel.h>\n" + RIGHT[name])
    return path


@pytest.mark.parametrize("name", RIGHT)
def test_taken(tmp_path, name):
    done = compilers.call(compilers.TOOL, "--check", written(tmp_path, name))
    assert done == (True, "")


@pytest.mark.parametrize("name,right,wrong", [
    ("names-for-words", "return;\n  BH_LANES(t, 64) y", "BH_OF(i, 0);\n  BH_LANES(t, 64) y[t] = 1; return; y"),
    ("parameters-by-a-macro", "uint64_t i, COMMON", "uint64_t i, uint64_t j, COMMON"), ("sums-of-parts", "SUM(s, 32)", "SUM(s, 256)"),
    ("pointer-that-goes-on", "at += 64;", "*y = 1;"), ("products-in-parameters", "double w[2 * 3]", "double *w[2 * 3]"),
    ("enumeration-with-values", "BH_FN", "enum { C = 1 } state = C;\nBH_FN")])
def test_what_is_wrong_in_them_is_found(tmp_path, name, right, wrong):
    path = written(tmp_path, name)
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    taken, said = compilers.call(compilers.TOOL, "--check", path)
    assert not taken and f"{path}:" in said


@pytest.mark.parametrize("compiler", ["gcc", "clang", "opencl_clang", "nvrtc"])
@pytest.mark.parametrize("name", RIGHT)
def test_compiles(tmp_path, name, compiler):
    path = written(tmp_path, name)
    ask = functools.partial(compilers.host, compiler, path) if compiler in ("gcc", "clang") else \
        functools.partial(getattr(compilers, compiler), compilers.text_of(path))
    try:
        accepted, said, *_ = ask()
    except compilers.Absent as why:
        pytest.skip(str(why))
    assert accepted, said
