/* SPDX-License-Identifier: MIT
 * Owns finding change points in the series of a history. */
#include "history/timeline.h"
#include "stats/series.h"

#include <math.h>

#define LEAST_POINTS 6 /* two stretches of 3 */
#define MOST_CHANGES 64

BhTimelineTest bh_timeline_test_default(void) {
  return (BhTimelineTest){.alpha = 0.05, .permutations = 999, .seed = 42};
}

/* Of n runs in two halves, as different as can be, 2 of the n over n/2 arrangements are as extreme as what was seen:
 * the order that it has, and its reverse. So many runs it takes for p to reach alpha: 8 for 0.05. */
guint bh_timeline_least(double alpha) {
  guint n = LEAST_POINTS;
  for (double arrangements = 20; 2 / arrangements > alpha; arrangements *= (double)n / (n - n / 2))
    n++;
  return n;
}

/* The points with a figure. */
static GPtrArray *points_of(const BhStoreSeries *series) {
  GPtrArray *points = g_ptr_array_new();
  for (guint i = 0; i < series->points->len; i++)
    if (((const BhStorePoint *)series->points->pdata[i])->cell->exists)
      g_ptr_array_add(points, series->points->pdata[i]);
  return points;
}

static double median_of(const GPtrArray *points, guint from, guint to) {
  g_autofree double *x = g_new(double, to - from);
  for (guint i = from; i < to; i++)
    x[i - from] = ((const BhStorePoint *)points->pdata[i])->cell->median;
  return bh_stats_median(x, to - from);
}

/* Noise of times is multiplicative, so logarithms where there are any. */
static double *heights(const GPtrArray *points) {
  double *x = g_new(double, points->len);
  gboolean positive = TRUE;
  for (guint i = 0; i < points->len; i++) {
    x[i] = ((const BhStorePoint *)points->pdata[i])->cell->median;
    positive &= x[i] > 0;
  }
  for (guint i = 0; positive && i < points->len; i++)
    x[i] = log(x[i]);
  return x;
}

static void find(const BhStoreSeries *series, const GPtrArray *points, const BhTimelineTest *test, GPtrArray *changes) {
  BhChange found[MOST_CHANGES];
  g_autofree double *x = heights(points);
  const guint n = bh_stats_changes(x, points->len, test->alpha, test->permutations, test->seed, found, MOST_CHANGES);
  for (guint i = 0; i < n; i++) {
    const guint from = i ? found[i - 1].at : 0, to = i + 1 < n ? found[i + 1].at : points->len;
    BhTimelineChange *change = g_new0(BhTimelineChange, 1);
    *change = (BhTimelineChange){.series = series,
                                 .before = points->pdata[found[i].at - 1],
                                 .after = points->pdata[found[i].at],
                                 .from = median_of(points, from, found[i].at),
                                 .to = median_of(points, found[i].at, to),
                                 .n_before = found[i].at - from,
                                 .n_after = to - found[i].at,
                                 .p = found[i].p};
    g_ptr_array_add(changes, change);
  }
}

GPtrArray *bh_timeline_changes(const BhStoreHistory *history, const BhTimelineTest *test, guint *ret_tested) {
  GPtrArray *changes = g_ptr_array_new_with_free_func(g_free);
  const guint least = bh_timeline_least(test->alpha);
  *ret_tested = 0;
  for (guint i = 0; i < history->series->len; i++) {
    const BhStoreSeries *series = history->series->pdata[i];
    g_autoptr(GPtrArray) points = points_of(series);
    if (points->len < least)
      continue;
    (*ret_tested)++;
    find(series, points, test, changes);
  }
  return changes;
}
