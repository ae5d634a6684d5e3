/* SPDX-License-Identifier: MIT
 * Owns the arithmetic of sharing time among cells. */
#include "engine/share.h"
#include "stats/summary.h"

#include <math.h>
#include <stdlib.h>

/* A round that has only been seen once or twice varies at least so much: code layout and placement alone do that. */
#define LEAST_SPREAD 0.005
#define GUESSED_COST_NS 1e8 /* of a visit of which nothing is known */

double bh_share_spread(const double *values, guint n) {
  if (n < 2)
    return 0;
  const double median = bh_stats_median(values, n);
  if (median == 0)
    return 0;
  g_autofree double *deviations = g_new(double, n);
  double sum = 0;
  for (guint i = 0; i < n; i++) {
    deviations[i] = fabs(values[i] - median);
    sum += deviations[i] / n;
  }
  const double mad = bh_stats_median(deviations, n);
  const double spread = (mad > 0 ? 1.4826 * mad : 1.2533 * sum) / fabs(median);
  return isfinite(spread) ? spread : 0;
}

double bh_share_half(const double *values, guint n) {
  if (n < BH_SHARE_DECIDED)
    return INFINITY;
  const BhSummary summary = bh_stats_summary(values, n);
  const double half = MAX(summary.high - summary.median, summary.median - summary.low);
  return half > 0 ? half / fabs(summary.median) : 0;
}

gboolean bh_share_looks(guint n, guint rounds) {
  guint look = MAX(rounds, BH_SHARE_DECIDED);
  while (look < n)
    look = (look * 3 + 1) / 2;
  return look == n;
}

gboolean bh_share_precise(const double *values, guint n, guint rounds, double precision) {
  return precision > 0 && bh_share_looks(n, rounds) && bh_share_half(values, n) <= precision;
}

gboolean bh_share_wants(const BhShareCell *cell) {
  return cell->visits >= cell->rounds && cell->visits < cell->most && cell->n > 0 && !cell->ended && !cell->precise;
}

double bh_share_gain(const BhShareCell *cell) {
  const double n = MAX(cell->n, 1), cost_s = (cell->cost_ns > 0 ? cell->cost_ns : GUESSED_COST_NS) * 1e-9;
  const double spread = MAX(cell->spread, LEAST_SPREAD);
  return spread * spread / (n * (n + 1)) / cost_s;
}

static gboolean due(const BhShareCell *cell, double left_ns) {
  return bh_share_wants(cell) && cell->cost_ns <= left_ns;
}

guint bh_share_pass(const BhShareCell *cells, guint n, double left_ns, guint *ret) {
  double best = 0;
  guint found = 0;
  for (guint i = 0; i < n; i++)
    if (due(&cells[i], left_ns))
      best = MAX(best, bh_share_gain(&cells[i]));
  for (guint i = 0; i < n; i++)
    if (due(&cells[i], left_ns) && bh_share_gain(&cells[i]) >= best / 2)
      ret[found++] = i;
  return found;
}

static int by_need(const void *a, const void *b) {
  const double x = ((const BhShareNeed *)a)->need_ns, y = ((const BhShareNeed *)b)->need_ns;
  return (x > y) - (x < y);
}

double bh_share_level(BhShareNeed *needs, guint n, double total_ns) {
  double left_ns = MAX(total_ns, 0), times = 0;
  for (guint i = 0; i < n; i++)
    times += needs[i].times;
  qsort(needs, n, sizeof *needs, by_need);
  for (guint i = 0; i < n; i++) {
    if (needs[i].need_ns * times > left_ns) /* this one and all after it need more than an even share of the rest */
      return left_ns / times;
    left_ns -= needs[i].need_ns * needs[i].times;
    times -= needs[i].times;
  }
  return INFINITY;
}

/* Rounds that a cell will have had once it is precise. The half width falls with the root of their number; looks are
 * half as many apart, and may have to be lucky: hence never less than the next look. */
static double rounds_wanted(const BhShareCell *cell, gboolean *ret_bound) {
  if (cell->precision <= 0 || (!isfinite(cell->half) && cell->n < 3)) {
    *ret_bound = TRUE;
    return cell->most;
  }
  /* The interval's half width is about 1.2533 * 1.96 * s / sqrt(n) for normal values. */
  const double half = isfinite(cell->half) && cell->half > 0
                          ? cell->half
                          : 2.456 * MAX(cell->spread, LEAST_SPREAD) / sqrt(MAX(cell->n, 1));
  const double ratio = half / cell->precision, wanted = cell->n * ratio * ratio;
  guint look = MAX(cell->rounds, BH_SHARE_DECIDED);
  while (look < cell->most && (look <= cell->n || look < wanted))
    look = look > G_MAXUINT / 4 ? G_MAXUINT : (look * 3 + 1) / 2;
  return MIN(look, cell->most);
}

double bh_share_outlook(const BhShareCell *cells, guint n, double left_ns, gboolean *ret_bound) {
  double sum_ns = 0;
  *ret_bound = FALSE;
  for (guint i = 0; i < n; i++) {
    const BhShareCell *cell = &cells[i];
    if (cell->ended || cell->precise || cell->most <= MAX(cell->visits, cell->rounds))
      continue;
    if (cell->visits >= cell->rounds && !cell->n)
      continue;
    const double wanted = rounds_wanted(cell, ret_bound) - MAX(cell->visits, cell->rounds);
    sum_ns += MAX(wanted, 0) * (cell->cost_ns > 0 ? cell->cost_ns : GUESSED_COST_NS);
  }
  *ret_bound |= sum_ns > left_ns;
  return MIN(sum_ns, MAX(left_ns, 0));
}
