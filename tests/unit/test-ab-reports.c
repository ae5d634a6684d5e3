/* SPDX-License-Identifier: MIT
 * Reports for CI out of comparisons built by hand: what is a failure, an error, a skip; escaping; limits. */
#include "gate/reports.h"

#include <string.h>

typedef struct {
  BhAbReport report;
  BhAbCell control;
} Made;

static void add_cell(Made *made, const char *label, BhAbOutcome outcome, double shift) {
  BhAbCell *cell = g_new0(BhAbCell, 1);
  cell->label = (char *)label;
  cell->workload = (char *)"prime";
  cell->backend = (char *)"serial";
  cell->primary = (char *)"wall";
  cell->unit = (char *)"ns";
  cell->outcome = outcome;
  cell->flags = g_ptr_array_new();
  cell->decided = outcome <= BH_AB_REGRESSED;
  if (cell->decided) {
    cell->decision = (BhDecision){.verdict = (BhVerdict)outcome,
                                  .shift = shift,
                                  .low = shift - 0.01,
                                  .high = shift + 0.01,
                                  .has_interval = TRUE,
                                  .low90 = shift - 0.008,
                                  .high90 = shift + 0.008,
                                  .detectable = 0.031,
                                  .n = 30};
    cell->side[BH_SIDE_BASE] = (BhAbSideResult){.has_median = TRUE, .median = 1e6};
    cell->side[BH_SIDE_CANDIDATE] = (BhAbSideResult){.has_median = TRUE, .median = 1e6 * (1 + shift)};
  } else {
    cell->reason = (char *)"because";
  }
  g_ptr_array_add(made->report.cells, cell);
  made->report.count[outcome]++;
}

static void free_cell(gpointer data) {
  BhAbCell *cell = data;
  g_ptr_array_unref(cell->flags);
  g_free(cell);
}

static void set_up(Made *made) {
  memset(made, 0, sizeof *made);
  BhAbReport *report = &made->report;
  report->cells = g_ptr_array_new_with_free_func(free_cell);
  report->environment_bad = g_ptr_array_new();
  report->notes = g_ptr_array_new();
  report->matrix_path = (char *)"bench/m, 1.yaml";
  report->matrix_name = (char *)"m";
  report->started = (char *)"2026-01-02T03:04:05.678Z";
  report->benchhost = (char *)"0.1.0";
  report->exit_why = (char *)"because";
  report->arm[0] = (BhAbArm){.kind = BH_ARM_FOLDER, .given = (char *)"a", .plugins = g_ptr_array_new()};
  report->arm[1] = (BhAbArm){.kind = BH_ARM_FOLDER, .given = (char *)"b", .plugins = g_ptr_array_new()};
  report->rule = bh_rule_default();
  report->control.state = BH_CONTROL_NONE;
  report->control.why = (char *)"--no-control";
  report->wall_s = 1.5;
}

static void tear_down(Made *made) {
  g_ptr_array_unref(made->report.cells);
  g_ptr_array_unref(made->report.environment_bad);
  g_ptr_array_unref(made->report.notes);
  g_ptr_array_unref(made->report.arm[0].plugins);
  g_ptr_array_unref(made->report.arm[1].plugins);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Made, tear_down)

static guint count(const char *text, const char *word) {
  guint n = 0;
  for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
    n++;
  return n;
}

/* GMarkup reads the subset of XML that the report is written in; its errors would be ours. */
static void parses(const char *xml) {
  g_autoptr(GError) error = NULL;
  static const GMarkupParser parser = {0};
  g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, NULL, NULL);
  g_markup_parse_context_parse(context, xml, -1, &error);
  g_assert_no_error(error);
  g_markup_parse_context_end_parse(context, &error);
  g_assert_no_error(error);
}

static void test_junit(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "slow <&\"'> \x01 cell", BH_AB_REGRESSED, 0.1);
  add_cell(&made, "same", BH_AB_EQUIVALENT, 0.001);
  add_cell(&made, "unclear", BH_AB_INCONCLUSIVE, 0.03);
  add_cell(&made, "bad", BH_AB_WRONG, 0);
  add_cell(&made, "gone", BH_AB_SKIPPED, 0);
  made.report.exit_status = BH_EXIT_WRONG;
  g_autofree char *xml = bh_ab_junit(&made.report);
  parses(xml);
  /* 5 cells, the control (none: skipped), and whether the run was conclusive. */
  g_assert_nonnull(strstr(xml, "tests=\"7\" failures=\"1\" errors=\"1\" skipped=\"3\" time=\"1.500\""));
  g_assert_cmpuint(count(xml, "<testcase "), ==, 7);
  g_assert_cmpuint(count(xml, "<failure "), ==, 1);
  g_assert_cmpuint(count(xml, "<error "), ==, 1);
  g_assert_cmpuint(count(xml, "<skipped "), ==, 3);
  g_assert_nonnull(strstr(xml, "name=\"slow &lt;&amp;&quot;'&gt; \xef\xbf\xbd cell\""));
  made.report.inconclusive_fails = TRUE;
  g_autofree char *failing = bh_ab_junit(&made.report);
  g_assert_nonnull(strstr(failing, "failures=\"2\" errors=\"1\" skipped=\"2\""));
}

static void test_junit_of_an_inconclusive_run(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "same", BH_AB_EQUIVALENT, 0.001);
  made.report.exit_status = BH_EXIT_INCONCLUSIVE;
  made.report.invalid = (char *)"the CPU was throttled";
  g_autofree char *xml = bh_ab_junit(&made.report);
  parses(xml);
  g_assert_nonnull(strstr(xml, "<error type=\"inconclusive\" message=\"the CPU was throttled\"/>"));
}

static void test_an_interrupted_run(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "same", BH_AB_EQUIVALENT, 0.001);
  add_cell(&made, "later", BH_AB_INCONCLUSIVE, 0);
  BhAbCell *later = made.report.cells->pdata[1];
  later->workload = later->backend = NULL; /* never visited */
  made.report.interrupted = TRUE;
  g_autofree char *xml = bh_ab_junit(&made.report);
  parses(xml);
  g_assert_nonnull(strstr(xml, "<error type=\"inconclusive\" message=\"it was interrupted, and is not complete\"/>"));
  g_assert_nonnull(strstr(xml, "errors=\"1\""));
  g_assert_nonnull(strstr(xml, "name=\"later\" classname=\"benchhost.unmeasured\""));
  g_assert_null(strstr(xml, "(null)"));
  g_autofree char *markdown = bh_ab_markdown(&made.report);
  g_assert_true(g_str_has_prefix(markdown, "## benchhost: no regression (interrupted)\n"));
  g_autofree char *text = bh_ab_annotations(&made.report);
  g_assert_nonnull(strstr(text, "title=benchhost%3A inconclusive::it was interrupted"));
}

/* What fails the run is an error, not only a warning beside each cell. */
static void test_nothing_decided(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "unclear", BH_AB_INCONCLUSIVE, 0.03);
  made.report.exit_status = BH_EXIT_INCONCLUSIVE;
  made.report.exit_why = (char *)"nothing could be decided";
  g_autofree char *text = bh_ab_annotations(&made.report);
  g_assert_cmpuint(count(text, "::error "), ==, 1);
  g_assert_nonnull(strstr(text, "::nothing could be decided\n"));
}

static void test_a_control_that_fails(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "same", BH_AB_EQUIVALENT, 0.001);
  made.control = *(BhAbCell *)made.report.cells->pdata[0];
  made.control.outcome = BH_AB_WRONG;
  made.control.decided = FALSE;
  made.control.reason = (char *)"wrong, both arms: 2 + 2 = 5";
  made.report.control.cell = &made.control;
  made.report.exit_status = BH_EXIT_WRONG;
  g_autofree char *xml = bh_ab_junit(&made.report);
  parses(xml);
  g_assert_cmpuint(count(xml, "<error "), ==, 1);
  g_autofree char *text = bh_ab_annotations(&made.report);
  g_assert_cmpuint(count(text, "::error "), ==, 1);
  g_assert_nonnull(strstr(text, "2 + 2 = 5"));
}

static void test_annotations(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "n=1, m: 50%\n", BH_AB_REGRESSED, 0.1);
  add_cell(&made, "same", BH_AB_EQUIVALENT, 0.001);
  add_cell(&made, "faster", BH_AB_IMPROVED, -0.2);
  add_cell(&made, "unclear", BH_AB_INCONCLUSIVE, 0.03);
  g_autofree char *text = bh_ab_annotations(&made.report);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, 4); /* three, and the end */
  g_assert_true(g_str_has_prefix(
      lines[0], "::error file=bench/m%2C 1.yaml,title=benchhost%3A n=1%2C m%3A 50%25%0A regressed::n=1, m: 50%25%0A"));
  g_assert_true(g_str_has_prefix(lines[1], "::warning file="));
  g_assert_true(g_str_has_prefix(lines[2], "::notice file="));
}

static void test_annotations_are_few(void) {
  g_auto(Made) made;
  set_up(&made);
  for (guint i = 0; i < 25; i++)
    add_cell(&made, "cell", BH_AB_REGRESSED, 0.1);
  g_autofree char *text = bh_ab_annotations(&made.report);
  g_assert_cmpuint(count(text, "\n::error "), ==, 9);
  g_assert_nonnull(strstr(text, "\n::error title=benchhost::and 16 more"));
}

static void test_markdown(void) {
  g_auto(Made) made;
  set_up(&made);
  add_cell(&made, "a|b", BH_AB_EQUIVALENT, 0.001);
  add_cell(&made, "slow", BH_AB_REGRESSED, 0.1);
  add_cell(&made, "bad", BH_AB_WRONG, 0);
  ((BhAbCell *)made.report.cells->pdata[2])->reason = (char *)"expected\n| 1 |\r\nfound 2";
  made.report.exit_status = BH_EXIT_REGRESSION;
  g_ptr_array_add(made.report.notes, (gpointer) "the base has no parameter x_y");
  g_autofree char *text = bh_ab_markdown(&made.report);
  g_assert_nonnull(strstr(text, "\n\n- Note: the base has no parameter x\\_y\n\n"));
  g_assert_nonnull(strstr(text, "| expected \\| 1 \\|  found 2 |\n"));
  g_assert_true(g_str_has_prefix(text, "## benchhost: regression\n"));
  const char *slow = strstr(text, "| slow |"), *folded = strstr(text, "<details><summary>1 equivalent");
  g_assert_nonnull(slow);
  g_assert_nonnull(folded);
  g_assert_true(slow < folded);
  g_assert_nonnull(strstr(folded, "| a\\|b |"));
}

static void test_markdown_fits(void) {
  g_auto(Made) made;
  set_up(&made);
  for (guint i = 0; i < 20000; i++)
    add_cell(&made, "a cell with a label of quite usual length n=100000 | pthread workers=8 schedule=dynamic",
             i % 2 ? BH_AB_EQUIVALENT : BH_AB_REGRESSED, 0.1);
  g_autofree char *text = bh_ab_markdown(&made.report);
  g_assert_cmpuint(strlen(text), <, 1u << 20);
  g_assert_nonnull(strstr(text, "more cells are left out"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ab-reports/junit", test_junit);
  g_test_add_func("/ab-reports/junit/inconclusive", test_junit_of_an_inconclusive_run);
  g_test_add_func("/ab-reports/interrupted", test_an_interrupted_run);
  g_test_add_func("/ab-reports/undecided", test_nothing_decided);
  g_test_add_func("/ab-reports/control", test_a_control_that_fails);
  g_test_add_func("/ab-reports/annotations", test_annotations);
  g_test_add_func("/ab-reports/annotations/few", test_annotations_are_few);
  g_test_add_func("/ab-reports/markdown", test_markdown);
  g_test_add_func("/ab-reports/markdown/fits", test_markdown_fits);
  return g_test_run();
}
