/* SPDX-License-Identifier: MIT
 * Series against values worked by hand: autocorrelation, effective n, trend, modes, change points, two-sample shifts.
 * More, against NumPy and SciPy: tests/cli/test_scipy.py. How often each is right: tests/calibration/coverage.c. */
#include "stats/rank.h"
#include "stats/series.h"

#include <benchhost/random.h>
#include <float.h>
#include <math.h>

static void assert_close(double found, double expected) {
  if (!(fabs(found - expected) <= 1e-12 * fabs(expected))) {
    g_test_message("found %.17g, expected %.17g", found, expected);
    g_assert_cmpfloat(found, ==, expected);
  }
}

/* Sum of 12 uniform numbers: near enough to normal here. */
static double normal(guint64 seed, guint i) {
  double sum = -6;
  for (guint k = 0; k < 12; k++)
    sum += bh_random_unit(seed, (guint64)i * 12 + k);
  return sum;
}

static void test_autocorrelation(void) {
  const double steps[] = {1, 2, 3, 4, 5}, turns[] = {1, -1, 1, -1}, same[] = {.1, .1, .1, .1, .1}, two[] = {1, 2};
  const double huge[] = {DBL_MAX, -DBL_MAX, DBL_MAX, -DBL_MAX};
  assert_close(bh_stats_autocorrelation(steps, 5), 4 / 10.); /* -2 -1 0 1 2: products 2 0 0 2, squares 10 */
  assert_close(bh_stats_autocorrelation(turns, 4), -3 / 4.);
  assert_close(bh_stats_autocorrelation(huge, 4), -3 / 4.);
  g_assert_cmpfloat(bh_stats_autocorrelation(same, 5), ==, 0);
  g_assert_cmpfloat(bh_stats_autocorrelation(two, 2), ==, 0);
}

static void test_effective_n(void) {
  double x[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, turns[10], same[10] = {0};
  for (guint i = 0; i < 10; i++)
    turns[i] = i % 2;
  /* Deviations of the ranks: -4.5 .. 4.5: squares 82.5, products 57.75, r = .7, freed of bias (7 + 1) / 7 > .95. */
  assert_close(bh_stats_effective_n(x, 10), MAX(10 * .05 / 1.95, 1));
  assert_close(bh_stats_effective_n(turns, 10), 10); /* never more than there are */
  assert_close(bh_stats_effective_n(same, 10), 10);
  assert_close(bh_stats_effective_n(x, 9), 9);
  /* 1 2 3 4 5 10 9 8 7 6: products of neighbours' deviations 15.75 8.75 3.75 .75 -2.25 15.75 8.75 3.75 .75 = 55.75 */
  const double bend[] = {1, 2, 3, 4, 5, 100, 9, 8, 7, 6}; /* 100 is rank 10 */
  const double r = (10 * 55.75 / 82.5 + 1) / 7;
  assert_close(bh_stats_effective_n(bend, 10), MAX(10 * (1 - MIN(r, .95)) / (1 + MIN(r, .95)), 1));
  const double mixed[] = {5, 6, 4, 7, 8, 3, 2, 1, 10, 9};
  /* -.5 .5 -1.5 1.5 2.5 -2.5 -3.5 -4.5 4.5 3.5: -.25 -.75 -2.25 3.75 -6.25 8.75 15.75 -20.25 15.75 = 14.25 */
  const double s = (10 * 14.25 / 82.5 + 1) / 7;
  assert_close(bh_stats_effective_n(mixed, 10), 10 * (1 - s) / (1 + s));
}

/* Beyond half and beyond chance: these are worth 10 / 2.58, but r = .44 is within two standard errors of .32. */
static void test_is_autocorrelated(void) {
  const double chance[] = {10, 8, 7, 9, 3, 6, 1, 4, 5, 2};
  double rising[60], turns[60];
  for (guint i = 0; i < 60; i++) {
    rising[i] = i;
    turns[i] = i % 2;
  }
  g_assert_cmpfloat(bh_stats_effective_n(chance, 10), <, 5);
  g_assert_false(bh_stats_is_autocorrelated(chance, 10));
  g_assert_true(bh_stats_is_autocorrelated(rising, 10));
  g_assert_true(bh_stats_is_autocorrelated(rising, 60));
  g_assert_false(bh_stats_is_autocorrelated(turns, 60));
  g_assert_false(bh_stats_is_autocorrelated(rising, 9)); /* too few to tell */
}

static void test_trend(void) {
  const double line[] = {10, 12, 14, 16, 18, 20}, bent[] = {0, 1, 2, 3, 4, 100};
  double slope, low, high;
  g_assert_true(bh_stats_trend(line, 6, 0.95, &slope, &low, &high));
  assert_close(slope, 2);
  assert_close(low, 2);
  assert_close(high, 2);
  /* Slopes 1 x 10, 20, 24.75, 32 2/3, 48.5, 96. Of 720 orders 1, 6, 20 have 0, up to 1, up to 2 inversions: 5 % lies
   * (.05
   * - 12/720) / (28/720) = 6/7 of the way from the 2nd to the 3rd. */
  g_assert_true(bh_stats_trend(bent, 6, 0.95, &slope, &low, &high));
  assert_close(slope, 1);
  assert_close(low, 1);
  assert_close(high, 48.5 + 6. / 7 * (98. / 3 - 48.5));
  g_assert_false(bh_stats_trend(bent, 5, 0.95, &slope, &low, &high));
  g_assert_false(bh_stats_trend(bent, 6, 0.999, &slope, &low, &high));
  g_assert_false(bh_stats_trend(bent, 0, 0.5, &slope, &low, &high));
  g_assert_false(bh_stats_trend(bent, 6, 1, &slope, &low, &high));
  const double huge[] = {-DBL_MAX, DBL_MAX, -DBL_MAX, DBL_MAX, -DBL_MAX, 0};
  g_assert_true(bh_stats_trend(huge, 6, 0.95, &slope, &low, &high));
  g_assert_true(isfinite(slope) && isfinite(low) && isfinite(high));
}

/* Beyond 2000 values: of medians of blocks; and beyond 60 the normal distribution continues the exact one. */
static void test_long_trend(void) {
  g_autofree double *x = g_new(double, 5001);
  for (guint i = 0; i < 5001; i++)
    x[i] = 100 + 0.001 * i + normal(3, i);
  double slope, low, high;
  g_assert_true(bh_stats_trend(x, 5001, 0.95, &slope, &low, &high));
  g_assert_cmpfloat(fabs(slope - 0.001), <, 1e-4);
  g_assert_true(low < slope && slope < high && low > 0);
  g_assert_true(bh_stats_trend(x, 60, 0.95, &slope, &low, &high));
  const double exact = high - low;
  g_assert_true(bh_stats_trend(x, 61, 0.95, &slope, &low, &high));
  g_assert_cmpfloat(fabs((high - low) / exact - 1), <, 0.1);
}

static void test_modes(void) {
  double x[60];
  for (guint i = 0; i < 60; i++)
    x[i] = normal(1, i);
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 1);
  for (guint i = 0; i < 60; i += 2)
    x[i] += 8;
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 2);
  g_assert_cmpuint(bh_stats_modes(x, 11), ==, 1);
  for (guint i = 0; i < 60; i += 3)
    x[i] = 30 + normal(2, i);
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 3);
  for (guint i = 0; i < 60; i++)
    x[i] = 7;
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 1);
  for (guint i = 0; i < 60; i++)
    x[i] = 700 + i % 2; /* a clock that ticks */
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 1);
  for (guint i = 0; i < 60; i++)
    x[i] = normal(4, i);
  x[7] = 1e9; /* an outlier is none */
  g_assert_cmpuint(bh_stats_modes(x, 60), ==, 1);
  for (guint i = 0; i < 60; i++)
    x[i] = i % 2 ? DBL_MAX : -DBL_MAX * (0.9 + 0.001 * i);
  g_assert_cmpuint(bh_stats_modes(x, 60), >=, 1);
}

static void test_changes(void) {
  double x[60], flat[60];
  for (guint i = 0; i < 60; i++) {
    flat[i] = normal(5, i);
    x[i] = flat[i] + (i >= 20 ? 6 : 0) - (i >= 45 ? 12 : 0);
  }
  BhChange found[8], again[8];
  g_assert_cmpuint(bh_stats_changes(x, 60, 0.05, 199, 1, found, 8), ==, 2);
  g_assert_cmpuint(found[0].at, ==, 20);
  g_assert_cmpuint(found[1].at, ==, 45);
  assert_close(found[0].p, 1 / 200.); /* none of 199 orders reaches it */
  g_assert_cmpuint(bh_stats_changes(x, 60, 0.05, 199, 1, again, 8), ==, 2);
  for (guint i = 0; i < 2; i++)
    g_assert_true(found[i].at == again[i].at && fabs(found[i].p - again[i].p) <= 0);
  g_assert_cmpuint(bh_stats_changes(x, 60, 0.05, 199, 1, found, 1), ==, 1);
  g_assert_cmpuint(bh_stats_changes(flat, 60, 0.01, 199, 1, found, 8), ==, 0);
  g_assert_cmpuint(bh_stats_changes(x, 5, 0.5, 19, 1, found, 8), ==, 0); /* two segments need 6 */
  for (guint i = 0; i < 60; i++)
    flat[i] = 3;
  g_assert_cmpuint(bh_stats_changes(flat, 60, 0.05, 19, 1, found, 8), ==, 0);
  /* A smaller p than 1 / (permutations + 1) cannot be had. */
  g_assert_cmpuint(bh_stats_changes(x, 60, 0.05, 10, 1, found, 8), ==, 0);
  for (guint i = 0; i < 60; i++)
    flat[i] = i < 30 ? -DBL_MAX : DBL_MAX;
  g_assert_cmpuint(bh_stats_changes(flat, 60, 0.05, 99, 1, found, 8), ==, 1);
  g_assert_cmpuint(found[0].at, ==, 30);
}

static void test_shift(void) {
  const double x[] = {1, 4, 2}, y[] = {7, 3, 5, 9}; /* 6 2 4 8; 3 -1 1 5; 5 1 3 7: -1 1 1 2 3 3 4 5 5 6 7 8 */
  double low, high;
  assert_close(bh_stats_shift(x, 3, y, 4), 3.5);
  assert_close(bh_stats_shift(y, 4, x, 3), -3.5);
  g_assert_false(bh_stats_shift_interval(x, 3, y, 3, 0.95, &low, &high)); /* 2 / 20 > 5 % */
  g_assert_false(bh_stats_shift_interval(x, 3, y, 0, 0.95, &low, &high));
  /* 3 and 4: P(U < 1) = 1/35, P(U < 2) = 2/35: at 90 %, 2/35 <= .1 < 4/35: (.1 - 2/35) / (2/35) = 3/4 of the way. */
  g_assert_true(bh_stats_shift_interval(x, 3, y, 4, 0.9, &low, &high));
  assert_close(low, -1 + .75 * 2);
  assert_close(high, 8 - .75);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/series/autocorrelation", test_autocorrelation);
  g_test_add_func("/series/effective-n", test_effective_n);
  g_test_add_func("/series/is-autocorrelated", test_is_autocorrelated);
  g_test_add_func("/series/trend", test_trend);
  g_test_add_func("/series/long-trend", test_long_trend);
  g_test_add_func("/series/modes", test_modes);
  g_test_add_func("/series/changes", test_changes);
  g_test_add_func("/series/shift", test_shift);
  return g_test_run();
}
