/* SPDX-License-Identifier: MIT
 * Runs a plan: rounds over all cells in the plan's order, each visit a fresh process, then as many more as precision
 * asks for and the budget pays. Loads no plugin. */
#pragma once
#include "supervisor/visits.h"

typedef struct {
  guint cells_run;
  gboolean interrupted;
  guint left_out;       /* visits of the mandatory rounds that were not made: the budget was spent */
  guint unvisited;      /* cells without any record, for the same reason */
  guint rejected;       /* records struck by `noise: reject` */
  guint kept_disturbed; /* that it would have struck, were that not a fifth of all by then */
  const char *aborted;  /* what ended the run, by `noise: abort`; NULL: nothing. Static */
  double wall_s;        /* of the whole run */
  double
      overhead_s; /* wall time outside open..close of cells: spawn, load, probe, journal; what 20 ms a cell is about */
} BhRunSummary;

/* For --retry-failed, before bh_engine_run: every cell of the plan that did not end as `ok` is struck from
 * `results`, with a `retry` line in the journal that says so, and will be run again. `ret_n`: how many. */
gboolean bh_engine_retry_failed(const BhPlan *plan, BhJournal *journal, BhResults *results, guint *ret_n,
                                GError **error);

/* Appends to `journal` and to `results` (which already holds what a resumed journal had; those (id, round) are not run
 * again). Between its first and last line SIGINT, SIGTERM and SIGHUP belong to it: the first ends the current cell and
 * the run, the second kills. FALSE with `error` only when it cannot go on (journal's disk full); what is in the journal
 * stays. */
gboolean bh_engine_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                       BhRunSummary *ret_summary, GError **error);
