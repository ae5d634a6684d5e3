/* SPDX-License-Identifier: MIT
 * core/gate/rule: verdicts on small pairs whose figures are known by hand. Error rates: tests/calibration. */
#include "gate/known.h"
#include "gate/rule.h"

#include <math.h>

#define N 30

/* shift + (-1, +1, -2, +2, ...) * step: median of Walsh averages is the shift, by symmetry. */
static void fill(double *d, guint n, double shift, double step) {
  for (guint i = 0; i < n; i++)
    d[i] = shift + (i % 2 ? step : -step) * (i / 2 + 1);
}

static BhDecision decide_one(const double *screen, guint n_screen, const double *confirm, guint n_confirm) {
  const BhRule rule = bh_rule_default();
  const BhPairs pairs = {screen, n_screen, confirm, n_confirm};
  BhDecision d;
  bh_rule_decide(&rule, &pairs, 1, &d);
  return d;
}

static void test_suspects(void) {
  const BhRule rule = bh_rule_default();
  double d[10];
  fill(d, 10, 0.011, 0.001);
  g_assert_true(bh_rule_suspects(&rule, d, 10));
  fill(d, 10, -0.011, 0.001); /* either way */
  g_assert_true(bh_rule_suspects(&rule, d, 10));
  fill(d, 10, 0.009, 0.001);
  g_assert_false(bh_rule_suspects(&rule, d, 10));
  g_assert_false(bh_rule_suspects(&rule, d, 0));
}

static void test_regressed_and_mirror(void) {
  double screen[10], confirm[N], mirrored[N], mirrored_screen[10];
  fill(screen, 10, 0.05, 0.001);
  fill(confirm, N, 0.05, 0.001);
  for (guint i = 0; i < N; i++)
    mirrored[i] = -confirm[i];
  for (guint i = 0; i < 10; i++)
    mirrored_screen[i] = -screen[i];
  BhDecision d = decide_one(screen, 10, confirm, N);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_REGRESSED);
  g_assert_true(d.suspect);
  g_assert_cmpfloat_with_epsilon(d.shift, 0.05, 1e-12);
  g_assert_cmpuint(d.n, ==, N);
  g_assert_cmpfloat_with_epsilon(d.p_worse, ldexp(1, -N), 1e-18); /* all 30 beyond the margin */
  g_assert_cmpfloat(d.p_adjusted, ==, d.p_worse);                 /* one test */
  g_assert_cmpfloat(d.low, <, d.low90);
  g_assert_cmpfloat(d.high, >, d.high90);
  d = decide_one(mirrored_screen, 10, mirrored, N);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_IMPROVED);
  g_assert_cmpfloat_with_epsilon(d.p_better, ldexp(1, -N), 1e-18);
  g_assert_cmpfloat(d.p_worse, >, 0.9);
}

/* The screen saw 5 %, fresh pairs see nothing: no regression, and equivalent. */
static void test_screen_alone_decides_nothing(void) {
  double screen[10], confirm[N];
  fill(screen, 10, 0.05, 0.001);
  fill(confirm, N, 0, 0.001);
  g_assert_cmpint(decide_one(screen, 10, confirm, N).verdict, ==, BH_VERDICT_EQUIVALENT);
  const BhDecision cut = decide_one(screen, 10, NULL, 0);
  g_assert_cmpint(cut.verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_cmpfloat(cut.p_worse, ==, 1);
  g_assert_cmpuint(cut.n, ==, 10);
}

static void test_margin(void) {
  double screen[10], confirm[N];
  fill(screen, 10, 0.015, 0.0002);
  fill(confirm, N, 0.019, 0.00002); /* clearly above 0, clearly below ln 1.02 = 0.0198 */
  BhDecision d = decide_one(screen, 10, confirm, N);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_INCONCLUSIVE); /* beyond 1.5 %: not called equivalent */
  fill(confirm, N, 0.012, 0.00002);
  g_assert_cmpint(decide_one(screen, 10, confirm, N).verdict, ==, BH_VERDICT_EQUIVALENT);
  fill(confirm, N, 0.025, 0.00002);
  g_assert_cmpint(decide_one(screen, 10, confirm, N).verdict, ==, BH_VERDICT_REGRESSED);
}

static void test_equivalence(void) {
  double screen[10];
  fill(screen, 10, 0.005, 0.002); /* within +-1.5 % */
  BhDecision d = decide_one(screen, 10, NULL, 0);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_EQUIVALENT);
  g_assert_false(d.suspect);
  fill(screen, 10, 0, 0.03); /* +-15 %: the interval does not fit */
  d = decide_one(screen, 10, NULL, 0);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_cmpfloat(d.high90, >, log(1.05));
}

/* One speed against two with the same middle: deciles -0.05 and +0.05 around it, worked out by hand. */
static void test_shape(void) {
  const BhRule rule = bh_rule_default();
  double d[10], one[10], two[10];
  BhDecision decision;
  for (guint i = 0; i < 10; i++) {
    one[i] = 1;
    two[i] = i % 2 ? 1.04 : 0.96;
    d[i] = (i % 2 ? 0.001 : -0.001); /* whatever the pairs say */
  }
  const BhPairs pairs = {.screen = d, .n_screen = 10, .base = two, .candidate = one, .n_figures = 10};
  bh_rule_decide(&rule, &pairs, 1, &decision);
  g_assert_cmpint(decision.verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_cmpfloat_with_epsilon(decision.shape.fast, 0.04, 1e-12);
  g_assert_cmpfloat_with_epsilon(decision.shape.lower, 0.04, 1e-12);
  g_assert_cmpfloat_with_epsilon(decision.shape.upper, -0.04, 1e-12);
  const BhPairs same = {.screen = d, .n_screen = 10, .base = two, .candidate = two, .n_figures = 10};
  bh_rule_decide(&rule, &same, 1, &decision);
  g_assert_cmpint(decision.verdict, ==, BH_VERDICT_EQUIVALENT);
  g_assert_true(bh_rule_alike(&rule, &(BhShape){log(1.0299), -log(1.0499), log(1.0499)}));
  g_assert_false(bh_rule_alike(&rule, &(BhShape){-log(1.0301), 0, 0}));
  g_assert_false(bh_rule_alike(&rule, &(BhShape){0, log(1.0501), 0}));
  g_assert_false(bh_rule_alike(&rule, &(BhShape){0, 0, -log(1.0501)}));
}

static void test_few_pairs(void) {
  const double d4[4] = {0, 0.001, -0.001, 0.002};
  BhDecision d = decide_one(d4, 4, NULL, 0);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_false(d.has_interval);
  g_assert_cmpfloat(d.detectable, ==, 0);
  d = decide_one(NULL, 0, NULL, 0);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_cmpuint(d.n, ==, 0);
}

/* Counts of instructions and the like have no noise at all. */
static void test_no_noise(void) {
  double same[10] = {0}, worse[N];
  BhDecision d = decide_one(same, 10, NULL, 0);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_EQUIVALENT);
  g_assert_cmpfloat_with_epsilon(d.detectable, 0.02, 1e-12);
  for (guint i = 0; i < N; i++)
    worse[i] = 0.1;
  d = decide_one(worse, 10, worse, N);
  g_assert_cmpint(d.verdict, ==, BH_VERDICT_REGRESSED);
  g_assert_cmpfloat_with_epsilon(d.p_worse, ldexp(1, -N), 1e-18);
}

/* Two suspects: p = 2^-30 and one whose own p is between q/2 and q. Adjusted: p * 2 / rank. */
static void test_correction(void) {
  const BhRule rule = bh_rule_default();
  double screen[10], clear[N], weak[5] = {0.03, 0.04, 0.05, 0.06, 0.07}; /* all beyond: p = 1/32 */
  BhDecision d[3];
  fill(screen, 10, 0.05, 0.001);
  fill(clear, N, 0.05, 0.001);
  const BhPairs cells[3] = {{screen, 10, weak, 5}, {weak, 0, NULL, 0}, {screen, 10, clear, N}};
  bh_rule_decide(&rule, cells, 3, d);
  g_assert_cmpfloat_with_epsilon(d[0].p_worse, 1 / 32., 1e-15);
  g_assert_cmpfloat_with_epsilon(d[0].p_adjusted, 1 / 32., 1e-15); /* rank 2 of 2 */
  g_assert_cmpfloat_with_epsilon(d[2].p_adjusted, 2 * ldexp(1, -N), 1e-18);
  g_assert_cmpint(d[0].verdict, ==, BH_VERDICT_REGRESSED);
  g_assert_cmpint(d[1].verdict, ==, BH_VERDICT_INCONCLUSIVE);
  const BhPairs two[2] = {{screen, 10, weak, 5}, {screen, 10, screen, 1}}; /* the other one shows nothing: p = 1/2 */
  bh_rule_decide(&rule, two, 2, d);
  g_assert_cmpfloat_with_epsilon(d[0].p_adjusted, 2 / 32., 1e-15);
  g_assert_cmpint(d[0].verdict, ==, BH_VERDICT_INCONCLUSIVE);
}

/* Suspects whose confirmation never came are in the family all the same; others' fresh pairs decide nothing. */
static void test_family(void) {
  const BhRule rule = bh_rule_default();
  double screen[10], same[10], clear[N], weak[5] = {0.03, 0.04, 0.05, 0.06, 0.07}; /* all beyond: p = 1/32 */
  BhDecision d[2];
  fill(screen, 10, 0.05, 0.001);
  fill(same, 10, 0.002, 0.001);
  fill(clear, N, 0.05, 0.001);
  const BhPairs waiting[2] = {{screen, 10, weak, 5}, {screen, 10, NULL, 0}};
  bh_rule_decide(&rule, waiting, 2, d);
  g_assert_cmpfloat_with_epsilon(d[0].p_adjusted, 2 / 32., 1e-15);
  g_assert_cmpint(d[0].verdict, ==, BH_VERDICT_INCONCLUSIVE);
  g_assert_cmpfloat(d[1].p_adjusted, ==, 1);
  g_assert_cmpint(d[1].verdict, ==, BH_VERDICT_INCONCLUSIVE);
  const BhPairs others[2] = {{screen, 10, weak, 5}, {same, 10, clear, N}};
  bh_rule_decide(&rule, others, 2, d);
  g_assert_cmpint(d[0].verdict, ==, BH_VERDICT_REGRESSED);
  g_assert_cmpint(d[1].verdict, ==, BH_VERDICT_EQUIVALENT);
  g_assert_cmpuint(d[1].n, ==, 10);
  g_assert_cmpfloat(d[1].p_worse, ==, 1);
}

/* What a run cannot find is not said to be found. */
static void test_detectable_of_few_rounds(void) {
  BhRule rule = bh_rule_default();
  double screen[10], confirm[N], few[8], none[10] = {0};
  BhDecision d[4];
  fill(screen, 10, 0.05, 0.001);
  fill(confirm, N, 0.05, 0.001); /* up to 0.015 off */
  fill(few, 8, 0.05, 0.005);     /* up to 0.02 off */
  const double whole = decide_one(screen, 10, confirm, N).detectable;
  g_assert_cmpfloat(whole, >, 0.02);
  g_assert_cmpfloat(decide_one(screen, 10, few, 8).detectable, >, whole);
  g_assert_cmpfloat(decide_one(screen, 10, NULL, 0).detectable, ==, 0);
  /* Six pairs: p = 1/64 at least. Enough for three tests (q / 3 = 1/60), not for one of four (1/80). */
  const BhPairs cells[4] = {{screen, 10, few, 6}, {screen, 10, few, 6}, {screen, 10, few, 6}, {screen, 10, few, 6}};
  bh_rule_decide(&rule, cells, 3, d);
  g_assert_cmpfloat(d[0].detectable, >, 0.02);
  bh_rule_decide(&rule, cells, 4, d);
  g_assert_true(d[0].has_interval);
  g_assert_cmpfloat(d[0].detectable, ==, 0);
  rule.screen_shift = 0.06; /* what the screen lets pass is not found, however clear */
  const BhPairs still = {none, 10, NULL, 0};
  bh_rule_decide(&rule, &still, 1, d);
  g_assert_cmpfloat_with_epsilon(d[0].detectable, 0.06, 1e-12);
}

/* More noise, more needed; and more tests, more needed. */
static void test_detectable(void) {
  double quiet[10], loud[10];
  fill(quiet, 10, 0, 0.001);
  fill(loud, 10, 0, 0.003);
  const BhDecision a = decide_one(quiet, 10, NULL, 0), b = decide_one(loud, 10, NULL, 0);
  g_assert_cmpfloat(a.detectable, >, 0.02);
  g_assert_cmpfloat(b.detectable, >, a.detectable);
  g_assert_cmpfloat(b.detectable, <, 0.2);
}

static void test_names(void) {
  g_assert_cmpstr(bh_verdict_name(BH_VERDICT_EQUIVALENT), ==, "equivalent");
  g_assert_cmpstr(bh_verdict_name(BH_VERDICT_IMPROVED), ==, "improved");
  g_assert_cmpstr(bh_verdict_name(BH_VERDICT_INCONCLUSIVE), ==, "inconclusive");
  g_assert_cmpstr(bh_verdict_name(BH_VERDICT_REGRESSED), ==, "regressed");
}

/* Figures are printed for the rule that they were measured with, and for no other. */
static void test_known(void) {
  BhRule rule = bh_rule_default();
  BhKnown known;
  g_assert_true(bh_rule_known(&rule, &known));
  g_assert_cmpfloat(known.false_runs, <=, known.false_runs_high);
  g_assert_cmpfloat(known.found_5, <=, known.found_10);
  g_assert_cmpuint(known.runs, >, 0);
  rule.margin = 0.03;
  g_assert_false(bh_rule_known(&rule, &known));
  g_assert_cmpuint(known.runs, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rule/suspects", test_suspects);
  g_test_add_func("/rule/regressed-and-mirror", test_regressed_and_mirror);
  g_test_add_func("/rule/screen-alone-decides-nothing", test_screen_alone_decides_nothing);
  g_test_add_func("/rule/margin", test_margin);
  g_test_add_func("/rule/equivalence", test_equivalence);
  g_test_add_func("/rule/few-pairs", test_few_pairs);
  g_test_add_func("/rule/shape", test_shape);
  g_test_add_func("/rule/no-noise", test_no_noise);
  g_test_add_func("/rule/correction", test_correction);
  g_test_add_func("/rule/family", test_family);
  g_test_add_func("/rule/detectable", test_detectable);
  g_test_add_func("/rule/detectable/few", test_detectable_of_few_rounds);
  g_test_add_func("/rule/known", test_known);
  g_test_add_func("/rule/names", test_names);
  return g_test_run();
}
