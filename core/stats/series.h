/* SPDX-License-Identifier: MIT
 * Samples as a series in time and as a mixture: trend, autocorrelation, modes, change points. Data are finite. */
#pragma once
#include <glib.h>

/* Lag-1 autocorrelation around the mean; 0 for n < 3 or no variance. */
double bh_stats_autocorrelation(const double *x, guint n);
/* n (1 - r) / (1 + r), within 1 .. n: how many independent samples these are worth (first-order autoregression). Here r
 * is the lag-1 autocorrelation of the ranks, so that a few spikes do not hide it, and freed of most of its bias, (n r +
 * 1) / (n - 3) (Marriott and Pope 1954), within 0 .. 0.95. n for n < 10: too few to tell. */
double bh_stats_effective_n(const double *x, guint n);
/* Worth less than half as many independent samples, and more than chance does: that autocorrelation is two standard
 * errors, 1/sqrt(n), above 0. Of independent samples at most 7 % are called so (simulated; without the second condition
 * it would be 21 % for n = 10). */
gboolean bh_stats_is_autocorrelated(const double *x, guint n);
/* Theil and Sen's slope per step with its interval from Kendall's distribution (Sen 1968), exact for n <= 60, normal
 * beyond; between two slopes' coverages it is interpolated. For independent noise around a line. More than 2000 values:
 * of the medians of blocks. FALSE: n < 6 (of 5 the interval at 95 % would cover 97.2 %). */
gboolean bh_stats_trend(const double *x, guint n, double confidence, double *ret_slope, double *ret_low,
                        double *ret_high);
/* How many modes: 1, or more where two narrow clusters explain the data far better than any of several single-peaked
 * shapes (normal, uniform, skewed, heavy tailed) does; each cluster is then looked at in the same way. A mode is at
 * least a tenth of its samples, and its neighbour is at least 3 standard deviations away. Of single-peaked samples at
 * most 5 % are called more (simulated, tests/calibration/coverage.c). 1 for n < 12. Clocks' ticks are no modes. */
guint bh_stats_modes(const double *x, guint n);
/* Change points by E-divisive (Matteson and James 2014), each tested by permutations, p = (k+1)/(N+1), until one is
 * above alpha. `ret`: up to `most` indexes (first element after the change), ascending; returns how many. Segments are
 * of 3 values or more. Same seed, same answer. */
typedef struct {
  guint at;
  double p;
} BhChange;
guint bh_stats_changes(const double *x, guint n, double alpha, guint permutations, guint64 seed, BhChange *ret,
                       guint most);
