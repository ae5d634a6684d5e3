/* SPDX-License-Identifier: MIT
 * Owns the calibrated figures of the rule. They are those of tests/calibration/results: a test compares them, and
 * `tests/calibration/study --known` prints what stands here after a study. */
#include "gate/known.h"

/* Of the rule as it is shipped. Until a study of a real machine is committed: tests/calibration/simulate, the setting
 * with the most false alarms of those that docs/calibration.md promises bounds for. */
static const BhKnown known = {
    .false_runs = 0.025,
    .false_runs_high = 0.0328,
    .found_5 = 0.8655,
    .found_10 = 0.9995,
    .cells = 20,
    .runs = 2000,
    .conditions = "simulated, with drift, a noisy neighbour and 1 % layout effects",
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
