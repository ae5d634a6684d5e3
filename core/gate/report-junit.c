/* SPDX-License-Identifier: MIT
 * Owns the JUnit report. XML 1.0 has no place for most control characters, not even as references: they become U+FFFD.
 */
#include "gate/report-internal.h"
#include "gate/reports.h"

#include <string.h>

typedef enum { CASE_PASSED = 0, CASE_FAILED, CASE_ERROR, CASE_SKIPPED, N_CASES } Case;

/* `text` in an attribute or an element. */
static void put_escaped(GString *out, const char *text) {
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    const gunichar c = g_utf8_get_char(p);
    if (c == '&')
      g_string_append(out, "&amp;");
    else if (c == '<')
      g_string_append(out, "&lt;");
    else if (c == '>')
      g_string_append(out, "&gt;");
    else if (c == '"')
      g_string_append(out, "&quot;");
    else if (c == '\n' || c == '\t') /* kept in attributes only as references */
      g_string_append_printf(out, "&#%u;", (guint)c);
    else if (c < 0x20 || c == 0xFFFE || c == 0xFFFF)
      g_string_append_unichar(out, 0xFFFD);
    else
      g_string_append_unichar(out, c);
  }
}

static void put_attribute(GString *out, const char *name, const char *text) {
  g_string_append_printf(out, " %s=\"", name);
  put_escaped(out, text ? text : "");
  g_string_append_c(out, '"');
}

static void put_element(GString *out, const char *element, const char *type, const char *message) {
  g_string_append_printf(out, "    <%s", element);
  if (type)
    put_attribute(out, "type", type);
  put_attribute(out, "message", message);
  g_string_append(out, "/>\n");
}

static Case case_of(const BhAbReport *report, const BhAbCell *cell) {
  switch (cell->outcome) {
  case BH_AB_EQUIVALENT:
  case BH_AB_IMPROVED:
    return CASE_PASSED;
  case BH_AB_REGRESSED:
    return CASE_FAILED;
  case BH_AB_INCONCLUSIVE:
    return report->inconclusive_fails || report->strict ? CASE_FAILED : CASE_SKIPPED;
  case BH_AB_SKIPPED:
    return report->strict ? CASE_FAILED : CASE_SKIPPED;
  case BH_AB_WRONG:
  case BH_AB_BROKEN:
    break;
  }
  return CASE_ERROR;
}

static void put_verdict(GString *out, Case kind, const char *type, const char *message) {
  static const char *const elements[N_CASES] = {NULL, "failure", "error", "skipped"};
  if (kind != CASE_PASSED)
    put_element(out, elements[kind], kind == CASE_SKIPPED ? NULL : type, message);
}

static void put_cell(GString *out, const BhAbReport *report, const BhAbCell *cell) {
  g_autofree char *sentence = bh_ab_cell_sentence(cell);
  /* Nothing is known of what was never visited. */
  g_autofree char *class_name =
      cell->workload ? g_strdup_printf("%s.%s", cell->workload, cell->backend) : g_strdup("benchhost.unmeasured");
  g_string_append(out, "  <testcase");
  put_attribute(out, "name", cell->label);
  put_attribute(out, "classname", class_name);
  /* The file's `time` is how long a test took; graphs of it over builds would mix machines up, so none is given. */
  g_string_append(out, ">\n");
  put_verdict(out, case_of(report, cell), bh_ab_outcome_name(cell->outcome), sentence);
  g_string_append(out, "    <system-out>");
  put_escaped(out, sentence);
  g_string_append(out, "</system-out>\n  </testcase>\n");
}

static Case control_case(const BhAbControl *control) {
  return bh_ab_control_status(control) != BH_EXIT_OK ? CASE_ERROR
         : control->state == BH_CONTROL_NONE         ? CASE_SKIPPED
                                                     : CASE_PASSED;
}

/* What is true of the run as a whole: the A/A control, and whether it could be trusted. */
static void put_run(GString *out, const BhAbReport *report) {
  const BhAbControl *control = &report->control;
  g_autofree char *sentence = control->cell ? bh_ab_cell_sentence(control->cell) : g_strdup(control->why);
  g_string_append(out, "  <testcase name=\"A/A control\" classname=\"benchhost.run\">\n");
  put_verdict(out, control_case(control), "control", sentence ? sentence : "no control");
  g_string_append(out, "  </testcase>\n  <testcase name=\"conclusive\" classname=\"benchhost.run\">\n");
  put_verdict(out, bh_ab_run_problem(report) ? CASE_ERROR : CASE_PASSED, "inconclusive", bh_ab_run_problem(report));
  g_string_append(out, "  </testcase>\n");
}

static void put_property(GString *out, const char *name, const char *value) {
  g_string_append(out, "    <property");
  put_attribute(out, "name", name);
  put_attribute(out, "value", value);
  g_string_append(out, "/>\n");
}

static void put_number(GString *out, const char *name, double value) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  put_property(out, name, g_ascii_formatd(text, sizeof text, "%g", value));
}

static void put_properties(GString *out, const BhAbReport *report) {
  g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, report->seed);
  g_string_append(out, "  <properties>\n");
  put_property(out, "base", report->arm[BH_SIDE_BASE].given);
  put_property(out, "candidate", report->arm[BH_SIDE_CANDIDATE].given);
  put_property(out, "benchhost", report->benchhost);
  put_property(out, "seed", seed);
  put_number(out, "margin", report->rule.margin);
  put_number(out, "q", report->rule.q);
  put_number(out, "screen_rounds", report->rule.screen_rounds);
  put_number(out, "confirm_rounds", report->rule.confirm_rounds);
  g_string_append(out, "  </properties>\n");
}

static void put_suite(GString *out, const BhAbReport *report) {
  guint count[N_CASES] = {0};
  for (guint i = 0; i < report->cells->len; i++)
    count[case_of(report, report->cells->pdata[i])]++;
  count[control_case(&report->control)]++;
  count[bh_ab_run_problem(report) ? CASE_ERROR : CASE_PASSED]++;
  char seconds[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append(out, "<testsuite");
  put_attribute(out, "name", report->matrix_name ? report->matrix_name : "benchhost");
  g_string_append_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", report->cells->len + 2,
                         count[CASE_FAILED], count[CASE_ERROR], count[CASE_SKIPPED]);
  put_attribute(out, "time", g_ascii_formatd(seconds, sizeof seconds, "%.3f", report->wall_s));
  if (report->started)
    put_attribute(out, "timestamp", report->started);
  g_string_append(out, ">\n");
}

char *bh_ab_junit(const BhAbReport *report) {
  GString *out = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
  put_suite(out, report);
  put_properties(out, report);
  for (guint i = 0; i < report->cells->len; i++)
    put_cell(out, report, report->cells->pdata[i]);
  put_run(out, report);
  g_autofree char *closing = bh_ab_closing_text(report);
  g_string_append(out, "  <system-out>");
  put_escaped(out, closing);
  g_string_append(out, "</system-out>\n</testsuite>\n");
  return g_string_free(out, FALSE);
}
