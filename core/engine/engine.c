/* SPDX-License-Identifier: MIT
 * Owns a run as a whole: the schedule's visits made for real, what is done about noise, who watches is told. */
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/schedule.h"

#include <math.h>
#include <string.h>

#define MOST_REJECTED 0.2 /* of all visits: a machine that is always disturbed is said to be, not waited for */
#define MOST_IN_A_ROW 3   /* of one visit */

typedef struct {
  const BhPlan *plan;
  BhJournal *journal;
  BhResults *results;
  BhVisits *visits;
  const BhWatcher *watcher;
  BhRunSummary *summary;
  guint expected;                       /* visits that every run has */
  guint visits_before, rejected_before; /* by earlier sessions of a resumed run */
  guint kept;                           /* disturbed visits since the last round line that were not struck */
  BhOutlook outlook;                    /* the schedule's last word */
  gint64 told_ns;                       /* when it was said */
  char *span_from;                      /* when the first visit since the last round line began; NULL: there was none */
} Run;

/* ---- Noise ---- */

static gboolean policy_is(const Run *run, const char *policy) {
  return !g_strcmp0(run->plan->measure.noise, policy);
}

/* Of the budget, now; INFINITY: there is none. */
static double left_ns(const Run *run) {
  return run->outlook.left_s * 1e9 - (double)((gint64)bh_clock_now_ns() - run->told_ns);
}

/* TRUE: `n` more records may be struck, whose visits took `wall_ns`. What cannot be repeated any more is kept: a
 * flagged figure is better than none. */
static gboolean may_reject(const Run *run, guint n, gint64 wall_ns) {
  const guint all = MAX(run->expected, run->visits_before + bh_visits_count(run->visits));
  return policy_is(run, "reject") && run->rejected_before + run->summary->rejected + n <= MOST_REJECTED * all &&
         left_ns(run) >= (double)wall_ns;
}

/* A struck record's visit is made once more. */
static void count_rejected(Run *run, const BhCell *cell) {
  BhOutlook what = run->outlook;
  what.more = 1;
  what.left_s = left_ns(run) * 1e-9;
  what.again = cell;
  run->summary->rejected++;
  if (run->watcher && run->watcher->outlook)
    run->watcher->outlook(run->watcher->user, &what);
}

static gboolean strike(BhJournal *journal, BhResults *results, const char *id, guint round, const char *why,
                       GError **error) {
  g_autoptr(JsonObject) line = json_object_new();
  json_object_set_string_member(line, "type", "retry");
  json_object_set_string_member(line, "id", id);
  json_object_set_int_member(line, "round", round);
  json_object_set_string_member(line, "reason", why);
  return bh_journal_append(journal, line, error) && bh_results_add(results, line, error);
}

/* ---- What the schedule asks for ---- */

/* Times that something else disturbed are worth nothing; that a cell is wrong or crashes is. */
static gboolean visit(void *user, const BhCell *cell, guint round, const BhMeasure *measure, GError **error) {
  Run *run = user;
  BhVisit one = {.round = round, .measure = *measure, .results = run->results};
  if (!run->span_from)
    run->span_from = bh_journal_now_text();
  for (guint again = 0;; again++) {
    gint64 wall_ns;
    bh_visits_mark(run->visits);
    if (!bh_visits_run(run->visits, run->plan, cell, &one, &wall_ns, error))
      return FALSE;
    const BhCellRecord *record = bh_results_find(run->results, cell->id, round);
    const char *why = record ? bh_disturbance_rejects(bh_visits_last(run->visits)) : NULL;
    if (!why)
      return TRUE;
    if (policy_is(run, "abort"))
      run->summary->aborted = why;
    if (record->status != BH_CELL_OK || again >= MOST_IN_A_ROW || bh_visits_interrupted(run->visits) ||
        !may_reject(run, 1, wall_ns)) {
      run->kept += record->status == BH_CELL_OK;
      return TRUE;
    }
    if (!strike(run->journal, run->results, cell->id, round, why, error))
      return FALSE;
    bh_visits_drop(run->visits);
    count_rejected(run, cell);
    if (one.measure.budget_ns > 0)
      one.measure.budget_ns = (gint64)CLAMP(left_ns(run), 1, (double)measure->budget_ns);
  }
}

/* Of BhCellRecord: what the visits of this round have left, and is a time. */
static GPtrArray *timed_of(const Run *run, guint from, gint round) {
  GPtrArray *records = g_ptr_array_new();
  for (guint i = from; round >= 0 && i < run->results->records->len; i++) {
    const BhCellRecord *record = run->results->records->pdata[i];
    if (record->round == (guint)round && record->status == BH_CELL_OK)
      g_ptr_array_add(records, (gpointer)record);
  }
  return records;
}

/* Of (id, BhCell), the plan's. */
static GHashTable *cells_by_id(const BhPlan *plan) {
  GHashTable *cells = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < plan->cells->len; i++)
    g_hash_table_insert(cells, ((const BhCell *)plan->cells->pdata[i])->id, plan->cells->pdata[i]);
  return cells;
}

static gboolean strike_all(Run *run, const GPtrArray *records, const char *why, GError **error) {
  g_autoptr(GHashTable) cells = cells_by_id(run->plan);
  for (guint i = 0; i < records->len; i++) {
    const BhCellRecord *record = records->pdata[i];
    if (!strike(run->journal, run->results, record->id, record->round, why, error))
      return FALSE;
    count_rejected(run, g_hash_table_lookup(cells, record->id));
  }
  return TRUE;
}

/* A round shows steal that no single visit could: the kernel counts in ticks. */
static gboolean round_over(void *user, gint round, gboolean *ret_again, GError **error) {
  Run *run = user;
  BhDisturbance disturbance;
  *ret_again = FALSE;
  if (!bh_visits_span(run->visits, &disturbance))
    return TRUE;
  g_autofree char *started = g_steal_pointer(&run->span_from);
  const char *why = bh_disturbance_rejects(&disturbance);
  g_autoptr(GPtrArray) records = timed_of(run, run->results->span_from, round);
  if (why && policy_is(run, "abort"))
    run->summary->aborted = why;
  *ret_again =
      why && records->len && !bh_visits_interrupted(run->visits) && may_reject(run, records->len, disturbance.wall_ns);
  if (policy_is(run, "reject") && !*ret_again)
    run->summary->kept_disturbed += why ? MAX(records->len, run->kept) : run->kept;
  run->kept = 0;
  g_autoptr(JsonObject) line = bh_journal_round_line(round, started, &disturbance, *ret_again);
  if (!bh_journal_append(run->journal, line, error) || !bh_results_add(run->results, line, error))
    return FALSE;
  return !*ret_again || strike_all(run, records, why, error);
}

static gboolean ended(void *user) {
  const Run *run = user;
  return run->summary->aborted || bh_visits_interrupted(run->visits);
}

static gint64 now_ns(void *user) {
  (void)user;
  return (gint64)bh_clock_now_ns();
}

static void outlook(void *user, const BhOutlook *what) {
  Run *run = user;
  run->outlook = *what;
  run->outlook.more = 0;
  run->told_ns = (gint64)bh_clock_now_ns();
  if (run->watcher && run->watcher->outlook)
    run->watcher->outlook(run->watcher->user, what);
}

/* ---- The run ---- */

static void tell_start(Run *run) {
  guint left = 0, done = 0;
  for (guint i = 0; i < run->plan->cells->len; i++) {
    const BhCell *cell = run->plan->cells->pdata[i];
    const BhCellResult *before = g_hash_table_lookup(run->results->index, cell->id);
    run->expected += cell->measure.rounds;
    done += before ? before->rounds->len : 0;
    for (guint round = 0; round < cell->measure.rounds; round++)
      left += !bh_results_find(run->results, cell->id, round);
  }
  if (run->watcher && run->watcher->started)
    run->watcher->started(run->watcher->user, run->plan, left + done, done);
}

/* A record that was ok was struck for noise; --retry-failed strikes others. */
static void count_before(Run *run) {
  run->visits_before = run->results->records->len + run->results->struck->len;
  for (guint i = 0; i < run->results->struck->len; i++)
    run->rejected_before += ((const BhCellRecord *)run->results->struck->pdata[i])->status == BH_CELL_OK;
}

gboolean bh_engine_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                       BhRunSummary *ret_summary, GError **error) {
  Run run = {.plan = plan,
             .journal = journal,
             .results = results,
             .watcher = watcher,
             .summary = ret_summary,
             .outlook = {.left_s = INFINITY}};
  const BhScheduleHost host = {
      .user = &run, .visit = visit, .round_over = round_over, .ended = ended, .now_ns = now_ns, .outlook = outlook};
  const gint64 start_ns = (gint64)bh_clock_now_ns();
  gint64 inside_ns = 0;
  *ret_summary = (BhRunSummary){0};
  count_before(&run);
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
  g_free(run.span_from);
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
      const guint round = g_array_index(again, guint, k);
      if (!strike(journal, results, cell->id, round, "it did not end ok (--retry-failed)", error))
        return FALSE;
      (*ret_n)++;
    }
  }
  return TRUE;
}
