/* SPDX-License-Identifier: MIT
 * The formulas, as functions of plain numbers: what docs/parallel.md explains. Nothing here knows of cells or rounds.
 */
#pragma once
#include <glib.h>

/* Karp and Flatt 1990: the serial fraction that Amdahl's law would need to explain speedup S on p processors,
 * e = (1/S - 1/p) / (1 - 1/p). p >= 2. Negative: faster than p times. */
double bh_formula_karp_flatt(double speedup, double p);

/* Gunther's Universal Scalability Law: X(N) = lambda N / (1 + alpha (N-1) + beta N (N-1)). */
typedef struct {
  double lambda, alpha, beta; /* runs per second of one worker; contention; coherency */
} BhUsl;
/* Fits `n` >= 3 points (workers, time of one run in s) by weighted linear least squares in the form
 * N T(N) = c0 + c1 (N-1) + c2 N (N-1), lambda = 1/c0, alpha = c1/c0, beta = c2/c0. Weights 1/(N T)^2: the noise of a
 * time is proportional to it. `ret_residuals`: n relative residuals, T / T fitted - 1; may be NULL. FALSE: the points
 * do not determine the three (fewer than 3 different N), or c0 <= 0. */
gboolean bh_formula_usl(const double *workers, const double *seconds, guint n, BhUsl *ret, double *ret_residuals);
/* N* = sqrt((1 - alpha) / beta) where throughput is highest; 1 for alpha >= 1; INFINITY for beta <= 0: never falls. */
double bh_formula_usl_peak(const BhUsl *fit);

/* Where the polyline through (ln x[i], y[i]) crosses `level`, ascending; x ascending and positive. Touching a level
 * without crossing it does not count. `ret`: room for n values. Returns how many. */
guint bh_formula_crossings(const double *x, const double *y, guint n, double level, double *ret);
/* y at `x` on the polyline through (ln x[i], ln y[i]); x within the points; all positive. */
double bh_formula_between(const double *xs, const double *ys, guint n, double x);

/* Williams, Waterman and Patterson 2009: the most that `flops` per run and `bytes` per run allow, runs per second,
 * under peaks of flop/s and byte/s. 0 flops or 0 bytes: this roof does not bind. */
double bh_formula_roof(double flops, double bytes, double peak_flops, double peak_bytes);
