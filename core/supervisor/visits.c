/* SPDX-License-Identifier: MIT
 * Owns what every visit of a cell needs: the scratch folder, the guardian, the signals, the process, its journal line.
 */
#include "supervisor/visits.h"

#include "base/clock.h"
#include "environment/files.h"
#include "spec/measure.h"
#include "supervisor/cell-env.h"
#include "supervisor/cell-line.h"
#include "supervisor/guardian.h"
#include "supervisor/process.h"
#include "supervisor/scratch.h"
#include "supervisor/tree.h"
#include "worker/request.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct BhVisits {
  BhJournal *journal;
  const BhWatcher *watcher;
  const BhCell *cell; /* the current one, for the watcher */
  BhScratch *scratch;
  BhGuardian *guardian;
  GArray *spare; /* of pid_t: children that are no cell's */
  char *log_path;
  int signal_fd;
  int was_subreaper;
  sigset_t old_mask;
  struct sigaction old_pipe;
  BhDisturbanceMeter *meter;
  BhReading span_start, span_end; /* around the visits since bh_visits_span, or since a drop */
  gboolean has_span;
  BhReading mark_end; /* span_end at the mark */
  gboolean mark_has_span;
  BhDisturbance kept; /* of the visits before those that were dropped */
  gboolean has_kept;
  BhDisturbance last; /* during the last visit */
  gint64 inside_ns;
  guint n;
  gboolean interrupted;
};

/* ---- Setting up ---- */

static void take_signals(BhVisits *visits) {
  sigset_t signals;
  sigemptyset(&signals);
  const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
  for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
    struct sigaction now;
    /* What we were started to ignore (nohup, `&` in a script) stays so: once blocked, it would be delivered here. */
    if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
      sigaddset(&signals, wanted[i]);
  }
  sigprocmask(SIG_BLOCK, &signals, &visits->old_mask);
  visits->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  /* Who watches may leave (`benchhost M.yaml 2>&1 | head`); the journal is what counts. */
  const struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGPIPE, &ignore, &visits->old_pipe);
}

/* TRUE: a signal came since the last look. */
static gboolean saw_signal(const BhVisits *visits) {
  struct signalfd_siginfo info;
  gboolean any = FALSE;
  while (visits->signal_fd >= 0 && read(visits->signal_fd, &info, sizeof info) == sizeof info)
    any = TRUE;
  return any;
}

static void give_signals_back(BhVisits *visits) {
  if (visits->interrupted)
    saw_signal(visits); /* one more must not kill us before the end is written */
  sigprocmask(SIG_SETMASK, &visits->old_mask, NULL);
  sigaction(SIGPIPE, &visits->old_pipe, NULL);
  if (visits->signal_fd >= 0)
    close(visits->signal_fd);
}

static gboolean set_up(BhVisits *visits, GError **error) {
  visits->signal_fd = -1;
  visits->spare = bh_tree_descendants(getpid());
  prctl(PR_GET_CHILD_SUBREAPER, &visits->was_subreaper, 0, 0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans of a cell come to us and are ended with it */
  take_signals(visits);
  visits->scratch = bh_scratch_choose();
  visits->log_path = g_build_filename(visits->scratch->root, "worker.log", NULL);
  visits->guardian =
      bh_guardian_start(visits->scratch, error); /* before there is anything to guard: no moment is unguarded */
  if (!visits->guardian)
    return FALSE;
  g_array_append_val(visits->spare, visits->guardian->pid);
  return bh_scratch_make(visits->scratch, error);
}

static void tear_down(BhVisits *visits) {
  g_clear_pointer(&visits->scratch, bh_scratch_free);
  g_clear_pointer(&visits->guardian, bh_guardian_stop);
  g_clear_pointer(&visits->spare, g_array_unref);
  g_clear_pointer(&visits->log_path, g_free);
  prctl(PR_SET_CHILD_SUBREAPER, visits->was_subreaper, 0, 0, 0);
  give_signals_back(visits);
}

/* ---- One cell ---- */

static void heard_phase(void *user, const char *name) {
  BhVisits *visits = user;
  if (visits->watcher && visits->watcher->cell_phase)
    visits->watcher->cell_phase(visits->watcher->user, visits->cell, name);
}

static void heard_log(void *user, const char *text) {
  BhVisits *visits = user;
  if (visits->watcher && visits->watcher->cell_log)
    visits->watcher->cell_log(visits->watcher->user, visits->cell, text);
}

/* The visit is over: `before` was read at its start. */
static BhDisturbance take_reading(BhVisits *visits, const BhReading *before) {
  bh_disturbance_read(visits->meter, &visits->span_end);
  if (!visits->has_span)
    visits->span_start = *before;
  visits->has_span = TRUE;
  visits->last = bh_disturbance_between(before, &visits->span_end);
  return visits->last;
}

/* What the matrix gives this cell otherwise than the whole run: in readers' hands with the run line's `measure`. */
static JsonObject *own_measure(const BhPlan *plan, const BhCell *cell) {
  JsonObject *own = json_object_new();
  g_autoptr(JsonObject) whole = bh_measure_to_json(&plan->measure), ours = bh_measure_to_json(&cell->measure);
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  json_object_iter_init(&iter, ours);
  while (json_object_iter_next(&iter, &name, &value))
    if (!json_node_equal(value, json_object_get_member(whole, name)))
      json_object_set_member(own, name, json_node_copy(value));
  return own;
}

/* Times are in the record's own array by now, and everything is in the file: as JSON a sample takes some 500 bytes, of
 * a run of many hours gigabytes. */
static void forget_series(JsonObject *line) {
  JsonNode *steady = json_object_get_member(line, "steady");
  if (JSON_NODE_HOLDS_OBJECT(steady))
    json_object_remove_member(json_node_get_object(steady), "samples_ns");
  if (json_object_has_member(line, "samples"))
    json_object_remove_member(line, "samples");
}

static gboolean write_line(BhVisits *visits, const BhPlan *plan, const BhCell *cell, const BhVisit *visit,
                           const BhOutcome *outcome, const BhDisturbance *disturbance, GError **error) {
  g_autoptr(JsonObject) line = bh_cell_line_new(cell, visit->round, outcome);
  json_object_set_object_member(line, "disturbance", bh_disturbance_to_json(disturbance));
  json_object_set_object_member(line, "measure", own_measure(plan, cell));
  bh_disturbance_add_flags(disturbance, json_object_get_array_member(line, "flags"));
  if (visit->arm)
    json_object_set_string_member(line, "arm", visit->arm);
  if (visit->stage)
    json_object_set_string_member(line, "stage", visit->stage);
  if (!bh_journal_append(visits->journal, line, error) || !bh_results_add(visit->results, line, error))
    return FALSE;
  forget_series(line);
  visits->n++;
  visits->inside_ns += bh_cell_line_inside_ns(outcome);
  if (visits->watcher && visits->watcher->cell_done)
    visits->watcher->cell_done(visits->watcher->user, cell,
                               visit->results->records->pdata[visit->results->records->len - 1]);
  return TRUE;
}

/* `folder`: the cell's own, empty. */
static gboolean run_in(BhVisits *visits, const BhPlan *plan, const BhCell *cell, const BhVisit *visit,
                       const char *folder, gint64 *ret_wall_ns, GError **error) {
  g_autoptr(BhWorkerRequest) request = bh_worker_request_from_cell(plan, cell, visit->round, folder);
  request->measure = visit->measure;
  if (visit->inputs)
    request->seed = bh_worker_request_seed(plan, visit->inputs, visit->round);
  g_autofree char *text = bh_worker_request_to_text(request);
  g_auto(GStrv) env = bh_cell_env_new(cell, visits->scratch->mark);
  const BhProcessTask task = {
      .program = g_getenv("BENCHHOST_SELF"),
      .envp = env,
      .request_text = text,
      .log_path = visits->log_path,
      .deadline_ns = visit->measure.deadline_ns,
      .limit_bytes = request->memory_bytes,
      .spare = visits->spare,
      .signal_fd = visits->signal_fd,
      .guardian = visits->guardian,
      .user = visits,
      .phase = heard_phase,
      .log = heard_log,
  };
  g_auto(BhOutcome) outcome = {0};
  BhReading before;
  bh_disturbance_read(visits->meter, &before);
  if (!bh_process_run(&task, &outcome, error))
    return FALSE;
  const BhDisturbance disturbance = take_reading(visits, &before);
  *ret_wall_ns = outcome.wall_ns;
  if (outcome.interrupts) {
    visits->interrupted = TRUE;
    if (!bh_cell_line_keeps(&outcome))
      return TRUE;
  }
  return write_line(visits, plan, cell, visit, &outcome, &disturbance, error);
}

gboolean bh_visits_run(BhVisits *visits, const BhPlan *plan, const BhCell *cell, const BhVisit *visit,
                       gint64 *ret_wall_ns, GError **error) {
  *ret_wall_ns = 0;
  if (bh_visits_interrupted(visits))
    return TRUE;
  visits->cell = cell;
  if (visits->watcher && visits->watcher->cell_started)
    visits->watcher->cell_started(visits->watcher->user, cell, visit->round);
  g_autofree char *folder = g_strdup_printf("%s/cell-%u", visits->scratch->root, visits->n);
  if (mkdir(folder, 0700) != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot make the scratch folder %s: %s", folder, g_strerror(errno));
    return FALSE;
  }
  const gboolean ok = run_in(visits, plan, cell, visit, folder, ret_wall_ns, error);
  bh_scratch_remove(folder);
  return ok;
}

/* ---- From outside ---- */

BhVisits *bh_visits_open(BhJournal *journal, const BhWatcher *watcher, GError **error) {
  BhVisits *visits = g_new0(BhVisits, 1);
  visits->journal = journal;
  visits->watcher = watcher;
  visits->meter = bh_disturbance_meter_new(bh_files_root());
  if (set_up(visits, error))
    return visits;
  bh_visits_close(visits);
  return NULL;
}

void bh_visits_close(BhVisits *visits) {
  if (!visits)
    return;
  tear_down(visits);
  bh_disturbance_meter_free(visits->meter);
  g_free(visits);
}

gboolean bh_visits_interrupted(BhVisits *visits) {
  visits->interrupted = visits->interrupted || saw_signal(visits);
  return visits->interrupted;
}

const char *bh_visits_folder(const BhVisits *visits) {
  return visits->scratch->root;
}

guint bh_visits_count(const BhVisits *visits) {
  return visits->n;
}

gint64 bh_visits_inside_ns(const BhVisits *visits) {
  return visits->inside_ns;
}

void bh_visits_mark(BhVisits *visits) {
  visits->mark_end = visits->span_end;
  visits->mark_has_span = visits->has_span;
}

static void keep(BhVisits *visits, const BhReading *end) {
  const BhDisturbance seen = bh_disturbance_between(&visits->span_start, end);
  bh_disturbance_add(&visits->kept, &seen);
  visits->has_kept = TRUE;
}

void bh_visits_drop(BhVisits *visits) {
  if (visits->mark_has_span)
    keep(visits, &visits->mark_end);
  visits->has_span = visits->mark_has_span = FALSE;
}

gboolean bh_visits_span(BhVisits *visits, BhDisturbance *ret) {
  if (visits->has_span)
    keep(visits, &visits->span_end);
  const gboolean any = visits->has_kept;
  *ret = visits->kept;
  visits->has_span = visits->mark_has_span = visits->has_kept = FALSE;
  visits->kept = (BhDisturbance){0};
  return any;
}

const BhDisturbance *bh_visits_last(const BhVisits *visits) {
  return &visits->last;
}
