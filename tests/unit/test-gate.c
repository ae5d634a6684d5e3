/* SPDX-License-Identifier: MIT
 * A comparison without processes: what stands beside what, in which order, and what is made of a journal written by
 * hand. */
#include "gate/ab.h"
#include "gate/order.h"
#include "gate/pairs.h"
#include "gate/series.h"
#include "hand-catalog.h"

#include <math.h>
#include <string.h>

/* ---- The order ---- */

static void test_first_is_balanced(void) {
  guint base_first = 0;
  for (guint index = 0; index < 200; index++)
    for (guint round = 0; round < 40; round += 2) {
      g_assert_cmpint(bh_ab_first(7, index, round), !=, bh_ab_first(7, index, round + 1));
      base_first += bh_ab_first(7, index, round) == BH_SIDE_BASE;
    }
  /* 4000 fair coins: 2000 +- 5 standard deviations of 31.6 */
  g_assert_cmpuint(base_first, >, 2000 - 158);
  g_assert_cmpuint(base_first, <, 2000 + 158);
}

static void test_order_is_a_permutation(void) {
  guint first_place[5] = {0};
  for (guint round = 0; round < 1000; round++) {
    g_autofree guint *order = bh_ab_order(3, round, 5), *again = bh_ab_order(3, round, 5);
    guint seen = 0;
    for (guint i = 0; i < 5; i++) {
      seen |= 1u << order[i];
      g_assert_cmpuint(order[i], ==, again[i]);
    }
    g_assert_cmpuint(seen, ==, 31);
    first_place[order[0]]++;
  }
  for (guint i = 0; i < 5; i++) { /* 200 expected, 5 standard deviations of 12.6 */
    g_assert_cmpuint(first_place[i], >, 200 - 63);
    g_assert_cmpuint(first_place[i], <, 200 + 63);
  }
  for (guint seed = 0; seed < 100; seed++)
    g_assert_cmpuint(bh_ab_draw(seed, 3), <, 3);
  g_autofree guint *none = bh_ab_order(3, 0, 0);
  g_assert_nonnull(none);
}

/* ---- Arms ---- */

static void test_arm_texts(void) {
  static const struct {
    const char *text;
    BhArmKind kind;
    const char *option;
  } good[] = {{".", BH_ARM_INSTALLED, NULL},
              {"-", BH_ARM_INSTALLED, NULL},
              {"schedule=static", BH_ARM_OPTION, "schedule"},
              {"backend.chunk=3", BH_ARM_OPTION, "chunk"},
              {"text=a=b", BH_ARM_OPTION, "text"},
              {"graded.file=/data/a", BH_ARM_OPTION, "file"}};
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BhArm) arm = bh_arm_parse(good[i].text, &error);
    g_assert_no_error(error);
    g_assert_cmpint(arm->kind, ==, good[i].kind);
    g_assert_cmpstr(arm->option, ==, good[i].option);
    g_assert_null(arm->files->pdata[0]);
  }
  static const char *const bad[] = {"", "nothing", "=3", "n=", "no/such/folder", "no/such=folder", "/nowhere/x.so"};
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(bh_arm_parse(bad[i], &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  }
}

/* ---- Pairs ---- */

typedef struct {
  BhSpec *spec[2];
  BhCatalog *catalog[2];
  BhPlan *plan[2];
  BhArm *arm[2];
  GPtrArray *notes, *pairs;
} Fixture;

static void clear(Fixture *f) {
  g_clear_pointer(&f->pairs, g_ptr_array_unref);
  g_ptr_array_unref(f->notes);
  for (guint i = 0; i < 2; i++) {
    bh_plan_free(f->plan[i]);
    bh_spec_free(f->spec[i]);
    bh_catalog_free(f->catalog[i]);
    bh_arm_free(f->arm[i]);
  }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, clear)

/* `more`: a parameter that only the candidate's `prime` has; NULL: none. */
static Fixture pair_up(const char *matrix, const char *base, const char *candidate, const char *more, GError **error) {
  Fixture f = {.notes = g_ptr_array_new_with_free_func(g_free)};
  const char *texts[] = {base, candidate};
  g_autofree char *text = g_strconcat("benchhost: 1\n", matrix, NULL);
  for (guint i = 0; i < 2; i++) {
    const char *const params[] = {strchr(texts[i], '=') ? texts[i] : NULL, NULL};
    const BhPlanOptions options = {.params = params, .cores = 6, .memory_bytes = 1 << 30};
    f.arm[i] = bh_arm_parse(texts[i], NULL);
    f.catalog[i] = hand_catalog();
    if (i == 1 && more)
      hand_param((BhPlugin *)bh_catalog_find(f.catalog[i], "prime", NULL), more, BH_INT, "0", 0, 0);
    f.spec[i] = bh_spec_parse(text, strlen(text), "m.yaml", NULL, NULL);
    f.plan[i] = bh_plan_new(f.spec[i], f.catalog[i], &options, NULL);
    g_assert_nonnull(f.plan[i]);
  }
  f.pairs = bh_ab_pairs_new(f.plan[0], f.plan[1], (const BhArm *const *)f.arm, f.notes, error);
  return f;
}

static const BhAbPair *pair_at(const Fixture *f, guint i) {
  g_assert_nonnull(f->pairs);
  g_assert_cmpuint(i, <, f->pairs->len);
  return f->pairs->pdata[i];
}

static void test_pairs_of_the_same(void) {
  g_auto(Fixture) f =
      pair_up("workloads: [prime: {n: [10, 20]}]\nbackends: [serial, pool: {workers: 2}]\n", ".", ".", NULL, NULL);
  g_assert_cmpuint(f.pairs->len, ==, 4);
  for (guint i = 0; i < 4; i++) {
    g_assert_cmpstr(pair_at(&f, i)->side[0]->id, ==, pair_at(&f, i)->side[1]->id);
    g_assert_cmpstr(pair_at(&f, i)->label, ==, pair_at(&f, i)->side[0]->label);
  }
  g_assert_true(bh_ab_pairs_same(f.pairs));
  g_assert_cmpuint(f.notes->len, ==, 0);
}

static void test_pairs_of_values(void) {
  g_auto(Fixture) f = pair_up("workloads: [prime: {n: [10, 20]}]\nbackends: [pool: {workers: [1, 2]}]\n",
                              "schedule=static", "pool.schedule=guided", NULL, NULL);
  g_assert_cmpuint(f.pairs->len, ==, 4);
  g_assert_cmpstr(pair_at(&f, 3)->label, ==, "prime n=20 | pool workers=2");
  g_assert_cmpstr(pair_at(&f, 3)->side[1]->label, ==, "prime n=20 | pool workers=2 schedule=guided");
  g_assert_false(bh_ab_pairs_same(f.pairs));
  g_assert_cmpuint(f.notes->len, ==, 0);
}

/* Both have a `chunk`; the workload's is none of what is compared. */
static void test_pairs_of_one_plugins_option(void) {
  g_auto(Fixture) f = pair_up("workloads: [mixed: {chunk: [1, 2]}]\nbackends: [pool: {workers: 1}]\n",
                              "backend.chunk=1", "pool.chunk=2", NULL, NULL);
  g_assert_cmpuint(f.pairs->len, ==, 2);
  g_assert_cmpstr(pair_at(&f, 0)->label, ==, "mixed chunk=1 | pool workers=1");
  g_assert_cmpstr(pair_at(&f, 1)->label, ==, "mixed chunk=2 | pool workers=1");
  g_assert_cmpuint(f.notes->len, ==, 0);
}

static void test_pairs_of_the_variant(void) {
  g_auto(Fixture) f =
      pair_up("workloads: [prime: {n: 10}]\nbackends: [serial]\n", "variant=portable", "variant=avx2", NULL, NULL);
  g_assert_cmpuint(f.pairs->len, ==, 1);
  g_assert_cmpstr(pair_at(&f, 0)->label, ==, "prime n=10 | serial");
}

static void test_pairs_of_what_depends(void) {
  g_auto(Fixture) f =
      pair_up("workloads: [prime: {n: [10, 20]}]\nbackends: [pool: {workers: 1, chunk: 12 / workers}]\n", "workers=2",
              "workers=3", NULL, NULL);
  g_assert_cmpuint(f.pairs->len, ==, 2);
  g_assert_cmpuint(f.notes->len, ==, 1);
  g_assert_cmpstr(f.notes->pdata[0], ==, "pool: chunk differs too: 6 in the base, 4 in the candidate");
}

static void test_pairs_of_a_newer_build(void) {
  g_auto(Fixture) f = pair_up("workloads: [prime: {n: [10, 20]}]\nbackends: [serial]\n", ".", ".", "extra", NULL);
  g_assert_cmpuint(f.pairs->len, ==, 2);
  g_assert_cmpstr(pair_at(&f, 0)->side[0]->id, !=, pair_at(&f, 0)->side[1]->id);
  g_assert_cmpuint(f.notes->len, ==, 1);
  g_assert_cmpstr(f.notes->pdata[0], ==, "prime: the base has no parameter extra");
}

static void test_pairs_that_cannot_be(void) {
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) f =
      pair_up("workloads: [prime: {n: [10, 20]}]\nbackends: [serial]\n", "cost=equal", "n=10", NULL, &error);
  g_assert_null(f.pairs);
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, "different cells (2 and 1)"));
  g_assert_nonnull(strstr(error->message, "'prime n=20 cost=equal | serial' only in the base"));
}

/* ---- Judging ---- */

typedef struct {
  GString *text;
  guint screen, confirm; /* rounds */
} Journal;

static void journal_begin(Journal *j, guint screen, guint confirm) {
  *j = (Journal){.text = g_string_new(NULL), .screen = screen, .confirm = confirm};
  g_string_append_printf(j->text,
                         "{\"type\":\"run\",\"schema\":1,\"kind\":\"ab\",\"benchhost\":\"0\",\"seed\":1,"
                         "\"measure\":{\"primary\":\"wall\"},\"control\":true,\"same\":false,\"notes\":[],"
                         "\"environment\":{\"governor\":{\"state\":\"bad\",\"value\":\"powersave\",\"note\":\"slow\"},"
                         "\"aslr\":{\"state\":\"ok\",\"value\":2}},"
                         "\"rule\":{\"screen_rounds\":%u,\"confirm_rounds\":%u,\"screen_shift\":0.01,\"margin\":0.02,"
                         "\"q\":0.05,\"equivalence\":0.05,\"equivalent_shift\":0.015},"
                         "\"pairs\":[{\"label\":\"one\",\"base\":\"a\",\"candidate\":\"a\"},"
                         "{\"label\":\"two\",\"base\":\"b\",\"candidate\":\"c\"}]}\n",
                         screen, confirm);
}

static void add_visit(Journal *j, const char *id, const char *arm, guint round, double ns) {
  g_string_append_printf(
      j->text,
      "{\"type\":\"cell\",\"id\":\"%s\",\"workload\":\"w\",\"backend\":\"b\",\"round\":%u,\"arm\":\"%s\","
      "\"status\":\"ok\",\"steady\":{\"samples_ns\":[%.17g]}}\n",
      id, round, arm, ns);
}

static void add_failure(Journal *j, const char *id, const char *arm, guint round, const char *status) {
  g_string_append_printf(
      j->text,
      "{\"type\":\"cell\",\"id\":\"%s\",\"workload\":\"w\",\"backend\":\"b\",\"round\":%u,\"arm\":\"%s\","
      "\"status\":\"%s\",\"reason\":\"by hand\"}\n",
      id, round, arm, status);
}

/* `n` pairs from round `from`: the candidate is `factor` times the base, give or take a thousandth. */
static void add_pairs(Journal *j, const char *base, const char *candidate, const char *const *arms, guint from, guint n,
                      double factor) {
  for (guint i = 0; i < n; i++) {
    const double wobble = 1 + 0.0001 * ((i * 7) % 11) - 0.0005;
    add_visit(j, base, arms[0], from + i, 1000);
    add_visit(j, candidate, arms[1], from + i, 1000 * factor * wobble);
  }
}

static BhAbReport *judge(Journal *j, const BhAbJudging *judging, gboolean end) {
  g_autoptr(GError) error = NULL;
  if (end)
    g_string_append(j->text, "{\"type\":\"end\",\"interrupted\":false,\"stopped\":\"finished\",\"wall_s\":1.5}\n");
  g_autoptr(BhResults) results = bh_results_parse(j->text->str, j->text->len, "j", &error);
  g_assert_no_error(error);
  BhAbReport *report = bh_ab_judge(results, judging, &error);
  g_assert_no_error(error);
  g_string_free(j->text, TRUE);
  return report;
}

static const BhAbCell *cell_at(const BhAbReport *report, guint i) {
  g_assert_cmpuint(i, <, report->cells->len);
  return report->cells->pdata[i];
}

static void test_judge(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
  add_pairs(&j, "b", "c", bh_ab_arms, 0, 10, 1.3); /* screening sees more than there is: it plays no part */
  add_pairs(&j, "b", "c", bh_ab_arms, 10, 30, 1.1);
  add_pairs(&j, "a", "a", bh_ab_control_arms, 0, 10, 1);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_EQUIVALENT);
  const BhAbCell *slow = cell_at(report, 1);
  g_assert_cmpint(slow->outcome, ==, BH_AB_REGRESSED);
  g_assert_cmpuint(slow->decision.n, ==, 30);
  g_assert_cmpfloat_with_epsilon(slow->decision.shift, log(1.1), 0.001);
  g_assert_cmpfloat_with_epsilon(slow->side[1].median, 1100, 1);
  g_assert_cmpint(report->control.state, ==, BH_CONTROL_QUIET);
  g_assert_cmpint(report->exit_status, ==, 1);
  g_assert_cmpuint(report->count[BH_AB_REGRESSED], ==, 1);
  g_assert_cmpuint(report->environment_bad->len, ==, 1);
  g_assert_cmpstr(((BhAbFact *)report->environment_bad->pdata[0])->name, ==, "governor");
  g_autofree char *sentence = bh_ab_cell_sentence(slow);
  g_assert_true(g_str_has_prefix(sentence, "two: regressed, 10.0 % slower (95 %: "));
  g_autofree char *counts = bh_ab_counts_text(report);
  g_assert_cmpstr(counts, ==, "1 regressed, 1 equivalent");
  g_autofree char *table = bh_ab_table(report, FALSE, 0, TRUE);
  g_assert_nonnull(strstr(table, "two "));
  g_assert_nonnull(strstr(table, "1.100 us"));
}

/* The worst applies, in the order of measurement.md. */
static void test_exit_status(void) {
  static const struct {
    const char *failure; /* of cell one */
    double control;
    gboolean strict;
    int status;
  } cases[] = {{NULL, 1, FALSE, 1},      {NULL, 1.2, FALSE, 2},          {"wrong", 1.2, FALSE, 3},
               {"crashed", 1, FALSE, 4}, {"out-of-memory", 1, FALSE, 4}, {"timeout", 1, TRUE, 4},
               {"skipped", 1, FALSE, 1}, {"skipped", 1, TRUE, 4},        {"unsupported", 1, FALSE, 1}};
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    Journal j;
    journal_begin(&j, 10, 30);
    if (cases[i].failure)
      add_failure(&j, "a", "base", 0, cases[i].failure);
    else
      add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
    add_pairs(&j, "b", "c", bh_ab_arms, 0, 40, 1.1);
    add_pairs(&j, "b", "b", bh_ab_control_arms, 0, 40, cases[i].control);
    g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){.strict = cases[i].strict}, TRUE);
    g_test_message("%u: %s", i, report->exit_why);
    g_assert_cmpint(report->exit_status, ==, cases[i].status);
    g_assert_cmpint(report->control.state, ==, cases[i].control == 1 ? BH_CONTROL_QUIET : BH_CONTROL_FLAGGED);
  }
}

/* Results that were wrong in the control were wrong; a copy that does not run where it was put says nothing. */
static void test_exit_of_the_control(void) {
  static const struct {
    const char *arm, *failure;
    int status;
  } cases[] = {{"control", "wrong", 3},        {"control-base", "wrong", 3}, {"control-base", "crashed", 4},
               {"control-base", "timeout", 4}, {"control", "failed", 0},     {"control-base", "skipped", 0}};
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    Journal j;
    journal_begin(&j, 10, 30);
    add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
    add_pairs(&j, "b", "c", bh_ab_arms, 0, 10, 1);
    add_failure(&j, "a", cases[i].arm, 0, cases[i].failure);
    add_visit(&j, "a", strcmp(cases[i].arm, "control") ? "control" : "control-base", 0, 1000);
    g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
    g_test_message("%u: %s", i, report->exit_why);
    g_assert_cmpint(report->exit_status, ==, cases[i].status);
    g_assert_cmpint(report->control.state, ==, BH_CONTROL_NONE);
  }
}

static void test_statuses(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 9, 1);
  add_visit(&j, "a", "base", 9, 1000);
  add_failure(&j, "a", "candidate", 9, "wrong"); /* once in ten rounds is once too often */
  add_failure(&j, "b", "base", 0, "skipped");
  add_failure(&j, "c", "candidate", 0, "crashed");
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  const BhAbCell *one = cell_at(report, 0), *two = cell_at(report, 1);
  g_assert_cmpint(one->outcome, ==, BH_AB_WRONG);
  g_assert_true(one->candidate_only);
  g_assert_false(one->decided);
  g_assert_cmpuint(one->side[1].failures, ==, 1);
  g_assert_cmpint(two->outcome, ==, BH_AB_BROKEN);
  g_assert_false(two->candidate_only);
  g_assert_cmpint(report->control.state, ==, BH_CONTROL_NONE);
  g_assert_nonnull(report->control.why);
  g_assert_cmpint(report->exit_status, ==, 4);
}

static void test_lack_of_pairs(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 7, 1);
  /* Looked changed, though no more than equivalent arms may be spread; the fresh pairs say no, but too few of them. */
  add_pairs(&j, "b", "c", bh_ab_arms, 0, 10, 1.02);
  add_pairs(&j, "b", "c", bh_ab_arms, 10, 12, 1.0);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, FALSE);
  g_assert_true(report->interrupted);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_INCONCLUSIVE);
  g_assert_cmpstr(cell_at(report, 0)->reason, ==, "only 7 of 10 screening pairs: it ended before");
  g_assert_cmpint(cell_at(report, 1)->outcome, ==, BH_AB_INCONCLUSIVE);
  g_assert_cmpint(cell_at(report, 1)->decision.verdict, ==, BH_VERDICT_EQUIVALENT);
  g_assert_true(cell_at(report, 1)->cut_short);
  g_assert_cmpint(report->exit_status, ==, 2);
}

static void test_a_change_that_fewer_pairs_show(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
  add_pairs(&j, "b", "c", bh_ab_arms, 0, 22, 1.5);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  g_assert_cmpint(cell_at(report, 1)->outcome, ==, BH_AB_REGRESSED);
  g_assert_true(cell_at(report, 1)->cut_short);
}

static void test_figures_without_a_ratio(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 9, 1);
  add_visit(&j, "a", "base", 9, 1000);
  add_visit(&j, "a", "candidate", 9, 0);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_INCONCLUSIVE);
  g_assert_cmpstr(cell_at(report, 0)->reason, ==,
                  "candidate: wall is 0 in round 9, and only figures above 0 have a ratio");
  g_assert_cmpuint(cell_at(report, 0)->dropped, ==, 1);
  g_autofree char *json = bh_ab_json(report);
  g_assert_null(strstr(json, "nan"));
  g_assert_null(strstr(json, "inf"));
}

static void add_metric(Journal *j, const char *id, const char *arm, guint round, double value, const char *unit,
                       const char *better) {
  g_string_append_printf(
      j->text,
      "{\"type\":\"cell\",\"id\":\"%s\",\"workload\":\"w\",\"backend\":\"b\",\"round\":%u,\"arm\":\"%s\","
      "\"status\":\"ok\",\"steady\":{\"samples_ns\":[5]},\"primary\":\"metric:m\","
      "\"metrics\":{\"m\":{\"median\":%g,\"unit\":\"%s\",\"better\":\"%s\"}}}\n",
      id, round, arm, value, unit, better);
}

/* A build that counts in other units is no thousand times slower. */
static void test_figures_of_two_scales(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  for (guint round = 0; round < 40; round++) {
    add_metric(&j, "a", "base", round, 2, "s", "lower");
    add_metric(&j, "a", "candidate", round, 2000, "ms", "lower");
    add_metric(&j, "b", "base", round, 5, "s", "lower");
    add_metric(&j, "c", "candidate", round, 6, "s", "higher");
  }
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  for (guint i = 0; i < 2; i++) {
    g_assert_cmpint(cell_at(report, i)->outcome, ==, BH_AB_INCONCLUSIVE);
    g_assert_false(cell_at(report, i)->decided);
  }
  g_assert_cmpstr(cell_at(report, 0)->reason, ==,
                  "metric:m is in 's' (lower is better) in the base, but in 'ms' (lower is better) in the candidate: "
                  "give both builds the same");
}

/* Two speeds around the base's single one: of times, and of a figure of which more is better, whose fast end is up. */
static void test_spread(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  for (guint round = 0; round < 10; round++) {
    const double speed = round % 2 ? 1.04 : 0.96;
    add_visit(&j, "a", "base", round, 1000);
    add_visit(&j, "a", "candidate", round, 1000 * speed);
    add_metric(&j, "b", "base", round, 100, "1/s", "higher");
    add_metric(&j, "c", "candidate", round, 100 * speed, "1/s", "higher");
  }
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  const double fast[] = {log(0.96), -log(1.04)};
  for (guint i = 0; i < 2; i++) {
    const BhAbCell *cell = cell_at(report, i);
    g_assert_cmpint(cell->outcome, ==, BH_AB_INCONCLUSIVE);
    g_assert_true(cell->decided);
    g_assert_true(g_str_has_prefix(cell->reason, "the same in the middle, but spread differently"));
    g_assert_cmpfloat_with_epsilon(cell->decision.shape.fast, fast[i], 1e-9);
    g_assert_cmpfloat_with_epsilon(cell->decision.shape.lower, fast[i], 1e-9);
    g_assert_cmpfloat_with_epsilon(cell->decision.shape.upper, i ? -log(0.96) : log(1.04), 1e-9);
  }
}

static void test_struck_pairs(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 1, 9); /* far off, but disturbed: struck, measured again */
  for (guint side = 0; side < 2; side++)
    g_string_append_printf(j.text,
                           "{\"type\":\"retry\",\"id\":\"a\",\"round\":0,\"arm\":\"%s\",\"reason\":\"steal\"}\n",
                           bh_ab_arms[side]);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_EQUIVALENT);
  g_assert_cmpuint(cell_at(report, 0)->rejected, ==, 1);
  g_autofree char *closing = bh_ab_closing_text(report);
  g_assert_nonnull(strstr(closing, "1 pair was struck and measured again"));
}

/* Half a pair, measured again after an interruption, was not disturbed. */
static void test_struck_halves(void) {
  Journal j;
  journal_begin(&j, 10, 30);
  add_visit(&j, "a", "base", 0, 1000);
  g_string_append(j.text, "{\"type\":\"retry\",\"id\":\"a\",\"round\":0,\"arm\":\"base\",\"reason\":\"half\"}\n");
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 10, 1);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){0}, TRUE);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_EQUIVALENT);
  g_assert_cmpuint(cell_at(report, 0)->rejected, ==, 0);
}

static void test_other_rule(void) {
  const BhRule rule = {.margin = 0.2, .equivalence = 0.5, .equivalent_shift = 0.2}; /* the rest is the journal's */
  Journal j;
  journal_begin(&j, 10, 30);
  add_pairs(&j, "a", "a", bh_ab_arms, 0, 40, 1.1);
  g_autoptr(BhAbReport) report = judge(&j, &(BhAbJudging){.rule = &rule}, TRUE);
  g_assert_cmpint(cell_at(report, 0)->outcome, ==, BH_AB_EQUIVALENT);
  g_assert_cmpuint(report->rule.screen_rounds, ==, 10);
  g_assert_cmpfloat(report->rule.margin, ==, 0.2);
  g_assert_cmpfloat(report->rule.screen_shift, ==, 0.01);
  g_assert_cmpfloat(report->rule.q, ==, 0.05);
}

static void test_no_comparison(void) {
  static const char *const bad[] = {
      "{\"type\":\"run\",\"schema\":1}\n", "{\"type\":\"run\",\"schema\":1,\"kind\":\"ab\"}\n",
      "{\"type\":\"run\",\"schema\":1,\"kind\":\"ab\",\"rule\":{\"screen_rounds\":10,\"confirm_rounds\":-1}}\n",
      "{\"type\":\"run\",\"schema\":1,\"kind\":\"ab\",\"rule\":{\"screen_rounds\":10,\"confirm_rounds\":30,"
      "\"screen_shift\":0.01,\"margin\":0.02,\"q\":0.05,\"equivalence\":0.05,\"equivalent_shift\":0.015}}\n",
      "{\"type\":\"run\",\"schema\":1,\"kind\":\"ab\",\"rule\":{\"screen_rounds\":10,\"confirm_rounds\":30,"
      "\"screen_shift\":0.01,\"margin\":0.02,\"q\":0.05,\"equivalence\":0.05,\"equivalent_shift\":0.015},"
      "\"pairs\":[{\"label\":\"x\",\"base\":\"a\"}]}\n"};
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BhResults) results = bh_results_parse(bad[i], strlen(bad[i]), "j", &error);
    g_assert_no_error(error);
    g_assert_null(bh_ab_judge(results, &(BhAbJudging){0}, &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/gate/order/first", test_first_is_balanced);
  g_test_add_func("/gate/order/permutation", test_order_is_a_permutation);
  g_test_add_func("/gate/arms", test_arm_texts);
  g_test_add_func("/gate/pairs/same", test_pairs_of_the_same);
  g_test_add_func("/gate/pairs/values", test_pairs_of_values);
  g_test_add_func("/gate/pairs/qualified", test_pairs_of_one_plugins_option);
  g_test_add_func("/gate/pairs/variant", test_pairs_of_the_variant);
  g_test_add_func("/gate/pairs/depends", test_pairs_of_what_depends);
  g_test_add_func("/gate/pairs/newer", test_pairs_of_a_newer_build);
  g_test_add_func("/gate/pairs/different", test_pairs_that_cannot_be);
  g_test_add_func("/gate/judge/verdicts", test_judge);
  g_test_add_func("/gate/judge/exit", test_exit_status);
  g_test_add_func("/gate/judge/exit/control", test_exit_of_the_control);
  g_test_add_func("/gate/judge/statuses", test_statuses);
  g_test_add_func("/gate/judge/lack", test_lack_of_pairs);
  g_test_add_func("/gate/judge/fewer", test_a_change_that_fewer_pairs_show);
  g_test_add_func("/gate/judge/no-ratio", test_figures_without_a_ratio);
  g_test_add_func("/gate/judge/scales", test_figures_of_two_scales);
  g_test_add_func("/gate/judge/spread", test_spread);
  g_test_add_func("/gate/judge/struck", test_struck_pairs);
  g_test_add_func("/gate/judge/struck/halves", test_struck_halves);
  g_test_add_func("/gate/judge/rule", test_other_rule);
  g_test_add_func("/gate/judge/none", test_no_comparison);
  return g_test_run();
}
