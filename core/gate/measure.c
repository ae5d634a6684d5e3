/* SPDX-License-Identifier: MIT
 * Owns the order of a comparison: rounds, pairs side by side, who is screened and who is confirmed, where the control
 * stands, and when it ends. All of its state is in the results, so that a journal can be taken up again. */
#include "gate/measure.h"

#include "base/clock.h"
#include "gate/control.h"
#include "gate/order.h"
#include "gate/series.h"

#include <string.h>

#define MOST_FAILURES 2   /* visits of a pair; then it has no verdict anyway */
#define MOST_REJECTED 0.2 /* of all pairs: a machine that is always disturbed is said to be, not waited for */
#define MOST_IN_A_ROW 3   /* of one pair */

typedef struct {
  const BhAbTask *task;
  BhJournal *journal;
  BhResults *results;
  const BhAbWatcher *watcher;
  BhVisits *visits;
  GPtrArray *tracks; /* of Track: the pairs, then the control */
  BhControl *control;
  gint64 start_ns;
  BhAbSummary *summary;
  char *round_started;      /* NULL: no visit yet */
  guint expected, rejected; /* pairs that there are to measure so far; that were struck for noise */
  const char *kept;         /* why pairs were disturbed that are kept, as too many were; NULL: none */
  gboolean aborted;
} Run;

/* One pair as it is visited. */
typedef struct {
  guint index; /* in `tracks`: what its coin hangs on */
  const char *label;
  const BhCell *cell[2];
  const BhPlan *plan[2];
  BhAbWhere where;
} Track;

static guint all_rounds(const Run *run) {
  return run->task->rule.screen_rounds + run->task->rule.confirm_rounds;
}

static BhPrimary primary_of(const BhCell *cell) {
  BhPrimary primary;
  bh_primary_parse(cell->measure.primary ? cell->measure.primary : "wall", &primary);
  return primary;
}

static Track *add_track(Run *run, const char *label, const BhCell *base, const BhCell *other, const char *const *arms) {
  Track *track = g_new0(Track, 1);
  const gboolean control = arms == bh_ab_control_arms;
  track->index = run->tracks->len;
  track->label = label;
  track->cell[0] = base;
  track->cell[1] = other;
  track->plan[0] = run->task->plan[0];
  track->plan[1] = run->task->plan[control ? 0 : 1];
  track->where = (BhAbWhere){.id = {base->id, other->id}, .arms = arms, .primary = primary_of(base)};
  g_ptr_array_add(run->tracks, track);
  return track;
}

/* ---- One pair ---- */

static gboolean over(Run *run) {
  const gint64 budget = run->task->budget_ns;
  if (!run->summary->out_of_time && budget > 0 && (gint64)bh_clock_now_ns() - run->start_ns >= budget)
    run->summary->out_of_time = TRUE;
  return run->summary->out_of_time || run->aborted || bh_visits_interrupted(run->visits);
}

static const BhCellRecord *record_of(const Run *run, const Track *track, guint side, guint round) {
  return bh_results_find_arm(run->results, track->where.id[side], track->where.arms[side], round);
}

/* The record counts no more: its pair is measured again. */
static gboolean strike(Run *run, const Track *track, guint side, guint round, const char *why, GError **error) {
  g_autoptr(JsonObject) line = json_object_new();
  json_object_set_string_member(line, "type", "retry");
  json_object_set_string_member(line, "id", track->where.id[side]);
  json_object_set_int_member(line, "round", round);
  json_object_set_string_member(line, "arm", track->where.arms[side]);
  json_object_set_string_member(line, "reason", why);
  return bh_journal_append(run->journal, line, error) && bh_results_add(run->results, line, error);
}

/* ---- Noise ---- */

static gboolean policy_is(const Run *run, const char *policy) {
  return !g_strcmp0(run->task->plan[0]->measure.noise, policy);
}

/* Both visits of the pair are there and have times: what noise can spoil. */
static gboolean is_timed(const Run *run, const Track *track, guint round) {
  for (guint side = 0; side < 2; side++) {
    const BhCellRecord *record = record_of(run, track, side, round);
    if (!record || record->status != BH_CELL_OK)
      return FALSE;
  }
  return TRUE;
}

/* TRUE: `n` more pairs may be struck. */
static gboolean may_reject(Run *run, guint n, const char *why) {
  if (policy_is(run, "abort")) {
    run->aborted = TRUE;
    run->kept = why;
  }
  if (!policy_is(run, "reject"))
    return FALSE;
  if (run->rejected + n <= MOST_REJECTED * run->expected) {
    run->rejected += n;
    return TRUE;
  }
  run->kept = why;
  return FALSE;
}

/* ---- Visits ---- */

/* `why`: set if something else disturbed it; else left alone. */
static gboolean visit(Run *run, const Track *track, guint side, guint round, const char **why, GError **error) {
  const BhCell *cell = track->cell[side];
  const BhVisit what = {.round = round,
                        .arm = track->where.arms[side],
                        .stage = round < run->task->rule.screen_rounds ? "screen" : "confirm",
                        .measure = cell->measure,
                        .results = run->results,
                        .inputs = track->cell[BH_SIDE_BASE]};
  gint64 wall_ns;
  if (!run->round_started)
    run->round_started = bh_journal_now_text();
  if (!bh_visits_run(run->visits, track->plan[side], cell, &what, &wall_ns, error))
    return FALSE;
  const char *rejects = wall_ns > 0 ? bh_disturbance_rejects(bh_visits_last(run->visits)) : NULL;
  *why = rejects ? rejects : *why;
  return TRUE;
}

/* Half a pair is what an interruption left: the two must be neighbours in time, so both are measured again. */
static gboolean visit_pair(Run *run, const Track *track, guint round, GError **error) {
  const BhCellRecord *const has[2] = {record_of(run, track, 0, round), record_of(run, track, 1, round)};
  const char *unused = NULL;
  if (has[0] && has[1])
    return TRUE;
  for (guint side = 0; side < 2; side++) {
    if (has[side] && has[side]->status != BH_CELL_OK) /* that it failed stays true */
      return visit(run, track, !side, round, &unused, error);
    if (has[side] && !strike(run, track, side, round, "the other half of its pair was not measured", error))
      return FALSE;
  }
  for (guint again = 0;; again++) {
    const guint first = bh_ab_first(run->task->seed, track->index, round);
    const char *why = NULL;
    bh_visits_mark(run->visits);
    if (!visit(run, track, first, round, &why, error) || !visit(run, track, !first, round, &why, error))
      return FALSE;
    if (!why || again >= MOST_IN_A_ROW || !is_timed(run, track, round) || !may_reject(run, 1, why))
      return TRUE;
    if (!strike(run, track, 0, round, why, error) || !strike(run, track, 1, round, why, error))
      return FALSE;
    bh_visits_drop(run->visits); /* nor is it held against the round */
  }
}

static gboolean visit_all(Run *run, const GPtrArray *tracks, guint round, GError **error) {
  g_autofree guint *order = bh_ab_order(run->task->seed, round, tracks->len);
  for (guint i = 0; i < tracks->len && !over(run); i++)
    if (!visit_pair(run, tracks->pdata[order[i]], round, error))
      return FALSE;
  return TRUE;
}

/* A round shows steal that no single visit could: the kernel counts in ticks. `ret_again`: its pairs were struck, which
 * only `may_strike` allows. */
static gboolean end_round(Run *run, const GPtrArray *tracks, guint round, gboolean may_strike, gboolean *ret_again,
                          GError **error) {
  BhDisturbance seen;
  g_autoptr(GPtrArray) timed = g_ptr_array_new(); /* of Track, theirs */
  g_autofree char *started = g_steal_pointer(&run->round_started);
  *ret_again = FALSE;
  if (!bh_visits_span(run->visits, &seen))
    return TRUE;
  const char *why = bh_disturbance_rejects(&seen);
  for (guint i = 0; i < tracks->len; i++)
    if (is_timed(run, tracks->pdata[i], round))
      g_ptr_array_add(timed, tracks->pdata[i]);
  *ret_again = may_strike && why && timed->len && !over(run) && may_reject(run, timed->len, why);
  g_autoptr(JsonObject) line = bh_journal_round_line((gint)round, started, &seen, *ret_again);
  if (!bh_journal_append(run->journal, line, error) || !bh_results_add(run->results, line, error))
    return FALSE;
  for (guint i = 0; *ret_again && i < timed->len; i++)
    if (!strike(run, timed->pdata[i], 0, round, why, error) || !strike(run, timed->pdata[i], 1, round, why, error))
      return FALSE;
  return TRUE;
}

static gboolean run_round(Run *run, const GPtrArray *tracks, guint round, GError **error) {
  gboolean again = TRUE;
  for (guint i = 0; again; i++)
    if (!visit_all(run, tracks, round, error) || !end_round(run, tracks, round, i < MOST_IN_A_ROW, &again, error))
      return FALSE;
  return TRUE;
}

/* ---- The control ---- */

static gboolean has_figure(const Run *run, const Track *track) {
  g_autoptr(BhAbSeries) series = bh_ab_series_new(run->results, &track->where, 0, 1);
  return series->d->len == 1 && !bh_ab_failures(run->results, &track->where, all_rounds(run));
}

static gint64 cost_of(const Run *run, const Track *track) {
  const BhCellRecord *record = record_of(run, track, BH_SIDE_BASE, 0);
  JsonNode *node = record ? json_object_get_member(record->record, "wall_ns") : NULL;
  return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : G_MAXINT64;
}

static int compare_costs(gconstpointer a, gconstpointer b, gpointer user) {
  const Run *run = user;
  const Track *x = *(Track *const *)a, *y = *(Track *const *)b;
  const gint64 p = cost_of(run, x), q = cost_of(run, y);
  return p != q ? (p < q ? -1 : 1) : x->index < y->index ? -1 : 1;
}

/* After the first round: one of the cheaper half of those that gave a figure, drawn by the seed. A resumed run goes on
 * with the cell that it had. NULL: there is none. */
static const Track *choose_control(Run *run) {
  g_autoptr(GPtrArray) able = g_ptr_array_new(); /* of Track, theirs */
  for (guint i = 0; i < run->tracks->len; i++) {
    Track *track = run->tracks->pdata[i];
    if (bh_results_find_arm(run->results, track->where.id[0], bh_ab_control_arms[0], 0) ||
        bh_results_find_arm(run->results, track->where.id[0], bh_ab_control_arms[1], 0))
      return track;
    if (has_figure(run, track) && bh_ab_control_matches(run->task, track->label))
      g_ptr_array_add(able, track);
  }
  if (!able->len)
    return NULL;
  g_ptr_array_sort_with_data(able, compare_costs, run);
  const guint half = run->task->control_glob ? 1 : (able->len + 1) / 2;
  return able->pdata[bh_ab_draw(run->task->seed, half)];
}

static gboolean add_control(Run *run, GPtrArray *active, GError **error) {
  const Track *track = run->task->no_control || run->control ? NULL : choose_control(run);
  g_autofree char *note = NULL;
  if (!track)
    return TRUE;
  run->control = bh_control_new(track->cell[0], bh_visits_folder(run->visits), &note, error);
  if (!run->control)
    return FALSE;
  if (note) {
    g_autoptr(JsonObject) line = json_object_new();
    json_object_set_string_member(line, "type", "note");
    json_object_set_string_member(line, "text", note);
    if (!bh_journal_append(run->journal, line, error) || !bh_results_add(run->results, line, error))
      return FALSE;
  }
  Track *own = add_track(run, track->label, track->cell[0], bh_control_cell(run->control), bh_ab_control_arms);
  g_ptr_array_add(active, own);
  g_autoptr(GPtrArray) alone = g_ptr_array_new(); /* of Track, theirs */
  g_ptr_array_add(alone, own);
  return run_round(run, alone, 0, error);
}

/* ---- Stages ---- */

static void tell_round(const Run *run, const char *stage, guint round, guint rounds, guint pairs) {
  if (run->watcher && run->watcher->round)
    run->watcher->round(run->watcher->user, stage, round, rounds, pairs);
}

static guint already(const Run *run, const GPtrArray *tracks, guint from, guint to) {
  guint n = 0;
  for (guint i = 0; i < tracks->len; i++)
    for (guint round = from; round < to; round++)
      n += (record_of(run, tracks->pdata[i], 0, round) != NULL) + (record_of(run, tracks->pdata[i], 1, round) != NULL);
  return n;
}

/* A stage is a run of its own for who watches: only at its beginning is it known how much there is to do. */
static void tell_stage(const Run *run, const GPtrArray *tracks, guint extra, guint from, guint to) {
  const BhWatcher *w = run->watcher ? run->watcher->visits : NULL;
  if (w && w->started)
    w->started(w->user, run->task->plan[0], 2 * (tracks->len + extra) * (to - from), already(run, tracks, from, to));
}

static void tell_stage_end(Run *run) {
  const BhWatcher *w = run->watcher ? run->watcher->visits : NULL;
  if (w && w->finished)
    w->finished(w->user, bh_visits_interrupted(run->visits));
}

/* Pairs that failed too often are not visited any more. */
static void drop_failed(const Run *run, GPtrArray *tracks) {
  for (guint i = tracks->len; i-- > 0;)
    if (bh_ab_failures(run->results, &((const Track *)tracks->pdata[i])->where, all_rounds(run)) >= MOST_FAILURES)
      g_ptr_array_remove_index(tracks, i);
}

static gboolean screen(Run *run, GError **error) {
  const guint rounds = run->task->rule.screen_rounds;
  g_autoptr(GPtrArray) active = g_ptr_array_new(); /* of Track, theirs */
  for (guint i = 0; i < run->tracks->len; i++)
    g_ptr_array_add(active, run->tracks->pdata[i]);
  tell_stage(run, active, !run->task->no_control, 0, rounds);
  run->expected = rounds * (active->len + !run->task->no_control);
  gboolean ok = TRUE;
  for (guint round = 0; ok && round < rounds && active->len && !over(run); round++) {
    tell_round(run, "screen", round, rounds, active->len);
    ok = run_round(run, active, round, error);
    if (ok && round == 0 && !over(run))
      ok = add_control(run, active, error);
    drop_failed(run, active);
  }
  tell_stage_end(run);
  return ok;
}

static gboolean is_suspect(const Run *run, const Track *track) {
  const BhRule *rule = &run->task->rule;
  if (bh_ab_failures(run->results, &track->where, rule->screen_rounds))
    return FALSE; /* gets no verdict */
  g_autoptr(BhAbSeries) series = bh_ab_series_new(run->results, &track->where, 0, rule->screen_rounds);
  return series->d->len && !series->dropped &&
         bh_rule_suspects(rule, (const double *)(gconstpointer)series->d->data, series->d->len);
}

static gboolean confirm(Run *run, GError **error) {
  const BhRule *rule = &run->task->rule;
  g_autoptr(GPtrArray) suspects = g_ptr_array_new(); /* of Track, theirs */
  for (guint i = 0; i < run->tracks->len; i++)
    if (is_suspect(run, run->tracks->pdata[i]))
      g_ptr_array_add(suspects, run->tracks->pdata[i]);
  if (!suspects->len || over(run))
    return TRUE;
  tell_stage(run, suspects, 0, rule->screen_rounds, all_rounds(run));
  run->expected += rule->confirm_rounds * suspects->len;
  gboolean ok = TRUE;
  for (guint round = 0; ok && round < rule->confirm_rounds && suspects->len && !over(run); round++) {
    tell_round(run, "confirm", round, rule->confirm_rounds, suspects->len);
    ok = run_round(run, suspects, rule->screen_rounds + round, error);
    drop_failed(run, suspects);
  }
  tell_stage_end(run);
  return ok;
}

/* ---- The whole ---- */

static void close_run(Run *run) {
  gint64 inside_ns = 0;
  if (run->task->invalid_before)
    run->summary->invalid = g_strdup(run->task->invalid_before);
  else if (run->kept)
    run->summary->invalid = run->aborted ? g_strdup_printf("given up (noise: abort): %s", run->kept)
                                         : g_strdup_printf("more than %.0f %% of the pairs were disturbed: %s",
                                                           MOST_REJECTED * 100, run->kept);
  g_free(run->round_started);
  if (run->visits) {
    run->summary->visits = bh_visits_count(run->visits);
    run->summary->interrupted = bh_visits_interrupted(run->visits);
    inside_ns = bh_visits_inside_ns(run->visits);
  }
  g_clear_pointer(&run->visits, bh_visits_close);
  g_clear_pointer(&run->control, bh_control_free);
  g_ptr_array_unref(run->tracks);
  const gint64 wall_ns = (gint64)bh_clock_now_ns() - run->start_ns;
  run->summary->wall_s = (double)wall_ns * 1e-9;
  run->summary->overhead_s = (double)MAX(wall_ns - inside_ns, 0) * 1e-9;
}

gboolean bh_ab_measure(const BhAbTask *task, BhJournal *journal, BhResults *results, const BhAbWatcher *watcher,
                       BhAbSummary *ret_summary, GError **error) {
  Run run = {.task = task, .journal = journal, .results = results, .watcher = watcher, .summary = ret_summary};
  *ret_summary = (BhAbSummary){0};
  run.start_ns = (gint64)bh_clock_now_ns();
  run.rejected = results->struck->len / 2; /* of earlier sessions; half pairs are few */
  run.tracks = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < task->pairs->len; i++) {
    const BhAbPair *pair = task->pairs->pdata[i];
    add_track(&run, pair->label, pair->side[0], pair->side[1], bh_ab_arms);
  }
  run.visits = bh_visits_open(journal, watcher ? watcher->visits : NULL, error);
  const gboolean ok = run.visits && screen(&run, error) && confirm(&run, error);
  close_run(&run);
  return ok;
}
