/* SPDX-License-Identifier: MIT
 * Owns the run: which cell is next, what the process gets, what goes into the journal. One thread; it never loads a
 * plugin, and everything that it starts is gone when it returns, or shortly after it is killed. */
#include "supervisor/supervisor.h"

#include "base/clock.h"
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

#define LEAST_SHARE_NS INT64_C(1000000) /* of a spent budget: the worker still takes its fewest samples */

typedef struct {
  const BhPlan *plan;
  BhJournal *journal;
  BhResults *results;
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
  gint64 start_ns, inside_ns;
  guint left; /* cells x rounds still to run, for sharing the budget */
  guint cells_run;
  gboolean interrupted;
} Run;

/* ---- Setting up ---- */

static void take_signals(Run *run) {
  sigset_t signals;
  sigemptyset(&signals);
  const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
  for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
    struct sigaction now;
    /* What we were started to ignore (nohup, `&` in a script) stays so: once blocked, it would be delivered here. */
    if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
      sigaddset(&signals, wanted[i]);
  }
  sigprocmask(SIG_BLOCK, &signals, &run->old_mask);
  run->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  /* Who watches may leave (`benchhost M.yaml 2>&1 | head`); the journal is what counts. */
  const struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGPIPE, &ignore, &run->old_pipe);
}

/* TRUE: a signal came since the last look. */
static gboolean saw_signal(const Run *run) {
  struct signalfd_siginfo info;
  gboolean any = FALSE;
  while (run->signal_fd >= 0 && read(run->signal_fd, &info, sizeof info) == sizeof info)
    any = TRUE;
  return any;
}

static void give_signals_back(Run *run) {
  if (run->interrupted)
    saw_signal(run); /* one more must not kill us before the end is written */
  sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
  sigaction(SIGPIPE, &run->old_pipe, NULL);
  if (run->signal_fd >= 0)
    close(run->signal_fd);
}

static gboolean set_up(Run *run, GError **error) {
  run->signal_fd = -1;
  run->spare = bh_tree_descendants(getpid());
  prctl(PR_GET_CHILD_SUBREAPER, &run->was_subreaper, 0, 0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans of a cell come to us and are ended with it */
  take_signals(run);
  run->scratch = bh_scratch_choose();
  run->log_path = g_build_filename(run->scratch->root, "worker.log", NULL);
  run->guardian =
      bh_guardian_start(run->scratch, error); /* before there is anything to guard: no moment is unguarded */
  if (!run->guardian)
    return FALSE;
  g_array_append_val(run->spare, run->guardian->pid);
  return bh_scratch_make(run->scratch, error);
}

static void tear_down(Run *run) {
  g_clear_pointer(&run->scratch, bh_scratch_free);
  g_clear_pointer(&run->guardian, bh_guardian_stop);
  g_clear_pointer(&run->spare, g_array_unref);
  g_clear_pointer(&run->log_path, g_free);
  prctl(PR_SET_CHILD_SUBREAPER, run->was_subreaper, 0, 0, 0);
  give_signals_back(run);
}

/* ---- One cell ---- */

static void heard_phase(void *user, const char *name) {
  Run *run = user;
  if (run->watcher && run->watcher->cell_phase)
    run->watcher->cell_phase(run->watcher->user, run->cell, name);
}

static void heard_log(void *user, const char *text) {
  Run *run = user;
  if (run->watcher && run->watcher->cell_log)
    run->watcher->cell_log(run->watcher->user, run->cell, text);
}

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

static gboolean write_cell(Run *run, guint round, const BhOutcome *outcome, GError **error) {
  g_autoptr(JsonObject) line = bh_cell_line_new(run->cell, round, outcome);
  if (!bh_journal_append(run->journal, line, error) || !bh_results_add(run->results, line, error))
    return FALSE;
  run->cells_run++;
  run->inside_ns += bh_cell_line_inside_ns(outcome);
  if (run->watcher && run->watcher->cell_done)
    run->watcher->cell_done(run->watcher->user, run->cell,
                            run->results->records->pdata[run->results->records->len - 1]);
  return TRUE;
}

/* `folder`: the cell's own, empty. */
static gboolean run_in(Run *run, guint round, const char *folder, GError **error) {
  g_autoptr(BhWorkerRequest) request = bh_worker_request_from_cell(run->plan, run->cell, round, folder);
  share_budget(run, &request->measure);
  g_autofree char *text = bh_worker_request_to_text(request);
  g_auto(GStrv) env = bh_cell_env_new(run->cell, run->scratch->mark);
  const BhProcessTask task = {
      .program = g_getenv("BENCHHOST_SELF"),
      .envp = env,
      .request_text = text,
      .log_path = run->log_path,
      .deadline_ns = run->cell->measure.deadline_ns,
      .limit_bytes = request->memory_bytes,
      .spare = run->spare,
      .signal_fd = run->signal_fd,
      .guardian = run->guardian,
      .user = run,
      .phase = heard_phase,
      .log = heard_log,
  };
  g_auto(BhOutcome) outcome = {0};
  if (!bh_process_run(&task, &outcome, error))
    return FALSE;
  if (outcome.interrupts) {
    run->interrupted = TRUE;
    if (!bh_cell_line_keeps(&outcome))
      return TRUE;
  }
  return write_cell(run, round, &outcome, error);
}

static gboolean run_cell(Run *run, const BhCell *cell, guint round, GError **error) {
  run->cell = cell;
  if (run->watcher && run->watcher->cell_started)
    run->watcher->cell_started(run->watcher->user, cell, round);
  g_autofree char *folder = g_strdup_printf("%s/cell-%u", run->scratch->root, run->left);
  if (mkdir(folder, 0700) != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot make the scratch folder %s: %s", folder, g_strerror(errno));
    return FALSE;
  }
  const gboolean ok = run_in(run, round, folder, error);
  bh_scratch_remove(folder);
  return ok;
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

static gboolean run_round(Run *run, guint round, GError **error) {
  guint n = 0;
  g_autofree guint *order = bh_plan_order(run->plan, round, &n);
  for (guint i = 0; i < n && !run->interrupted; i++) {
    const BhCell *cell = run->plan->cells->pdata[order[i]];
    if (bh_results_find(run->results, cell->id, round))
      continue;
    run->interrupted = saw_signal(run);
    if (run->interrupted)
      break;
    if (!run_cell(run, cell, round, error))
      return FALSE;
    run->left = run->left ? run->left - 1 : 0;
  }
  return TRUE;
}

gboolean bh_supervisor_run(const BhPlan *plan, BhJournal *journal, BhResults *results, const BhWatcher *watcher,
                           BhRunSummary *ret_summary, GError **error) {
  Run run = {.plan = plan, .journal = journal, .results = results, .watcher = watcher};
  guint done;
  run.start_ns = (gint64)bh_clock_now_ns();
  run.left = count_left(&run, &done);
  if (watcher && watcher->started)
    watcher->started(watcher->user, plan, run.left + done, done);
  gboolean ok = set_up(&run, error);
  const guint rounds = bh_plan_rounds(plan);
  for (guint round = 0; ok && round < rounds && !run.interrupted; round++)
    ok = run_round(&run, round, error);
  tear_down(&run);
  const gint64 wall_ns = (gint64)bh_clock_now_ns() - run.start_ns;
  *ret_summary = (BhRunSummary){.cells_run = run.cells_run,
                                .interrupted = run.interrupted,
                                .wall_s = (double)wall_ns * 1e-9,
                                .overhead_s = (double)MAX(wall_ns - run.inside_ns, 0) * 1e-9};
  if (watcher && watcher->finished)
    watcher->finished(watcher->user, run.interrupted);
  return ok;
}

gboolean bh_supervisor_retry_failed(const BhPlan *plan, BhJournal *journal, BhResults *results, guint *ret_n,
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
