/* SPDX-License-Identifier: MIT
 * Owns what the order of samples in time tells: autocorrelation, how many samples they are worth, trend. */
#include "stats/series.h"
#include "stats/sorted.h"
#include "stats/summary.h"

#include <math.h>
#include <string.h>

enum {
  MIN_EFFECTIVE = 10,
  MIN_TREND = 6,
  EXACT = 60,       /* largest n with Kendall's exact distribution */
  MAX_TREND = 2000, /* 2 million slopes */
};

double bh_stats_autocorrelation(const double *x, guint n) {
  if (n < 3)
    return 0;
  long double sum = 0, squares = 0, products = 0;
  for (guint i = 0; i < n; i++)
    sum += x[i];
  const long double mean = sum / n;
  for (guint i = 0; i < n; i++) {
    squares += (x[i] - mean) * (x[i] - mean);
    if (i)
      products += (x[i] - mean) * (x[i - 1] - mean);
  }
  /* What is left of equal figures are the mean's rounding errors. */
  const long double rounding = n * mean * mean * 1e-36L;
  return squares > rounding ? (double)(products / squares) : 0;
}

typedef struct {
  double value;
  guint at;
} Placed;

static int by_placed(const void *a, const void *b) {
  const Placed *x = a, *y = b;
  return (x->value > y->value) - (x->value < y->value);
}

/* Mid-ranks in place of values. Caller frees. */
static double *ranks_of(const double *x, guint n) {
  g_autofree Placed *placed = g_new(Placed, n);
  double *ranks = g_new(double, n);
  for (guint i = 0; i < n; i++)
    placed[i] = (Placed){.value = x[i], .at = i};
  qsort(placed, n, sizeof *placed, by_placed);
  for (guint from = 0, to; from < n; from = to) {
    for (to = from + 1; to < n && placed[to].value <= placed[from].value; to++)
      ;
    for (guint i = from; i < to; i++)
      ranks[placed[i].at] = (from + 1.0 + to) / 2;
  }
  return ranks;
}

double bh_stats_effective_n(const double *x, guint n) {
  if (n < MIN_EFFECTIVE)
    return n;
  guint same = 1;
  while (same < n && x[same] <= x[0] && x[same] >= x[0])
    same++;
  if (same == n) /* nothing varies, so nothing is alike */
    return n;
  g_autofree double *ranks = ranks_of(x, n);
  const double r = (n * bh_stats_autocorrelation(ranks, n) + 1) / (n - 3.0);
  const double bounded = CLAMP(r, 0, 0.95);
  return MAX(n * (1 - bounded) / (1 + bounded), 1);
}

gboolean bh_stats_is_autocorrelated(const double *x, guint n) {
  const double worth = n / bh_stats_effective_n(x, MAX(n, 1)), r = (worth - 1) / (worth + 1);
  return worth > 2 && r * sqrt(n) > 2;
}

/* P(S >= s) for s = 0 .. n(n-1)/2 inversions of a random order of n: the i-th to come in stands before 0 .. i-1 of the
 * others. Every term is positive. Caller frees. */
static double *inversions_tail(guint n) {
  const guint most = n * (n - 1) / 2;
  double *p = g_new0(double, most + 2);
  g_autofree double *before = g_new0(double, most + 2);
  p[0] = 1;
  for (guint i = 2, reach = 1; i <= n; reach += i++) {
    memcpy(before, p, (most + 1) * sizeof *p);
    for (guint s = 0; s <= reach; s++) {
      double sum = 0;
      for (guint j = 0; j < i && j <= s; j++)
        sum += before[s - j];
      p[s] = sum / i;
    }
  }
  for (guint s = most; s-- > 0;)
    p[s] += p[s + 1];
  return p;
}

/* P(S < k) by symmetry; made once for each n, any thread. */
static double inversions_below(guint n, guint k) {
  static gpointer kept[EXACT + 1];
  if (g_once_init_enter(&kept[n]))
    g_once_init_leave(&kept[n], inversions_tail(n));
  const double *tail = kept[n];
  return k == 0 ? 0 : tail[n * (n - 1) / 2 - k + 1];
}

/* Where the lower limit lies among the sorted slopes, from 1 and with a fraction; below 1: n is too small. */
static double slope_rank(guint n, double confidence) {
  const double all = n * (n - 1.0) / 2, alpha = 1 - confidence;
  if (!(alpha > 0) || !(alpha < 1))
    return 0;
  if (n > EXACT) {
    const double sd = sqrt(n * (n - 1.0) * (2.0 * n + 5) / 18) / 2;
    return MAX(all / 2 + 0.5 + bh_sorted_normal_quantile(alpha / 2) * sd, 0);
  }
  guint k = 0;
  while (k < (guint)(all / 2) && 2 * inversions_below(n, k + 1) <= alpha * (1 + 1e-12))
    k++;
  if (k == 0)
    return 0;
  const double here = 2 * inversions_below(n, k), next = 2 * inversions_below(n, k + 1);
  return k + CLAMP((alpha - here) / (next - here), 0, 1);
}

static double at_rank(const double *sorted, guint n, double rank) {
  return bh_sorted_quantile(sorted, n, (rank - 1) / (n - 1.0));
}

static gboolean trend_of(const double *x, guint n, double confidence, double *ret_slope, double *ret_low,
                         double *ret_high) {
  const double rank = slope_rank(n, confidence);
  if (rank < 1)
    return FALSE;
  const guint all = n * (n - 1) / 2;
  g_autofree double *slopes = g_new(double, all);
  guint k = 0;
  for (guint i = 0; i < n; i++)
    for (guint j = i + 1; j < n; j++)
      slopes[k++] = bh_sorted_to_double(((long double)x[j] - x[i]) / (j - i));
  bh_sorted_sort(slopes, all);
  *ret_slope = bh_sorted_median(slopes, all);
  *ret_low = at_rank(slopes, all, rank);
  *ret_high = at_rank(slopes, all, all + 1 - rank);
  return TRUE;
}

gboolean bh_stats_trend(const double *x, guint n, double confidence, double *ret_slope, double *ret_low,
                        double *ret_high) {
  if (n < MIN_TREND)
    return FALSE;
  if (n <= MAX_TREND)
    return trend_of(x, n, confidence, ret_slope, ret_low, ret_high);
  const guint block = (n + MAX_TREND - 1) / MAX_TREND, blocks = n / block;
  g_autofree double *medians = g_new(double, blocks);
  for (guint i = 0; i < blocks; i++)
    medians[i] = bh_stats_median(x + (gsize)i * block, block);
  if (!trend_of(medians, blocks, confidence, ret_slope, ret_low, ret_high))
    return FALSE;
  *ret_slope /= block;
  *ret_low /= block;
  *ret_high /= block;
  return TRUE;
}
