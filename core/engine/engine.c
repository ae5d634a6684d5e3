/* SPDX-License-Identifier: MIT
 * Owns the order of a run: which cell is visited next, and how much time it gets. */
#include "engine/engine.h"

#include "base/clock.h"

#define LEAST_SHARE_NS INT64_C(1000000) /* of a spent budget: the worker still takes its fewest samples */

typedef struct {
  const BhPlan *plan;
  BhJournal *journal;
  BhResults *results;
  BhVisits *visits;
  gint64 start_ns;
  guint left; /* cells x rounds still to run, for sharing the budget */
} Run;

/* What is left of the suite's budget, shared evenly among what is left to run. */
static void share_budget(const Run *run, BhMeasure *measure) {
  const gint64 budget = run->plan->measure.budget_ns;
  if (budget <= 0 || !run->left)
    return;
  const gint64 spent = (gint64)bh_clock_now_ns() - run->start_ns;
  const gint64 share = MAX((budget - spent) / run->left, LEAST_SHARE_NS);
  measure->max_time_ns = measure->max_time_ns > 0 ? MIN(measure->max_time_ns, share) : share;
  measure->warmup_ns = MIN(measure->warmup_ns, share / 5);
}

static gboolean run_cell(Run *run, const BhCell *cell, guint round, GError **error) {
  BhVisit visit = {.round = round, .measure = cell->measure, .results = run->results};
  gint64 wall_ns;
  share_budget(run, &visit.measure);
  return bh_visits_run(run->visits, run->plan, cell, &visit, &wall_ns, error);
}

/* ---- All cells ---- */

static guint count_left(const Run *run, guint *ret_done) {
  guint left = 0;
  *ret_done = 0;
  for (guint i = 0; i < run->plan->cells->len; i++) {
    const BhCell *cell = run->plan->cells->pdata[i];
    for (guint round = 0; round < cell->measure.rounds; round++)
      if (bh_results_find(run->results, cell->id, round))
        (*ret_done)++;
      else
        left++;
  }
  return left;
}

/* What happened meanwhile on the machine; nothing when no cell of this round was left to run. */
static gboolean end_round(Run *run, guint round, const char *started, GError **error) {
  BhDisturbance disturbance;
  if (!bh_visits_span(run->visits, &disturbance))
    return TRUE;
  g_autoptr(JsonObject) line = bh_journal_round_line(round, started, &disturbance, FALSE);
  return bh_journal_append(run->journal, line, error) && bh_results_add(run->results, line, error);
}

static gboolean run_round(Run *run, guint round, GError **error) {
  guint n = 0;
  g_autofree char *started = bh_journal_now_text();
  g_autofree guint *order = bh_plan_order(run->plan, round, &n);
  for (guint i = 0; i < n && !bh_visits_interrupted(run->visits); i++) {
    const BhCell *cell = run->plan->cells->pdata[order[i]];
    if (bh_results_find(run->results, cell->id, round))
      continue;
    if (!run_cell(run, cell, round, error))
      return FALSE;
    run->left = run->left ? run->left - 1 : 0;
  }
  return end_round(run, round, started, error);
}

gboolean bh_engine_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                       BhRunSummary *ret_summary, GError **error) {
  Run run = {.plan = plan, .journal = journal, .results = results};
  guint done;
  run.start_ns = (gint64)bh_clock_now_ns();
  run.left = count_left(&run, &done);
  if (watcher && watcher->started)
    watcher->started(watcher->user, plan, run.left + done, done);
  *ret_summary = (BhRunSummary){0};
  run.visits = bh_visits_open(journal, watcher, error);
  gboolean ok = run.visits != NULL;
  const guint rounds = bh_plan_rounds(plan);
  for (guint round = 0; ok && round < rounds && !bh_visits_interrupted(run.visits); round++)
    ok = run_round(&run, round, error);
  gint64 inside_ns = 0;
  if (run.visits) {
    ret_summary->cells_run = bh_visits_count(run.visits);
    ret_summary->interrupted = bh_visits_interrupted(run.visits);
    inside_ns = bh_visits_inside_ns(run.visits);
  }
  g_clear_pointer(&run.visits, bh_visits_close);
  const gint64 wall_ns = (gint64)bh_clock_now_ns() - run.start_ns;
  ret_summary->wall_s = (double)wall_ns * 1e-9;
  ret_summary->overhead_s = (double)MAX(wall_ns - inside_ns, 0) * 1e-9;
  if (watcher && watcher->finished)
    watcher->finished(watcher->user, ret_summary->interrupted);
  return ok;
}

gboolean bh_engine_retry_failed(const BhPlan *plan, BhJournal *journal, BhResults *results, guint *ret_n,
                                GError **error) {
  *ret_n = 0;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    for (guint round = 0; round < cell->measure.rounds; round++) {
      const BhCellRecord *record = bh_results_find(results, cell->id, round);
      if (!record || record->status == BH_CELL_OK)
        continue;
      g_autoptr(JsonObject) line = json_object_new();
      json_object_set_string_member(line, "type", "retry");
      json_object_set_string_member(line, "id", cell->id);
      json_object_set_int_member(line, "round", round);
      if (!bh_journal_append(journal, line, error) || !bh_results_add(results, line, error))
        return FALSE;
      (*ret_n)++;
    }
  }
  return TRUE;
}
