/* SPDX-License-Identifier: MIT
 * Rank tests and shifts against values worked by hand, brute force over all signs, and published tables. More, against
 * SciPy: tests/cli/test_scipy.py. */
#include "stats/rank.h"

#include <float.h>
#include <math.h>

static void assert_close(double found, double expected) {
  if (!(fabs(found - expected) <= 1e-12 * fabs(expected))) {
    g_test_message("found %.17g, expected %.17g", found, expected);
    g_assert_cmpfloat(found, ==, expected);
  }
}

static void test_signed_rank(void) {
  const double up[] = {1, 2, 3, 4, 5}, mixed[] = {1, 2, -3}, ties[] = {1, 1, -1}, zeros[] = {0, 1, 0}, none[] = {7, 7};
  assert_close(bh_stats_signed_rank_p(up, 5, 0), 1 / 32.);
  assert_close(bh_stats_signed_rank_p(up, 5, 6), 1); /* all below: W+ = 0 */
  /* Subsets of {1, 2, 3} with sum >= 3: 3, 12, 13, 23, 123. */
  assert_close(bh_stats_signed_rank_p(mixed, 3, 0), 5 / 8.);
  assert_close(bh_stats_signed_rank_p(ties, 3, 0), 4 / 8.); /* three ranks of 2; two of them or three */
  assert_close(bh_stats_signed_rank_p(zeros, 3, 0), 1 / 2.);
  assert_close(bh_stats_signed_rank_p(none, 2, 7), 1);
  assert_close(bh_stats_signed_rank_p(none, 0, 0), 1);
}

/* P by going through all 2^n signs, with mid-ranks counted pair by pair: shares no code with the convolution. */
static double brute_force(const double *x, guint n) {
  double rank[16], observed = 0;
  for (guint i = 0; i < n; i++) {
    rank[i] = 0.5;
    for (guint j = 0; j < n; j++)
      rank[i] += fabs(x[j]) < fabs(x[i]) ? 1 : fabs(x[j]) > fabs(x[i]) ? 0 : 0.5;
    observed += x[i] > 0 ? rank[i] : 0;
  }
  guint reached = 0;
  for (guint signs = 0; signs < 1u << n; signs++) {
    double sum = 0;
    for (guint i = 0; i < n; i++)
      sum += signs >> i & 1 ? rank[i] : 0;
    reached += sum >= observed;
  }
  return reached / (double)(1u << n);
}

static void test_all_signs(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  for (guint round = 0; round < 300; round++) {
    double x[10];
    const guint n = (guint)g_rand_int_range(random, 1, 11);
    for (guint i = 0; i < n; i++) { /* every second round has ties; never 0 */
      x[i] = round % 2 ? g_rand_int_range(random, 1, 5) : g_rand_double_range(random, 0.1, 1);
      x[i] *= g_rand_boolean(random) ? 1 : -1;
    }
    assert_close(bh_stats_signed_rank_p(x, n, 0), brute_force(x, n));
  }
}

/* Kept and unkept distributions, and the normal one beyond n = 1000, are all near the normal one. */
static void test_large(void) {
  g_autofree double *x = g_new(double, 1002);
  for (guint i = 0; i < 1002; i++)
    x[i] = (i % 19 < 10 ? 1. : -1.) * (i + 1);
  const guint sizes[] = {199, 200, 201, 999, 1000, 1001, 1002};
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    const double n = sizes[i];
    double sum = 0;
    for (guint j = 0; j < sizes[i]; j++)
      sum += x[j] > 0 ? x[j] : 0;
    const double z = (sum - 0.5 - n * (n + 1) / 4) / sqrt(n * (n + 1) * (2 * n + 1) / 24);
    const double p = bh_stats_signed_rank_p(x, sizes[i], 0);
    g_assert_cmpfloat(p, >, 0.05);
    g_assert_cmpfloat(fabs(p - 0.5 * erfc(z * M_SQRT1_2)), <, 5e-4);
  }
  double low, high;
  g_assert_true(bh_stats_hodges_lehmann_interval(x, 1002, 0.95, &low, &high));
  const double middle = bh_stats_hodges_lehmann(x, 1002);
  g_assert_cmpfloat(low, <, middle);
  g_assert_cmpfloat(high, >, middle);
}

static void test_hodges_lehmann(void) {
  const double three[] = {4, 1, 2}; /* 1 1.5 2 2.5 3 4 */
  const double ten[] = {10, 2, 9, 4, 5, 6, 7, 8, 3, 1}, huge[] = {DBL_MAX, DBL_MAX, -DBL_MAX};
  const double same[] = {3, 3, 3, 3, 3, 3};
  assert_close(bh_stats_hodges_lehmann(three, 3), 2.25);
  assert_close(bh_stats_hodges_lehmann(three, 1), 4);
  assert_close(bh_stats_hodges_lehmann(ten, 10), 5.5);
  assert_close(bh_stats_hodges_lehmann(huge, 3), DBL_MAX / 2); /* of -M 0 0 M M M */
  double low, high;
  g_assert_false(bh_stats_hodges_lehmann_interval(ten, 5, 0.95, &low, &high));
  g_assert_false(bh_stats_hodges_lehmann_interval(ten, 4, 0.90, &low, &high));
  g_assert_false(bh_stats_hodges_lehmann_interval(ten, 0, 0.95, &low, &high));
  g_assert_false(bh_stats_hodges_lehmann_interval(ten, 10, 1, &low, &high));
  g_assert_true(bh_stats_hodges_lehmann_interval(ten, 5, 0.90, &low, &high)); /* 2 / 32 <= 0.1: least and greatest */
  assert_close(low, 2);
  assert_close(high, 10);
  g_assert_true(bh_stats_hodges_lehmann_interval(ten, 6, 0.95, &low, &high)); /* 2 / 64 <= 0.05 */
  assert_close(low, 2);
  assert_close(high, 10);
  /* The table has P(W+ <= 8) = 0.024 for n = 10: the 9th. Of 1..10 these are 1 1.5 2 2 2.5 2.5 3 3 3. */
  g_assert_true(bh_stats_hodges_lehmann_interval(ten, 10, 0.95, &low, &high));
  assert_close(low, 3);
  assert_close(high, 8);
  g_assert_true(bh_stats_hodges_lehmann_interval(same, 6, 0.95, &low, &high));
  assert_close(low, 3);
  assert_close(high, 3);
}

static void test_benjamini_hochberg(void) {
  double p[] = {.01, .04, .03, .005}, one[] = {.7};
  bh_stats_benjamini_hochberg(p, 4, p); /* .005*4, .01*4/2, .03*4/3, .04 */
  assert_close(p[0], .02);
  assert_close(p[1], .04);
  assert_close(p[2], .04);
  assert_close(p[3], .02);
  bh_stats_benjamini_hochberg(one, 1, one);
  assert_close(one[0], .7);
  bh_stats_benjamini_hochberg(one, 0, one);
  assert_close(one[0], .7);
  double high[] = {.9, .8};
  bh_stats_benjamini_hochberg(high, 2, high);
  assert_close(high[0], .9);
  assert_close(high[1], .9); /* never out of order */
}

static gpointer many_p(gpointer data) {
  const double *x = data;
  double sum = 0;
  for (guint n = 1; n <= 200; n++)
    sum += bh_stats_signed_rank_p(x, n, 0);
  return g_memdup2(&sum, sizeof sum);
}

/* The kept distributions are made once, whichever thread comes first. */
static void test_threads(void) {
  double x[200];
  for (guint i = 0; i < 200; i++)
    x[i] = i % 3 ? i + 1. : -(i + 1.);
  GThread *threads[4];
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new("p", many_p, x);
  g_autofree double *expected = many_p(x);
  for (guint i = 0; i < 4; i++) {
    g_autofree double *found = g_thread_join(threads[i]);
    g_assert_cmpfloat(*found, ==, *expected);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rank/signed-rank", test_signed_rank);
  g_test_add_func("/rank/all-signs", test_all_signs);
  g_test_add_func("/rank/threads", test_threads);
  g_test_add_func("/rank/large", test_large);
  g_test_add_func("/rank/hodges-lehmann", test_hodges_lehmann);
  g_test_add_func("/rank/benjamini-hochberg", test_benjamini_hochberg);
  return g_test_run();
}
