/* SPDX-License-Identifier: MIT
 * The parts of judging and reporting a comparison. Internal to gate/. */
#pragma once
#include "gate/ab.h"

/* What the journal's run and end lines say, no cell judged yet. */
BhAbReport *bh_ab_report_new(const BhResults *results, const BhAbJudging *judging, GError **error);
/* 0, 2, 3 or 4. */
int bh_ab_control_status(const BhAbControl *control);
/* Why the run as a whole cannot be relied on when no cell and not the control says so; NULL: it can. The report's. */
const char *bh_ab_run_problem(const BhAbReport *report);
/* When all cells and the control are judged: counts, exit status and why. */
void bh_ab_settle_exit(BhAbReport *report);
