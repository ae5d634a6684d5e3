/* SPDX-License-Identifier: MIT
 * Samples as a series in time and as a mixture: trend, autocorrelation, modes, change points. */
#pragma once
#include <glib.h>

/* Lag-1 autocorrelation around the mean; 0 for n < 3 or no variance. */
double bh_stats_autocorrelation(const double *x, guint n);
/* n (1 - r) / (1 + r), within 1 .. n: how many independent samples these are worth (first-order autoregression). */
double bh_stats_effective_n(const double *x, guint n);
/* Theil and Sen's slope per step with its interval from Kendall's distribution (Sen 1968). FALSE: n < 4. */
gboolean bh_stats_trend(const double *x, guint n, double confidence, double *ret_slope, double *ret_low,
                        double *ret_high);
/* How many modes: peaks of a density estimate that are separated by a valley clear enough that noise alone gives one in
 * at most 5 % of single-peaked samples (simulated, tests/calibration). 1 for n < 12. */
guint bh_stats_modes(const double *x, guint n);
/* Change points by E-divisive (Matteson and James 2014), each tested by permutations, p = (k+1)/(N+1). `ret`: up to
 * `most` indexes (first element after the change), ascending; returns how many. Same seed, same answer. */
typedef struct {
  guint at;
  double p;
} BhChange;
guint bh_stats_changes(const double *x, guint n, double alpha, guint permutations, guint64 seed, BhChange *ret,
                       guint most);
