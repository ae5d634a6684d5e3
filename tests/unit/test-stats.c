/* SPDX-License-Identifier: MIT
 * Statistics against NumPy, SciPy and exact integer sums (tests/data/stats-reference.txt, and how it was made), and
 * against values worked by hand. */
#include "stats/summary.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void assert_close(double found, double expected) {
  if (fabs(found - expected) > 1e-12 * fabs(expected)) {
    g_test_message("found %.17g, expected %.17g", found, expected);
    g_assert_cmpfloat(found, ==, expected);
  }
}

/* Not inlined: gcc 12 then sees a dangling pointer where there is none. */
G_GNUC_NO_INLINE static double next_number(char **at) {
  char *end;
  const double x = g_ascii_strtod(*at, &end);
  g_assert_true(end != *at);
  *at += end - *at;
  return x;
}

static void check_sample(char *at) {
  const guint n = (guint)next_number(&at);
  g_autofree double *x = g_new(double, n);
  for (guint i = 0; i < n; i++)
    x[i] = next_number(&at);
  at = strchr(at, '|') + 1;
  g_autofree double *before = g_memdup2(x, n * sizeof *x);
  const BhSummary summary = bh_stats_summary(x, n);
  g_assert_cmpmem(x, n * sizeof *x, before, n * sizeof *x);
  g_assert_cmpuint(summary.n, ==, n);
  const double median = next_number(&at);
  assert_close(summary.median, median);
  assert_close(bh_stats_median(x, n), median);
  assert_close(bh_stats_quantile(x, n, 0.5), median);
  assert_close(summary.mean, next_number(&at));
  assert_close(summary.min, next_number(&at));
  assert_close(summary.max, next_number(&at));
  assert_close(summary.p95, next_number(&at));
  assert_close(bh_stats_quantile(x, n, 0.1), next_number(&at));
  assert_close(bh_stats_quantile(x, n, 0.37), next_number(&at));
  assert_close(bh_stats_quantile(x, n, 0.999), next_number(&at));
  assert_close(summary.cv, next_number(&at));
  at = strchr(at, '|') + 1;
  const guint rank = (guint)next_number(&at);
  g_assert_cmpint(summary.has_interval, ==, rank > 0);
  g_assert_cmpint(summary.has_interval, ==, n >= 6);
  guint below = 0, above = 0; /* how many lie outside says which order statistics the limits are, also with ties */
  for (guint i = 0; rank && i < n; i++) {
    below += x[i] < summary.low;
    above += x[i] > summary.high;
  }
  g_assert_cmpuint(below, <=, rank ? rank - 1 : 0);
  g_assert_cmpuint(above, <=, rank ? rank - 1 : 0);
}

static void test_reference(void) {
  g_autofree char *path = g_build_filename(g_getenv("SOURCE_ROOT"), "tests", "data", "stats-reference.txt", NULL);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  g_file_get_contents(path, &text, NULL, &error);
  g_assert_no_error(error);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  guint samples = 0, ranks = 0;
  for (guint i = 0; lines[i]; i++) {
    if (g_str_has_prefix(lines[i], "sample ")) {
      check_sample(lines[i] + strlen("sample "));
      samples++;
    } else if (g_str_has_prefix(lines[i], "rank ")) {
      char *at = lines[i] + strlen("rank ");
      const guint n = (guint)next_number(&at);
      const double confidence = next_number(&at);
      const guint expected = (guint)next_number(&at);
      if (bh_stats_median_rank(n, confidence) != expected)
        g_test_message("n %u, confidence %g", n, confidence);
      g_assert_cmpuint(bh_stats_median_rank(n, confidence), ==, expected);
      ranks++;
    }
  }
  g_assert_cmpuint(samples, ==, 90);
  g_assert_cmpuint(ranks, ==, 511);
}

/* David & Nagaraja's table: n = 6 is the first with an interval, [min, max]; n = 10 leaves one out at each end. */
static void test_by_hand(void) {
  const double x[] = {9, 1, 8, 2, 7, 3, 6, 4, 5, 10};
  const BhSummary six = bh_stats_summary(x, 6), ten = bh_stats_summary(x, 10), five = bh_stats_summary(x, 5);
  g_assert_false(five.has_interval);
  g_assert_cmpfloat(six.low, ==, 1);
  g_assert_cmpfloat(six.high, ==, 9);
  g_assert_cmpfloat(ten.median, ==, 5.5);
  g_assert_cmpfloat(ten.low, ==, 2);
  g_assert_cmpfloat(ten.high, ==, 9);
  assert_close(ten.cv, sqrt(82.5 / 9) / 5.5);
  assert_close(ten.p95, 9.55);
}

static void test_extremes(void) {
  const double huge[] = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX}, opposite[] = {-DBL_MAX, DBL_MAX};
  const double zeros[] = {0, 0, 0, 0, 0, 0}, tiny[] = {DBL_TRUE_MIN, -DBL_MAX / 4, DBL_MAX / 4};
  BhSummary summary = bh_stats_summary(huge, 4);
  g_assert_cmpfloat(summary.median, ==, DBL_MAX);
  g_assert_cmpfloat(summary.mean, ==, DBL_MAX);
  g_assert_cmpfloat(summary.cv, ==, 0);
  summary = bh_stats_summary(opposite, 2);
  g_assert_cmpfloat(summary.median, ==, 0);
  g_assert_cmpfloat(bh_stats_quantile(opposite, 2, 0.25), ==, -DBL_MAX / 2);
  g_assert_cmpfloat(bh_stats_quantile(opposite, 2, 7), ==, DBL_MAX);
  summary = bh_stats_summary(zeros, 6);
  g_assert_cmpfloat(summary.cv, ==, 0);
  g_assert_cmpfloat(summary.high, ==, 0);
  g_assert_true(isfinite(bh_stats_summary(tiny, 3).cv));
  g_assert_cmpuint(bh_stats_median_rank(0, 0.95), ==, 0);
  g_assert_cmpuint(bh_stats_median_rank(100, 1), ==, 0);
}

/* Both sides count: an interval may be narrow and reach far to one side. */
static void test_precise(void) {
  const BhSummary even = {.median = 100, .low = 99, .high = 101, .has_interval = TRUE};
  const BhSummary lopsided = {.median = 100, .low = 99.9, .high = 101.5, .has_interval = TRUE};
  const BhSummary none = {.median = 100, .low = 100, .high = 100};
  g_assert_true(bh_stats_precise(&even, 0.01));
  g_assert_false(bh_stats_precise(&even, 0.0099));
  g_assert_false(bh_stats_precise(&lopsided, 0.01)); /* half of its width is 0.8 % */
  g_assert_true(bh_stats_precise(&lopsided, 0.015));
  g_assert_false(bh_stats_precise(&none, 0.5));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/stats/reference", test_reference);
  g_test_add_func("/stats/by-hand", test_by_hand);
  g_test_add_func("/stats/extremes", test_extremes);
  g_test_add_func("/stats/precise", test_precise);
  return g_test_run();
}
