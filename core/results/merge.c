/* SPDX-License-Identifier: MIT
 * Owns how rounds become one figure per cell, which cell is the base of a speedup, and how sure a ratio is. */
#include "results/merge.h"
#include "engine/share.h"
#include "results/fields.h"
#include "results/order.h"
#include "stats/series.h"

#include <math.h>
#include <string.h>

const char *bh_basis_name(BhBasis basis) {
  return basis == BH_BASIS_ROUNDS ? "rounds" : basis == BH_BASIS_SAMPLES ? "samples" : NULL;
}

static void merged_free(gpointer data) {
  BhMerged *cell = data;
  g_free(cell->reason);
  g_array_unref(cell->samples_ns);
  g_array_unref(cell->medians_ns);
  g_ptr_array_unref(cell->flags);
  g_free(cell->group);
  g_free(cell);
}

/* How much a round's status says about its cell, rising. */
static int severity(BhCellStatus status) {
  switch (status) {
  case BH_CELL_OK:
    return 0;
  case BH_CELL_SKIPPED:
    return 1;
  case BH_CELL_UNSUPPORTED:
    return 2;
  case BH_CELL_FAILED:
    return 3;
  case BH_CELL_TIMEOUT:
    return 4;
  case BH_CELL_OUT_OF_MEMORY:
    return 5;
  case BH_CELL_CRASHED:
    return 6;
  case BH_CELL_WRONG:
    return 7;
  }
  return 3;
}

static const double *doubles(const GArray *array) {
  return (const double *)(gconstpointer)array->data;
}

static void describe_samples(BhFigure *figure, const GArray *samples) {
  const BhSummary summary = bh_stats_summary_series(doubles(samples), samples->len);
  figure->exists = TRUE;
  figure->n = summary.n;
  figure->median = summary.median;
  figure->min = summary.min;
  figure->max = summary.max;
  figure->p95 = summary.p95;
  figure->cv = summary.cv;
  if (summary.has_interval) {
    figure->basis = BH_BASIS_SAMPLES;
    figure->low = summary.low;
    figure->high = summary.high;
  } else {
    figure->why = "fewer than 6 samples";
  }
}

gboolean bh_merge_interval(const BhMerged *cell, const double *values, guint n, double *ret_low, double *ret_high) {
  if (cell->settings.adaptive)
    return bh_share_interval(values, n, ret_low, ret_high);
  return bh_stats_median_interval(values, n, 0.95, ret_low, ret_high);
}

static gboolean over_rounds(const BhMerged *cell, const GArray *values, double *ret_low, double *ret_high) {
  return bh_merge_interval(cell, doubles(values), values->len, ret_low, ret_high);
}

static BhFigure steady_figure(const BhMerged *cell) {
  BhFigure figure = {.why = "not verified"};
  if (cell->status != BH_CELL_OK)
    return figure;
  describe_samples(&figure, cell->samples_ns);
  if (cell->medians_ns->len < BH_MERGE_MIN_ROUNDS)
    return figure;
  figure.median = bh_stats_median(doubles(cell->medians_ns), cell->medians_ns->len);
  over_rounds(cell, cell->medians_ns, &figure.low, &figure.high);
  figure.basis = BH_BASIS_ROUNDS;
  figure.why = NULL;
  return figure;
}

static GArray *totals_of(const BhMerged *cell) {
  GArray *totals = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < cell->rounds->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(cell->rounds, i);
    if (isfinite(record->total_ns))
      g_array_append_val(totals, record->total_ns);
  }
  return totals;
}

/* `values`: one per process, so what described them as samples are rounds. */
static void as_rounds(const BhMerged *cell, BhFigure *figure, const GArray *values) {
  if (over_rounds(cell, values, &figure->low, &figure->high))
    figure->basis = BH_BASIS_ROUNDS;
  else
    figure->basis = BH_BASIS_NONE;
  figure->why = figure->basis == BH_BASIS_NONE ? "fewer than 6 rounds" : NULL;
}

static BhFigure total_figure(const BhMerged *cell) {
  BhFigure figure = {.why = "not verified"};
  if (cell->status != BH_CELL_OK)
    return figure;
  g_autoptr(GArray) totals = totals_of(cell);
  figure.why = "no total was recorded";
  if (totals->len == 0)
    return figure;
  figure.why = NULL;
  describe_samples(&figure, totals);
  as_rounds(cell, &figure, totals);
  return figure;
}

/* The median over rounds of each round's value. */
static void find_primary(BhMerged *cell) {
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
  cell->primary_unit = "";
  cell->primary = (BhFigure){.why = "not verified"};
  for (guint i = 0; cell->status == BH_CELL_OK && i < cell->rounds->len; i++) {
    double value;
    if (bh_results_primary(g_ptr_array_index(cell->rounds, i), &cell->settings.primary, &value, &cell->primary_better,
                           &cell->primary_unit))
      g_array_append_val(values, value);
  }
  if (cell->settings.primary.kind == BH_PRIMARY_WALL) {
    cell->primary = cell->steady;
  } else if (values->len) {
    cell->primary.why = NULL;
    describe_samples(&cell->primary, values);
    as_rounds(cell, &cell->primary, values);
  } else if (cell->status == BH_CELL_OK) {
    cell->primary.why = "no round has the primary figure";
  }
}

static gint by_name(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean same_text(gconstpointer a, gconstpointer b) {
  return !strcmp(a, b);
}

static void add_flag(BhMerged *cell, const char *flag) {
  if (!g_ptr_array_find_with_equal_func(cell->flags, flag, same_text, NULL))
    g_ptr_array_add(cell->flags, g_strdup(flag));
}

static void merge_round(BhMerged *cell, const BhCellRecord *record) {
  if (severity(record->status) > severity(cell->status)) {
    cell->status = record->status;
    g_free(cell->reason);
    cell->reason = cell->rounds->len > 1 ? g_strdup_printf("round %u: %s", record->round, record->reason)
                                         : g_strdup(record->reason);
  }
  cell->rounds_ok += record->status == BH_CELL_OK;
  cell->baseline |= record->baseline;
  for (guint i = 0; i < record->flags->len; i++)
    add_flag(cell, record->flags->pdata[i]);
  gint64 workers;
  if (bh_fields_int(record->record, "workers", &workers) && workers > 0 && workers < G_MAXINT)
    cell->workers = MAX(cell->workers, (guint)workers);
}

static char *group_key(const BhCellRecord *record) {
  GString *key = g_string_new(record->workload);
  if (record->arm) /* a comparison's arms are no cells of one run: no ratio between them here */
    g_string_append_printf(key, "\n[%s]", record->arm);
  g_autoptr(GList) names = g_list_sort(json_object_get_members(record->params), (GCompareFunc)strcmp);
  for (GList *l = names; l; l = l->next) {
    g_autofree char *value = bh_fields_text(json_object_get_member(record->params, l->data));
    g_string_append_printf(key, "\n%s=%s", (const char *)l->data, value);
  }
  return g_string_free(key, FALSE);
}

static void drop_flag(BhMerged *cell, const char *flag) {
  guint at;
  if (g_ptr_array_find_with_equal_func(cell->flags, flag, same_text, &at))
    g_ptr_array_remove_index(cell->flags, at);
}

/* With an interval over rounds it is that which is narrow or wide, not those of single processes. */
static void judge_precision(BhMerged *cell) {
  const BhFigure *figure = &cell->primary;
  if (figure->basis != BH_BASIS_ROUNDS)
    return;
  const double half = MAX(figure->high - figure->median, figure->median - figure->low);
  drop_flag(cell, "interval-wide");
  drop_flag(cell, "few-samples");
  if (cell->settings.precision > 0 && half > cell->settings.precision * fabs(figure->median))
    add_flag(cell, "interval-wide");
}

/* Of processes without anything of the kind a few per cent have these by chance, so of many rounds nearly always one
 * has. They are the cell's when half of its rounds have them. */
static void judge_chance(BhMerged *cell) {
  static const char *const by_chance[] = {"autocorrelated", "bimodal"};
  for (guint k = 0; k < G_N_ELEMENTS(by_chance); k++) {
    guint found = 0;
    for (guint i = 0; i < cell->rounds->len; i++) {
      const BhCellRecord *record = g_ptr_array_index(cell->rounds, i);
      found += g_ptr_array_find_with_equal_func(record->flags, by_chance[k], same_text, NULL);
    }
    if (2 * found < cell->rounds->len)
      drop_flag(cell, by_chance[k]);
  }
}

static void look_at_samples(BhMerged *cell) {
  for (guint i = 0; i < cell->rounds->len; i++) {
    JsonObject *steady = bh_fields_object(((const BhCellRecord *)g_ptr_array_index(cell->rounds, i))->record, "steady");
    double worth = 0;
    gint64 modes = 0;
    if (bh_fields_number(steady, "effective_n", &worth) && worth > 0)
      cell->effective_n += worth;
    if (bh_fields_int(steady, "modes", &modes) && modes > 0 && modes < G_MAXINT)
      cell->modes = MAX(cell->modes, (guint)modes);
  }
  judge_chance(cell);
  if (cell->modes > 1 && !g_ptr_array_find_with_equal_func(cell->flags, "bimodal", same_text, NULL))
    cell->modes = 1;
  /* Processes can differ as samples do: one layout of memory or another. */
  const guint between = cell->medians_ns->len ? bh_stats_modes(doubles(cell->medians_ns), cell->medians_ns->len) : 0;
  if (between > 1) {
    cell->modes = MAX(cell->modes, between);
    add_flag(cell, "bimodal");
  }
}

static BhMerged *merge_cell(const BhResults *results, const BhCellResult *result) {
  BhMerged *cell = g_new0(BhMerged, 1);
  cell->first = g_ptr_array_index(result->rounds, 0);
  cell->rounds = result->rounds;
  cell->samples_ns = g_array_new(FALSE, FALSE, sizeof(double));
  cell->medians_ns = g_array_new(FALSE, FALSE, sizeof(double));
  cell->flags = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < result->rounds->len; i++)
    merge_round(cell, g_ptr_array_index(result->rounds, i));
  cell->settings = bh_settings_of(results, cell->first);
  cell->stopped = bh_settings_stopped(results, &cell->settings, cell->rounds);
  for (guint i = 0; cell->status == BH_CELL_OK && i < result->rounds->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(result->rounds, i);
    const double median = bh_stats_median(doubles(record->steady_ns), record->steady_ns->len);
    g_array_append_val(cell->medians_ns, median);
    g_array_append_vals(cell->samples_ns, record->steady_ns->data, record->steady_ns->len);
  }
  cell->steady = steady_figure(cell);
  cell->total = total_figure(cell);
  find_primary(cell);
  judge_precision(cell);
  look_at_samples(cell);
  g_ptr_array_sort(cell->flags, by_name);
  cell->group = group_key(cell->first);
  return cell;
}

/* What one round gives for a ratio; NAN: nothing. */
typedef double (*RoundValue)(const BhMerged *cell, guint i);

static double round_median(const BhMerged *cell, guint i) {
  return g_array_index(cell->medians_ns, double, i); /* of a cell that is ok: one for each round */
}

static double round_total(const BhMerged *cell, guint i) {
  return ((const BhCellRecord *)g_ptr_array_index(cell->rounds, i))->total_ns;
}

/* base / cell of each round that both have: what slowed a whole round down cancels. NULL: not enough of them. */
static GArray *paired_ratios(const BhMerged *base, const BhMerged *cell, RoundValue value) {
  g_autoptr(GArray) ratios = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0, j = 0; i < base->rounds->len && j < cell->rounds->len;) {
    const guint first = ((const BhCellRecord *)g_ptr_array_index(base->rounds, i))->round;
    const guint second = ((const BhCellRecord *)g_ptr_array_index(cell->rounds, j))->round;
    if (first == second) {
      const double ratio = value(base, i) / value(cell, j);
      if (isfinite(ratio) && ratio > 0)
        g_array_append_val(ratios, ratio);
    }
    i += first <= second;
    j += second <= first;
  }
  return ratios->len >= BH_MERGE_MIN_ROUNDS ? g_steal_pointer(&ratios) : NULL;
}

static gboolean paired_ratio(BhRatio *ratio, const BhMerged *base, const BhMerged *cell, RoundValue value) {
  g_autoptr(GArray) ratios = paired_ratios(base, cell, value);
  if (!ratios || !over_rounds(cell, ratios, &ratio->low, &ratio->high))
    return FALSE;
  ratio->ratio = bh_stats_median(doubles(ratios), ratios->len);
  ratio->basis = BH_BASIS_ROUNDS;
  return TRUE;
}

/* Of too few rounds for pairs: from both medians' intervals over samples. */
static void ratio_interval(BhRatio *ratio, const GArray *base, const GArray *cell) {
  if (base->len < 6 || cell->len < 6)
    ratio->why = "fewer than 6 samples";
  else if (!bh_stats_ratio_interval(doubles(base), base->len, doubles(cell), cell->len, &ratio->low, &ratio->high))
    ratio->why = "times of 0 ns";
  else
    ratio->basis = BH_BASIS_SAMPLES;
}

static BhRatio ratio_of(const BhFigure *base, const BhFigure *cell) {
  BhRatio ratio = {.why = "no verified serial cell"};
  if (!base)
    return ratio;
  ratio.why = !base->exists ? base->why : cell->why;
  if (!base->exists || !cell->exists)
    return ratio;
  ratio.ratio = cell->median > 0 ? base->median / cell->median : INFINITY;
  ratio.exists = isfinite(ratio.ratio);
  ratio.why = ratio.exists ? NULL : "times of 0 ns";
  return ratio;
}

static void compare_with_base(BhMerged *cell) {
  const BhMerged *base = cell->base;
  cell->speedup = ratio_of(base ? &base->steady : NULL, &cell->steady);
  cell->total_speedup = ratio_of(base ? &base->total : NULL, &cell->total);
  if (cell == base) { /* exactly 1, by definition */
    cell->speedup.why = cell->total_speedup.why = "the base itself";
    return;
  }
  if (cell->speedup.exists && !paired_ratio(&cell->speedup, base, cell, round_median))
    ratio_interval(&cell->speedup, base->samples_ns, cell->samples_ns);
  if (cell->total_speedup.exists && !paired_ratio(&cell->total_speedup, base, cell, round_total))
    cell->total_speedup.why = "fewer than 6 rounds in common";
}

/* One worker comes before several: a matrix's baseline may sweep its workers. */
static gboolean better_base(const BhMerged *cell, const BhMerged *best) {
  if (!best || (cell->workers <= 1) != (best->workers <= 1))
    return !best || cell->workers <= 1;
  return cell->steady.median < best->steady.median;
}

GPtrArray *bh_merge_cells(const BhResults *results) {
  GPtrArray *cells = g_ptr_array_new_full(results->cells->len, merged_free);
  g_autoptr(GHashTable) bases = g_hash_table_new(g_str_hash, g_str_equal); /* of (group, BhMerged); theirs */
  gboolean has_baseline = FALSE;
  for (guint i = 0; i < results->cells->len; i++) {
    BhMerged *cell = merge_cell(results, g_ptr_array_index(results->cells, i));
    g_ptr_array_add(cells, cell);
    has_baseline |= cell->baseline;
  }
  for (guint i = 0; i < cells->len; i++) {
    BhMerged *cell = g_ptr_array_index(cells, i);
    const gboolean candidate = has_baseline ? cell->baseline : cell->workers == 1;
    if (candidate && cell->steady.exists && better_base(cell, g_hash_table_lookup(bases, cell->group)))
      g_hash_table_insert(bases, cell->group, cell);
  }
  for (guint i = 0; i < cells->len; i++) {
    BhMerged *cell = g_ptr_array_index(cells, i);
    cell->base = g_hash_table_lookup(bases, cell->group);
    compare_with_base(cell);
  }
  bh_order_cells(results, cells);
  return cells;
}

gboolean bh_merge_rate(const BhMerged *cell, double per_run, double *ret_per_second) {
  if (!cell->steady.exists || !(cell->steady.median > 0) || !(per_run > 0))
    return FALSE;
  *ret_per_second = per_run / (cell->steady.median * 1e-9);
  return isfinite(*ret_per_second);
}

void bh_merge_put_identity(JsonObject *object, const BhMerged *cell) {
  const BhCellRecord *first = cell->first;
  json_object_set_string_member(object, "id", first->id);
  json_object_set_string_member(object, "label", first->label);
  json_object_set_string_member(object, "workload", first->workload);
  json_object_set_object_member(object, "params", json_object_ref(first->params));
  json_object_set_string_member(object, "backend", first->backend);
  json_object_set_object_member(object, "options", json_object_ref(first->options));
  json_object_set_string_member(object, "variant", first->variant);
  if (cell->workers > 0)
    json_object_set_int_member(object, "workers", cell->workers);
  else
    json_object_set_null_member(object, "workers");
}
