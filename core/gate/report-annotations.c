/* SPDX-License-Identifier: MIT
 * Owns GitHub's workflow commands: their escaping, and what is worth one. */
#include "gate/report-internal.h"
#include "gate/reports.h"

#include <string.h>

#define MOST_A_STEP 10 /* of each kind that GitHub shows for one step */

typedef enum { ANNOTATE_ERROR = 0, ANNOTATE_WARNING, ANNOTATE_NOTICE, N_KINDS } Kind;

typedef struct {
  GPtrArray *lines[N_KINDS]; /* of char * */
  const char *file;
} Annotations;

/* As actions/toolkit's command.ts: what would end the message, or in a property the property. */
static char *escaped(const char *text, gboolean property) {
  GString *out = g_string_new(NULL);
  for (; *text; text++) {
    const char c = *text;
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
      g_string_append_printf(out, "%%%02X", (guint)(guchar)c);
    else
      g_string_append_c(out, c);
  }
  return g_string_free(out, FALSE);
}

static void annotate(Annotations *all, Kind kind, const char *title, const char *message) {
  static const char *const commands[N_KINDS] = {"error", "warning", "notice"};
  GString *line = g_string_new(NULL);
  g_autofree char *title_text = escaped(title, TRUE), *message_text = escaped(message, FALSE);
  g_string_append_printf(line, "::%s ", commands[kind]);
  if (all->file) {
    g_autofree char *file = escaped(all->file, TRUE);
    g_string_append_printf(line, "file=%s,", file);
  }
  g_string_append_printf(line, "title=%s::%s", title_text, message_text);
  g_ptr_array_add(all->lines[kind], g_string_free(line, FALSE));
}

static void annotate_cell(Annotations *all, const BhAbReport *report, const BhAbCell *cell) {
  const gboolean fails = report->inconclusive_fails || report->strict;
  g_autofree char *sentence = bh_ab_cell_sentence(cell);
  g_autofree char *title = g_strdup_printf("benchhost: %s %s", cell->label, bh_ab_outcome_name(cell->outcome));
  switch (cell->outcome) {
  case BH_AB_EQUIVALENT:
    break;
  case BH_AB_IMPROVED:
    annotate(all, ANNOTATE_NOTICE, title, sentence);
    break;
  case BH_AB_INCONCLUSIVE:
    annotate(all, fails ? ANNOTATE_ERROR : ANNOTATE_WARNING, title, sentence);
    break;
  case BH_AB_SKIPPED:
    if (report->strict)
      annotate(all, ANNOTATE_ERROR, title, sentence);
    break;
  case BH_AB_REGRESSED:
  case BH_AB_WRONG:
  case BH_AB_BROKEN:
    annotate(all, ANNOTATE_ERROR, title, sentence);
    break;
  }
}

static void annotate_run(Annotations *all, const BhAbReport *report) {
  const char *problem = bh_ab_run_problem(report);
  if (bh_ab_control_status(&report->control) != BH_EXIT_OK) {
    g_autofree char *sentence = bh_ab_cell_sentence(report->control.cell);
    g_autofree char *message =
        report->control.state == BH_CONTROL_FLAGGED
            ? g_strconcat("A copy of base was found to differ from base, so nothing that this run says can be "
                          "trusted. ",
                          sentence, NULL)
            : g_strdup(sentence);
    annotate(all, ANNOTATE_ERROR, "benchhost: A/A control", message);
  }
  if (problem)
    annotate(all, ANNOTATE_ERROR, report->invalid ? "benchhost: environment" : "benchhost: inconclusive", problem);
}

static void put_kind(GString *out, const GPtrArray *lines) {
  const guint shown = lines->len > MOST_A_STEP ? MOST_A_STEP - 1 : lines->len;
  for (guint i = 0; i < shown; i++)
    g_string_append_printf(out, "%s\n", (const char *)lines->pdata[i]);
  if (shown < lines->len) {
    const char *last = lines->pdata[shown];
    g_string_append_printf(out, "%.*s title=benchhost::and %u more: see the step's output\n", (int)strcspn(last, " "),
                           last, lines->len - shown);
  }
}

char *bh_ab_annotations(const BhAbReport *report) {
  Annotations all = {.file = report->matrix_path && *report->matrix_path ? report->matrix_path : NULL};
  for (guint i = 0; i < N_KINDS; i++)
    all.lines[i] = g_ptr_array_new_with_free_func(g_free);
  annotate_run(&all, report); /* first: it must not be among those that are only counted */
  for (guint i = 0; i < report->cells->len; i++)
    annotate_cell(&all, report, report->cells->pdata[i]);
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < N_KINDS; i++) {
    put_kind(out, all.lines[i]);
    g_ptr_array_unref(all.lines[i]);
  }
  return g_string_free(out, FALSE);
}
