/* SPDX-License-Identifier: MIT
 * Owns the statistics of one sample of figures: order statistics, intervals of the median and of a ratio of two,
 * spread. Sums run in long double, so that they neither overflow nor lose digits for any finite input. */
#include "stats/summary.h"
#include "stats/series.h"
#include "stats/sorted.h"

#include <math.h>

/* Probability that a fair coin falls heads exactly k times of n, to about 1e-12 relative for n up to millions. */
static long double coin(guint n, guint k) {
  if (k == 0 && n < 16000)
    return ldexpl(1, -(int)n);
  return expl(lgammal(n + 1.0L) - lgammal(k + 1.0L) - lgammal((long double)(n - k) + 1) -
              n * 0.6931471805599453094172321L);
}

guint bh_stats_median_rank(guint n, double confidence) {
  const long double alpha = 1 - (long double)confidence;
  if (n == 0 || !(alpha > 0))
    return 0;
  /* What lies more than 12 standard deviations below the middle adds less than 1e-120 to the sum. */
  const double skip = n < 16000 ? 0 : floor(n / 2.0 - 6 * sqrt(n));
  guint k = skip > 0 ? (guint)skip : 0;
  long double term = coin(n, k), below = term; /* P(X <= k) */
  while (k < n / 2 && 2 * below <= alpha) {
    term *= (long double)(n - k) / (k + 1);
    below += term;
    k++;
  }
  /* Now `below` is the first sum that is too large, P(X <= k): rank j = k is the last with 2 P(X < j) <= alpha. The
   * middle itself is the limit: there low and high meet. */
  if (2 * below <= alpha)
    k++;
  return MIN(k, (n + 1) / 2);
}

/* P(rank-th smallest <= median <= rank-th largest), of any continuous distribution. */
static long double coverage(guint n, guint rank) {
  const guint from = n < 16000 ? 0 : (guint)MAX(0, floor(n / 2.0 - 6 * sqrt(n)));
  if (rank <= from)
    return 1;
  long double term = coin(n, from), below = 0;
  for (guint k = from; k < rank; k++) {
    below += term;
    term *= (long double)(n - k) / (k + 1);
  }
  return 1 - 2 * below;
}

static gboolean sorted_interval(const double *x, guint n, double confidence, double *ret_low, double *ret_high) {
  const guint rank = bh_stats_median_rank(n, confidence);
  if (rank == 0)
    return FALSE;
  *ret_low = x[rank - 1];
  *ret_high = x[n - rank];
  if (2 * rank >= n) /* nothing lies further in than these two, or this one */
    return TRUE;
  const long double here = coverage(n, rank), next = coverage(n, rank + 1);
  const long double share = CLAMP((here - confidence) / (here - next), 0, 1);
  const long double w = (n - rank) * share / (rank + ((long double)n - 2 * rank) * share);
  *ret_low = bh_sorted_to_double((1 - w) * x[rank - 1] + w * x[rank]);
  *ret_high = bh_sorted_to_double((1 - w) * x[n - rank] + w * x[n - rank - 1]);
  return TRUE;
}

static BhSummary summary_at(const double *x, guint n, double confidence) {
  BhSummary summary = {.n = n};
  g_return_val_if_fail(n > 0, summary);
  g_autofree double *sorted = bh_sorted_copy(x, n);
  long double sum = 0, squares = 0;
  for (guint i = 0; i < n; i++)
    sum += sorted[i];
  const long double mean = sum / n;
  for (guint i = 0; i < n; i++)
    squares += (sorted[i] - mean) * (sorted[i] - mean);
  summary.median = bh_sorted_median(sorted, n);
  summary.min = sorted[0];
  summary.max = sorted[n - 1];
  summary.mean = bh_sorted_to_double(mean);
  summary.p95 = bh_sorted_quantile(sorted, n, 0.95);
  if (n > 1 && mean != 0)
    summary.cv = bh_sorted_to_double(sqrtl(squares / (n - 1)) / mean);
  summary.has_interval = sorted_interval(sorted, n, confidence, &summary.low, &summary.high);
  return summary;
}

BhSummary bh_stats_summary(const double *x, guint n) {
  return summary_at(x, n, 0.96);
}

gboolean bh_stats_precise(const BhSummary *s, double precision) {
  return s->has_interval && MAX(s->high - s->median, s->median - s->low) <= precision * fabs(s->median);
}

gboolean bh_stats_median_interval(const double *x, guint n, double confidence, double *ret_low, double *ret_high) {
  if (bh_stats_median_rank(n, confidence) == 0)
    return FALSE;
  g_autofree double *sorted = bh_sorted_copy(x, n);
  return sorted_interval(sorted, n, confidence, ret_low, ret_high);
}

/* `limit` moved away from the median by `stretch`. */
static double stretched(double median, double limit, double stretch, gboolean as_logarithms) {
  if (as_logarithms)
    return bh_sorted_to_double(median * powl((long double)limit / median, stretch));
  return bh_sorted_to_double(median + stretch * ((long double)limit - median));
}

/* `least_z`: autocorrelation below this many standard errors is taken for chance. */
static BhSummary series_summary(const double *x, guint n, double confidence, double least_z) {
  BhSummary summary = summary_at(x, n, confidence);
  if (!summary.has_interval)
    return summary;
  const double worth = n / bh_stats_effective_n(x, n), r = (worth - 1) / (worth + 1);
  if (r * sqrt(n) <= least_z)
    return summary;
  const double stretch = sqrt(worth) * (1 + 4 * (worth - 1) / n);
  const gboolean positive = summary.low > 0;
  summary.low = stretched(summary.median, summary.low, stretch, positive);
  summary.high = stretched(summary.median, summary.high, stretch, positive);
  return summary;
}

BhSummary bh_stats_summary_series(const double *x, guint n) {
  return series_summary(x, n, 0.95, 0);
}

/* What is recovered from two short intervals covers more than each, as half widths vary from sample to sample. */
static BhSummary side_of_ratio(const double *x, guint n) {
  return series_summary(x, n, 0.955 - 0.22 / n, 1.64);
}

gboolean bh_stats_ratio_interval(const double *x, guint n, const double *y, guint m, double *ret_low,
                                 double *ret_high) {
  if (n < 6 || m < 6)
    return FALSE;
  const BhSummary first = side_of_ratio(x, n), second = side_of_ratio(y, m);
  if (!first.has_interval || !second.has_interval || !(first.low > 0) || !(second.low > 0))
    return FALSE;
  const long double middle = logl(first.median), other = logl(second.median), ratio = middle - other;
  const long double down = hypotl(middle - logl(first.low), logl(second.high) - other);
  const long double up = hypotl(logl(first.high) - middle, other - logl(second.low));
  const double low = (double)expl(ratio - down), high = (double)expl(ratio + up);
  if (!(low > 0) || !isfinite(high))
    return FALSE;
  *ret_low = low;
  *ret_high = high;
  return TRUE;
}

double bh_stats_median(const double *x, guint n) {
  g_return_val_if_fail(n > 0, 0);
  g_autofree double *sorted = bh_sorted_copy(x, n);
  return bh_sorted_median(sorted, n);
}

double bh_stats_quantile(const double *x, guint n, double q) {
  g_return_val_if_fail(n > 0, 0);
  g_autofree double *sorted = bh_sorted_copy(x, n);
  return bh_sorted_quantile(sorted, n, q);
}
