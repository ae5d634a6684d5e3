/* SPDX-License-Identifier: MIT
 * Figures that are computed from the times of several cells: once per round, because a round (fresh processes) is the
 * replicate; what is printed is the median over rounds with its interval. Internal to parallel/. */
#pragma once
#include "results/merge.h"

typedef enum { BH_TIME_STEADY = 0, BH_TIME_TOTAL } BhTimeKind;

/* Times of `cells` cells in those rounds that have all of them. */
typedef struct {
  guint cells, rounds;
  double *ns;     /* [round * cells + cell]; a round's steady median, or its total */
  double *pooled; /* [cell]: the median over all rounds, or with fewer than BH_MERGE_MIN_ROUNDS over all samples */
  const BhMerged *like; /* whose rounds say how wide an interval over them is: one whose rounds ended when precise */
} BhTimes;

/* `cells`: of const BhMerged. NULL: one of them has no verified time; `ret_why` (static) says so. */
BhTimes *bh_times_new(const GPtrArray *cells, BhTimeKind kind, const char **ret_why);
void bh_times_free(BhTimes *times);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhTimes, bh_times_free)

/* A figure. With BH_MERGE_MIN_ROUNDS rounds or more it is the median over rounds, else it is computed from the pooled
 * times and has no interval. */
typedef struct {
  gboolean exists;
  double value;
  int beyond;      /* it does not exist because it lies below (-1) or above (1) what was measured; else 0 */
  const char *why; /* why it does not exist; static */
  gboolean interval;
  double low, high;        /* 95 %; -INFINITY or INFINITY: this end lies outside what was measured */
  const char *no_interval; /* why there is none; static */
  guint rounds;            /* that it is computed from; 0: pooled times */
} BhEstimate;

/* Computes figures from the times of one round: `ns` has one time per cell. NAN: does not exist in this round;
 * -INFINITY, INFINITY: lies below, above what was measured. */
typedef void (*BhFormula)(const double *ns, double *ret, gconstpointer user);

/* `n`: how many figures the formula gives. */
void bh_times_estimate(const BhTimes *times, BhFormula formula, gconstpointer user, guint n, BhEstimate *ret);
/* Figures that are known without measuring (a speedup of exactly 1), or do not exist. `why` is static. */
BhEstimate bh_estimate_exact(double value, const char *why);
BhEstimate bh_estimate_none(const char *why);
