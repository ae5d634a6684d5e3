/* SPDX-License-Identifier: MIT
 * Owns reading back how a cell was to be measured. */
#include "results/settings.h"
#include "engine/schedule.h"
#include "results/fields.h"

static double setting(const BhResults *results, const BhCellRecord *record, const char *name, double fallback) {
  double value = fallback;
  if (!bh_fields_number(bh_fields_object(record->record, "measure"), name, &value))
    bh_fields_number(bh_fields_object(results->run, "measure"), name, &value);
  return value;
}

static guint count(const BhResults *results, const BhCellRecord *record, const char *name, guint fallback) {
  return (guint)CLAMP(setting(results, record, name, fallback), 0, 1000000);
}

BhSettings bh_settings_of(const BhResults *results, const BhCellRecord *record) {
  const BhMeasure measure = {.rounds = count(results, record, "rounds", 1),
                             .max_rounds = count(results, record, "max_rounds", 0)};
  const double budget_ns = setting(results, record, "budget", 0);
  BhSettings settings = {.precision = setting(results, record, "precision", 0),
                         .rounds = measure.rounds,
                         .most = bh_schedule_most(&measure, budget_ns > 0),
                         .budget = budget_ns > 0,
                         .primary = bh_results_primary_of(results, record)};
  settings.adaptive = settings.most > settings.rounds && settings.precision > 0;
  return settings;
}

const char *bh_settings_stopped(const BhResults *results, const BhSettings *settings, const GPtrArray *rounds) {
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < rounds->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(rounds, i);
    double value;
    if (record->status != BH_CELL_OK)
      return NULL;
    if (bh_results_primary(record, &settings->primary, &value, NULL, NULL))
      g_array_append_val(values, value);
  }
  if (settings->adaptive &&
      bh_share_precise((const double *)(void *)values->data, values->len, settings->rounds, settings->precision))
    return "precision";
  if (rounds->len >= settings->most)
    return settings->most > settings->rounds ? "max-rounds" : "rounds";
  if (rounds->len >= settings->rounds && !values->len)
    return "rounds";
  const gboolean whole = results->end && !bh_fields_true(results->end, "interrupted");
  return whole && settings->budget ? "budget" : "interrupted";
}
