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
  if (rank > 0) {
    assert_close(summary.low, next_number(&at));
    assert_close(summary.high, next_number(&at));
  }
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

/* n = 6 is the first with an interval: [1st, 6th] has 31/32, [2nd, 5th] 25/32, so at 96 % I = 7/150 and w = 5 I / (1 +
 * 4 I) = 35/178. n = 10: [2nd, 9th] has 1 - 22/1024, [3rd, 8th] 1 - 112/1024; I = 79/375, w = 8 I / (2 + 6 I) =
 * 316/612. */
static void test_by_hand(void) {
  const double x[] = {9, 1, 8, 2, 7, 3, 6, 4, 5, 10};
  const BhSummary six = bh_stats_summary(x, 6), ten = bh_stats_summary(x, 10), five = bh_stats_summary(x, 5);
  g_assert_false(five.has_interval);
  assert_close(six.low, 1 + 35 / 178.);
  assert_close(six.high, 9 - 35 / 178.);
  g_assert_cmpfloat(ten.median, ==, 5.5);
  assert_close(ten.low, 2 + 316 / 612.);
  assert_close(ten.high, 9 - 316 / 612.);
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

/* At exactly the coverage of a rank nothing is interpolated; below half of the samples the middle is the limit. */
static void test_median_interval(void) {
  const double x[] = {9, 1, 8, 2, 7, 3, 6, 4, 5, 10};
  double low, high;
  g_assert_true(bh_stats_median_interval(x, 6, 31 / 32., &low, &high));
  assert_close(low, 1);
  assert_close(high, 9);
  g_assert_false(bh_stats_median_interval(x, 6, 0.97, &low, &high));
  g_assert_false(bh_stats_median_interval(x, 0, 0.95, &low, &high));
  g_assert_false(bh_stats_median_interval(x, 10, 1, &low, &high));
  g_assert_true(bh_stats_median_interval(x, 5, 0.9, &low, &high)); /* of 1 2 7 8 9: 30/32 and 20/32; I = 6/50 */
  assert_close(low, 1 + (4 * 0.12) / (1 + 3 * 0.12));
  assert_close(high, 9 - (4 * 0.12) / (1 + 3 * 0.12));
  g_assert_true(bh_stats_median_interval(x, 2, 0.3, &low, &high));
  assert_close(low, 1);
  assert_close(high, 9);
}

/* x has 6 figures, y is 2 of them: both at .955 - .22/6, so I = 121/450 and w = 5 I / (1 + 4 I). */
static void test_ratio(void) {
  const double x[] = {160, 100, 90, 120, 80, 110}, y[] = {50, 40, 55, 45, 80, 60}, w = 605. / 934;
  const double zero[] = {0, 0, 0, 1, 2, 3}, tiny[] = {1e-300, 1e-300, 1e-300, 1e-300, 1e-300, 1e-300};
  const double large[] = {1e300, 1e300, 1e300, 1e300, 1e300, 1e300};
  const double x_low = 80 + 10 * w, x_high = 160 - 40 * w, y_low = 40 + 5 * w, y_high = 80 - 20 * w;
  double low, high, low2, high2;
  g_assert_true(bh_stats_ratio_interval(x, 6, y, 6, &low, &high));
  assert_close(low, 105 / 52.5 * exp(-sqrt(pow(log(105 / x_low), 2) + pow(log(y_high / 52.5), 2))));
  assert_close(high, 105 / 52.5 * exp(sqrt(pow(log(x_high / 105), 2) + pow(log(52.5 / y_low), 2))));
  g_assert_true(bh_stats_ratio_interval(y, 6, x, 6, &low2, &high2)); /* the reciprocal's is the reciprocal */
  assert_close(low2, 1 / high);
  assert_close(high2, 1 / low);
  g_assert_false(bh_stats_ratio_interval(x, 5, y, 6, &low, &high));
  g_assert_false(bh_stats_ratio_interval(x, 6, y, 0, &low, &high));
  g_assert_false(bh_stats_ratio_interval(x, 6, zero, 6, &low, &high));
  g_assert_false(bh_stats_ratio_interval(large, 6, tiny, 6, &low, &high));
  g_assert_false(bh_stats_ratio_interval(tiny, 6, large, 6, &low, &high));
}

/* Samples in rising order are worth few: the interval grows by sqrt(D) (1 + 4 (D-1) / n), here with r at its limit of
 * 0.95, so that D = 39. Alternating ones are taken as independent. */
static void test_series_summary(void) {
  double up[40], turns[40], below[40];
  for (guint i = 0; i < 40; i++) {
    up[i] = 1000 + i;
    turns[i] = 1000 + (i % 2 ? 20 - i / 2. : 20 + i / 2.);
    below[i] = -1000. - i;
  }
  BhSummary plain = bh_stats_summary(up, 40);
  const BhSummary stretched = bh_stats_summary_series(up, 40);
  g_assert_true(bh_stats_median_interval(up, 40, 0.95, &plain.low, &plain.high));
  const double stretch = sqrt(39) * (1 + 4 * 38 / 40.);
  assert_close(stretched.median, plain.median);
  assert_close(log(stretched.low / plain.median), stretch * log(plain.low / plain.median));
  assert_close(log(stretched.high / plain.median), stretch * log(plain.high / plain.median));
  double low, high;
  const BhSummary same = bh_stats_summary_series(turns, 40);
  g_assert_true(bh_stats_median_interval(turns, 40, 0.95, &low, &high));
  assert_close(same.low, low);
  assert_close(same.high, high);
  const BhSummary few = bh_stats_summary_series(up, 9); /* too few to tell */
  g_assert_true(bh_stats_median_interval(up, 9, 0.95, &low, &high));
  assert_close(few.low, low);
  const BhSummary under = bh_stats_summary_series(below, 40); /* below 0: not as logarithms */
  g_assert_true(bh_stats_median_interval(below, 40, 0.95, &low, &high));
  assert_close(under.high - under.median, stretch * (high - under.median));
  double wild[20]; /* no overflow */
  for (guint i = 0; i < 20; i++)
    wild[i] = i < 10 ? DBL_MIN : DBL_MAX;
  const BhSummary far = bh_stats_summary_series(wild, 20);
  g_assert_true(isfinite(far.low) && isfinite(far.high) && far.low <= far.high);
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
  g_test_add_func("/stats/median-interval", test_median_interval);
  g_test_add_func("/stats/ratio", test_ratio);
  g_test_add_func("/stats/series-summary", test_series_summary);
  g_test_add_func("/stats/precise", test_precise);
  return g_test_run();
}
