/* SPDX-License-Identifier: MIT
 * What a cell used besides time: CPU time and counters, one figure per cell out of its rounds. Internal to results/. */
#pragma once
#include "results/merge.h"
#include "results/primary.h"

typedef struct {
  gboolean exists;
  double median;    /* over rounds of each round's median, per run */
  BhBasis basis;    /* ROUNDS (6 or more) or NONE */
  double low, high; /* of the median, 95 % */
  const char *unit; /* "ns", "J", "" */
  const char *why;  /* why there is none: the record's own words, or static */
} BhObserved;

BhObserved bh_observed_cpu(const BhMerged *cell);
BhObserved bh_observed_counter(const BhMerged *cell, const char *name);
/* a / b, as far as both exist: instructions per cycle, misses per access. */
gboolean bh_observed_ratio(const BhMerged *cell, const char *a, const char *b, double *ret);
/* The largest share of flagged samples in any round. FALSE: not recorded. */
gboolean bh_observed_flagged(const BhMerged *cell, double *ret_share);
/* Names of all counters that the cells' records have, in order of appearance; of char *, caller unrefs. */
GPtrArray *bh_observed_counters(const GPtrArray *cells);
