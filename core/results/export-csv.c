/* SPDX-License-Identifier: MIT
 * Owns the CSV export (csv.h): one row per cell, or one per sample, the same columns in every row. */
#include "base/text.h"
#include "results/csv.h"
#include "results/fields.h"
#include "results/merge.h"
#include "results/observed.h"
#include "results/report.h"

#include <math.h>
#include <string.h>

typedef struct {
  GString *out;
  gboolean started;    /* the row has a field */
  GPtrArray *params;   /* of char *, owned: all names that any workload has, in order of appearance */
  GPtrArray *options;  /* likewise, of backends */
  GPtrArray *counters; /* likewise, of counters that any cell asked for */
} Csv;

static void put_raw(Csv *csv, const char *text) {
  bh_csv_raw(csv->out, &csv->started, text);
}

static void put_text(Csv *csv, const char *text) {
  bh_csv_text(csv->out, &csv->started, text);
}

static void put_number(Csv *csv, gboolean exists, double number) {
  bh_csv_number(csv->out, &csv->started, exists, number);
}

static void put_count(Csv *csv, guint count) {
  g_autofree char *text = g_strdup_printf("%u", count);
  put_raw(csv, text);
}

static void end_row(Csv *csv) {
  g_string_append(csv->out, "\r\n");
  csv->started = FALSE;
}

static void put_value(Csv *csv, JsonNode *node) {
  g_autofree char *text = node ? bh_fields_text(node) : g_strdup("");
  const GType type = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_STRING;
  if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE)
    put_raw(csv, text);
  else
    put_text(csv, text);
}

static void collect_names(GPtrArray *names, GHashTable *seen, JsonObject *object) {
  g_autoptr(GList) members = json_object_get_members(object);
  for (GList *l = members; l; l = l->next) {
    if (g_hash_table_contains(seen, l->data))
      continue;
    char *name = g_strdup(l->data);
    g_ptr_array_add(names, name);
    g_hash_table_add(seen, name); /* the set borrows from the list */
  }
}

static void collect_columns(Csv *csv, const BhResults *results) {
  g_autoptr(GHashTable) params = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < results->records->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(results->records, i);
    collect_names(csv->params, params, record->params);
    collect_names(csv->options, options, record->options);
  }
}

static void put_identity_names(Csv *csv) {
  static const char *const names[] = {"id", "label", "workload", "backend", "variant", "workers", "baseline"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    put_raw(csv, names[i]);
  for (guint i = 0; i < csv->params->len; i++) {
    g_autofree char *name = g_strconcat("param.", csv->params->pdata[i], NULL);
    put_raw(csv, name);
  }
  for (guint i = 0; i < csv->options->len; i++) {
    g_autofree char *name = g_strconcat("option.", csv->options->pdata[i], NULL);
    put_raw(csv, name);
  }
}

static void put_identity(Csv *csv, const BhMerged *cell) {
  const BhCellRecord *first = cell->first;
  put_text(csv, first->id);
  put_text(csv, first->label);
  put_text(csv, first->workload);
  put_text(csv, first->backend);
  put_text(csv, first->variant);
  put_number(csv, cell->workers > 0, cell->workers);
  put_raw(csv, cell->baseline ? "true" : "false");
  for (guint i = 0; i < csv->params->len; i++)
    put_value(csv, json_object_get_member(first->params, csv->params->pdata[i]));
  for (guint i = 0; i < csv->options->len; i++)
    put_value(csv, json_object_get_member(first->options, csv->options->pdata[i]));
}

static void put_figure(Csv *csv, const BhFigure *figure) {
  const gboolean interval = figure->basis != BH_BASIS_NONE;
  put_number(csv, figure->exists, figure->median);
  put_number(csv, interval, figure->low);
  put_number(csv, interval, figure->high);
  put_raw(csv, interval ? bh_basis_name(figure->basis) : "");
  put_number(csv, figure->exists, figure->min);
  put_number(csv, figure->exists, figure->p95);
  put_number(csv, figure->exists, figure->cv);
  put_number(csv, figure->exists, figure->n);
}

static void put_ratio(Csv *csv, const BhRatio *ratio) {
  put_number(csv, ratio->exists, ratio->ratio);
  put_number(csv, ratio->basis != BH_BASIS_NONE, ratio->low);
  put_number(csv, ratio->basis != BH_BASIS_NONE, ratio->high);
}

static void put_rates(Csv *csv, const BhMerged *cell) {
  double rate = 0;
  gboolean exists = bh_merge_rate(cell, cell->first->items, &rate);
  put_number(csv, exists, rate);
  put_text(csv, cell->first->items > 0 ? cell->first->item_unit ? cell->first->item_unit : "items" : "");
  exists = bh_merge_rate(cell, cell->first->flops, &rate);
  put_number(csv, exists, rate / 1e9);
  exists = bh_merge_rate(cell, cell->first->bytes, &rate);
  put_number(csv, exists, rate / 1e9);
}

static void put_flags(Csv *csv, const BhMerged *cell) {
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < cell->flags->len; i++)
    g_string_append_printf(text, "%s%s", i ? " " : "", (const char *)cell->flags->pdata[i]);
  put_text(csv, text->str);
}

/* Why it has so many rounds, what its samples are worth, and the figure that decides. */
static void put_decided(Csv *csv, const BhMerged *cell) {
  const gboolean interval = cell->primary.basis != BH_BASIS_NONE;
  g_autofree char *primary = bh_results_primary_text(&cell->settings.primary);
  put_text(csv, cell->stopped);
  put_number(csv, cell->effective_n > 0, cell->effective_n);
  put_number(csv, cell->modes > 0, cell->modes);
  put_text(csv, primary);
  put_text(csv, cell->primary.exists ? cell->primary_unit : "");
  put_number(csv, cell->primary.exists, cell->primary.median);
  put_number(csv, interval, cell->primary.low);
  put_number(csv, interval, cell->primary.high);
}

static void put_cell_header(Csv *csv) {
  static const char *const names[] = {"status",
                                      "reason",
                                      "rounds",
                                      "rounds_ok",
                                      "steady_median_ns",
                                      "steady_low_ns",
                                      "steady_high_ns",
                                      "steady_basis",
                                      "steady_min_ns",
                                      "steady_p95_ns",
                                      "steady_cv",
                                      "steady_n",
                                      "total_median_ns",
                                      "total_low_ns",
                                      "total_high_ns",
                                      "total_basis",
                                      "total_min_ns",
                                      "total_p95_ns",
                                      "total_cv",
                                      "total_n",
                                      "items_per_s",
                                      "item_unit",
                                      "gflops",
                                      "gb_per_s",
                                      "speedup",
                                      "speedup_low",
                                      "speedup_high",
                                      "total_speedup",
                                      "total_speedup_low",
                                      "total_speedup_high",
                                      "base_id",
                                      "stopped",
                                      "effective_n",
                                      "modes",
                                      "primary",
                                      "primary_unit",
                                      "primary_median",
                                      "primary_low",
                                      "primary_high",
                                      "flags",
                                      "cpu_median_ns",
                                      "cpu_low_ns",
                                      "cpu_high_ns",
                                      "flagged_share"};
  put_identity_names(csv);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++)
    put_raw(csv, names[i]);
  for (guint i = 0; i < csv->counters->len; i++) {
    g_autofree char *name = g_strconcat("counter.", csv->counters->pdata[i], NULL);
    put_raw(csv, name);
  }
  end_row(csv);
}

static void put_observed(Csv *csv, const BhMerged *cell) {
  const BhObserved cpu = bh_observed_cpu(cell);
  double share;
  put_number(csv, cpu.exists, cpu.median);
  put_number(csv, cpu.basis != BH_BASIS_NONE, cpu.low);
  put_number(csv, cpu.basis != BH_BASIS_NONE, cpu.high);
  const gboolean recorded = bh_observed_flagged(cell, &share);
  put_number(csv, recorded, share);
  for (guint i = 0; i < csv->counters->len; i++) {
    const BhObserved counter = bh_observed_counter(cell, csv->counters->pdata[i]);
    put_number(csv, counter.exists, counter.median);
  }
}

static void put_cell(Csv *csv, const BhMerged *cell) {
  put_identity(csv, cell);
  put_raw(csv, bh_cell_status_name(cell->status));
  put_text(csv, cell->reason);
  put_count(csv, cell->rounds->len);
  put_count(csv, cell->rounds_ok);
  put_figure(csv, &cell->steady);
  put_figure(csv, &cell->total);
  put_rates(csv, cell);
  put_ratio(csv, &cell->speedup);
  put_ratio(csv, &cell->total_speedup);
  put_text(csv, cell->base && cell->speedup.exists ? cell->base->first->id : "");
  put_decided(csv, cell);
  put_flags(csv, cell);
  put_observed(csv, cell);
  end_row(csv);
}

/* A series that is all 0 is not in the journal; where others are, it was observed. */
static void put_sample_of(Csv *csv, const BhCellRecord *record, const char *name, guint at, gboolean ok) {
  JsonObject *samples = bh_fields_object(record->record, "samples");
  JsonArray *series = bh_fields_array(samples, name);
  JsonNode *node = series && at < json_array_get_length(series) ? json_array_get_element(series, at) : NULL;
  const gboolean number = node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) != G_TYPE_STRING;
  put_number(csv, ok && samples && (number || !series), number ? json_node_get_double(node) : 0);
}

/* A round that is not ok has one row, without a time. */
static void put_samples(Csv *csv, const BhMerged *cell) {
  for (guint r = 0; r < cell->rounds->len; r++) {
    const BhCellRecord *record = g_ptr_array_index(cell->rounds, r);
    for (guint i = 0; i < MAX(record->steady_ns->len, 1); i++) {
      const gboolean ok = i < record->steady_ns->len;
      put_identity(csv, cell);
      put_raw(csv, bh_cell_status_name(record->status));
      put_text(csv, record->reason);
      put_count(csv, record->round);
      put_number(csv, ok, i);
      put_number(csv, ok, ok ? g_array_index(record->steady_ns, double, i) : 0);
      put_number(csv, ok, record->total_ns);
      put_sample_of(csv, record, "cpu_ns", i, ok);
      end_row(csv);
    }
  }
}

static char *write_csv(const BhResults *results, gboolean samples) {
  static const char *const names[] = {"status", "reason", "round", "sample", "steady_ns", "total_ns", "cpu_ns"};
  Csv csv = {.out = g_string_new(NULL),
             .params = g_ptr_array_new_with_free_func(g_free),
             .options = g_ptr_array_new_with_free_func(g_free)};
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  csv.counters = bh_observed_counters(cells);
  collect_columns(&csv, results);
  if (samples) {
    put_identity_names(&csv);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
      put_raw(&csv, names[i]);
    end_row(&csv);
  } else {
    put_cell_header(&csv);
  }
  for (guint i = 0; i < cells->len; i++) {
    if (samples)
      put_samples(&csv, cells->pdata[i]);
    else
      put_cell(&csv, cells->pdata[i]);
  }
  g_ptr_array_unref(csv.params);
  g_ptr_array_unref(csv.options);
  g_ptr_array_unref(csv.counters);
  return g_string_free(csv.out, FALSE);
}

char *bh_report_csv(const BhResults *results) {
  return write_csv(results, FALSE);
}

char *bh_report_csv_samples(const BhResults *results) {
  return write_csv(results, TRUE);
}
