/* SPDX-License-Identifier: MIT
 * Owns where in a record each primary figure stands. */
#include "results/primary.h"
#include "results/fields.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

static gboolean named(JsonObject *line, const char *group, const char *name, double *ret_value, bh_better *ret_better,
                      const char **ret_unit) {
  JsonObject *entry = name ? bh_fields_object(bh_fields_object(line, group), name) : NULL;
  const char *unit = bh_fields_string(entry, "unit"), *better = bh_fields_string(entry, "better");
  if (!bh_fields_number(entry, "median", ret_value))
    return FALSE;
  *ret_better = better && !strcmp(better, "higher") ? BH_HIGHER : BH_LOWER;
  *ret_unit = unit ? unit : "";
  return TRUE;
}

static gboolean look_up(const BhCellRecord *record, const BhPrimary *primary, double *ret_value, bh_better *ret_better,
                        const char **ret_unit) {
  JsonObject *line = record->record;
  switch (primary->kind) {
  case BH_PRIMARY_WALL:
    if (!record->steady_ns->len)
      return FALSE;
    *ret_value = bh_stats_median((const double *)(gconstpointer)record->steady_ns->data, record->steady_ns->len);
    return TRUE;
  case BH_PRIMARY_TOTAL:
    *ret_value = record->total_ns;
    return isfinite(record->total_ns);
  case BH_PRIMARY_CPU:
    return bh_fields_number(bh_fields_object(line, "cpu"), "median_ns", ret_value);
  case BH_PRIMARY_MEMORY:
    *ret_unit = "bytes";
    return bh_fields_number(bh_fields_object(line, "memory"), "peak_bytes", ret_value);
  case BH_PRIMARY_COUNTER:
    return named(line, "counters", primary->name, ret_value, ret_better, ret_unit);
  case BH_PRIMARY_METRIC:
    return named(line, "metrics", primary->name, ret_value, ret_better, ret_unit);
  }
  return FALSE;
}

gboolean bh_results_primary(const BhCellRecord *record, const BhPrimary *primary, double *ret_value,
                            bh_better *ret_better, const char **ret_unit) {
  double value = 0;
  bh_better better = BH_LOWER;
  const char *unit = "ns";
  if (record->status != BH_CELL_OK || !look_up(record, primary, &value, &better, &unit))
    return FALSE;
  if (ret_value)
    *ret_value = value;
  if (ret_better)
    *ret_better = better;
  if (ret_unit)
    *ret_unit = unit;
  return TRUE;
}

BhPrimary bh_results_primary_of(const BhResults *results, const BhCellRecord *record) {
  BhPrimary primary = {.kind = BH_PRIMARY_WALL};
  const char *text = bh_fields_string(record->record, "primary");
  if (!text)
    text = bh_fields_string(bh_fields_object(results->run, "measure"), "primary");
  if (text)
    bh_primary_parse(text, &primary);
  return primary;
}

char *bh_results_primary_text(const BhPrimary *primary) {
  static const char *const kinds[] = {"wall", "total", "cpu", "memory", "counter:", "metric:"};
  return g_strconcat(kinds[primary->kind], primary->name, NULL);
}
