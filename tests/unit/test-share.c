/* SPDX-License-Identifier: MIT
 * Sharing time among cells, on made-up numbers worked by hand. */
#include "engine/share.h"

#include <math.h>

#define NEAR(a, b) g_assert_cmpfloat_with_epsilon(a, b, 1e-9)

static void test_spread(void) {
  const double even[] = {98, 100, 101, 103, 99}, ties[] = {100, 100, 100, 100, 140}, zero[] = {-1, 0, 1},
               below[] = {-98, -100, -101, -103, -99};
  /* median 100, deviations 2 0 1 3 1: MAD 1 */
  NEAR(bh_share_spread(even, 5), 0.014826);
  NEAR(bh_share_spread(below, 5), 0.014826);
  /* MAD 0; mean absolute deviation 8 */
  NEAR(bh_share_spread(ties, 5), 1.2533 * 8 / 100);
  NEAR(bh_share_spread(ties, 4), 0);
  NEAR(bh_share_spread(ties, 1), 0);
  NEAR(bh_share_spread(zero, 3), 0);
}

/* Six values: the interval is their range. */
static void test_half(void) {
  const double values[] = {100, 101, 99, 100, 104, 98}, zeros[] = {0, 0, 0, 0, 0, 0}, around[] = {-1, 0, 0, 0, 0, 1};
  NEAR(bh_share_half(values, 6), 0.04);
  g_assert_true(isinf(bh_share_half(values, 5)));
  NEAR(bh_share_half(zeros, 6), 0);
  g_assert_true(isinf(bh_share_half(around, 6)));
}

static void test_looks(void) {
  static const guint few[] = {6, 9, 14, 21, 32, 48, 72}, many[] = {10, 15, 23, 35, 53};
  guint seen = 0;
  for (guint n = 0; n <= 72; n++)
    if (bh_share_looks(n, 2)) {
      g_assert_cmpuint(seen, <, G_N_ELEMENTS(few));
      g_assert_cmpuint(n, ==, few[seen++]);
    }
  g_assert_cmpuint(seen, ==, G_N_ELEMENTS(few));
  for (guint n = seen = 0; n <= 53; n++)
    if (bh_share_looks(n, 10)) {
      g_assert_cmpuint(seen, <, G_N_ELEMENTS(many));
      g_assert_cmpuint(n, ==, many[seen++]);
    }
  g_assert_cmpuint(seen, ==, G_N_ELEMENTS(many));
}

static void test_precise(void) {
  const double values[] = {100, 101, 99, 100, 101, 99, 100};
  g_assert_true(bh_share_precise(values, 6, 1, 0.01));
  g_assert_false(bh_share_precise(values, 6, 1, 0.0099));
  g_assert_false(bh_share_precise(values, 6, 1, 0));    /* never by precision */
  g_assert_false(bh_share_precise(values, 7, 1, 0.01)); /* no look at 7 */
  g_assert_true(bh_share_precise(values, 7, 7, 0.01));  /* but where 7 are mandatory */
  g_assert_false(bh_share_precise(values, 5, 1, 0.5));  /* undecided */
}

static BhShareCell cell(double spread, guint n, double cost_ns) {
  return (BhShareCell){.rounds = 2,
                       .most = 100,
                       .precision = 0.01,
                       .visits = n,
                       .n = n,
                       .spread = spread,
                       .half = INFINITY,
                       .cost_ns = cost_ns};
}

static void test_wants(void) {
  BhShareCell one = cell(0.1, 2, 1e8);
  g_assert_true(bh_share_wants(&one));
  one.visits = 1; /* its mandatory rounds come first */
  g_assert_false(bh_share_wants(&one));
  one = cell(0.1, 100, 1e8);
  g_assert_false(bh_share_wants(&one)); /* as many as it may have */
  one = cell(0.1, 2, 1e8);
  one.ended = TRUE;
  g_assert_false(bh_share_wants(&one));
  one = cell(0.1, 2, 1e8);
  one.precise = TRUE;
  g_assert_false(bh_share_wants(&one));
  one = cell(0.1, 2, 1e8);
  one.n = 0; /* no such figure: more rounds would have none either */
  g_assert_false(bh_share_wants(&one));
}

/* s^2 / (n (n + 1)) for a second. */
static void test_gain(void) {
  BhShareCell one = cell(0.1, 2, 2e8);
  NEAR(bh_share_gain(&one), 0.01 / 6 / 0.2);
  one.spread = 0; /* at least half a percent */
  NEAR(bh_share_gain(&one), 0.000025 / 6 / 0.2);
  one.cost_ns = 0;
  NEAR(bh_share_gain(&one), 0.000025 / 6 / 0.1);
}

/* Gains for a second, in thousandths: 2.4, 19, 6.3, 19. */
static void test_pass(void) {
  guint picked[4];
  BhShareCell cells[] = {cell(0.1, 6, 1e8), cell(0.2, 6, 0.5e8), cell(0.2, 6, 1.5e8), cell(0.1, 6, 0.125e8)};
  g_assert_cmpuint(bh_share_pass(cells, 4, INFINITY, picked), ==, 2);
  g_assert_cmpuint(picked[0], ==, 1);
  g_assert_cmpuint(picked[1], ==, 3);
  /* What does not fit is left out, however much it would gain; what is left is weighed by itself. */
  g_assert_cmpuint(bh_share_pass(cells, 4, 0.4e8, picked), ==, 1);
  g_assert_cmpuint(picked[0], ==, 3);
  cells[1].precise = cells[2].precise = cells[3].ended = TRUE;
  g_assert_cmpuint(bh_share_pass(cells, 4, INFINITY, picked), ==, 1);
  g_assert_cmpuint(picked[0], ==, 0);
  g_assert_cmpuint(bh_share_pass(cells, 4, 0, picked), ==, 0);
  cells[0].precise = TRUE;
  g_assert_cmpuint(bh_share_pass(cells, 4, INFINITY, picked), ==, 0);
}

/* Without six rounds there is no interval: these come first, whole cells, those that vary most for their cost. */
static void test_undecided(void) {
  guint picked[4];
  BhShareCell cells[] = {cell(0.05, 2, 1e8), cell(0.2, 4, 1e8), cell(0.1, 3, 1e8), cell(0.9, 6, 1e8)};
  g_assert_cmpuint(bh_share_pass(cells, 4, INFINITY, picked), ==, 3);
  g_assert_cmpuint(picked[0], ==, 0);
  g_assert_cmpuint(picked[2], ==, 2);
  /* 0.2 s for the second, 0.3 s for the third; nothing for the first, which would take 0.4 s */
  g_assert_cmpuint(bh_share_pass(cells, 4, 8e8, picked), ==, 2);
  g_assert_cmpuint(picked[0], ==, 1);
  g_assert_cmpuint(picked[1], ==, 2);
  /* None can be completed: what there is goes where it brings most. */
  g_assert_cmpuint(bh_share_pass(cells, 4, 1.5e8, picked), ==, 1);
  g_assert_cmpuint(picked[0], ==, 3);
  cells[0].most = 3; /* never six: as far as it may go */
  cells[1].precise = cells[2].ended = TRUE;
  g_assert_cmpuint(bh_share_pass(cells, 4, 1.5e8, picked), ==, 1);
  g_assert_cmpuint(picked[0], ==, 0);
}

/* Passes until a time is spent: rounds go as spread over the root of the cost (Neyman), so standard errors end up as
 * the root of the spread times the root of the cost's root; what varies most stays widest. */
static void test_neyman(void) {
  BhShareCell cells[] = {cell(0.02, 2, 1e6), cell(0.08, 2, 1e6), cell(0.08, 2, 4e6)};
  guint picked[3];
  double left_ns = 3e9;
  for (guint i = 0; i < 3; i++)
    cells[i].most = 100000;
  for (;;) {
    const guint n = bh_share_pass(cells, 3, left_ns, picked);
    if (!n)
      break;
    for (guint i = 0; i < n; i++) {
      cells[picked[i]].visits = ++cells[picked[i]].n;
      left_ns -= cells[picked[i]].cost_ns;
    }
  }
  g_assert_cmpfloat(left_ns, <, 4e6);
  /* n ~ s / sqrt(cost): 1 : 4 : 2, within what a pass allows for */
  g_assert_cmpfloat((double)cells[1].n / cells[0].n, >, 3);
  g_assert_cmpfloat((double)cells[1].n / cells[0].n, <, 5);
  g_assert_cmpfloat((double)cells[2].n / cells[0].n, >, 1.5);
  g_assert_cmpfloat((double)cells[2].n / cells[0].n, <, 2.6);
  for (guint i = 1; i < 3; i++)
    g_assert_cmpfloat(cells[i].spread / sqrt(cells[i].n), >, cells[0].spread / sqrt(cells[0].n));
}

static void test_level(void) {
  BhShareNeed needs[] = {{30, 1}, {1, 2}, {10, 1}, {100, 1}};
  /* 1, 1, 10 get what they need; 28 is left for two. */
  NEAR(bh_share_level(needs, 4, 40), 14);
  g_assert_true(isinf(bh_share_level(needs, 4, 142)));
  NEAR(bh_share_level(needs, 4, 141), 99);
  NEAR(bh_share_level(needs, 4, 2.5), 0.5);
  NEAR(bh_share_level(needs, 4, 0), 0);
  NEAR(bh_share_level(needs, 4, -5), 0);
  g_assert_true(isinf(bh_share_level(needs, 0, 0)));
  BhShareNeed none[] = {{30, 0}};
  g_assert_true(isinf(bh_share_level(none, 1, 5)));
}

static void test_outlook(void) {
  gboolean bound;
  /* Six rounds, half width twice the precision: 24 are wanted, the look after that is at 32. */
  BhShareCell cells[] = {cell(0.02, 6, 1e9), cell(0.02, 6, 1e9)};
  cells[0].half = 0.02;
  cells[1].precise = TRUE;
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 26e9);
  g_assert_false(bound);
  NEAR(bh_share_outlook(cells, 2, 5e9, &bound), 5e9);
  g_assert_true(bound);
  NEAR(bh_share_outlook(cells, 2, -5e9, &bound), 0);
  cells[0].most = 12;
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 6e9);
  /* Just not precise: the next look at the least. */
  cells[0].half = 0.0101;
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 3e9);
  g_assert_false(bound);
  /* Too early to tell, or never by precision: the most. */
  cells[0] = cell(0.02, 2, 1e9);
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 98e9);
  g_assert_true(bound);
  cells[0] = cell(0.02, 6, 1e9);
  cells[0].precision = 0;
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 94e9);
  g_assert_true(bound);
  cells[0].ended = TRUE;
  NEAR(bh_share_outlook(cells, 2, INFINITY, &bound), 0);
  g_assert_false(bound);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/share/spread", test_spread);
  g_test_add_func("/share/half", test_half);
  g_test_add_func("/share/looks", test_looks);
  g_test_add_func("/share/precise", test_precise);
  g_test_add_func("/share/wants", test_wants);
  g_test_add_func("/share/gain", test_gain);
  g_test_add_func("/share/pass", test_pass);
  g_test_add_func("/share/undecided", test_undecided);
  g_test_add_func("/share/neyman", test_neyman);
  g_test_add_func("/share/level", test_level);
  g_test_add_func("/share/outlook", test_outlook);
  return g_test_run();
}
