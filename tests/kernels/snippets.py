# SPDX-License-Identifier: MIT
"""The code behind each row of the table in docs/kernels.md. ROWS: the row's name -> Row.

`bad` is the construct and `instead` what the page says to write in its place; rows of what works everywhere have no `instead`.
Each is a kernel file of its own, `snippet`, whose only region is an array of double. `HERE` marks the line that benchhost-kernel
must name; it is a comment for C."""
import collections

Row = collections.namedtuple("Row", "bad instead")
HEAD = "#include <benchhost/kernel.h>\n"


def item(body, before="", params="bh_no_params", head=HEAD):
    """A file with one ITEMS kernel that does `body` for item i; `out` is its region."""
    unused = "  BH_UNUSED(p);\n" if params == "bh_no_params" else ""
    return (f"{head}{before}BH_FN void snippet_item(uint64_t i, BH_GLOBAL double *out, {params} p) {{\n{unused}{body}}}\n"
            f"BH_ITEMS_KERNEL1(snippet, snippet_item, {params}, double)\n")


def works(body, before="", **more):
    return Row(item(body, before, **more), None)


ROWS = {
    # ---- what works everywhere ----
    "double": works("  out[i] = sqrt((double)i) + exp(-(double)i) + pow(1.5, (double)i) + floor(0.5 * (double)i);\n"),
    "float": works("  float x = (float)i * 0.25f;\n  out[i] = BH_SQRTF(x) + BH_EXPF(-x) + BH_FLOORF(x);\n"),
    "long-integers": works("  uint64_t x = (i + 1) * 0x9E3779B97F4A7C15u;\n  out[i] = (double)(x >> 40) + (double)(int64_t)-3ll + 7ULL;\n"),
    "enum": works("  out[i] = p_kind(i) == SECOND ? 2 : 1;\n",
                  "enum { FIRST, SECOND };\nBH_FN uint32_t p_kind(uint64_t i) {\n  return i % 2 ? SECOND : FIRST;\n}\n"),
    "union": works("  bits_of b;\n  b.value = (float)i;\n  out[i] = b.bits;\n",
                   "typedef union {\n  float value;\n  uint32_t bits;\n} bits_of;\n"),
    "struct-by-value": works("  pair a = {(double)i, {1, 2}};\n  pair b = a;\n  out[i] = b.x + b.more[1];\n",
                             "typedef struct {\n  double x;\n  float more[2];\n} pair;\n"),
    "designated-members": works("  pair a = {.x = (double)i, .y = 2};\n  out[i] = a.x * a.y;\n",
                                "typedef struct {\n  double x, y;\n} pair;\n"),
    "uneven-parameters": works("  out[i] = p.a + p.b + p.c + p.d[1];\n",
                               "typedef struct {\n  uint8_t a;\n  double b;\n  uint16_t c;\n  uint32_t d[2];\n} uneven;\n", params="uneven"),
    "table": works("  out[i] = table[i % 4];\n", "BH_CONST double table[4] = {1, 2.5, 4, 8};\n"),
    "private-array": works("  double x[64];\n  for (int k = 0; k < 64; k++)\n    x[k] = (double)k + (double)i;\n  out[i] = x[i % 64];\n"),
    "pointer-to-private": works("  double sum = (double)i;\n  add(&sum, 2);\n  out[i] = sum;\n",
                                "BH_FN void add(double *sum, double x) {\n  *sum += x;\n}\n"),
    "goto": works("  int k = 0;\nagain:\n  if (++k < 5)\n    goto again;\n  out[i] = k;\n"),
    "switch": works("  switch (i % 3) {\n  case 0: out[i] = 5; break;\n  case 1: out[i] = 6; break;\n  default: out[i] = 7;\n  }\n"),
    "restrict-of-compilers": works("  BH_GLOBAL double *__restrict__ at = out + i;\n  *at = 3;\n"),
    "null": works("  BH_GLOBAL double *at = NULL;\n  out[i] = at == out;\n"),
    "packed": works("  tight t = {1, (double)i};\n  out[i] = t.x + (double)sizeof(tight);\n",
                    "typedef struct __attribute__((packed)) {\n  uint8_t a;\n  double x;\n} tight;\n"),
    "own-macro": works("  out[i] = TWICE(i);\n", "#define TWICE(x) (2.0 * (double)(x))\n"),
    "random": works("  out[i] = bh_random_unit(7, i);\n", "#include <benchhost/random.h>\n"),
    # ---- headers and the library ----
    "header": Row(item("  out[i] = i < DBL_DIG;\n", "#include <float.h> // HERE\n"), item("  out[i] = i < 15;\n")),
    "float-function": Row(item("  out[i] = sqrtf((float)i); // HERE\n"), item("  out[i] = BH_SQRTF(i);\n")),
    "float-function-other": Row(item("  out[i] = ceilf((float)i + 0.5f); // HERE\n"),
                                item("  out[i] = (float)ceil((double)i + 0.5);\n")),
    "long-double": Row(item("  long double x = 1; // HERE\n  out[i] = (double)(x / 3);\n"), item("  double x = 1;\n  out[i] = x / 3;\n")),
    "infinity": Row(item("  out[i] = INFINITY; // HERE\n"), item("  out[i] = bh_double_of_bits(0x7ff0000000000000u);\n")),
    "nan": Row(item("  out[i] = NAN; // HERE\n"), item("  double x = bh_double_of_bits(0x7ff8000000000000u);\n  out[i] = x != x;\n")),
    "pi": Row(item("  out[i] = M_PI; // HERE\n"), item("  out[i] = 3.14159265358979323846;\n")),
    "limits": Row(item("  out[i] = i < UINT64_MAX; // HERE\n"), item("  out[i] = i < (uint64_t)-1;\n")),
    "integer-constant": Row(item("  out[i] = (double)(i + UINT64_C(5)); // HERE\n"), item("  out[i] = (double)(i + (uint64_t)5);\n")),
    "memcpy": Row(item("  double x = (double)i, y;\n  memcpy(&y, &x, sizeof y); // HERE\n  out[i] = y;\n", "#if defined(BH_ON_HOST)\n"
                       "#include <string.h>\n#endif\n"), item("  double x = (double)i, y = x;\n  out[i] = y;\n")),
    "memset": Row(item("  uint32_t x[4];\n  memset(x, 0, sizeof x); // HERE\n  out[i] = x[i % 4];\n", "#if defined(BH_ON_HOST)\n"
                       "#include <string.h>\n#endif\n"),
                  item("  uint32_t x[4];\n  for (int k = 0; k < 4; k++)\n    x[k] = 0;\n  out[i] = x[i % 4];\n")),
    "malloc": Row(item("  double *x = (double *)malloc(8); // HERE\n  *x = 2;\n  out[i] = *x;\n  free(x); // HERE\n",
                       "#if defined(BH_ON_HOST)\n#include <stdlib.h>\n#endif\n"), item("  double x[1];\n  *x = 2;\n  out[i] = *x;\n")),
    "assert": Row(item("  assert(i < 1000); // HERE\n  out[i] = 1;\n", "#if defined(BH_ON_HOST)\n#include <assert.h>\n#endif\n"),
                  item("  out[i] = i < 1000;\n")),
    "printf": Row(item('  if (i > 1000)\n    printf("far\\n"); // HERE\n  out[i] = 1;\n', "#if defined(BH_ON_HOST)\n#include <stdio.h>\n#endif\n"),
                  item("  out[i] = i > 1000;\n")),
    "rand": Row(item("  out[i] = rand() % 1; // HERE\n", "#if defined(BH_ON_HOST)\n#include <stdlib.h>\n#endif\n"),
                item("  out[i] = bh_random_below(1, i, 1);\n", "#include <benchhost/random.h>\n")),
    "clock": Row(item("  out[i] = bh_clock_ns() > 0; // HERE\n"),
                 item("#if defined(BH_HAS_CLOCK)\n  out[i] = bh_clock_ns() > 0;\n#else\n  out[i] = 1;\n#endif\n")),
    # ---- pointers ----
    "plain-region-pointer": Row("#include <benchhost/kernel.h>\nBH_FN void snippet_item(uint64_t i, double *out, bh_no_params p) { // HERE\n"
                                "  BH_UNUSED(p);\n  out[i] = 1;\n}\nBH_ITEMS_KERNEL1(snippet, snippet_item, bh_no_params, double)\n",
                                item("  out[i] = 1;\n")),
    "restrict": Row(item("  BH_GLOBAL double *restrict at = out + i; // HERE\n  *at = 3;\n"),
                    item("  BH_GLOBAL double *__restrict__ at = out + i;\n  *at = 3;\n")),
    "plain-local-pointer": Row(item("  double *at = out + i; // HERE\n  *at = 1;\n"), item("  BH_GLOBAL double *at = out + i;\n  *at = 1;\n")),
    "plain-helper-pointer": Row(item("  put(&out[i]);\n", "BH_FN void put(double *at) { // HERE\n  *at = 1;\n}\n"),
                                item("  put(&out[i]);\n", "BH_FN void put(BH_GLOBAL double *at) {\n  *at = 1;\n}\n")),
    "void-pointer": Row(item("  double x = 2;\n  void *p0 = &x; // HERE\n  double *p1 = p0;\n  out[i] = *p1;\n"),
                        item("  double x = 2;\n  double *p1 = &x;\n  out[i] = *p1;\n")),
    "function-pointer": Row(item("  double (*f)(double) = twice; // HERE\n  out[i] = f(3);\n", "BH_FN double twice(double x) {\n  return 2 * x;\n}\n"),
                            item("  out[i] = twice(3);\n", "BH_FN double twice(double x) {\n  return 2 * x;\n}\n")),
    "pointer-in-parameters": Row(item("  out[i] = p.table ? 1 : 0;\n", "typedef struct {\n  const double *table; // HERE\n} held;\n", params="held"),
                                 item("  out[i] = p.first ? 1 : 0;\n", "typedef struct {\n  uint64_t first;\n} held;\n", params="held")),
    "text": Row(item('  const char *word = "ab"; // HERE\n  out[i] = word[i % 2];\n'),
                item("  out[i] = word[i % 2];\n", 'BH_CONST char word[] = "ab";\n')),
    # ---- functions and variables ----
    "unmarked-function": Row(item("  out[i] = twice(3);\n", "static inline double twice(double x) { // HERE\n  return 2 * x;\n}\n"),
                             item("  out[i] = twice(3);\n", "BH_FN double twice(double x) {\n  return 2 * x;\n}\n")),
    "global-variable": Row(item("  out[i] = table[i % 2];\n", "static const double table[2] = {1, 2}; // HERE\n"),
                           item("  out[i] = table[i % 2];\n", "BH_CONST double table[2] = {1, 2};\n")),
    "static-variable": Row(item("  static const double table[2] = {1, 2}; // HERE\n  out[i] = table[i % 2];\n"),
                           item("  out[i] = table[i % 2];\n", "BH_CONST double table[2] = {1, 2};\n")),
    "recursion": Row(item("  out[i] = fall((uint32_t)i % 8);\n",
                          "BH_FN uint32_t fall(uint32_t n) {\n  return n < 2 ? n : fall(n - 1) + fall(n - 2); // HERE\n}\n"),
                     item("  out[i] = fall((uint32_t)i % 8);\n", "BH_FN uint32_t fall(uint32_t n) {\n  uint32_t a = 0, b = 1;\n"
                          "  for (; n > 0; n--) {\n    uint32_t c = a + b;\n    a = b;\n    b = c;\n  }\n  return a;\n}\n")),
    "mutual-recursion": Row(item("  out[i] = even((uint32_t)i % 8);\n",
                                 "BH_FN uint32_t odd(uint32_t n);\nBH_FN uint32_t even(uint32_t n) {\n  return n < 2 ? 1 : odd(n - 1) + odd(n - 2); // HERE\n}\n"
                                 "BH_FN uint32_t odd(uint32_t n) {\n  return n < 2 ? 0 : even(n - 1) + even(n - 2);\n}\n"),
                            item("  out[i] = i % 2 == 0;\n")),
    "nested-function": Row(item("  double twice(double x) { // HERE\n    return 2 * x;\n  }\n  out[i] = twice(3);\n"),
                           item("  out[i] = twice(3);\n", "BH_FN double twice(double x) {\n  return 2 * x;\n}\n")),
    "variable-length": Row(item("  int n = (int)(i % 4) + 1;\n  double x[n]; // HERE\n  x[n - 1] = 2;\n  out[i] = x[n - 1];\n"),
                           item("  int n = (int)(i % 4) + 1;\n  double x[4];\n  x[n - 1] = 2;\n  out[i] = x[n - 1];\n")),
    "flexible-array": Row(item("  out[i] = (double)sizeof(tail);\n", "typedef struct {\n  double n;\n  double more[]; // HERE\n} tail;\n"),
                          item("  out[i] = (double)sizeof(tail);\n", "typedef struct {\n  double n;\n} tail;\n")),
    "bit-field": Row(item("  bits b = {(uint32_t)i, 1};\n  out[i] = b.low;\n", "typedef struct {\n  uint32_t low : 3; // HERE\n  uint32_t high : 29; // HERE\n} bits;\n"),
                     item("  out[i] = (double)(i & 7);\n")),
    "return-in-phase": Row(HEAD + "BH_FN void snippet_body(uint64_t i, BH_LOCAL double *x, BH_GLOBAL double *out, bh_no_params p) {\n  BH_UNUSED(p);\n"
                           "  BH_LANES(t, 4) if (t > 2) return; x[t] = t; BH_SYNC // HERE\n  BH_LANES(t, 4) if (t == 0) out[i] = x[1]; BH_SYNC\n}\n"
                           "BH_GROUPS_KERNEL1(snippet, snippet_body, 4, double, 4, bh_no_params, double)\n",
                           HEAD + "BH_FN void snippet_body(uint64_t i, BH_LOCAL double *x, BH_GLOBAL double *out, bh_no_params p) {\n  BH_UNUSED(p);\n"
                           "  BH_LANES(t, 4) if (t <= 2) x[t] = t; BH_SYNC\n  BH_LANES(t, 4) if (t == 0) out[i] = x[1]; BH_SYNC\n}\n"
                           "BH_GROUPS_KERNEL1(snippet, snippet_body, 4, double, 4, bh_no_params, double)\n"),
    # ---- expressions ----
    "compound-literal": Row(item("  pair a;\n  a = (pair){(double)i, 2}; // HERE\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n"),
                            item("  pair a = {(double)i, 2};\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n")),
    "array-designator": Row(item("  double x[4] = {[2] = 5}; // HERE\n  out[i] = x[i % 4];\n"), item("  double x[4] = {0, 0, 5, 0};\n  out[i] = x[i % 4];\n")),
    "designators-out-of-order": Row(item("  pair a = {.y = 2, .x = (double)i}; // HERE\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n"),
                                    item("  pair a = {.x = (double)i, .y = 2};\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n")),
    "designators-mixed": Row(item("  pair a = {(double)i, .y = 2}; // HERE\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n"),
                             item("  pair a = {(double)i, 2};\n  out[i] = a.x * a.y;\n", "typedef struct {\n  double x, y;\n} pair;\n")),
    "designator-nested": Row(item("  line a = {.to.x = (double)i}; // HERE\n  out[i] = a.to.x;\n",
                                  "typedef struct {\n  double x;\n} point;\ntypedef struct {\n  point to;\n} line;\n"),
                             item("  line a = {.to = {(double)i}};\n  out[i] = a.to.x;\n", "typedef struct {\n  double x;\n} point;\ntypedef struct {\n  point to;\n} line;\n")),
    "statement-expression": Row(item("  out[i] = ({ double x = 2; x * x; }); // HERE\n"), item("  double x = 2;\n  out[i] = x * x;\n")),
    "case-range": Row(item("  switch (i) {\n  case 0 ... 3: out[i] = 1; break; // HERE\n  default: out[i] = 2;\n  }\n"), item("  out[i] = i <= 3 ? 1 : 2;\n")),
    "generic": Row(item("  out[i] = _Generic((float)1, float: 1.0, default: 2.0); // HERE\n"), item("  out[i] = 1.0;\n")),
    "builtin": Row(item("  out[i] = __builtin_popcountll(i); // HERE\n"),
                   item("  uint32_t n = 0;\n  for (uint64_t b = i; b != 0; b &= b - 1)\n    n++;\n  out[i] = n;\n")),
    "bool": Row(item("  _Bool even = i % 2 == 0; // HERE\n  out[i] = even;\n"), item("  uint32_t even = i % 2 == 0;\n  out[i] = even;\n")),
    "static-assert": Row(item("  out[i] = 1;\n", '_Static_assert(sizeof(double) == 8, "double"); // HERE\n'),
                         item("  out[i] = 1;\n", '#if defined(BH_ON_HOST)\n_Static_assert(sizeof(double) == 8, "double");\n#endif\n')),
    "int128": Row(item("  unsigned __int128 x = i; // HERE\n  out[i] = (double)(uint64_t)(x >> 1);\n"), item("  out[i] = (double)(i >> 1);\n")),
    "float16": Row(item("  _Float16 x = 2; // HERE\n  out[i] = (double)x;\n"), item("  float x = 2;\n  out[i] = (double)x;\n")),
    "atomic": Row(item("  uint32_t n = 1;\n  out[i] = __atomic_fetch_add(&n, 1, 0); // HERE\n"), item("  uint32_t n = 1;\n  out[i] = n;\n")),
    "asm": Row(item('  uint32_t n = 1;\n  __asm__ volatile("" : "+r"(n)); // HERE\n  out[i] = n;\n'), item("  uint32_t n = 1;\n  out[i] = n;\n")),
    # ---- names ----
    "opencl-names": Row(item("  double half = 0.5 * (double)i; // HERE\n  out[i] = half;\n"), item("  double middle = 0.5 * (double)i;\n  out[i] = middle;\n")),
    "opencl-names-global": Row(item("  uint64_t global = i; // HERE\n  out[i] = (double)global;\n"), item("  uint64_t at = i;\n  out[i] = (double)at;\n")),
    "cpp-names": Row(item("  double new = 0.5 * (double)i; // HERE\n  out[i] = new;\n"), item("  double fresh = 0.5 * (double)i;\n  out[i] = fresh;\n")),
    "device-functions": Row(item("  out[i] = max((double)i, 3.0);\n", "BH_FN double max(double a, double b) { // HERE\n  return a > b ? a : b;\n}\n"),
                            item("  out[i] = larger((double)i, 3.0);\n", "BH_FN double larger(double a, double b) {\n  return a > b ? a : b;\n}\n")),
    "cpp-names-class": Row(item("  uint64_t class = i % 3; // HERE\n  out[i] = (double)class;\n"), item("  uint64_t kind = i % 3;\n  out[i] = (double)kind;\n")),
}
# Where the kernel's parameters are not bh_no_params: what is passed (of the host's layout; all bytes that are not named are 0).
PARAMETERS = {"uneven-parameters": "{.a = 1, .b = 2.5, .c = 3, .d = {4, 5}}"}
