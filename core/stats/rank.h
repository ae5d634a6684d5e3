/* SPDX-License-Identifier: MIT
 * Distribution-free tests and shifts: Wilcoxon's signed ranks, Hodges and Lehmann's estimates.
 * Agreement with SciPy to 1e-9, ties and tiny n included, is tested (tests/cli/test_scipy.py). */
#pragma once
#include <glib.h>

/* P(W+ >= observed) for x - shift under symmetry around 0, W+ the sum of the ranks of positive values. Exact by
 * convolution for any n <= 1000 (mid-ranks: by the exact distribution over sign flips of the ranks there are, in half
 * steps); zeros are dropped (Wilcoxon). 1 when nothing is left. */
double bh_stats_signed_rank_p(const double *x, guint n, double shift);
/* Median of the Walsh averages (x[i]+x[j])/2, i <= j. */
double bh_stats_hodges_lehmann(const double *x, guint n);
/* The exact interval of the shift by inverting the signed-rank test. FALSE: n too small for this confidence (6 for 95
 * %, 5 for 90 %). */
gboolean bh_stats_hodges_lehmann_interval(const double *x, guint n, double confidence, double *ret_low,
                                          double *ret_high);
/* Two samples: median of y[j] - x[i], and its interval by inverting Mann-Whitney's test (exact for n*m <= 10000 without
 * ties, else normal). */
double bh_stats_shift(const double *x, guint n, const double *y, guint m);
gboolean bh_stats_shift_interval(const double *x, guint n, const double *y, guint m, double confidence, double *ret_low,
                                 double *ret_high);
/* Benjamini and Hochberg 1995: adjusted p-values, in place of p's order. `ret`: n values; may be p itself. */
void bh_stats_benjamini_hochberg(const double *p, guint n, double *ret);
