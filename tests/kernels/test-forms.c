/* SPDX-License-Identifier: MIT
 * benchhost/kernel.h: kernels of every form, with 1 to 6 uses, private parts, grains and empty ranges, give what this
 * file computes by itself: on the host, as a device's lanes one at a time (BH_TWIN), and on an OpenCL device. */
#include "forms.k.h"
#include "forms.k.inc"
#include "forms.h"
#include <math.h>

#define ITEMS 53 /* a prime: nothing divides it by chance */
#define SHARED_BYTES (ITEMS * 8 * sizeof(guint64))
#define START 1000 /* what out[k] holds before: START + k */

typedef enum { F_ITEMS, F_CHUNKS, F_REDUCE, F_GROUPS } Form;
typedef struct {
  const char *name;
  Form form;
  guint uses;
  bh_chunk host;
  const bh_kernel_shape *shape;
} Kernel;
#define SIX(FORM, KIND)                                                                                                \
  {#FORM "1", KIND, 1, FORM##1, &FORM##1_shape}, {#FORM "2", KIND, 2, FORM##2, &FORM##2_shape},                        \
      {#FORM "3", KIND, 3, FORM##3, &FORM##3_shape}, {#FORM "4", KIND, 4, FORM##4, &FORM##4_shape},                    \
      {#FORM "5", KIND, 5, FORM##5, &FORM##5_shape}, {                                                                 \
#FORM "6", KIND, 6, FORM##6, &FORM##6_shape                                                                        \
  }
static const Kernel kernels[] = {SIX(items, F_ITEMS), SIX(chunks, F_CHUNKS), SIX(reduce, F_REDUCE),
                                 SIX(groups, F_GROUPS)};
static const Kernel private_kernels[] = {{"private_items", F_ITEMS, 2, private_items, &private_items_shape},
                                         {"private_chunks", F_CHUNKS, 2, private_chunks, &private_chunks_shape},
                                         {"private_groups", F_GROUPS, 2, private_groups, &private_groups_shape}};
static const Kernel number_kernels[] = {{"randoms", F_ITEMS, 2, randoms, &randoms_shape},
                                        {"doubles", F_ITEMS, 2, doubles, &doubles_shape},
                                        {"floats", F_ITEMS, 2, floats, &floats_shape},
                                        {"bits", F_ITEMS, 2, bits, &bits_shape}};

/* The inputs; each of its own type. */
static guint32 in_a[ITEMS];
static double in_b[ITEMS];
static gint32 in_c[ITEMS];
static float in_d[ITEMS];
static guint8 in_e[ITEMS];
static const forms_params params = {.odd = 1, .factor = 4, .fraction = 1.5f, .pair = {20, 300}};
static const bh_no_params no_params = {0};

static void make_inputs(void) {
  for (guint i = 0; i < ITEMS; i++) {
    in_a[i] = i * 7 + 1;
    in_b[i] = i * 3 + 2;
    in_c[i] = (gint)i - 3;
    in_d[i] = (float)(i % 10);
    in_e[i] = (guint8)(i * 5);
  }
}

/* What item i is worth to a kernel with so many uses, from the definition in words: the sum of the inputs times the odd
 * primes from 3, or i itself without inputs; then by the parameters. */
static guint64 value(guint64 i, guint uses) {
  gint64 sum = uses == 1 ? (gint64)i : 0;
  sum += uses > 1 ? 3 * (gint64)(i * 7 + 1) : 0;
  sum += uses > 2 ? 5 * (gint64)(i * 3 + 2) : 0;
  sum += uses > 3 ? 7 * ((gint64)i - 3) : 0;
  sum += uses > 4 ? 11 * (gint64)(i % 10) : 0;
  sum += uses > 5 ? 13 * (gint64)((i * 5) % 256) : 0;
  return (guint64)sum * 4 + 1 + 3 + 20 + 300;
}

/* ---- The three ways ---- */

typedef struct {
  const char *name;
  void (*run)(const Launch *, bh_chunk);
  gboolean device;
} Way;

/* `groups` workers, each with its own part, take turns at chunks of a few grains. */
static void host_run(const Launch *l, bh_chunk kernel) {
  guint64 chunk = l->grain * 2;
  guint worker = 0;
  for (guint64 begin = l->begin; begin < l->end; begin += chunk, worker = (worker + 1) % l->groups) {
    void *region[FORMS_USES];
    for (guint k = 0; k < l->uses; k++)
      region[k] = (char *)l->memory[k] + l->stride[k] * worker;
    const bh_args args = {.region = region, .params = l->params, .worker = worker, .workers = l->groups};
    kernel(&args, begin, MIN(begin + chunk, l->end));
  }
}
static void twin_run(const Launch *l, bh_chunk kernel) {
  (void)kernel;
  forms_twin_run(l);
}
static void opencl_run(const Launch *l, bh_chunk kernel) {
  (void)kernel;
  forms_opencl_run(l);
}
static const Way ways[] = {{"host", host_run, FALSE}, {"twin", twin_run, TRUE}, {"opencl", opencl_run, TRUE}};

static guint parts_of(const Way *way, const Launch *l) {
  return way->device ? forms_device_parts(l) : l->groups;
}

/* ---- Launches ---- */

static const struct { guint groups, lanes; } shapes[] = {{1, 1}, {1, 8}, {3, 8}, {2, 5}, {9, 8}};
static const struct {
  guint64 begin, end, grain;
} ranges[] = {{0, ITEMS, 1}, {0, ITEMS, 4}, {16, 50, 16}, {5, 29, 1}, {8, 9, 8}, {0, ITEMS, 100}, {7, 7, 1}};

typedef void (*Trial)(const Way *, const Kernel *, Launch *);

/* Every shape that the kernel can have, over every range. */
static void launches(const Way *way, const Kernel *k, const void *its_params, gsize params_bytes, Trial trial) {
  gboolean by_group = k->form == F_REDUCE || k->form == F_GROUPS;
  g_assert_cmpint(k->shape->by, ==, by_group ? BH_BY_GROUP : BH_BY_LANE);
  g_assert_cmpuint(k->shape->lanes, ==, by_group ? FORMS_GROUP : 0);
  for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
    for (guint r = 0; r < G_N_ELEMENTS(ranges); r++) {
      Launch l = {.name = k->name,
                  .by_group = by_group,
                  .groups = shapes[s].groups,
                  .lanes = by_group ? FORMS_GROUP : shapes[s].lanes,
                  .begin = ranges[r].begin,
                  .end = ranges[r].end,
                  .grain = ranges[r].grain,
                  .uses = k->uses,
                  .params = its_params,
                  .params_bytes = params_bytes};
      trial(way, k, &l);
    }
}

static void give_inputs(Launch *l) {
  void *inputs[] = {in_a, in_b, in_c, in_d, in_e};
  const gsize bytes[] = {sizeof in_a, sizeof in_b, sizeof in_c, sizeof in_d, sizeof in_e};
  for (guint k = 1; k < l->uses; k++) {
    l->memory[k] = inputs[k - 1];
    l->bytes[k] = bytes[k - 1];
  }
}

static guint64 *started(guint count) {
  guint64 *out = g_new(guint64, count);
  for (guint k = 0; k < count; k++)
    out[k] = START + k;
  return out;
}

static gboolean within(const Launch *l, guint64 i) {
  return i >= l->begin && i < l->end;
}

/* ITEMS, CHUNKS, GROUPS: each item of the range once, with its value, and nothing else touched. */
static void check_out(const Kernel *k, const Launch *l, const guint64 *out) {
  for (guint64 i = 0; i < ITEMS; i++) {
    guint64 mine = within(l, i) ? value(i, k->uses) : 0;
    if (k->form == F_ITEMS)
      g_assert_cmpuint(out[i] - START - i, ==, mine);
    for (guint t = 0; k->form == F_GROUPS && t < FORMS_GROUP; t++) /* t, 10 times the one opposite, all, the value */
      g_assert_cmpuint(out[i * FORMS_GROUP + t] - START - (i * FORMS_GROUP + t), ==,
                       within(l, i) ? t + 10 * (i + FORMS_GROUP - 1 - t) + FORMS_GROUP * i +
                                          FORMS_GROUP * (FORMS_GROUP - 1) / 2 + mine
                                    : 0);
    if (k->form != F_CHUNKS)
      continue;
    g_assert_cmpuint(out[3 * i] - START - 3 * i, ==, mine);
    guint64 begin = out[3 * i + 1] - START - (3 * i + 1), end = out[3 * i + 2] - START - (3 * i + 2);
    if (!within(l, i)) {
      g_assert_cmpuint(begin + end, ==, 0);
      continue;
    }
    begin -= 1;
    g_assert_cmpuint(begin, <=, i);
    g_assert_cmpuint(end, >, i);
    g_assert_cmpuint((begin - l->begin) % l->grain, ==, 0);
    g_assert_true(end == l->end || (end - l->begin) % l->grain == 0);
  }
}

static void check_sums(const Kernel *k, const Launch *l, const forms_sum *parts, guint n_parts, guint runs) {
  forms_sum found = {0};
  guint64 sum = 0;
  for (guint p = 0; p < n_parts; p++) {
    found.sum += parts[p].sum;
    found.count += parts[p].count;
    found.largest = MAX(found.largest, parts[p].largest);
  }
  for (guint64 i = l->begin; i < l->end; i++)
    sum += value(i, k->uses);
  g_assert_cmpuint(found.sum, ==, sum * runs);
  g_assert_cmpuint(found.count, ==, (l->end - l->begin) * runs);
  g_assert_cmpuint(found.largest, ==, l->end > l->begin ? l->end - 1 : 0);
}

static void try_form(const Way *way, const Kernel *k, Launch *l) {
  give_inputs(l);
  if (k->form == F_REDUCE) { /* twice: what a part holds already is kept */
    guint n_parts = parts_of(way, l);
    g_autofree forms_sum *parts = g_new0(forms_sum, n_parts);
    l->memory[0] = parts;
    l->bytes[0] = n_parts * sizeof *parts;
    l->stride[0] = sizeof *parts;
    for (guint runs = 1; runs <= 2; runs++) {
      way->run(l, k->host);
      check_sums(k, l, parts, n_parts, runs);
    }
    return;
  }
  g_autofree guint64 *out = started(ITEMS * 8);
  l->memory[0] = out;
  l->bytes[0] = SHARED_BYTES;
  way->run(l, k->host);
  check_out(k, l, out);
}

/* SCRATCH: 4 words a part, 64 bytes apart; the first counts, what lies between parts is not touched. */
static void try_private(const Way *way, const Kernel *k, Launch *l) {
  guint n_parts = parts_of(way, l);
  guint64 total = 0, items = l->end - l->begin;
  g_autofree guint64 *out = started(ITEMS), *parts = g_new0(guint64, n_parts * 8);
  l->memory[0] = out;
  l->bytes[0] = ITEMS * sizeof *out;
  l->memory[1] = parts;
  l->bytes[1] = n_parts * 64;
  l->stride[1] = 64;
  way->run(l, k->host);
  for (guint64 i = 0; i < ITEMS; i++)
    g_assert_cmpuint(out[i] - START - i, ==, within(l, i) ? 3 * i + 1 + 2 + 3 + 4 : 0);
  for (guint p = 0; p < n_parts; p++) {
    guint64 grains = (items + l->grain - 1) / l->grain;
    total += parts[8 * p];
    for (guint k2 = 4; k2 < 8; k2++)
      g_assert_cmpuint(parts[8 * p + k2], ==, 0);
    if (way->device && k->form != F_CHUNKS) /* in turn */
      g_assert_cmpuint(parts[8 * p], ==, items / n_parts + (p < items % n_parts));
    if (way->device && k->form == F_CHUNKS) /* whole grains, evenly */
      g_assert_cmpuint(parts[8 * p], <=, (grains / n_parts + (p < grains % n_parts)) * l->grain);
  }
  g_assert_cmpuint(total, ==, items);
}

/* ---- Numbers ---- */

/* Outputs of Vigna's splitmix64.c: started at 0, and at 1234567 (the vector that Rosetta Code publishes). */
static void try_random(const Way *way, const Kernel *k, Launch *l) {
  static const guint64 zero[] = {G_GUINT64_CONSTANT(0xe220a8397b1dcdaf), G_GUINT64_CONSTANT(0x6e789e6aa1b965f4),
                                 G_GUINT64_CONSTANT(0x06c45d188009454f), G_GUINT64_CONSTANT(0xf88bb8a8724c81ec),
                                 G_GUINT64_CONSTANT(0x1b39896a51a8749b)};
  static const guint64 other[] = {G_GUINT64_CONSTANT(6457827717110365317), G_GUINT64_CONSTANT(3203168211198807973),
                                  G_GUINT64_CONSTANT(9817491932198370423), G_GUINT64_CONSTANT(4593380528125082431),
                                  G_GUINT64_CONSTANT(16408922859458223821)};
  g_autofree guint64 *words = g_new0(guint64, 2 * ITEMS);
  g_autofree double *units = g_new0(double, ITEMS);
  l->memory[0] = words;
  l->bytes[0] = 2 * ITEMS * sizeof *words;
  l->memory[1] = units;
  l->bytes[1] = ITEMS * sizeof *units;
  way->run(l, k->host);
  for (guint64 i = l->begin; i < l->end; i++) {
    guint64 state = 7 + (i + 1) * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15),
            draw = 99 + (i + 1) * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15);
    state = (state ^ (state >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
    state = (state ^ (state >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
    draw = (draw ^ (draw >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
    draw = (draw ^ (draw >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
    g_assert_cmpfloat(units[i], ==, ldexp((double)((state ^ (state >> 31)) >> 11), -53));
    if (i < G_N_ELEMENTS(zero)) {
      guint64 letter = (((draw ^ (draw >> 31)) >> 32) * 26) >> 32;
      g_assert_cmphex(words[2 * i], ==, zero[i]);
      g_assert_cmphex(words[2 * i + 1] ^ (letter << 32), ==, other[i]);
    }
  }
}

/* x > 0 and y on both sides of 0: pairs for the mathematics. */
static void fill_pairs(double *pairs) {
  for (guint i = 0; i < ITEMS; i++) {
    pairs[2 * i] = 0.25 + 0.37 * i;
    pairs[2 * i + 1] = (i - 26.0) * 0.31;
  }
}

/* How far apart, in units of the last place of `expected`; both 0, or both infinite: 0. */
static double ulps(double found, long double expected, int digits) {
  int exponent;
  if (found == (double)expected)
    return 0;
  frexpl(expected, &exponent);
  return (double)fabsl(((long double)found - expected) / ldexpl(1, exponent - digits));
}

#define REFERENCES(X, Y, MINUS_TENTH)                                                                                  \
  {                                                                                                                    \
    sqrtl(X), expl(Y), logl(X), sinl(Y), cosl(Y), powl(X, Y), fabsl(Y), fmal(X, Y, MINUS_TENTH), fminl(X, Y),          \
        fmaxl(X, Y), floorl(Y), tanhl(Y)                                                                               \
  }
/* What OpenCL 1.2 allows (7.4), which CUDA's library and the usual libm keep too; in the order above. */
static const double double_ulps[] = {0.501, 3, 3, 4, 4, 16, 0, 0.501, 0, 0, 0, 5};
static const double float_ulps[] = {3, 3, 3, 4, 4, 16, 0, 0.501, 0, 0, 0, 5};

static void try_doubles(const Way *way, const Kernel *k, Launch *l) {
  double pairs[2 * ITEMS];
  g_autofree double *out = g_new0(double, ITEMS *FORMS_DOUBLES);
  fill_pairs(pairs);
  l->memory[0] = out;
  l->bytes[0] = ITEMS * FORMS_DOUBLES * sizeof *out;
  l->memory[1] = pairs;
  l->bytes[1] = sizeof pairs;
  way->run(l, k->host);
  for (guint64 i = l->begin; i < l->end; i++) {
    const long double expected[] =
        REFERENCES((long double)pairs[2 * i], (long double)pairs[2 * i + 1], -(long double)0.1);
    for (guint f = 0; f < FORMS_DOUBLES; f++)
      if (ulps(out[i * FORMS_DOUBLES + f], expected[f], 53) > double_ulps[f])
        g_error("%s: function %u of (%.17g, %.17g): expected %.20Lg, found %.17g", way->name, f, pairs[2 * i],
                pairs[2 * i + 1], expected[f], out[i * FORMS_DOUBLES + f]);
  }
}

static void try_floats(const Way *way, const Kernel *k, Launch *l) {
  double pairs[2 * ITEMS];
  g_autofree float *out = g_new0(float, ITEMS *FORMS_FLOATS);
  fill_pairs(pairs);
  l->memory[0] = out;
  l->bytes[0] = ITEMS * FORMS_FLOATS * sizeof *out;
  l->memory[1] = pairs;
  l->bytes[1] = sizeof pairs;
  way->run(l, k->host);
  for (guint64 i = l->begin; i < l->end; i++) {
    float x = (float)pairs[2 * i], y = (float)pairs[2 * i + 1];
    const long double expected[] = REFERENCES((long double)x, (long double)y, -(long double)0.1f);
    for (guint f = 0; f < FORMS_FLOATS; f++)
      if (ulps((double)out[i * FORMS_FLOATS + f], expected[f], 24) > float_ulps[f])
        g_error("%s: function %u of (%.9g, %.9g): expected %.12Lg, found %.9g", way->name, f, (double)x, (double)y,
                expected[f], (double)out[i * FORMS_FLOATS + f]);
  }
}

static void try_bits(const Way *way, const Kernel *k, Launch *l) {
  double in[ITEMS];
  guint64 out[4 * ITEMS] = {0};
  for (guint i = 0; i < ITEMS; i++)
    in[i] = i % 2 ? -1.5 * i : 0.1 + i;
  l->memory[0] = out;
  l->bytes[0] = sizeof out;
  l->memory[1] = in;
  l->bytes[1] = sizeof in;
  way->run(l, k->host);
  for (guint64 i = l->begin; i < l->end; i++) {
    guint64 of_double;
    guint32 of_float;
    float narrow = (float)in[i];
    memcpy(&of_double, &in[i], sizeof of_double);
    memcpy(&of_float, &narrow, sizeof of_float);
    g_assert_cmphex(out[4 * i], ==, of_double);
    g_assert_cmphex(out[4 * i + 1], ==, of_float);
    g_assert_cmpuint(out[4 * i + 2], ==, 42);
    g_assert_cmpuint(out[4 * i + 3], ==, 42);
  }
}

/* ---- The tests ---- */

typedef struct {
  const Way *way;
  const Kernel *kernel;
  const void *params;
  gsize params_bytes;
  Trial trial;
} Case;
static const char *no_opencl; /* why not */

static void test_case(gconstpointer data) {
  const Case *c = data;
  if (c->way->run == opencl_run && no_opencl)
    g_test_skip(no_opencl);
  else
    launches(c->way, c->kernel, c->params, c->params_bytes, c->trial);
}

static void add(const Kernel *k, const void *its_params, gsize params_bytes, Trial trial) {
  for (guint w = 0; w < G_N_ELEMENTS(ways); w++) {
    g_autofree char *path = g_strdup_printf("/forms/%s/%s", ways[w].name, k->name);
    Case *c = g_new(Case, 1);
    *c = (Case){&ways[w], k, its_params, params_bytes, trial};
    g_test_add_data_func_full(path, c, test_case, g_free);
  }
}

/* What the host holds a workload's tables against. */
static void test_shapes(void) {
  for (guint i = 0; i < G_N_ELEMENTS(kernels); i++) {
    const Kernel *k = &kernels[i];
    g_assert_cmpuint(k->shape->n_uses, ==, k->uses);
    g_assert_cmphex(k->shape->read_only, ==, (1u << k->uses) - 2); /* all but the first */
    g_assert_cmpuint(k->shape->params_bytes, ==, sizeof(forms_params));
    g_assert_cmpuint(k->shape->sum_bytes, ==, k->form == F_REDUCE ? sizeof(forms_sum) : 0);
  }
  g_assert_cmpuint(randoms_shape.params_bytes, ==, 0);
  g_assert_cmphex(private_items_shape.read_only, ==, 0);
}

int main(int argc, char **argv) {
  static const Trial numbers[] = {try_random, try_doubles, try_floats, try_bits};
  int status;
  g_test_init(&argc, &argv, NULL);
  make_inputs();
  no_opencl = forms_opencl_open(forms_source);
  for (guint k = 0; k < G_N_ELEMENTS(kernels); k++)
    add(&kernels[k], &params, sizeof params, try_form);
  for (guint k = 0; k < G_N_ELEMENTS(private_kernels); k++)
    add(&private_kernels[k], &params, sizeof params, try_private);
  for (guint k = 0; k < G_N_ELEMENTS(number_kernels); k++)
    add(&number_kernels[k], &no_params, sizeof no_params, numbers[k]);
  g_test_add_func("/forms/shapes", test_shapes);
  status = g_test_run();
  forms_opencl_close();
  return status;
}
