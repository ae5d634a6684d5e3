/* SPDX-License-Identifier: MIT
 * Runs a plan: one fresh process per cell and round, in the plan's order, each under its deadline and memory limit;
 * turns what happened into journal lines. Loads no plugin. */
#pragma once
#include "plan/plan.h"
#include "results/results.h"
#include "supervisor/journal.h"

/* What a person watching wants to know. All called from bh_supervisor_run, in its thread. Any may be NULL. */
typedef struct {
  void *user;
  void (*started)(void *user, const BhPlan *plan, guint total, guint already_done); /* total: cells x rounds */
  void (*cell_started)(void *user, const BhCell *cell, guint round);
  void (*cell_phase)(void *user, const BhCell *cell, const char *phase);
  void (*cell_log)(void *user, const BhCell *cell, const char *text);
  void (*cell_done)(void *user, const BhCell *cell, const BhCellRecord *record);
  void (*finished)(void *user, gboolean interrupted);
} BhWatcher;

typedef struct {
  guint cells_run;
  gboolean interrupted;
  double wall_s; /* of the whole run */
  double
      overhead_s; /* wall time outside open..close of cells: spawn, load, probe, journal; what 20 ms a cell is about */
} BhRunSummary;

/* For --retry-failed, before bh_supervisor_run: every cell of the plan that did not end as `ok` is struck from
 * `results`, with a `retry` line in the journal that says so, and will be run again. `ret_n`: how many. */
gboolean bh_supervisor_retry_failed(const BhPlan *plan, BhJournal *journal, BhResults *results, guint *ret_n,
                                    GError **error);

/* Appends to `journal` and to `results` (which already holds what a resumed journal had; those (id, round) are not run
 * again). Between its first and last line SIGINT, SIGTERM and SIGHUP belong to it: the first ends the current cell and
 * the run, the second kills. FALSE with `error` only when it cannot go on (journal's disk full); what is in the journal
 * stays. */
gboolean bh_supervisor_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                           BhRunSummary *ret_summary, GError **error);
