/* SPDX-License-Identifier: MIT
 * Owns the statistics of one sample of figures: order statistics, the exact interval of the median, spread. Sums run in
 * long double, so that they neither overflow nor lose digits for any finite input. */
#include "stats/summary.h"
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

BhSummary bh_stats_summary(const double *x, guint n) {
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
  const guint rank = bh_stats_median_rank(n, 0.95);
  summary.has_interval = rank > 0;
  summary.low = rank ? sorted[rank - 1] : 0;
  summary.high = rank ? sorted[n - rank] : 0;
  return summary;
}

gboolean bh_stats_precise(const BhSummary *s, double precision) {
  return s->has_interval && MAX(s->high - s->median, s->median - s->low) <= precision * fabs(s->median);
}

gboolean bh_stats_median_interval(const double *x, guint n, double confidence, double *ret_low, double *ret_high) {
  const guint rank = bh_stats_median_rank(n, confidence);
  if (rank == 0)
    return FALSE;
  g_autofree double *sorted = bh_sorted_copy(x, n);
  *ret_low = sorted[rank - 1];
  *ret_high = sorted[n - rank];
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
