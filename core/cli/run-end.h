/* SPDX-License-Identifier: MIT
 * How a run ended: in its journal, on stderr, as an exit status. For every subcommand that runs a plan. */
#pragma once
#include "engine/engine.h"

/* The `end` line. */
gboolean bh_run_end_append(BhJournal *journal, BhResults *results, const BhRunSummary *summary, GError **error);
/* What no table says of it. `quiet`: only what ended it; `resumable`: the journal is kept, and can be gone on with. */
void bh_run_end_say(const BhRunSummary *summary, gboolean quiet, gboolean resumable);
/* Of its cells; 130 where it was interrupted, and at least inconclusive where cells were never run, or the environment
 * was given up. */
int bh_run_end_status(const BhResults *results, const BhRunSummary *summary, gboolean strict);
