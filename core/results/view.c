/* SPDX-License-Identifier: MIT
 * Owns what the final table says: which sections there are, what stands above and below them, and the words of the
 * legend. The columns of one section are view-section.c's. */
#include "results/view-internal.h"
#include "base/text.h"
#include "results/display.h"
#include "results/fields.h"

#include <math.h>
#include <string.h>

static void column_free(gpointer data) {
  BhViewColumn *column = data;
  g_free(column->name);
  g_free(column);
}

static void row_free(gpointer data) {
  BhViewRow *row = data;
  /* Texts may be NULL in between: no g_strfreev. */
  for (guint i = 0; i < row->n; i++)
    g_free(row->texts[i]);
  g_free(row->texts);
  g_free(row->reason);
  g_free(row);
}

static void section_free(gpointer data) {
  BhViewSection *section = data;
  g_free(section->title);
  g_free(section->base);
  g_ptr_array_unref(section->columns);
  g_ptr_array_unref(section->rows);
  g_free(section);
}

BhViewSection *bh_view_section_new(void) {
  BhViewSection *section = g_new0(BhViewSection, 1);
  section->columns = g_ptr_array_new_with_free_func(column_free);
  section->rows = g_ptr_array_new_with_free_func(row_free);
  return section;
}

void bh_view_free(BhView *view) {
  if (!view)
    return;
  g_free(view->heading);
  g_ptr_array_unref(view->sections);
  g_ptr_array_unref(view->legend);
  g_ptr_array_unref(view->summary);
  g_free(view);
}

static char *fixed(double x, int decimals) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  const char format[] = {'%', '.', (char)('0' + decimals), 'f', '\0'};
  return g_strdup(g_ascii_formatd(buffer, sizeof buffer, format, x));
}

char *bh_view_ratio(double ratio) {
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  if (!isfinite(ratio))
    return g_strdup("-");
  if (ratio >= 999999.5 || (ratio < 0.0000995 && ratio > 0))
    return g_strdup(g_ascii_formatd(buffer, sizeof buffer, "%.1e", ratio));
  /* Three digits above 1, two below. */
  return fixed(ratio, ratio >= 99.95                  ? 0
                      : ratio >= 9.995                ? 1
                      : ratio >= 0.0995 || ratio == 0 ? 2
                      : ratio >= 0.00995              ? 3
                      : ratio >= 0.000995             ? 4
                                                      : 5);
}

char *bh_view_percent(double fraction) {
  const double percent = fraction * 100;
  if (!isfinite(percent))
    return g_strdup("-");
  if (percent > 0 && percent < 0.05)
    return g_strdup("<0.1%");
  if (percent >= 999.5)
    return g_strdup(">999%");
  g_autofree char *digits = fixed(percent, percent < 9.95 ? 1 : 0);
  return g_strconcat(digits, "%", NULL);
}

/* "9 ok, 1 wrong": how many cells ended how. Caller frees. */
static char *counts_text(const GPtrArray *cells) {
  GString *text = g_string_new(NULL);
  for (guint status = BH_CELL_OK; status <= BH_CELL_FAILED; status++) {
    guint count = 0;
    for (guint i = 0; i < cells->len; i++)
      count += ((const BhMerged *)g_ptr_array_index(cells, i))->status == (BhCellStatus)status;
    if (count > 0)
      g_string_append_printf(text, "%s%u %s", text->len ? ", " : "", count, bh_cell_status_name((BhCellStatus)status));
  }
  return g_string_free(text, FALSE);
}

/* ---- above and below ---- */

/* "3 rounds", "2 to 18 rounds": cells that were not precise may have more. */
static void add_rounds(GString *text, const BhResults *results, const GPtrArray *cells) {
  gint64 rounds = 0, most = 0;
  if (!bh_fields_int(results->run, "rounds", &rounds) || rounds <= 0)
    return;
  for (guint i = 0; i < cells->len; i++)
    most = MAX(most, ((const BhMerged *)g_ptr_array_index(cells, i))->rounds->len);
  g_string_append_printf(text, ", %" G_GINT64_FORMAT, rounds);
  if (most > rounds)
    g_string_append_printf(text, " to %" G_GINT64_FORMAT, most);
  g_string_append_printf(text, " round%s", MAX(most, rounds) == 1 ? "" : "s");
}

static char *heading(const BhResults *results, const GPtrArray *cells, gboolean ascii) {
  JsonObject *matrix = bh_fields_object(results->run, "matrix");
  const char *name = bh_fields_string(matrix, "name"), *started = bh_fields_string(results->run, "started");
  gint64 seed = 0;
  GString *text = g_string_new(name && *name ? name : "results");
  g_string_append_printf(text, ": %u cell%s", cells->len, cells->len == 1 ? "" : "s");
  add_rounds(text, results, cells);
  if (bh_fields_int(results->run, "seed", &seed))
    g_string_append_printf(text, ", seed %" G_GINT64_FORMAT, seed);
  if (started)
    g_string_append_printf(text, ", started %s", started);
  char *clean = bh_display_clean(text->str, ascii);
  g_string_free(text, TRUE);
  return clean;
}

/* Why rounds ended, where that depended on what was measured. */
static void add_stopped(GPtrArray *summary, const BhResults *results, const GPtrArray *cells) {
  static const struct {
    const char *stopped, *text;
  } ways[] = {{"precision", "when precise"}, {"max-rounds", "at max_rounds"}, {"budget", "with the budget"}};
  g_autoptr(GString) text = g_string_new(NULL);
  gint64 planned = 0;
  gboolean budget = FALSE;
  for (guint k = 0; k < G_N_ELEMENTS(ways); k++) {
    guint n = 0;
    for (guint i = 0; i < cells->len; i++) {
      const BhMerged *cell = g_ptr_array_index(cells, i);
      n += !g_strcmp0(cell->stopped, ways[k].stopped);
      budget |= cell->settings.budget;
    }
    if (n)
      g_string_append_printf(text, "%s%s: %u", text->len ? ", " : "Rounds ended ", ways[k].text, n);
  }
  if (text->len)
    g_ptr_array_add(summary, g_strconcat(text->str, ".", NULL));
  if (budget && results->end && !bh_fields_true(results->end, "interrupted") &&
      bh_fields_int(results->run, "cells", &planned) && planned > cells->len)
    g_ptr_array_add(summary, g_strdup_printf("%" G_GINT64_FORMAT " more cell%s not run: the budget was spent.",
                                             planned - cells->len, planned - cells->len == 1 ? " was" : "s were"));
}

static void add_end(GPtrArray *summary, const BhResults *results) {
  double wall = 0, overhead = 0;
  gint64 planned = 0, rounds = 1;
  bh_fields_int(results->run, "cells", &planned);
  if (!results->end || bh_fields_true(results->end, "interrupted")) {
    bh_fields_int(results->run, "rounds", &rounds);
    const gint64 runs = planned > 0 && rounds > 0 && planned < G_MAXINT / rounds ? planned * rounds : 0;
    if (runs > results->records->len)
      g_ptr_array_add(summary,
                      g_strdup_printf("The run was not finished: it holds %u cell runs of about %" G_GINT64_FORMAT
                                      "; go on with `benchhost run MATRIX --resume JOURNAL`.",
                                      results->records->len, runs));
    else if (!results->end)
      g_ptr_array_add(summary, g_strdup("The journal has no `end` line: the run was killed, or is still going on."));
  }
  if (results->torn)
    g_ptr_array_add(summary, g_strdup("The journal's last line is torn (the run was killed) and was left out."));
  GString *took = g_string_new(NULL);
  if (results->end && bh_fields_number(results->end, "wall_s", &wall) && wall >= 0) {
    g_autofree char *text = bh_text_duration(wall * 1e9);
    g_string_append_printf(took, "Took %s", text);
  }
  if (results->end && bh_fields_number(results->end, "overhead_per_cell_ms", &overhead) && overhead >= 0) {
    g_autofree char *text = bh_text_duration(overhead * 1e6);
    g_string_append_printf(took, "%s %s per cell outside measuring", took->len ? "," : "Overhead:", text);
  }
  if (took->len)
    g_ptr_array_add(summary, g_strconcat(took->str, ".", NULL));
  g_string_free(took, TRUE);
}

static void add_summary(GPtrArray *summary, const BhResults *results, const GPtrArray *cells, gboolean ascii) {
  g_autofree char *counts = counts_text(cells);
  g_ptr_array_add(summary, g_strdup_printf("%u cell%s: %s.", cells->len, cells->len == 1 ? "" : "s", counts));
  add_stopped(summary, results, cells);
  add_end(summary, results);
  if (results->path) {
    g_autofree char *path = bh_display_clean(results->path, ascii);
    g_ptr_array_add(summary, g_strdup_printf("Journal: %s", path));
  }
}

/* ---- the legend: only what occurs ---- */

static const struct {
  const char *flag;
  char mark;
  const char *meaning;
} known_flags[] = {
    {"oversubscribed", 'o', "more workers than cores"},
    {"no-steady-state", 's', "warm-up never became steady"},
    {"interval-wide", 'w', "interval wider than the precision asked for"},
    {"few-samples", 'f', "fewer than an interval needs"},
    {"bimodal", 'm', "samples or processes cluster around more than one time"},
    {"autocorrelated", 'a', "samples depend on those before them; intervals over samples are widened for it"},
    {"no-primary", 'n', "the figure that decides was not there"},
    {"below-clock-resolution", 'c', "samples too short for the clock"},
    {"disturbed-samples", 'd', "something else took CPUs during more than 20 % of samples"},
    {"not-pinned", 'p', "workers not where they were to be"},
};

char *bh_view_flag_marks(BhViewMarks *marks, const GPtrArray *flags) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < flags->len; i++) {
    const char *flag = flags->pdata[i];
    gpointer mark = g_hash_table_lookup(marks->flags, flag);
    for (guint k = 0; !mark && k < G_N_ELEMENTS(known_flags); k++)
      if (!strcmp(flag, known_flags[k].flag))
        mark = GINT_TO_POINTER(known_flags[k].mark);
    if (!mark) /* one of a newer version or a hostile journal: the first nine by number, the rest share a mark */
      mark = GINT_TO_POINTER(marks->unknown < 9 ? '1' + (int)marks->unknown++ : '+');
    g_hash_table_insert(marks->flags, g_strdup(flag), mark);
    if (mark != GINT_TO_POINTER('+') || !strchr(text->str, '+'))
      g_string_append_c(text, (char)GPOINTER_TO_INT(mark));
  }
  return g_string_free(text, FALSE);
}

static void add_flags(GPtrArray *legend, const BhViewMarks *marks, gboolean ascii) {
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(marks->flags), (GCompareFunc)strcmp);
  GString *text = g_string_new(NULL);
  guint shown = 0;
  for (GList *l = names; l && shown < 32; l = l->next, shown++) {
    const char *meaning = NULL;
    for (guint k = 0; k < G_N_ELEMENTS(known_flags); k++)
      if (!strcmp(l->data, known_flags[k].flag))
        meaning = known_flags[k].meaning;
    g_autofree char *cut = bh_text_shown(l->data);
    g_autofree char *name = bh_display_clean(cut, ascii);
    g_string_append_printf(text, "%s%c %s",
                           text->len ? "; " : "!: ", (char)GPOINTER_TO_INT(g_hash_table_lookup(marks->flags, l->data)),
                           name);
    if (meaning)
      g_string_append_printf(text, " (%s)", meaning);
  }
  if (text->len)
    g_ptr_array_add(legend, g_strdup(text->str));
  g_string_free(text, TRUE);
}

static void add_missing(GPtrArray *legend, const BhViewMarks *marks) {
  g_autoptr(GList) reasons = g_list_sort(g_hash_table_get_keys(marks->missing), (GCompareFunc)strcmp);
  if (!reasons)
    return;
  GString *text = g_string_new("-: no such figure (");
  for (GList *l = reasons; l; l = l->next)
    g_string_append_printf(text, "%s%s", l == reasons ? "" : "; ", (const char *)l->data);
  g_string_append_c(text, ')');
  g_ptr_array_add(legend, g_string_free(text, FALSE));
}

static void add_legend(GPtrArray *legend, const BhViewMarks *marks, gboolean ascii) {
  const char *half = ascii ? "+-" : "±";
  if (marks->figures)
    g_ptr_array_add(legend,
                    g_strdup("steady: median time of one run once warm; total: from cold, with loading, starting "
                             "workers, first run and fetching results"));
  if (marks->rounds && marks->samples)
    g_ptr_array_add(legend,
                    g_strdup_printf("%s: half of the median's 95 %% interval, over rounds (fresh processes); "
                                    "with ': fewer than 6 rounds, so over samples within one process, which says "
                                    "nothing of the variation between processes",
                                    half));
  else if (marks->rounds)
    g_ptr_array_add(legend,
                    g_strdup_printf("%s: half of the median's 95 %% interval, over rounds (fresh processes)", half));
  else if (marks->samples)
    g_ptr_array_add(
        legend, g_strdup_printf("%s: half of the median's 95 %% interval, of samples within one process: with fewer "
                                "than 6 rounds nothing is known of the variation between processes",
                                half));
  if (marks->figures)
    g_ptr_array_add(legend, g_strdup("CV: standard deviation / mean of all samples"));
  if (marks->ratios)
    g_ptr_array_add(legend, g_strdup("speedup: of steady, x: of total, both over the cell named under each table"));
  add_flags(legend, marks, ascii);
  add_missing(legend, marks);
}

BhView *bh_view_new(const BhResults *results, const GPtrArray *cells, gboolean ascii) {
  BhView *view = g_new0(BhView, 1);
  BhViewMarks marks = {.ascii = ascii,
                       .flags = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                       .missing = g_hash_table_new(g_str_hash, g_str_equal),
                       .titles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
  g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal); /* of (group, GPtrArray of BhMerged) */
  g_autoptr(GPtrArray) order = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < cells->len; i++) {
    BhMerged *cell = g_ptr_array_index(cells, i);
    marks.rounds |= cell->steady.basis == BH_BASIS_ROUNDS;
    marks.samples |= cell->steady.basis == BH_BASIS_SAMPLES;
    GPtrArray *group = g_hash_table_lookup(groups, cell->group);
    if (!group) {
      group = g_ptr_array_new();
      g_ptr_array_add(order, group);
      g_hash_table_insert(groups, cell->group, group);
    }
    g_ptr_array_add(group, cell);
  }
  view->sections = g_ptr_array_new_with_free_func(section_free);
  for (guint i = 0; i < order->len; i++) {
    BhViewSection *section = bh_view_section(order->pdata[i], &marks);
    BhViewSection *counters = bh_view_counters(order->pdata[i], section->title, &marks);
    g_ptr_array_add(view->sections, section);
    if (counters)
      g_ptr_array_add(view->sections, counters);
  }
  view->heading = heading(results, cells, ascii);
  view->legend = g_ptr_array_new_with_free_func(g_free);
  view->summary = g_ptr_array_new_with_free_func(g_free);
  add_legend(view->legend, &marks, ascii);
  bh_view_counters_legend(cells, view->legend, ascii);
  add_summary(view->summary, results, cells, ascii);
  g_hash_table_unref(marks.flags);
  g_hash_table_unref(marks.missing);
  g_hash_table_unref(marks.titles);
  return view;
}
