/* SPDX-License-Identifier: MIT
 * Owns the calibrated figures of the rule (docs/calibration.md). */
#include "gate/known.h"

gboolean bh_rule_known(const BhRule *rule, BhKnown *ret) {
  (void)rule;
  *ret = (BhKnown){0}; /* no calibration has been published with this version */
  return FALSE;
}
