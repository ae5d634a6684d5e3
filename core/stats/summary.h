/* SPDX-License-Identifier: MIT
 * Statistics of one sample of figures. All take unsorted data and leave it alone unless said otherwise. Nothing here
 * returns NaN for finite input of at least one element. How often each interval covers: tests/calibration/coverage.c.
 */
#pragma once
#include <glib.h>

typedef struct {
  guint n;
  double median, min, max, mean, p95, cv; /* cv: sample sd / mean; 0 for n = 1 */
  gboolean has_interval;                  /* n >= 6 */
  double low, high;                       /* 95 % interval of the median */
} BhSummary;

/* n >= 1 independent figures: rounds, processes. The interval is bh_stats_median_interval's aimed at 96 %, so that it
 * covers 93 to 97 % both where n was decided on beforehand and where a look at the interval decided (core/engine's
 * looks at 6, 9, 14, 21, ... rounds). */
BhSummary bh_stats_summary(const double *x, guint n);
/* n >= 1 samples in the order in which they were taken, one after another, until they looked precise enough. The
 * interval is stretched for what independent samples would not need: by sqrt(D) (1 + 4 (D-1) / n), D = n /
 * bh_stats_effective_n (series.h), as logarithms where it lies above 0. The second factor makes up for D being an
 * estimate, and for stopping at a lucky look (found by simulation). n < 10: too few to tell; not stretched. */
BhSummary bh_stats_summary_series(const double *x, guint n);
/* The whole interval lies within median * (1 +- precision): on both sides, not only its width. */
gboolean bh_stats_precise(const BhSummary *summary, double precision);
double bh_stats_median(const double *x, guint n);
double bh_stats_quantile(const double *x, guint n, double q); /* type 7 (R's and NumPy's default) */
/* The largest rank j (from 1) such that [x(j), x(n+1-j)] covers the median with at least `confidence`, for any
 * continuous distribution: 2*P(Bin(n, 1/2) < j) <= 1-confidence. 0: n is too small. David & Nagaraja, Order
 * Statistics, 7.1. */
guint bh_stats_median_rank(guint n, double confidence);
/* Between the intervals that rank j and rank j+1 give, of coverages c(j) >= confidence > c(j+1) (n = 7: 98.4 % and 87.5
 * %), Hettmansperger and Sheather (1986) interpolate: low = (1-w) x(j) + w x(j+1), w = (n-j) I / (j + (n-2j) I), I =
 * (c(j) - confidence) / (c(j) - c(j+1)). Nyblom's (1992) is the same for a median. Coverage for continuous data is
 * within 0.7 points of 95 % whatever its shape (simulated), instead of up to 4 above it. FALSE: n is too small for this
 * confidence (6 for 95 %), or an argument makes no sense. */
gboolean bh_stats_median_interval(const double *x, guint n, double confidence, double *ret_low, double *ret_high);
/* The 95 % interval of median(x) / median(y), two independent series of samples, from both medians' intervals by the
 * method of variance estimates recovery on logarithms (Zou and Donner 2008; Price and Bonett 2002). Theirs
 * are at 95.5 % - 22 % / n, and stretched as bh_stats_summary_series says only where autocorrelation is significant
 * (one sided, 5 %): found by simulation, as two that each cover 95 % gave one of up to 99 %. FALSE: fewer than 6 of
 * one, or an interval that reaches to 0 or below, or limits that are no finite numbers above 0. */
gboolean bh_stats_ratio_interval(const double *x, guint n, const double *y, guint m, double *ret_low, double *ret_high);
