/* SPDX-License-Identifier: MIT
 * Owns the JSON export: a list with one object per cell, its rounds merged. A figure that does not exist is null, with
 * the reason beside it. */
#include "base/json.h"
#include "results/merge.h"
#include "results/observed.h"
#include "results/report.h"

#include <math.h>

static JsonArray *list_of(const GArray *values) {
  JsonArray *list = json_array_sized_new(values->len);
  for (guint i = 0; i < values->len; i++)
    json_array_add_double_element(list, g_array_index(values, double, i));
  return list;
}

static void put_interval(JsonObject *object, BhBasis basis, double low, double high, const char *why) {
  const gboolean exists = basis != BH_BASIS_NONE;
  bh_json_put_interval(object, "ci", exists, low, high);
  bh_json_put_text(object, "ci_reason", exists ? NULL : why ? why : "not known");
  bh_json_put_text(object, "ci_basis", bh_basis_name(basis));
}

static void put_figure(JsonObject *cell, const char *key, const BhFigure *figure, const GArray *samples) {
  if (!figure->exists) {
    g_autofree char *reason = g_strconcat(key, "_reason", NULL);
    json_object_set_null_member(cell, key);
    bh_json_put_text(cell, reason, figure->why);
    return;
  }
  JsonObject *object = json_object_new();
  json_object_set_double_member(object, "median_ns", figure->median);
  put_interval(object, figure->basis, figure->low, figure->high, figure->why);
  json_object_set_double_member(object, "min_ns", figure->min);
  json_object_set_double_member(object, "max_ns", figure->max);
  json_object_set_double_member(object, "p95_ns", figure->p95);
  json_object_set_double_member(object, "cv", figure->cv);
  json_object_set_int_member(object, "n", figure->n);
  if (samples)
    json_object_set_array_member(object, "samples_ns", list_of(samples));
  json_object_set_object_member(cell, key, object);
}

static void put_ratio(JsonObject *cell, const char *key, const BhRatio *ratio, const BhMerged *base) {
  if (!ratio->exists) {
    g_autofree char *reason = g_strconcat(key, "_reason", NULL);
    json_object_set_null_member(cell, key);
    bh_json_put_text(cell, reason, ratio->why);
    return;
  }
  JsonObject *object = json_object_new();
  json_object_set_double_member(object, "ratio", ratio->ratio);
  put_interval(object, ratio->basis, ratio->low, ratio->high, ratio->why);
  json_object_set_string_member(object, "over", base->first->id);
  json_object_set_object_member(cell, key, object);
}

static void put_throughput(JsonObject *object, const BhMerged *cell) {
  static const char *const keys[] = {"items_per_s", "gflops", "gb_per_s"};
  const double per_run[] = {cell->first->items, cell->first->flops / 1e9, cell->first->bytes / 1e9};
  JsonObject *throughput = json_object_new();
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
    double rate = 0;
    const gboolean exists = bh_merge_rate(cell, per_run[i], &rate);
    bh_json_put_number(throughput, keys[i], exists, rate);
  }
  bh_json_put_text(throughput, "item_unit", cell->first->item_unit);
  json_object_set_object_member(object, "throughput", throughput);
}

static void put_observed_figure(JsonObject *object, const char *key, const BhObserved *observed) {
  JsonObject *figure = json_object_new();
  bh_json_put_number(figure, "median", observed->exists, observed->median);
  put_interval(figure, observed->basis, observed->low, observed->high, observed->why);
  json_object_set_string_member(figure, "unit", observed->unit);
  json_object_set_object_member(object, key, figure);
}

/* `counters` and `derived` only where some were asked for. */
static void put_observed(JsonObject *object, const BhMerged *cell, const GPtrArray *names) {
  static const struct {
    const char *key, *a, *b;
  } ratios[] = {{"instructions_per_cycle", "instructions", "cycles"},
                {"cache_miss_rate", "cache-misses", "cache-references"},
                {"branch_miss_rate", "branch-misses", "branches"}};
  double value;
  const BhObserved cpu = bh_observed_cpu(cell);
  put_observed_figure(object, "cpu", &cpu);
  const gboolean recorded = bh_observed_flagged(cell, &value);
  bh_json_put_number(object, "flagged_share", recorded, value);
  if (!names->len)
    return;
  JsonObject *counters = json_object_new();
  for (guint i = 0; i < names->len; i++) {
    const BhObserved counter = bh_observed_counter(cell, names->pdata[i]);
    put_observed_figure(counters, names->pdata[i], &counter);
  }
  json_object_set_object_member(object, "counters", counters);
  JsonObject *derived = json_object_new();
  for (guint i = 0; i < G_N_ELEMENTS(ratios); i++) {
    const gboolean exists = bh_observed_ratio(cell, ratios[i].a, ratios[i].b, &value);
    bh_json_put_number(derived, ratios[i].key, exists, value);
  }
  json_object_set_object_member(object, "derived", derived);
}

/* Why it has so many rounds, what its samples are worth, and the figure that decides. */
static void put_decided(JsonObject *object, const BhMerged *cell) {
  const BhFigure *figure = &cell->primary;
  g_autofree char *name = bh_results_primary_text(&cell->settings.primary);
  JsonObject *primary = json_object_new();
  json_object_set_string_member(primary, "figure", name);
  bh_json_put_number(primary, "median", figure->exists, figure->median);
  put_interval(primary, figure->basis, figure->low, figure->high, figure->why);
  json_object_set_string_member(primary, "unit", figure->exists ? cell->primary_unit : "");
  bh_json_put_text(primary, "better", !figure->exists ? NULL : cell->primary_better == BH_HIGHER ? "higher" : "lower");
  json_object_set_object_member(object, "primary", primary);
  bh_json_put_text(object, "stopped", cell->stopped);
  bh_json_put_number(object, "effective_n", cell->effective_n > 0, cell->effective_n);
  bh_json_put_number(object, "modes", cell->modes > 0, cell->modes);
}

static JsonObject *cell_object(const BhMerged *cell, const GPtrArray *counters) {
  JsonObject *object = json_object_new();
  bh_merge_put_identity(object, cell);
  json_object_set_boolean_member(object, "baseline", cell->baseline);
  json_object_set_string_member(object, "status", bh_cell_status_name(cell->status));
  bh_json_put_text(object, "reason", cell->reason);
  json_object_set_int_member(object, "rounds", cell->rounds->len);
  json_object_set_int_member(object, "rounds_ok", cell->rounds_ok);
  put_figure(object, "steady", &cell->steady, cell->samples_ns);
  put_figure(object, "total", &cell->total, NULL);
  json_object_set_array_member(object, "round_medians_ns", list_of(cell->medians_ns));
  put_throughput(object, cell);
  put_decided(object, cell);
  put_observed(object, cell, counters);
  put_ratio(object, "speedup", &cell->speedup, cell->base);
  put_ratio(object, "total_speedup", &cell->total_speedup, cell->base);
  JsonArray *flags = json_array_new();
  for (guint i = 0; i < cell->flags->len; i++)
    json_array_add_string_element(flags, cell->flags->pdata[i]);
  json_object_set_array_member(object, "flags", flags);
  return object;
}

char *bh_report_json(const BhResults *results) {
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  g_autoptr(GPtrArray) counters = bh_observed_counters(cells);
  JsonArray *list = json_array_sized_new(cells->len);
  for (guint i = 0; i < cells->len; i++)
    json_array_add_object_element(list, cell_object(cells->pdata[i], counters));
  JsonNode *root = json_node_new(JSON_NODE_ARRAY);
  json_node_take_array(root, list);
  return bh_json_put_out(root);
}
