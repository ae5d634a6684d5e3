/* SPDX-License-Identifier: MIT
 * Owns how a derived figure gets its value and its interval: one value per round, then the median's interval. */
#include "parallel/estimate.h"

#include <math.h>

/* Stands for "outside what was measured" among finite values: order statistics, also interpolated ones, stay finite. */
#define OUTSIDE 1e300
#define IS_OUTSIDE(x) (fabs(x) > 1e250)

void bh_times_free(BhTimes *times) {
  if (!times)
    return;
  g_free(times->ns);
  g_free(times->pooled);
  g_free(times);
}

/* The cell's time in this round; NAN: none. */
static double time_of(const BhMerged *cell, guint round, BhTimeKind kind) {
  for (guint i = 0; i < cell->rounds->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(cell->rounds, i);
    if (record->round == round)
      return kind == BH_TIME_TOTAL ? record->total_ns : g_array_index(cell->medians_ns, double, i);
  }
  return NAN;
}

static void gather_rounds(BhTimes *times, const GPtrArray *cells, BhTimeKind kind) {
  const BhMerged *first = g_ptr_array_index(cells, 0);
  times->ns = g_new(double, (gsize)first->rounds->len * cells->len);
  for (guint i = 0; i < first->rounds->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(first->rounds, i);
    double *row = times->ns + (gsize)times->rounds * cells->len;
    gboolean all = TRUE;
    for (guint c = 0; all && c < cells->len; c++) {
      row[c] = time_of(g_ptr_array_index(cells, c), record->round, kind);
      all = isfinite(row[c]) && row[c] > 0;
    }
    times->rounds += all;
  }
}

BhTimes *bh_times_new(const GPtrArray *cells, BhTimeKind kind, const char **ret_why) {
  g_autoptr(BhTimes) times = g_new0(BhTimes, 1);
  times->cells = cells->len;
  times->pooled = g_new(double, cells->len);
  for (guint c = 0; c < cells->len; c++) {
    const BhMerged *cell = g_ptr_array_index(cells, c);
    const BhFigure *figure = kind == BH_TIME_TOTAL ? &cell->total : &cell->steady;
    *ret_why = figure->exists ? "a time of 0 ns" : figure->why;
    if (!figure->exists || !(figure->median > 0))
      return NULL;
    times->pooled[c] = figure->median;
    if (c == 0 || cell->settings.adaptive)
      times->like = cell;
  }
  gather_rounds(times, cells, kind);
  *ret_why = NULL;
  return g_steal_pointer(&times);
}

BhEstimate bh_estimate_none(const char *why) {
  return (BhEstimate){.why = why, .no_interval = why};
}

BhEstimate bh_estimate_exact(double value, const char *why) {
  return (BhEstimate){.exists = TRUE, .value = value, .no_interval = why};
}

static BhEstimate settle(double value) {
  BhEstimate estimate = {.exists = isfinite(value) && !IS_OUTSIDE(value), .value = value};
  if (isnan(value))
    return bh_estimate_none("cannot be computed from these times");
  if (!estimate.exists) {
    estimate.beyond = value < 0 ? -1 : 1;
    estimate.value = 0;
    estimate.why = value < 0 ? "below what was measured" : "above what was measured";
  }
  return estimate;
}

static double open_end(double x) {
  return IS_OUTSIDE(x) ? x < 0 ? -INFINITY : INFINITY : x;
}

/* Half of the values lie below what was measured and half above: there is no middle between the two. */
static gboolean is_torn(const double *values, guint n) {
  guint below = 0, above = 0;
  for (guint i = 0; i < n; i++) {
    below += IS_OUTSIDE(values[i]) && values[i] < 0;
    above += IS_OUTSIDE(values[i]) && values[i] > 0;
  }
  return below == above && below + above == n;
}

/* `values`: one per round, NANs left out already. */
static BhEstimate over_rounds(const BhTimes *times, const double *values, guint n) {
  if (is_torn(values, n))
    return bh_estimate_none("below what was measured in half of the rounds, above it in the others");
  BhEstimate estimate = settle(bh_stats_median(values, n));
  double low, high;
  estimate.rounds = n;
  estimate.interval = bh_merge_interval(times->like, values, n, &low, &high);
  if (estimate.interval) {
    estimate.low = open_end(low);
    estimate.high = open_end(high);
  } else {
    estimate.no_interval = "fewer than 6 rounds";
  }
  return estimate;
}

static double ends_finite(double x) {
  return isinf(x) ? x < 0 ? -OUTSIDE : OUTSIDE : x;
}

void bh_times_estimate(const BhTimes *times, BhFormula formula, gconstpointer user, guint n, BhEstimate *ret) {
  g_autofree double *one = g_new(double, n);
  g_autofree double *values = g_new(double, (gsize)n *MAX(times->rounds, 1));
  g_autofree guint *counts = g_new0(guint, n);
  for (guint r = 0; r < times->rounds; r++) {
    formula(times->ns + (gsize)r * times->cells, one, user);
    for (guint k = 0; k < n; k++)
      if (!isnan(one[k]))
        values[(gsize)k * times->rounds + counts[k]++] = ends_finite(one[k]);
  }
  formula(times->pooled, one, user);
  for (guint k = 0; k < n; k++) {
    if (counts[k] >= BH_MERGE_MIN_ROUNDS) {
      ret[k] = over_rounds(times, values + (gsize)k * times->rounds, counts[k]);
    } else {
      ret[k] = settle(ends_finite(one[k]));
      ret[k].no_interval = ret[k].why ? ret[k].why : "fewer than 6 rounds";
    }
  }
}
