/* SPDX-License-Identifier: MIT
 * Owns the calibrated figures of the rule. They are those of tests/calibration/results: a test compares them, and
 * `tests/calibration/study --known` prints what stands here after a study. */
#include "gate/known.h"

/* Of the rule as it is shipped: tests/calibration/results/study.jsonl.gz. */
static const BhKnown known = {
    .false_runs = 0.0019,
    .false_runs_high = 0.0106,
    .found_5 = 0.71,
    .found_10 = 0.91,
    .cells = 20,
    .runs = 525,
    .conditions = "measured, on a virtual machine with 2 CPUs, quiet and not",
};

static gboolean same_rule(const BhRule *a, const BhRule *b) {
  return a->screen_rounds == b->screen_rounds && a->confirm_rounds == b->confirm_rounds &&
         a->screen_shift == b->screen_shift && a->margin == b->margin && a->q == b->q &&
         a->equivalence == b->equivalence && a->equivalent_shift == b->equivalent_shift;
}

gboolean bh_rule_known(const BhRule *rule, BhKnown *ret) {
  const BhRule shipped = bh_rule_default();
  *ret = (BhKnown){0};
  if (!same_rule(rule, &shipped))
    return FALSE;
  *ret = known;
  return TRUE;
}
