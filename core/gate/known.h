/* SPDX-License-Identifier: MIT
 * What is known of the rule's own errors: the figures of docs/calibration.md, so that they are printed beside every
 * verdict. Generated numbers go into known.c and nowhere else. */
#pragma once
#include "gate/rule.h"

typedef struct {
  double false_runs;      /* share of unchanged runs that show any regression */
  double false_runs_high; /* upper end of its 95 % interval */
  double found_5;         /* share of 5 % slowdowns that are found */
  double found_10;        /* the same of 10 % */
  guint cells, runs;      /* cells of such a run; runs that the figures stand on */
  const char *conditions; /* "simulated, ..." or "measured, ...": under which conditions; static */
} BhKnown;

/* FALSE: a rule with these settings was not calibrated; `ret` is then zeroed. */
gboolean bh_rule_known(const BhRule *rule, BhKnown *ret);
