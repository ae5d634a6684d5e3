/* SPDX-License-Identifier: MIT
 * Owns a run as a whole: the schedule's visits made for real, told to who watches, counted. */
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/schedule.h"

#include <math.h>

typedef struct {
  const BhPlan *plan;
  BhResults *results;
  BhVisits *visits;
  const BhWatcher *watcher;
} Run;

/* ---- What the schedule asks for ---- */

static gboolean visit(void *user, const BhCell *cell, guint round, const BhMeasure *measure, GError **error) {
  Run *run = user;
  const BhVisit one = {.round = round, .measure = *measure, .results = run->results};
  gint64 wall_ns;
  return bh_visits_run(run->visits, run->plan, cell, &one, &wall_ns, error);
}

static gboolean ended(void *user) {
  return bh_visits_interrupted(((Run *)user)->visits);
}

static gint64 now_ns(void *user) {
  (void)user;
  return (gint64)bh_clock_now_ns();
}

static void outlook(void *user, const BhOutlook *what) {
  const BhWatcher *watcher = ((Run *)user)->watcher;
  if (watcher && watcher->outlook)
    watcher->outlook(watcher->user, what);
}

/* ---- The run ---- */

static void tell_start(const Run *run) {
  guint left = 0, done = 0;
  if (!run->watcher || !run->watcher->started)
    return;
  for (guint i = 0; i < run->plan->cells->len; i++) {
    const BhCell *cell = run->plan->cells->pdata[i];
    const BhCellResult *before = g_hash_table_lookup(run->results->index, cell->id);
    done += before ? before->rounds->len : 0;
    for (guint round = 0; round < cell->measure.rounds; round++)
      left += !bh_results_find(run->results, cell->id, round);
  }
  run->watcher->started(run->watcher->user, run->plan, left + done, done);
}

gboolean bh_engine_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                       BhRunSummary *ret_summary, GError **error) {
  Run run = {.plan = plan, .results = results, .watcher = watcher};
  const BhScheduleHost host = {.user = &run, .visit = visit, .ended = ended, .now_ns = now_ns, .outlook = outlook};
  const gint64 start_ns = (gint64)bh_clock_now_ns();
  gint64 inside_ns = 0;
  *ret_summary = (BhRunSummary){0};
  tell_start(&run);
  run.visits = bh_visits_open(journal, watcher, error);
  gboolean ok = run.visits != NULL;
  if (ok) {
    BhScheduleEnd end;
    ok = bh_schedule_run(plan, results, &host, &end, error);
    ret_summary->cells_run = bh_visits_count(run.visits);
    ret_summary->interrupted = bh_visits_interrupted(run.visits);
    ret_summary->left_out = end.left_out;
    ret_summary->unvisited = end.unvisited;
    inside_ns = bh_visits_inside_ns(run.visits);
  }
  g_clear_pointer(&run.visits, bh_visits_close);
  const gint64 wall_ns = (gint64)bh_clock_now_ns() - start_ns;
  ret_summary->wall_s = (double)wall_ns * 1e-9;
  ret_summary->overhead_s = (double)MAX(wall_ns - inside_ns, 0) * 1e-9;
  if (watcher && watcher->finished)
    watcher->finished(watcher->user, ret_summary->interrupted);
  return ok;
}

/* ---- Before it ---- */

/* Of guint. */
static GArray *failed_rounds(const BhResults *results, const BhCell *cell) {
  GArray *rounds = g_array_new(FALSE, FALSE, sizeof(guint));
  const BhCellResult *all = g_hash_table_lookup(results->index, cell->id);
  for (guint i = 0; all && i < all->rounds->len; i++) {
    const BhCellRecord *record = all->rounds->pdata[i];
    if (record->status != BH_CELL_OK)
      g_array_append_val(rounds, record->round);
  }
  return rounds;
}

gboolean bh_engine_retry_failed(const BhPlan *plan, BhJournal *journal, BhResults *results, guint *ret_n,
                                GError **error) {
  *ret_n = 0;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    g_autoptr(GArray) again = failed_rounds(results, cell);
    for (guint k = 0; k < again->len; k++) {
      g_autoptr(JsonObject) line = json_object_new();
      json_object_set_string_member(line, "type", "retry");
      json_object_set_string_member(line, "id", cell->id);
      json_object_set_int_member(line, "round", g_array_index(again, guint, k));
      if (!bh_journal_append(journal, line, error) || !bh_results_add(results, line, error))
        return FALSE;
      (*ret_n)++;
    }
  }
  return TRUE;
}
