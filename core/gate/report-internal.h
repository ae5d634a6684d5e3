/* SPDX-License-Identifier: MIT
 * The parts of judging a comparison. Internal to gate/. */
#pragma once
#include "gate/ab.h"

/* What the journal's run and end lines say, no cell judged yet. */
BhAbReport *bh_ab_report_new(const BhResults *results, const BhAbJudging *judging, GError **error);
/* When all cells and the control are judged: counts, exit status and why. */
void bh_ab_settle_exit(BhAbReport *report);
