/* SPDX-License-Identifier: MIT
 * Owns merging of what was observed: processes are the replicates, as for times. */
#include "results/observed.h"
#include "results/fields.h"

#include <math.h>

static BhObserved observed(const BhMerged *cell, const BhPrimary *primary) {
  BhObserved result = {.unit = "", .why = "not recorded"};
  if (cell->status != BH_CELL_OK) {
    result.why = "not verified";
    return result;
  }
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < cell->rounds->len; i++) {
    double value;
    if (bh_results_primary(g_ptr_array_index(cell->rounds, i), primary, &value, NULL, &result.unit))
      g_array_append_val(values, value);
  }
  if (!values->len)
    return result;
  const BhSummary summary = bh_stats_summary((const double *)(gconstpointer)values->data, values->len);
  result.exists = TRUE;
  result.median = summary.median;
  result.basis = summary.has_interval ? BH_BASIS_ROUNDS : BH_BASIS_NONE;
  result.low = summary.low;
  result.high = summary.high;
  result.why = summary.has_interval ? NULL : "fewer than 6 rounds";
  return result;
}

BhObserved bh_observed_cpu(const BhMerged *cell) {
  const BhPrimary primary = {.kind = BH_PRIMARY_CPU};
  BhObserved result = observed(cell, &primary);
  for (guint i = 0; !result.exists && i < cell->rounds->len; i++) {
    JsonObject *line = ((const BhCellRecord *)g_ptr_array_index(cell->rounds, i))->record;
    const char *why = bh_fields_string(bh_fields_object(line, "cpu"), "unavailable");
    result.why = why ? why : result.why;
  }
  return result;
}

BhObserved bh_observed_counter(const BhMerged *cell, const char *name) {
  const BhPrimary primary = {.kind = BH_PRIMARY_COUNTER, .name = name};
  BhObserved result = observed(cell, &primary);
  for (guint i = 0; !result.exists && i < cell->rounds->len; i++) {
    JsonObject *line = ((const BhCellRecord *)g_ptr_array_index(cell->rounds, i))->record;
    JsonObject *counter = bh_fields_object(bh_fields_object(line, "counters"), name);
    const char *why = bh_fields_string(counter, "unavailable");
    result.why = why ? why : result.why;
  }
  return result;
}

gboolean bh_observed_ratio(const BhMerged *cell, const char *a, const char *b, double *ret) {
  const BhObserved x = bh_observed_counter(cell, a), y = bh_observed_counter(cell, b);
  if (!x.exists || !y.exists || !(y.median > 0))
    return FALSE;
  *ret = x.median / y.median;
  return isfinite(*ret);
}

gboolean bh_observed_flagged(const BhMerged *cell, double *ret_share) {
  gboolean found = FALSE;
  *ret_share = 0;
  for (guint i = 0; i < cell->rounds->len; i++) {
    JsonObject *line = ((const BhCellRecord *)g_ptr_array_index(cell->rounds, i))->record;
    double share;
    if (!bh_fields_number(bh_fields_object(line, "flagged"), "share", &share))
      continue;
    found = TRUE;
    *ret_share = MAX(*ret_share, share);
  }
  return found;
}

static void add_names(GPtrArray *names, JsonObject *counters) {
  g_autoptr(GList) members = counters ? json_object_get_members(counters) : NULL;
  for (GList *l = members; l; l = l->next)
    if (!g_ptr_array_find_with_equal_func(names, l->data, g_str_equal, NULL))
      g_ptr_array_add(names, g_strdup(l->data));
}

GPtrArray *bh_observed_counters(const GPtrArray *cells) {
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(cells, i);
    for (guint k = 0; k < cell->rounds->len; k++)
      add_names(names,
                bh_fields_object(((const BhCellRecord *)g_ptr_array_index(cell->rounds, k))->record, "counters"));
  }
  return names;
}
