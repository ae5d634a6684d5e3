/* SPDX-License-Identifier: MIT
 * The stop rule's looks: the published geometric sequence, whatever the first one is; and when warm-up is over. */
#include "worker/sampler.h"

static void test_looks(void) {
  static const guint expected[] = {10, 15, 23, 35, 53, 80, 120, 180, 270};
  guint n = 0;
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
    n = bh_sampler_next_look(n, 10);
    g_assert_cmpuint(n, ==, expected[i]);
  }
  g_assert_cmpuint(bh_sampler_next_look(0, 1), ==, 1);
  g_assert_cmpuint(bh_sampler_next_look(1, 1), ==, 2); /* never stands still */
}

static void test_first_look(void) {
  const BhMeasure few = {.min_samples = 6}, many = {.min_samples = 30};
  g_assert_cmpuint(bh_sampler_first_look(&few, TRUE), ==, 10);
  g_assert_cmpuint(bh_sampler_first_look(&few, FALSE), ==, 6); /* there it ends, whatever the precision */
  g_assert_cmpuint(bh_sampler_first_look(&many, TRUE), ==, 30);
}

static void test_names(void) {
  g_assert_cmpstr(bh_stop_reason_name(BH_STOP_PRECISION), ==, "precision");
  g_assert_cmpstr(bh_stop_reason_name(BH_STOP_MIN_SAMPLES), ==, "min-samples");
  g_assert_cmpstr(bh_stop_reason_name(BH_STOP_BUDGET), ==, "budget");
  g_assert_cmpstr(bh_stop_reason_name(BH_STOP_INTERRUPTED), ==, "interrupted");
}

/* What the matrix says, and a fifth of the cell's time at the most, which is max_time or its share of the budget. */
static void test_warmup(void) {
  const BhMeasure m = {.warmup_ns = 1000, .max_time_ns = 3000};
  g_assert_cmpuint(bh_sampler_warmup_ns(&m, G_MAXUINT64), ==, 600);
  g_assert_cmpuint(bh_sampler_warmup_ns(&m, 1000), ==, 200);
  const BhMeasure brief = {.warmup_ns = 10, .max_time_ns = 3000}, none = {.max_time_ns = 3000};
  g_assert_cmpuint(bh_sampler_warmup_ns(&brief, G_MAXUINT64), ==, 10);
  g_assert_cmpuint(bh_sampler_warmup_ns(&none, G_MAXUINT64), ==, 0);
}

/* Both are asked for: medians that agree, and no trend; neither alone will do. */
static void test_steady(void) {
  const double level[] = {100, 101, 99, 100, 100, 101, 100, 99, 100, 101}, equal[] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
  g_assert_true(bh_sampler_is_steady(level));
  g_assert_true(bh_sampler_is_steady(equal));
  const double step[] = {100, 103, 100, 103, 100, 103, 100, 103, 103, 100}; /* no trend to be seen: medians 100, 103 */
  g_assert_false(bh_sampler_is_steady(step));
  double creeping[10], falling[10];
  for (guint i = 0; i < 10; i++) { /* medians 0.5 % apart, every sample slower than the one before, or faster */
    creeping[i] = 1000 + i;
    falling[9 - i] = 1000 + i;
  }
  g_assert_false(bh_sampler_is_steady(creeping));
  g_assert_false(bh_sampler_is_steady(falling));
  const double spiked[] = {1000, 1001, 1002, 5000, 1003, 1004, 1001.5, 1002.5, 1003.5, 990};
  g_assert_true(bh_sampler_is_steady(spiked)); /* two spikes are no trend */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sampler/looks", test_looks);
  g_test_add_func("/sampler/first-look", test_first_look);
  g_test_add_func("/sampler/names", test_names);
  g_test_add_func("/sampler/warmup", test_warmup);
  g_test_add_func("/sampler/steady", test_steady);
  return g_test_run();
}
