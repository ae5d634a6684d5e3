/* SPDX-License-Identifier: MIT
 * Owns the arithmetic of sharing time among cells. */
#include "engine/share.h"
#include "stats/summary.h"

#include <math.h>
#include <stdlib.h>

/* A round that has only been seen once or twice varies at least so much: code layout and placement alone do that. */
#define LEAST_SPREAD 0.005
#define GUESSED_COST_NS 1e8 /* of a visit of which nothing is known */
#define NEAR_BEST 0.75      /* of the greatest gain: several cells a pass, so that their order can be random */

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

gboolean bh_share_interval(const double *values, guint n, double *ret_low, double *ret_high) {
  return bh_stats_median_interval(values, n, 0.96875, ret_low, ret_high);
}

double bh_share_half(const double *values, guint n) {
  double low, high;
  if (n < BH_SHARE_DECIDED || !bh_share_interval(values, n, &low, &high))
    return INFINITY;
  const double median = bh_stats_median(values, n), half = MAX(high - median, median - low);
  return half > 0 ? half / fabs(median) : 0;
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

static double cost_of(const BhShareCell *cell) {
  return cell->cost_ns > 0 ? cell->cost_ns : GUESSED_COST_NS;
}

double bh_share_gain(const BhShareCell *cell) {
  const double n = MAX(cell->n, 1), spread = MAX(cell->spread, LEAST_SPREAD);
  return spread * spread / (n * (n + 1)) / (cost_of(cell) * 1e-9);
}

static gboolean due(const BhShareCell *cell, double left_ns) {
  return bh_share_wants(cell) && cell->cost_ns <= left_ns;
}

typedef struct {
  guint at;
  double worth, cost_ns; /* of all rounds that it lacks */
} Undecided;

static int by_worth(const void *a, const void *b) {
  const Undecided *x = a, *y = b;
  return x->worth != y->worth ? (x->worth < y->worth) - (x->worth > y->worth) : (x->at > y->at) - (x->at < y->at);
}

static int by_index(const void *a, const void *b) {
  const guint x = *(const guint *)a, y = *(const guint *)b;
  return (x > y) - (x < y);
}

/* Whole cells: four rounds of each would be no interval of any. */
static guint pick_undecided(const BhShareCell *cells, guint n, double left_ns, guint *ret) {
  g_autofree Undecided *all = g_new(Undecided, MAX(n, 1));
  guint found = 0, picked = 0;
  for (guint i = 0; i < n; i++) {
    const guint wanted = MIN(BH_SHARE_DECIDED, cells[i].most);
    if (!due(&cells[i], left_ns) || cells[i].visits >= wanted)
      continue;
    const double spread = MAX(cells[i].spread, LEAST_SPREAD), cost_ns = cost_of(&cells[i]);
    all[found++] = (Undecided){i, spread * spread / cost_ns, cost_ns * (wanted - cells[i].visits)};
  }
  qsort(all, found, sizeof *all, by_worth);
  for (guint i = 0; i < found; i++)
    if (all[i].cost_ns <= left_ns) {
      left_ns -= all[i].cost_ns;
      ret[picked++] = all[i].at;
    }
  qsort(ret, picked, sizeof *ret, by_index);
  return picked;
}

guint bh_share_pass(const BhShareCell *cells, guint n, double left_ns, guint *ret) {
  guint found = pick_undecided(cells, n, left_ns, ret);
  double best = 0;
  if (found)
    return found;
  for (guint i = 0; i < n; i++)
    if (due(&cells[i], left_ns))
      best = MAX(best, bh_share_gain(&cells[i]));
  for (guint i = 0; i < n; i++)
    if (due(&cells[i], left_ns) && bh_share_gain(&cells[i]) >= NEAR_BEST * best)
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
  /* The interval's half width is about 1.2533 * 2.154 * s / sqrt(n) for normal values. */
  const double half = isfinite(cell->half) && cell->half > 0
                          ? cell->half
                          : 2.7 * MAX(cell->spread, LEAST_SPREAD) / sqrt(MAX(cell->n, 1));
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
    sum_ns += MAX(wanted, 0) * cost_of(cell);
  }
  *ret_bound |= sum_ns > left_ns;
  return MIN(sum_ns, MAX(left_ns, 0));
}
