/* SPDX-License-Identifier: MIT
 * The order of a run and the time of its visits: mandatory rounds over all cells, then top-up passes over those that
 * are not precise, within the budget. Reads what was measured from the results only, so a resumed journal goes on as
 * the run would have; whoever makes the visits and tells the time is given to it. */
#pragma once
#include "engine/share.h"
#include "plan/plan.h"
#include "results/results.h"
#include "supervisor/visits.h"

typedef struct {
  void *user;
  /* Visits the cell and adds its record to the results, or none when it was interrupted. `measure`: the cell's, with
   * the visit's share of the budget as its budget (0: none). FALSE with `error`: nothing can go on. */
  gboolean (*visit)(void *user, const BhCell *cell, guint round, const BhMeasure *measure, GError **error);
  /* All visits of a round over all cells are made, or of a pass over some (-1). `ret_again`: records were struck, the
   * round goes on. May be NULL. */
  gboolean (*round_over)(void *user, gint round, gboolean *ret_again, GError **error);
  gboolean (*ended)(void *user); /* asked before every visit: interrupted or given up */
  gint64 (*now_ns)(void *user);
  void (*outlook)(void *user, const BhOutlook *outlook); /* may be NULL */
} BhScheduleHost;

typedef struct {
  guint mandatory; /* visits that every run has */
  guint left_out;  /* of these: not made, because the budget was spent */
  guint unvisited; /* cells without any record, for the same reason */
} BhScheduleEnd;

/* Returns when all is done, the budget is spent, or host->ended says so. */
gboolean bh_schedule_run(const BhPlan *plan, BhResults *results, const BhScheduleHost *host, BhScheduleEnd *ret,
                         GError **error);
/* The most rounds that a cell of this run may have. */
guint bh_schedule_most(const BhMeasure *cell, gint64 budget_ns);
/* Wall time that one round of all cells takes at least, in ns: the settings alone say, so it is too low rather than too
 * high. */
double bh_schedule_least_ns(const BhPlan *plan);
