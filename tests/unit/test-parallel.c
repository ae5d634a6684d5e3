/* SPDX-License-Identifier: MIT
 * The formulas of parallel metrics against values worked by hand, and how often their intervals hold the truth, in
 * simulation: a whole journal in memory for each repetition, through the same code as `benchhost analyze`. */
#include "parallel/analyze.h"
#include "parallel/estimate.h"
#include "parallel/formulas.h"

#include <benchhost/random.h>
#include <math.h>
#include <string.h>

static void near(double found, double expected, double allowed) {
  if (!(fabs(found - expected) <= allowed))
    g_error("found %.17g, expected %.17g", found, expected);
}

static void test_karp_flatt(void) {
  /* Amdahl with e = .1 on 4: S = 1 / (.1 + .9/4) = 40/13. */
  near(bh_formula_karp_flatt(40. / 13, 4), 0.1, 1e-15);
  near(bh_formula_karp_flatt(2, 2), 0, 1e-15);
  near(bh_formula_karp_flatt(1, 8), 1, 1e-15);
  near(bh_formula_karp_flatt(4, 2), -0.5, 1e-15); /* superlinear */
}

static void test_usl(void) {
  /* lambda 1000/s, alpha .05, beta .001, without noise: T(N) = (1 + .05 (N-1) + .001 N (N-1)) / (1000 N). */
  const double workers[] = {1, 2, 4, 8, 16, 32, 1000};
  double seconds[7], residuals[7];
  BhUsl fit;
  for (guint i = 0; i < 7; i++)
    seconds[i] = (1 + .05 * (workers[i] - 1) + .001 * workers[i] * (workers[i] - 1)) / (1000 * workers[i]);
  g_assert_true(bh_formula_usl(workers, seconds, 7, &fit, residuals));
  near(fit.lambda, 1000, 1e-9);
  near(fit.alpha, .05, 1e-12);
  near(fit.beta, .001, 1e-14);
  near(bh_formula_usl_peak(&fit), sqrt(950), 1e-9);
  for (guint i = 0; i < 7; i++)
    near(residuals[i], 0, 1e-13);
  /* Three points are met exactly, whatever they are. */
  const double three[] = {1, 2, 3}, times[] = {1, .6, .45};
  g_assert_true(bh_formula_usl(three, times, 3, &fit, residuals));
  near(fit.lambda, 1, 1e-12); /* 1.2 = 1 + a + 2 b, 1.35 = 1 + 2 a + 6 b: b = -.025, a = .25 */
  near(fit.alpha, .25, 1e-12);
  near(fit.beta, -.025, 1e-12);
  g_assert_true(isinf(bh_formula_usl_peak(&fit)));
  /* Two different N do not determine three coefficients. */
  const double twice[] = {1, 2, 2, 1}, any[] = {1, .5, .6, 1.1};
  g_assert_false(bh_formula_usl(twice, any, 4, &fit, NULL));
  g_assert_false(bh_formula_usl(three, times, 2, &fit, NULL));
  const BhUsl never = {1, 1.5, .1};
  near(bh_formula_usl_peak(&never), 1, 0);
}

static void test_crossings(void) {
  const double x[] = {1, 10, 100, 1000};
  double at[4];
  const double rising[] = {-1, -1, 1, 2}, level[] = {-1, 0, 0, 1}, touch[] = {1, 0, 1, 2}, many[] = {-1, 1, -3, 1};
  g_assert_cmpuint(bh_formula_crossings(x, rising, 4, 0, at), ==, 1);
  near(at[0], sqrt(1000), 1e-9); /* half way between 10 and 100, in logarithms */
  g_assert_cmpuint(bh_formula_crossings(x, rising, 4, 1.5, at), ==, 1);
  near(at[0], sqrt(100 * 1000), 1e-9);
  g_assert_cmpuint(bh_formula_crossings(x, level, 4, 0, at), ==, 1);
  near(at[0], sqrt(1000), 1e-9);
  g_assert_cmpuint(bh_formula_crossings(x, touch, 4, 0, at), ==, 0);
  g_assert_cmpuint(bh_formula_crossings(x, many, 4, 0, at), ==, 3);
  near(at[0], sqrt(10), 1e-9);
  near(at[1], pow(10, 1.25), 1e-9);
  near(at[2], pow(10, 2.75), 1e-9);
  g_assert_cmpuint(bh_formula_crossings(x, many, 4, 5, at), ==, 0);
  const double on[] = {-1, 0, 1, 2};
  g_assert_cmpuint(bh_formula_crossings(x, on, 4, 0, at), ==, 1);
  near(at[0], 10, 1e-12);
  const double y[] = {1, 100, 100, 10000};
  near(bh_formula_between(x, y, 4, 1), 1, 1e-12);
  near(bh_formula_between(x, y, 4, sqrt(10)), 10, 1e-9);
  near(bh_formula_between(x, y, 4, 1000), 10000, 1e-6);
}

static void test_roof(void) {
  /* 100 flop/s and 10 byte/s: the ridge is at 10 flop/byte. */
  near(bh_formula_roof(50, 1, 100, 10), 2, 0);  /* computing: 100/50 runs a second */
  near(bh_formula_roof(50, 10, 100, 10), 1, 0); /* memory */
  near(bh_formula_roof(0, 10, 0, 10), 1, 0);    /* no flops: that roof is not asked */
  near(bh_formula_roof(50, 0, 100, 0), 2, 0);
}

/* ---- coverage ---- */

typedef struct {
  guint64 seed, drawn;
} Random;

static double unit(Random *r) {
  return bh_random_unit(r->seed, r->drawn++);
}

/* 2 % of noise, and every twentieth time a spike of 30 % on average. */
static double noise(Random *r) {
  const double radius = sqrt(-2 * log(1 - unit(r))), angle = 2 * G_PI * unit(r);
  const double spike = unit(r) < .05 ? -.3 * log(1 - unit(r)) : 0;
  return exp(.02 * radius * cos(angle) + spike);
}

typedef struct {
  const char *workload, *backend, *facts;
  guint workers;
  double items, flops, bytes, time_ns;
} Made;

static void add_line(BhResults *results, const char *text) {
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonParser) parser = json_parser_new();
  g_assert_true(json_parser_load_from_data(parser, text, -1, NULL));
  g_assert_true(bh_results_add(results, json_node_get_object(json_parser_get_root(parser)), &error));
  g_assert_no_error(error);
}

static char *made_line(guint id, const Made *m, guint round, double ns) {
  return g_strdup_printf(
      "{\"type\":\"cell\",\"id\":\"%u\",\"workload\":\"%s\",\"backend\":\"%s\",\"params\":{\"n\":%.0f},"
      "\"options\":{\"workers\":%u},\"workers\":%u,\"round\":%u,\"status\":\"ok\",\"facts\":{%s},"
      "\"steady\":{\"samples_ns\":[%.6f]},\"cost\":{\"items\":%.0f,\"flops\":%.0f,\"bytes_read\":"
      "%.0f,\"bytes_written\":0}}",
      id, m->workload, m->backend, m->items, m->workers, m->workers, round, m->facts ? m->facts : "", ns, m->items,
      m->flops, m->bytes);
}

/* Cells of everything: a scaling run, two sizes sweeps, two roofs and a cell under them. */
static guint make(Made *cells) {
  guint n = 0;
  for (guint w = 1; w <= 8; w++)
    cells[n++] = (Made){"scaling", "pool", NULL, w, 1000, 0, 0, 1e6 * (1 + .05 * (w - 1) + .01 * w * (w - 1)) / w};
  for (double x = 4; x <= 4096; x *= 4) {
    cells[n++] = (Made){"sweep", "plain", NULL, 1, x, 0, 0, 1000 * x};
    cells[n++] = (Made){"sweep", "pool", NULL, 4, x, 0, 0, 1000 * (30 + x / 4)};
  }
  cells[n++] = (Made){"roofs", "pool", "\"roof\":\"flops\"", 2, 1, 1e6, 0, 1e5};
  cells[n++] = (Made){"roofs", "plain", "\"roof\":\"bandwidth\"", 2, 2, 0, 1e6, 1e6};
  cells[n++] = (Made){"under", "pool", NULL, 2, 1, 1e6, 1e6, 2e6};
  return n;
}

/* A figure of the report by a path of keys and indexes: "usl.fits.0.alpha". */
static JsonObject *figure_at(JsonNode *report, const char *path) {
  g_auto(GStrv) keys = g_strsplit(path, ".", -1);
  JsonNode *node = report;
  for (char **key = keys; *key; key++)
    node = JSON_NODE_HOLDS_ARRAY(node) ? json_array_get_element(json_node_get_array(node), (guint)atoi(*key))
                                       : json_object_get_member(json_node_get_object(node), *key);
  return json_node_get_object(node);
}

static JsonNode *analyze(const Made *cells, guint n, guint rounds, Random *random) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = bh_results_new();
  add_line(results, "{\"type\":\"run\",\"schema\":1,\"environment\":{\"cores\":{\"state\":\"ok\",\"value\":8}}}");
  for (guint r = 0; r < rounds; r++)
    for (guint i = 0; i < n; i++) {
      g_autofree char *line = made_line(i, &cells[i], r, cells[i].time_ns * (random ? noise(random) : 1));
      add_line(results, line);
    }
  const BhAnalyzeOptions options = {.metrics = 0};
  JsonNode *report = bh_analyze(results, &options, &error);
  g_assert_no_error(error);
  return report;
}

static gboolean covers(JsonObject *figure, double truth) {
  JsonArray *interval = json_object_get_array_member(figure, "ci");
  JsonNode *low = json_array_get_element(interval, 0), *high = json_array_get_element(interval, 1);
  return (JSON_NODE_HOLDS_NULL(low) || json_node_get_double(low) <= truth) &&
         (JSON_NODE_HOLDS_NULL(high) || json_node_get_double(high) >= truth);
}

/* 93 to 97 %, give or take what so many repetitions scatter (3 standard errors). `-m slow` repeats more often; with
 * 1500 the shares are 93.8 to 96.1 %. */
static void test_coverage(gconstpointer data) {
  static const char *const paths[] = {"speedup.groups.2.cells.3.steady.speedup",
                                      "speedup.groups.2.cells.3.steady.efficiency",
                                      "speedup.groups.2.cells.7.steady.karp_flatt",
                                      "usl.fits.0.lambda",
                                      "usl.fits.0.alpha",
                                      "usl.fits.0.beta",
                                      "usl.fits.0.peak_workers",
                                      "metg.sweeps.0.series.1.grain",
                                      "metg.sweeps.0.series.1.task_ns",
                                      "crossover.sweeps.0.pairs.0.steady.crossing",
                                      "roofline.cells.0.share",
                                      "roofline.machine.0.balance"};
  enum { N = G_N_ELEMENTS(paths) };
  const guint repeats = g_test_slow() ? 1500 : 200;
  const double scatter = 3 * sqrt(.95 * .05 / repeats);
  const guint rounds = GPOINTER_TO_UINT(data);
  Random random = {.seed = 20261121 + rounds};
  Made cells[32];
  guint held[N] = {0};
  double truth[N];
  const guint n = make(cells);
  g_autoptr(JsonNode) exact = analyze(cells, n, 6, NULL);
  for (guint k = 0; k < N; k++)
    truth[k] = json_object_get_double_member(figure_at(exact, paths[k]), "value");
  for (guint i = 0; i < repeats; i++) {
    g_autoptr(JsonNode) report = analyze(cells, n, rounds, &random);
    for (guint k = 0; k < N; k++)
      held[k] += covers(figure_at(report, paths[k]), truth[k]);
  }
  for (guint k = 0; k < N; k++) {
    const double share = (double)held[k] / repeats;
    g_test_message("%u rounds: %s: %.1f %%", rounds, paths[k], share * 100);
    g_assert_cmpfloat(share, >=, .93 - scatter);
    g_assert_cmpfloat(share, <=, .97 + scatter);
  }
}

/* The noise-free figures themselves, by hand. */
static void test_exact(void) {
  Made cells[32];
  const guint n = make(cells);
  g_autoptr(JsonNode) exact = analyze(cells, n, 7, NULL);
  const struct {
    const char *path;
    double value, allowed;
  } expected[] = {
      {"speedup.groups.2.cells.3.steady.speedup", 4 / 1.27, 1e-6}, /* 1 + .15 + .12 */
      {"speedup.groups.2.cells.3.steady.efficiency", 1 / 1.27, 1e-6},
      {"speedup.groups.2.cells.3.steady.karp_flatt", .27 / 3, 1e-6}, /* (1.27/4 - 1/4) / (3/4) */
      {"usl.fits.0.alpha", .05, 1e-6},
      {"usl.fits.0.beta", .01, 1e-7},
      {"usl.fits.0.peak_workers", 9.746794, 1e-4}, /* sqrt(95) */
      {"roofline.cells.0.gflops", .5, 1e-9},
      {"roofline.cells.0.share", .5, 1e-9}, /* 1 ms at least, as memory gives 1 GB/s */
      {"roofline.machine.0.balance", 10, 1e-6},
  };
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
    JsonObject *figure = figure_at(exact, expected[i].path);
    g_test_message("%s", expected[i].path);
    near(json_object_get_double_member(figure, "value"), expected[i].value, expected[i].allowed);
    g_assert_cmpint(json_object_get_int_member(figure, "rounds"), ==, 7);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/parallel/karp-flatt", test_karp_flatt);
  g_test_add_func("/parallel/usl", test_usl);
  g_test_add_func("/parallel/crossings", test_crossings);
  g_test_add_func("/parallel/roof", test_roof);
  g_test_add_func("/parallel/exact", test_exact);
  g_test_add_data_func("/parallel/coverage/6", GUINT_TO_POINTER(6), test_coverage);
  g_test_add_data_func("/parallel/coverage/10", GUINT_TO_POINTER(10), test_coverage);
  g_test_add_data_func("/parallel/coverage/20", GUINT_TO_POINTER(20), test_coverage);
  return g_test_run();
}
