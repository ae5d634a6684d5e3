/* SPDX-License-Identifier: MIT
 * Statistics of one sample of figures. All take unsorted data and leave it alone unless said otherwise. Nothing here
 * returns NaN for finite input of at least one element. */
#pragma once
#include <glib.h>

typedef struct {
  guint n;
  double median, min, max, mean, p95, cv; /* cv: sample sd / mean; 0 for n = 1 */
  gboolean has_interval;                  /* n >= 6 */
  double low, high;                       /* exact order-statistic interval of the median, >= 95 % */
} BhSummary;

BhSummary bh_stats_summary(const double *x, guint n); /* n >= 1 */
/* The whole interval lies within median * (1 +- precision): on both sides, not only its width. */
gboolean bh_stats_precise(const BhSummary *summary, double precision);
double bh_stats_median(const double *x, guint n);
double bh_stats_quantile(const double *x, guint n, double q); /* type 7 (R's and NumPy's default) */
/* The largest rank j (from 1) such that [x(j), x(n+1-j)] covers the median with at least `confidence`, for any
 * continuous distribution: 2*P(Bin(n, 1/2) < j) <= 1-confidence. 0: n is too small. David & Nagaraja, Order
 * Statistics, 7.1. */
guint bh_stats_median_rank(guint n, double confidence);
/* The interval that this rank gives: [x(j), x(n+1-j)]. FALSE: n is too small for this confidence. */
gboolean bh_stats_median_interval(const double *x, guint n, double confidence, double *ret_low, double *ret_high);
