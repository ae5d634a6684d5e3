/* SPDX-License-Identifier: MIT
 * Owns the Markdown report: for a job's summary, or a comment on a change. */
#include "gate/reports.h"

#include "results/display.h"

#define MOST_BYTES (1000u << 10) /* a job's summary may have 1 MiB; the closing text needs some of it */

static const BhAbOutcome worst_first[] = {BH_AB_REGRESSED, BH_AB_WRONG,   BH_AB_BROKEN,    BH_AB_INCONCLUSIVE,
                                          BH_AB_IMPROVED,  BH_AB_SKIPPED, BH_AB_EQUIVALENT};

/* One line of a table, whatever a plugin's message holds. */
static void put_text(GString *out, const char *text) {
  g_autofree char *clean = bh_display_clean(text ? text : "-", FALSE);
  bh_display_escape(out, clean);
}

static void put_figure(GString *out, const BhAbCell *cell, BhAbSide side) {
  const BhAbSideResult *result = &cell->side[side];
  g_autofree char *text = result->has_median ? bh_ab_figure_text(cell, result->median) : NULL;
  put_text(out, text);
}

static void put_cell(GString *out, const BhAbCell *cell) {
  g_autofree char *change = bh_ab_change_text(cell);
  const gboolean known = cell->decided && cell->decision.detectable > 0;
  g_autofree char *detectable = known ? g_strdup_printf("%.1f %%", cell->decision.detectable * 100) : NULL;
  g_string_append(out, "| ");
  put_text(out, cell->label);
  g_string_append(out, " | ");
  put_figure(out, cell, BH_SIDE_BASE);
  g_string_append(out, " | ");
  put_figure(out, cell, BH_SIDE_CANDIDATE);
  g_string_append(out, " | ");
  put_text(out, change);
  g_string_append_printf(out, " | **%s** | ", bh_ab_outcome_name(cell->outcome));
  put_text(out, detectable);
  g_string_append_printf(out, " | %u | ", cell->decided ? cell->decision.n : 0);
  put_text(out, cell->reason ? cell->reason : "");
  g_string_append(out, " |\n");
}

static void put_header(GString *out) {
  g_string_append(out, "| cell | base | candidate | change | verdict | detectable | pairs | |\n"
                       "|---|---:|---:|---:|---|---:|---:|---|\n");
}

/* One table of cells with this outcome; how many there were. */
static guint put_outcome(GString *out, const BhAbReport *report, BhAbOutcome outcome, guint *left_out) {
  guint n = 0;
  for (guint i = 0; i < report->cells->len; i++) {
    const BhAbCell *cell = report->cells->pdata[i];
    if (cell->outcome != outcome)
      continue;
    n++;
    if (out->len < MOST_BYTES)
      put_cell(out, cell);
    else
      (*left_out)++;
  }
  return n;
}

static void put_cells(GString *out, const BhAbReport *report) {
  guint left_out = 0, shown = 0;
  for (guint i = 0; i + 1 < G_N_ELEMENTS(worst_first); i++)
    shown += report->count[worst_first[i]];
  if (shown)
    put_header(out);
  for (guint i = 0; i + 1 < G_N_ELEMENTS(worst_first); i++)
    put_outcome(out, report, worst_first[i], &left_out);
  const guint same = report->count[BH_AB_EQUIVALENT];
  if (same) {
    g_string_append_printf(out, "\n<details><summary>%u equivalent</summary>\n\n", same);
    put_header(out);
    put_outcome(out, report, BH_AB_EQUIVALENT, &left_out);
    g_string_append(out, "\n</details>\n");
  }
  if (left_out)
    g_string_append_printf(out, "\n%u more cells are left out here: a summary may have 1 MiB.\n", left_out);
}

static const char *heading(const BhAbReport *report) {
  switch (report->exit_status) {
  case BH_EXIT_OK:
    return "no regression";
  case BH_EXIT_REGRESSION:
    return "regression";
  case BH_EXIT_INCONCLUSIVE:
    return "inconclusive";
  case BH_EXIT_WRONG:
    return "wrong results";
  default:
    return "broken cells";
  }
}

char *bh_ab_markdown(const BhAbReport *report) {
  GString *out = g_string_new("## benchhost: ");
  g_string_append_printf(out, "%s%s", heading(report), report->interrupted ? " (interrupted)" : "");
  g_autofree char *counts = bh_ab_counts_text(report), *closing = bh_ab_closing_text(report);
  g_string_append(out, "\n\nBase ");
  put_text(out, report->arm[BH_SIDE_BASE].given);
  g_string_append(out, ", candidate ");
  put_text(out, report->arm[BH_SIDE_CANDIDATE].given);
  g_string_append(out, ", matrix ");
  put_text(out, report->matrix_name);
  g_string_append(out, ": ");
  put_text(out, counts);
  g_string_append(out, ". ");
  put_text(out, report->exit_why);
  g_string_append(out, "\n\n");
  put_cells(out, report);
  g_string_append_c(out, '\n');
  for (guint i = 0; i < report->notes->len; i++) {
    g_string_append(out, "- Note: ");
    put_text(out, report->notes->pdata[i]);
    g_string_append(out, i + 1 < report->notes->len ? "\n" : "\n\n");
  }
  put_text(out, closing);
  g_string_append(out, "\n");
  return g_string_free(out, FALSE);
}
