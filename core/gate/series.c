/* SPDX-License-Identifier: MIT
 * Owns the way from two visits to one difference. */
#include "gate/series.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

const char *const bh_ab_arms[2] = {"base", "candidate"};
const char *const bh_ab_control_arms[2] = {"control-base", "control"};

void bh_ab_series_free(BhAbSeries *series) {
  if (!series)
    return;
  g_array_unref(series->d);
  g_array_unref(series->value[0]);
  g_array_unref(series->value[1]);
  g_free(series->problem);
  g_free(series);
}

/* NULL: `value` is a figure whose logarithm exists. Else why there is none; caller frees. */
static char *figure_problem(const BhAbWhere *where, const BhCellRecord *record, gboolean found, double value,
                            guint side) {
  g_autofree char *name = bh_results_primary_text(&where->primary);
  if (record->status != BH_CELL_OK)
    return g_strdup_printf("%s: %s in round %u", where->arms[side], bh_cell_status_name(record->status), record->round);
  if (!found)
    return g_strdup_printf("%s: no %s in round %u", where->arms[side], name, record->round);
  if (value > 0 && isfinite(value))
    return NULL;
  g_autofree char *number = bh_text_double(value);
  return g_strdup_printf("%s: %s is %s in round %u, and only figures above 0 have a ratio", where->arms[side], name,
                         number, record->round);
}

/* NULL: both arms mean the same by the figure. Caller frees. */
static char *scale_problem(const BhAbWhere *where, const char *const units[2], const bh_better better[2]) {
  static const char *const words[] = {[BH_LOWER] = "lower", [BH_HIGHER] = "higher"};
  if (!strcmp(units[0], units[1]) && better[0] == better[1])
    return NULL;
  g_autofree char *name = bh_results_primary_text(&where->primary);
  return g_strdup_printf(
      "%s is in '%s' (%s is better) in the %s, but in '%s' (%s is better) in the %s: give both builds "
      "the same",
      name, units[0], words[better[0]], where->arms[0], units[1], words[better[1]], where->arms[1]);
}

static void add_pair(BhAbSeries *series, const BhAbWhere *where, const BhCellRecord *const records[2]) {
  double value[2] = {0, 0};
  bh_better better[2] = {BH_LOWER, BH_LOWER};
  const char *units[2] = {"", ""};
  char *problem = NULL;
  series->attempted++;
  for (guint side = 0; side < 2 && !problem; side++) {
    const gboolean found =
        bh_results_primary(records[side], &where->primary, &value[side], &better[side], &units[side]);
    problem = figure_problem(where, records[side], found, value[side], side);
    if (found) {
      series->higher_is_better = better[side] == BH_HIGHER;
      series->unit = units[side];
    }
  }
  if (!problem)
    problem = scale_problem(where, units, better);
  if (problem) {
    series->dropped++;
    if (series->problem)
      g_free(problem);
    else
      series->problem = problem;
    return;
  }
  const double ratio = log(value[1]) - log(value[0]); /* of logarithms: the ratio itself may overflow */
  const double d = series->higher_is_better ? -ratio : ratio;
  g_array_append_val(series->d, d);
  g_array_append_val(series->value[0], value[0]);
  g_array_append_val(series->value[1], value[1]);
}

BhAbSeries *bh_ab_series_new(const BhResults *results, const BhAbWhere *where, guint from, guint to) {
  BhAbSeries *series = g_new0(BhAbSeries, 1);
  series->d = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint side = 0; side < 2; side++)
    series->value[side] = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint round = from; round < to; round++) {
    const BhCellRecord *records[2];
    for (guint side = 0; side < 2; side++)
      records[side] = bh_results_find_arm(results, where->id[side], where->arms[side], round);
    if (records[0] && records[1])
      add_pair(series, where, records);
  }
  return series;
}

guint bh_ab_failures(const BhResults *results, const BhAbWhere *where, guint rounds) {
  guint n = 0;
  for (guint side = 0; side < 2; side++)
    for (guint round = 0; round < rounds; round++) {
      const BhCellRecord *record = bh_results_find_arm(results, where->id[side], where->arms[side], round);
      n += record && record->status != BH_CELL_OK;
    }
  return n;
}
