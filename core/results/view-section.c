/* SPDX-License-Identifier: MIT
 * Owns one section of the final table: one workload with one set of parameters, a row per cell. Decides which options
 * deserve a column, and turns figures into texts. */
#include "results/view-internal.h"
#include "base/text.h"
#include "results/display.h"
#include "results/fields.h"

#include <math.h>
#include <string.h>

#define MOST_OPTION_COLUMNS 12

/* ---- which options vary ---- */

static char *option_text(const BhMerged *cell, const char *name) {
  if (!strcmp(name, "workers") && cell->workers > 0)
    return g_strdup_printf("%u", cell->workers);
  JsonNode *node = json_object_get_member(cell->first->options, name);
  return node ? bh_fields_text(node) : NULL;
}

/* Two cells that have the option differ in it. */
static gboolean varies(const GPtrArray *cells, const char *name) {
  g_autofree char *first = NULL;
  for (guint i = 0; i < cells->len; i++) {
    g_autofree char *text = option_text(g_ptr_array_index(cells, i), name);
    if (text && first && strcmp(text, first))
      return TRUE;
    if (text && !first)
      first = g_steal_pointer(&text);
  }
  return FALSE;
}

static void add_name(GPtrArray *names, const char *name) {
  if (names->len < MOST_OPTION_COLUMNS && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
    g_ptr_array_add(names, (gpointer)name);
}

/* Names of options that vary, in the order in which backends declare them; `workers` first. */
static GPtrArray *varying_options(const GPtrArray *cells) {
  GPtrArray *names = g_ptr_array_new();
  if (varies(cells, "workers"))
    add_name(names, "workers");
  for (guint i = 0; i < cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(cells, i);
    g_autoptr(GList) members = json_object_get_members(cell->first->options);
    for (GList *l = members; l; l = l->next)
      if (strcmp(l->data, "workers") && !g_ptr_array_find_with_equal_func(names, l->data, g_str_equal, NULL) &&
          varies(cells, l->data))
        add_name(names, l->data);
  }
  return names;
}

static gboolean has_variants(const GPtrArray *cells) {
  for (guint i = 0; i < cells->len; i++)
    if (strcmp(((const BhMerged *)g_ptr_array_index(cells, i))->first->variant, "portable"))
      return TRUE;
  return FALSE;
}

/* ---- columns ---- */

void bh_view_add_column(BhViewSection *section, const char *name, gboolean right, guint spare) {
  BhViewColumn *column = g_new0(BhViewColumn, 1);
  *column = (BhViewColumn){.name = g_strdup(name), .right = right, .spare = spare};
  g_ptr_array_add(section->columns, column);
}

typedef struct {
  BhViewSection *section;
  BhViewMarks *marks;
  BhViewIdentity identity;
  gboolean rates, gflops, bandwidth, flags;
  gboolean rounds; /* cells may have different numbers of them */
  char *primary;   /* the figure that decides, where it has no column yet; owned */
  const char *unit;
} Layout;

void bh_view_identity_columns(const BhViewIdentity *identity, BhViewSection *section, const BhViewMarks *marks) {
  bh_view_add_column(section, "backend", FALSE, 0);
  for (guint i = 0; i < identity->options->len; i++) {
    g_autofree char *name = bh_display_clean(identity->options->pdata[i], marks->ascii);
    bh_view_add_column(section, name, FALSE, 0);
  }
  if (identity->variants)
    bh_view_add_column(section, "variant", FALSE, 0);
  if (identity->ids)
    bh_view_add_column(section, "id", FALSE, 0);
  section->status_at = section->columns->len;
  bh_view_add_column(section, "status", FALSE, 0);
}

static void add_columns(Layout *layout) {
  BhViewSection *section = layout->section;
  bh_view_identity_columns(&layout->identity, section, layout->marks);
  bh_view_add_column(section, "steady", TRUE, 0);
  bh_view_add_column(section, layout->marks->ascii ? "+-" : "±", TRUE, 0);
  bh_view_add_column(section, "CV", TRUE, 3);
  bh_view_add_column(section, "min", TRUE, 7);
  bh_view_add_column(section, "p95", TRUE, 8);
  bh_view_add_column(section, "n", TRUE, 6);
  if (layout->rates) {
    g_autofree char *unit = bh_display_clean(layout->unit, layout->marks->ascii);
    g_autofree char *cut = bh_display_cut(unit, 16);
    g_autofree char *name = g_strconcat(cut, "/s", NULL);
    bh_view_add_column(section, name, TRUE, 1);
  }
  if (layout->gflops)
    bh_view_add_column(section, "GFLOP/s", TRUE, 4);
  if (layout->bandwidth)
    bh_view_add_column(section, "GB/s", TRUE, 5);
  bh_view_add_column(section, "speedup", TRUE, 0);
  bh_view_add_column(section, "total", TRUE, 0);
  bh_view_add_column(section, "x", TRUE, 2);
  if (layout->rounds)
    bh_view_add_column(section, "rounds", TRUE, 2);
  if (layout->primary)
    bh_view_add_column(section, layout->primary, TRUE, 0);
  if (layout->flags)
    bh_view_add_column(section, "!", FALSE, 0);
}

/* ---- texts ---- */

static char *missing(BhViewMarks *marks, const char *why) {
  g_hash_table_add(marks->missing, (gpointer)(why ? why : "not known"));
  return g_strdup("-");
}

static char *half_interval(BhViewMarks *marks, const BhFigure *figure) {
  if (figure->basis == BH_BASIS_NONE)
    return missing(marks, figure->why);
  if (!(figure->median > 0))
    return missing(marks, "times of 0 ns");
  const double half = MAX(figure->high - figure->median, figure->median - figure->low) / figure->median;
  g_autofree char *percent = bh_view_percent(half);
  return g_strconcat(percent, marks->rounds && figure->basis == BH_BASIS_SAMPLES ? "'" : "", NULL);
}

static char *rate_text(BhViewMarks *marks, const BhMerged *cell, double per_run, gboolean giga) {
  double per_second;
  if (!bh_merge_rate(cell, per_run, &per_second))
    return missing(marks, per_run > 0 ? "times of 0 ns" : "the workload has no cost model for it");
  if (giga)
    return bh_view_ratio(per_second / 1e9);
  g_autofree char *text = bh_text_rate(per_second, "");
  g_autofree char *figure = g_strndup(text, strlen(text) - strlen("/s"));
  return g_strdup(g_strstrip(figure));
}

static char *ratio_text(BhViewMarks *marks, const BhRatio *ratio, gboolean with_interval) {
  if (!ratio->exists)
    return missing(marks, ratio->why);
  marks->ratios = TRUE;
  g_autofree char *text = bh_view_ratio(ratio->ratio);
  if (!with_interval || ratio->basis == BH_BASIS_NONE)
    return g_steal_pointer(&text);
  const double half = MAX(ratio->high - ratio->ratio, ratio->ratio - ratio->low) / ratio->ratio;
  if (half >= 0.5) { /* half of it would say nothing of the other side */
    g_autofree char *low = bh_view_ratio(ratio->low);
    g_autofree char *high = bh_view_ratio(ratio->high);
    return g_strdup_printf("%s [%s, %s]", text, low, high);
  }
  g_autofree char *percent = bh_view_percent(half);
  return g_strconcat(text, marks->ascii ? "+-" : "±", percent, NULL);
}

/* The figure that decides, where it has no column yet: with its unit and half its interval. */
static char *primary_text(BhViewMarks *marks, const BhMerged *cell) {
  const BhFigure *figure = &cell->primary;
  if (!figure->exists)
    return missing(marks, figure->why);
  g_autofree char *unit = bh_display_clean(cell->primary_unit, marks->ascii);
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(number, sizeof number, "%.4g", figure->median);
  g_autofree char *value = !strcmp(unit, "ns") && figure->median >= 0 ? bh_text_duration(figure->median)
                           : !strcmp(unit, "bytes") && figure->median >= 0
                               ? bh_text_bytes(figure->median)
                               : g_strjoin(*unit ? " " : "", number, unit, NULL);
  if (figure->basis == BH_BASIS_NONE || figure->median == 0)
    return g_steal_pointer(&value);
  const double half = MAX(figure->high - figure->median, figure->median - figure->low) / fabs(figure->median);
  g_autofree char *percent = bh_view_percent(half);
  return g_strconcat(value, marks->ascii ? " +-" : " ±", percent, NULL);
}

static void add_figures(Layout *layout, const BhMerged *cell, GPtrArray *texts) {
  BhViewMarks *marks = layout->marks;
  marks->figures = TRUE;
  g_ptr_array_add(texts, bh_text_duration(cell->steady.median));
  g_ptr_array_add(texts, half_interval(marks, &cell->steady));
  g_ptr_array_add(texts, cell->steady.n > 1 ? bh_view_percent(cell->steady.cv) : missing(marks, "one sample"));
  g_ptr_array_add(texts, bh_text_duration(cell->steady.min));
  g_ptr_array_add(texts, bh_text_duration(cell->steady.p95));
  g_ptr_array_add(texts, g_strdup_printf("%u", cell->steady.n));
  if (layout->rates)
    g_ptr_array_add(texts, rate_text(marks, cell, cell->first->items, FALSE));
  if (layout->gflops)
    g_ptr_array_add(texts, rate_text(marks, cell, cell->first->flops, TRUE));
  if (layout->bandwidth)
    g_ptr_array_add(texts, rate_text(marks, cell, cell->first->bytes, TRUE));
  g_ptr_array_add(texts, ratio_text(marks, &cell->speedup, TRUE));
  g_ptr_array_add(texts, cell->total.exists ? bh_text_duration(cell->total.median) : missing(marks, cell->total.why));
  g_ptr_array_add(texts, ratio_text(marks, &cell->total_speedup, FALSE));
  if (layout->rounds)
    g_ptr_array_add(texts, g_strdup_printf("%u", cell->rounds->len));
  if (layout->primary)
    g_ptr_array_add(texts, primary_text(marks, cell));
}

void bh_view_identity_texts(const BhViewIdentity *identity, const BhMerged *cell, const BhViewMarks *marks,
                            GPtrArray *texts) {
  g_ptr_array_add(texts, bh_display_clean(cell->first->backend, marks->ascii));
  for (guint i = 0; i < identity->options->len; i++) {
    g_autofree char *text = option_text(cell, identity->options->pdata[i]);
    g_autofree char *clean = text ? bh_display_clean(text, marks->ascii) : g_strdup("");
    g_ptr_array_add(texts, bh_display_cut(clean, 24));
  }
  if (identity->variants)
    g_ptr_array_add(texts, bh_display_clean(cell->first->variant, marks->ascii));
  if (identity->ids)
    g_ptr_array_add(texts, bh_display_clean(cell->first->id, marks->ascii));
  g_ptr_array_add(texts, g_strdup(bh_cell_status_name(cell->status)));
}

void bh_view_add_row(BhViewSection *section, const BhMerged *cell, GPtrArray *texts, const BhViewMarks *marks) {
  g_ptr_array_set_size(texts, (gint)section->columns->len);
  BhViewRow *row = g_new0(BhViewRow, 1);
  row->cell = cell;
  row->n = texts->len;
  row->reason = cell->reason ? bh_display_clean(cell->reason, marks->ascii) : NULL;
  row->texts = g_new0(char *, texts->len);
  memcpy(row->texts, texts->pdata, texts->len * sizeof(char *));
  g_ptr_array_add(section->rows, row);
}

static void add_row(Layout *layout, const BhMerged *cell) {
  g_autoptr(GPtrArray) texts = g_ptr_array_new();
  bh_view_identity_texts(&layout->identity, cell, layout->marks, texts);
  if (cell->status == BH_CELL_OK) {
    add_figures(layout, cell, texts);
    if (layout->flags)
      g_ptr_array_add(texts, bh_view_flag_marks(layout->marks, cell->flags));
  }
  bh_view_add_row(layout->section, cell, texts, layout->marks);
}

/* ---- title and base ---- */

static char *full_title(const BhCellRecord *record) {
  GString *text = g_string_new(record->workload);
  g_autoptr(GList) names = json_object_get_members(record->params);
  for (GList *l = names; l; l = l->next) {
    g_autofree char *value = bh_fields_text(json_object_get_member(record->params, l->data));
    g_string_append_printf(text, " %s=%s", (const char *)l->data, value);
  }
  return g_string_free(text, FALSE);
}

/* The part of the label before '|' when it says enough: what the matrix gave or swept. Else all parameters. */
static char *title_of(const GPtrArray *group, gboolean variants, BhViewMarks *marks) {
  const BhMerged *first = g_ptr_array_index(group, 0);
  const char *bar = strstr(first->first->label, " | ");
  g_autofree char *title =
      bar ? g_strndup(first->first->label, (gsize)(bar - first->first->label)) : full_title(first->first);
  g_autofree char *variant = g_strconcat(" variant=", first->first->variant, NULL);
  if (variants && g_str_has_suffix(title, variant)) /* it has a column */
    title[strlen(title) - strlen(variant)] = '\0';
  if (g_hash_table_contains(marks->titles, title)) {
    g_free(title);
    title = full_title(first->first);
  }
  g_hash_table_add(marks->titles, g_strdup(title));
  return bh_display_clean(title, marks->ascii);
}

static char *base_of(const GPtrArray *group, gboolean variants, BhViewMarks *marks) {
  const BhMerged *first = g_ptr_array_index(group, 0);
  if (!first->base)
    return group->len > 1 ? g_strdup("no speedup: no verified cell of the baseline, or with one worker") : NULL;
  const char *label = first->base->first->label, *bar = strstr(label, " | ");
  g_autofree char *clean = bh_display_clean(bar ? bar + 3 : label, marks->ascii);
  g_autofree char *variant = variants ? bh_display_clean(first->base->first->variant, marks->ascii) : NULL;
  return g_strconcat("speedup over ", clean, variant ? ", variant " : NULL, variant, NULL);
}

/* Two rows look alike: they differ in something that has no column. */
static gboolean need_ids(const GPtrArray *group, const GPtrArray *options) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < group->len; i++) {
    const BhMerged *cell = g_ptr_array_index(group, i);
    GString *key = g_string_new(cell->first->backend);
    g_string_append_printf(key, "\n%s", cell->first->variant);
    for (guint k = 0; k < options->len; k++) {
      g_autofree char *text = option_text(cell, options->pdata[k]);
      g_string_append_printf(key, "\n%s", text ? text : "");
    }
    if (!g_hash_table_add(seen, g_string_free(key, FALSE)))
      return TRUE;
  }
  return FALSE;
}

void bh_view_identity_init(BhViewIdentity *identity, const GPtrArray *group) {
  identity->options = varying_options(group);
  identity->variants = has_variants(group);
  identity->ids = need_ids(group, identity->options);
}

void bh_view_identity_clear(BhViewIdentity *identity) {
  g_clear_pointer(&identity->options, g_ptr_array_unref);
}

static void name_primary(Layout *layout, const BhMerged *cell) {
  const BhPrimary *primary = &cell->settings.primary;
  if (cell->status != BH_CELL_OK || primary->kind == BH_PRIMARY_WALL || primary->kind == BH_PRIMARY_TOTAL)
    return;
  g_autofree char *text = bh_results_primary_text(primary);
  g_autofree char *clean = bh_display_clean(text, layout->marks->ascii);
  g_autofree char *name = bh_display_cut(clean, 24);
  const gboolean another = layout->primary && strcmp(layout->primary, name);
  g_free(layout->primary);
  layout->primary = another ? g_strdup("primary") : g_steal_pointer(&name);
}

BhViewSection *bh_view_section(const GPtrArray *group, BhViewMarks *marks) {
  Layout layout = {.section = bh_view_section_new(), .marks = marks};
  bh_view_identity_init(&layout.identity, group);
  for (guint i = 0; i < group->len; i++) {
    const BhMerged *cell = g_ptr_array_index(group, i);
    const gboolean ok = cell->status == BH_CELL_OK;
    layout.rates |= ok && cell->first->items > 0;
    layout.gflops |= ok && cell->first->flops > 0;
    layout.bandwidth |= ok && cell->first->bytes > 0;
    layout.flags |= ok && cell->flags->len > 0;
    layout.rounds |= ok && cell->settings.most > cell->settings.rounds;
    name_primary(&layout, cell);
    if (!layout.unit)
      layout.unit = cell->first->item_unit;
  }
  if (!layout.unit)
    layout.unit = "items";
  add_columns(&layout);
  for (guint i = 0; i < group->len; i++)
    add_row(&layout, g_ptr_array_index(group, i));
  layout.section->title = title_of(group, layout.identity.variants, marks);
  layout.section->base = base_of(group, layout.identity.variants, marks);
  bh_view_identity_clear(&layout.identity);
  g_free(layout.primary);
  return layout.section;
}
