/* SPDX-License-Identifier: MIT
 * Owns what people read of a history. */
#include "base/text.h"
#include "history/spark.h"
#include "history/timeline.h"
#include "results/display.h"
#include "results/grid.h"
#include "results/view.h"

#include <string.h>

#define PLAIN_WIDTH 100
#define SPARK_WIDTH 60

static void put_line(GString *out, const BhTimelineLook *look, const char *style, const char *text) {
  g_autofree char *clean = bh_display_clean(text, look->ascii);
  if (look->color && style)
    g_string_append(out, style);
  bh_display_wrap(out, clean, 0, look->width ? look->width : PLAIN_WIDTH, 2);
  g_string_append(out, look->color && style ? "\033[0m\n" : "\n");
}

char *bh_timeline_runs_text(const GPtrArray *runs, const BhTimelineLook *look) {
  static const struct {
    const char *name;
    gboolean right;
    guint spare;
  } columns[] = {{"run", TRUE, 0},        {"started", FALSE, 0}, {"commit", FALSE, 0},  {"branch", FALSE, 2},
                 {"label", FALSE, 1},     {"matrix", FALSE, 3},  {"machine", FALSE, 0}, {"cells", TRUE, 4},
                 {"ok", TRUE, 5},         {"rounds", TRUE, 6},   {"arm", FALSE, 0},     {"journal", FALSE, 7},
                 {"benchhost", FALSE, 8}, {"", FALSE, 0}};
  g_autoptr(BhGrid) grid = bh_grid_new(look->ascii);
  for (guint i = 0; i < G_N_ELEMENTS(columns); i++)
    bh_grid_column(grid, columns[i].name, columns[i].right, columns[i].spare);
  for (guint i = 0; i < runs->len; i++) {
    const BhStoreRun *run = runs->pdata[i];
    bh_grid_row(grid);
    bh_grid_take(grid, g_strdup_printf("%" G_GINT64_FORMAT, run->id));
    bh_grid_put(grid, run->started);
    bh_grid_take(grid, bh_store_commit_text(run));
    bh_grid_put(grid, run->branch);
    bh_grid_put(grid, run->label);
    bh_grid_put(grid, run->matrix);
    bh_grid_put(grid, run->machine);
    bh_grid_take(grid, g_strdup_printf("%u", run->cells));
    bh_grid_take(grid, g_strdup_printf("%u", run->cells_ok));
    bh_grid_take(grid, g_strdup_printf("%u", run->rounds));
    bh_grid_put(grid, run->arm);
    bh_grid_put(grid, run->journal);
    bh_grid_put(grid, run->benchhost);
    bh_grid_put(grid, run->finished ? NULL : "not finished");
  }
  GString *out = g_string_new(NULL);
  if (runs->len == 0)
    put_line(out, look, NULL, "No run matches.");
  else if (bh_grid_draw(grid, out, look->width, look->color))
    put_line(out, look, NULL, "Some columns are left out, as the terminal is narrow: `| less -S` shows all.");
  return g_string_free(out, FALSE);
}

/* ---- one cell over time ---- */

static void put_spark(GString *out, const BhTimelineLook *look, const BhStoreSeries *series) {
  g_autofree double *x = g_new(double, series->points->len + 1);
  const BhStoredCell *any = NULL;
  double low = 0, high = 0;
  guint n = 0;
  for (guint i = 0; i < series->points->len; i++) {
    const BhStoredCell *cell = ((const BhStorePoint *)series->points->pdata[i])->cell;
    if (!cell->exists)
      continue;
    low = n ? MIN(low, cell->median) : cell->median;
    high = n ? MAX(high, cell->median) : cell->median;
    x[n++] = cell->median;
    any = cell;
  }
  if (!any)
    return;
  g_autofree char *spark = bh_spark(x, n, SPARK_WIDTH, look->ascii);
  g_autofree char *from = bh_stored_figure_text(any, low), *to = bh_stored_figure_text(any, high);
  g_string_append_printf(out, "%s  %s .. %s\n", spark, from, to);
}

static void add_point(BhGrid *grid, const BhStorePoint *point, gboolean *within) {
  const BhStoredCell *cell = point->cell;
  bh_grid_row(grid);
  bh_grid_take(grid, g_strdup_printf("%" G_GINT64_FORMAT, point->run->id));
  bh_grid_put(grid, point->run->started);
  bh_grid_take(grid, bh_store_commit_text(point->run));
  bh_grid_put(grid, point->run->label);
  if (!cell->exists) {
    g_autofree char *why = cell->status == BH_CELL_OK ? g_strdup("no such figure was recorded")
                                                      : g_strdup_printf("%s: %s", bh_cell_status_name(cell->status),
                                                                        cell->reason ? cell->reason : "-");
    bh_grid_rest(grid, why);
    return;
  }
  *within |= cell->basis == BH_BASIS_SAMPLES;
  bh_grid_take(grid, bh_stored_figure_text(cell, cell->median));
  bh_grid_take(grid, bh_stored_half_text(cell));
  bh_grid_take(grid, g_strdup_printf("%u", cell->rounds));
  bh_grid_take(grid, g_strdup_printf("%u", cell->n));
  bh_grid_take(grid, cell->has_total ? bh_text_duration(cell->total_ns) : g_strdup("-"));
}

static char *series_title(const BhStoreSeries *series) {
  GString *title = g_string_new(series->label);
  if (strcmp(series->figure, "wall"))
    g_string_append_printf(title, ", %s", series->figure);
  if (series->arm)
    g_string_append_printf(title, ", arm %s", series->arm);
  g_string_append_printf(title, "  [%s] on machine %s", series->id, series->machine);
  return g_string_free(title, FALSE);
}

char *bh_timeline_series_text(const BhStoreHistory *history, const BhTimelineLook *look) {
  GString *out = g_string_new(NULL);
  gboolean left_out = FALSE, within = FALSE;
  for (guint i = 0; i < history->series->len; i++) {
    const BhStoreSeries *series = history->series->pdata[i];
    g_autoptr(BhGrid) grid = bh_grid_new(look->ascii);
    g_autofree char *title = series_title(series);
    if (i > 0)
      g_string_append_c(out, '\n');
    put_line(out, look, "\033[1m", title);
    put_spark(out, look, series);
    bh_grid_column(grid, "run", TRUE, 0);
    bh_grid_column(grid, "started", FALSE, 0);
    bh_grid_column(grid, "commit", FALSE, 0);
    bh_grid_column(grid, "label", FALSE, 2);
    bh_grid_column(grid, strcmp(series->figure, "wall") ? series->figure : "steady", TRUE, 0);
    bh_grid_column(grid, look->ascii ? "+-" : "±", TRUE, 1);
    bh_grid_column(grid, "rounds", TRUE, 3);
    bh_grid_column(grid, "n", TRUE, 5);
    bh_grid_column(grid, "total", TRUE, 4);
    for (guint k = 0; k < series->points->len; k++)
      add_point(grid, series->points->pdata[k], &within);
    left_out |= bh_grid_draw(grid, out, look->width, look->color);
  }
  if (within)
    put_line(out, look, NULL,
             "': of samples within one process: with fewer than 6 rounds nothing is known of the variation between "
             "processes");
  if (left_out)
    put_line(out, look, NULL, "Some columns are left out, as the terminal is narrow: `| less -S` shows all.");
  return g_string_free(out, FALSE);
}

/* ---- change points ---- */

static const char advisory[] =
    "Advisory: a change point says that figures moved between two runs, not why: the code, the machine's load, a "
    "kernel. "
    "To decide whether a commit made something slower, measure both revisions together: `benchhost ab`.";

static void put_change(GString *out, const BhTimelineLook *look, const BhTimelineChange *change) {
  const BhStoredCell *cell = change->after->cell;
  g_autofree char *title = series_title(change->series);
  g_autofree char *from = bh_stored_figure_text(cell, change->from), *to = bh_stored_figure_text(cell, change->to);
  g_autofree char *old_commit = bh_store_commit_text(change->before->run);
  g_autofree char *commit = bh_store_commit_text(change->after->run);
  g_autofree char *p = bh_text_double(change->p);
  g_autoptr(GString) text = g_string_new(NULL);
  g_string_append_printf(text, "  %s -> %s", from, to);
  if (change->from > 0 && change->to > 0) {
    const double share = change->to / change->from - 1;
    g_autofree char *percent = bh_view_percent(ABS(share));
    g_string_append_printf(text, " (%c%s)", share < 0 ? '-' : '+', percent);
  }
  g_string_append_printf(text,
                         " between run %" G_GINT64_FORMAT " (%s, commit %s) and run %" G_GINT64_FORMAT
                         " (%s, commit %s); p = %s, %u runs before, %u after",
                         change->before->run->id, change->before->run->started, old_commit, change->after->run->id,
                         change->after->run->started, commit, p, change->n_before, change->n_after);
  put_line(out, look, "\033[1m", title);
  put_line(out, look, NULL, text->str);
}

char *bh_timeline_changes_text(const GPtrArray *changes, guint tested, const BhTimelineTest *test,
                               const BhTimelineLook *look) {
  GString *out = g_string_new(NULL);
  put_line(out, look, "\033[1;33m", advisory);
  g_string_append_c(out, '\n');
  for (guint i = 0; i < changes->len; i++)
    put_change(out, look, changes->pdata[i]);
  char by_chance[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(by_chance, sizeof by_chance, "%.2g", test->alpha * tested);
  g_autofree char *alpha = bh_text_double(test->alpha);
  g_autofree char *summary = g_strdup_printf(
      "%u change point%s in %u series of %u runs or more (E-divisive, permutation tests at %s, %u "
      "permutations, seed %" G_GUINT64_FORMAT "; where nothing changed, about %s series would show one by chance, and "
      "more where the machine drifts).",
      changes->len, changes->len == 1 ? "" : "s", tested, bh_timeline_least(test->alpha), alpha, test->permutations,
      test->seed, by_chance);
  if (changes->len)
    g_string_append_c(out, '\n');
  put_line(out, look, NULL, summary);
  return g_string_free(out, FALSE);
}
