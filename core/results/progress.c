/* SPDX-License-Identifier: MIT
 * Owns what a person sees on stderr while a run goes on: one rewritten line on a terminal, plain lines elsewhere. On a
 * terminal a thread of its own redraws, at most ten times a second and once a second when nothing happens, so that the
 * clock goes on while a cell measures; it takes no signals and touches nothing but this struct, under its lock. */
#include "results/progress.h"
#include "base/clock.h"
#include "stats/summary.h"
#include "base/text.h"
#include "results/display.h"
#include "results/eta.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_NS 100000000u /* at most ten times a second */
#define TICK_NS 1000000000u
#define NARROW 20

struct BhProgress {
  BhWatcher watcher;
  gboolean quiet, terminal, verbose, color, ascii;
  /* All below: under `lock` once the thread runs. */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  gboolean running, stop, dirty;
  const BhPlan *plan;
  BhEta *eta;
  guint total, done;
  char *label; /* of the current cell; NULL: none */
  char phase[24];
  guint64 started_ns, drawn_ns;
  guint drawn_width; /* columns that the line on the screen takes; 0: none is there */
};

/* ---- output ---- */

/* The whole text or, when stderr is gone, nothing more: a lost progress line is no reason to end a run. */
static void put(const char *text, gsize length) {
  while (length > 0) {
    const ssize_t written = write(STDERR_FILENO, text, length);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return;
    text += written;
    length -= (gsize)written;
  }
}

/* Back to the start of our line. A terminal made narrower since has wrapped it over several rows. */
static void put_erase(GString *out, BhProgress *progress) {
  const guint columns = MAX(bh_display_terminal(STDERR_FILENO), 1);
  const guint rows = progress->drawn_width > 0 ? (progress->drawn_width - 1) / columns : 0;
  if (progress->drawn_width == 0)
    return;
  g_string_append_c(out, '\r');
  if (rows > 0)
    g_string_append_printf(out, "\033[%uA", rows);
  g_string_append(out, "\033[J");
  progress->drawn_width = 0;
}

static void append_clock(GString *out, double seconds) {
  const guint64 s = (guint64)(seconds + 0.5);
  if (s >= 3600)
    g_string_append_printf(out, "%" G_GUINT64_FORMAT ":%02u:%02u", s / 3600, (guint)(s / 60 % 60), (guint)(s % 60));
  else
    g_string_append_printf(out, "%u:%02u", (guint)(s / 60), (guint)(s % 60));
}

static char *counter(const BhProgress *progress, guint done) {
  g_autofree char *total = g_strdup_printf("%u", progress->total);
  return g_strdup_printf("[%*u/%s]", (int)strlen(total), done, total);
}

/* "[ 12/176] 0:42, ~3:10 left  prime n=1000 | pthread workers=2: measure", cut to the terminal. */
static char *live_line(BhProgress *progress, guint columns) {
  g_autofree char *count = counter(progress, progress->done);
  g_autoptr(GString) line = g_string_new(count);
  double left_s;
  gboolean guess;
  g_string_append_c(line, ' ');
  append_clock(line, (double)(bh_clock_now_ns() - progress->started_ns) / 1e9);
  if (bh_eta_left(progress->eta, &left_s, &guess)) {
    g_string_append(line, guess ? ", at most " : ", ~");
    append_clock(line, left_s);
    g_string_append(line, " left");
  }
  /* The last column stays free: some terminals wrap when it is written. The label gives way to the phase. */
  const guint room = columns > 1 ? columns - 1 : 1;
  if (progress->label) {
    const guint taken =
        bh_display_width(line->str) + 2 + (*progress->phase ? 2 + bh_display_width(progress->phase) : 0);
    g_autofree char *label = bh_display_cut(progress->label, room > taken ? room - taken : 0);
    g_string_append_printf(line, "  %s%s%s", label, *progress->phase ? ": " : "", progress->phase);
  }
  return bh_display_cut(line->str, room);
}

static void draw(BhProgress *progress) {
  g_autoptr(GString) out = g_string_new(NULL);
  const guint columns = bh_display_terminal(STDERR_FILENO);
  put_erase(out, progress);
  if (columns >= NARROW) {
    g_autofree char *line = live_line(progress, columns);
    g_string_append(out, line);
    progress->drawn_width = bh_display_width(line);
  }
  put(out->str, out->len);
  progress->drawn_ns = bh_clock_now_ns();
  progress->dirty = FALSE;
}

/* A line that stays, above the live one. Lock held on a terminal. */
static void say(BhProgress *progress, const char *line) {
  g_autoptr(GString) out = g_string_new(NULL);
  put_erase(out, progress);
  g_string_append(out, line);
  g_string_append_c(out, '\n');
  put(out->str, out->len);
  progress->dirty = TRUE;
}

static void *redraw(void *data) {
  BhProgress *progress = data;
  pthread_mutex_lock(&progress->lock);
  while (!progress->stop) {
    const guint64 now = bh_clock_now_ns();
    const guint64 due = progress->drawn_ns + (progress->dirty ? REDRAW_NS : TICK_NS);
    if (now >= due) {
      draw(progress);
      continue;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const guint64 wake = (guint64)until.tv_nsec + (due - now);
    until.tv_sec += (time_t)(wake / 1000000000u);
    until.tv_nsec = (long)(wake % 1000000000u);
    pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
  }
  pthread_mutex_unlock(&progress->lock);
  return NULL;
}

static void start_thread(BhProgress *progress) {
  sigset_t all, before;
  sigfillset(&all);
  /* Signals are the supervisor's: none may land in this thread. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  progress->running = pthread_create(&progress->thread, NULL, redraw, progress) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!progress->running)
    progress->terminal = FALSE; /* plain lines, then */
}

static void end_thread(BhProgress *progress) {
  if (!progress->running)
    return;
  pthread_mutex_lock(&progress->lock);
  progress->stop = TRUE;
  pthread_cond_signal(&progress->wake);
  pthread_mutex_unlock(&progress->lock);
  pthread_join(progress->thread, NULL);
  progress->running = FALSE;
  g_autoptr(GString) out = g_string_new(NULL);
  put_erase(out, progress);
  put(out->str, out->len);
}

static void changed(BhProgress *progress) {
  progress->dirty = TRUE;
  pthread_cond_signal(&progress->wake);
}

/* ---- what the supervisor tells ---- */

static char *cell_label(const BhProgress *progress, const BhCell *cell, guint round) {
  g_autofree char *text = cell->measure.rounds > 1 || round > 0
                              ? g_strdup_printf("%s, round %u", cell->label, round + 1)
                              : g_strdup(cell->label);
  return bh_display_clean(text, progress->ascii);
}

static void on_started(void *user, const BhPlan *plan, guint total, guint already_done) {
  BhProgress *progress = user;
  if (progress->quiet)
    return;
  progress->plan = plan;
  progress->total = total;
  progress->done = already_done;
  progress->started_ns = bh_clock_now_ns();
  progress->drawn_ns = 0;
  bh_eta_free(progress->eta);
  progress->eta = bh_eta_new(plan, total > already_done ? total - already_done : 0);
  if (already_done > 0) {
    g_autofree char *line = g_strdup_printf("going on: %u of %u cell runs are in the journal", already_done, total);
    say(progress, line);
  }
  if (progress->terminal && !progress->running) {
    progress->stop = FALSE;
    progress->dirty = TRUE;
    start_thread(progress);
  }
}

static void on_outlook(void *user, const BhOutlook *outlook) {
  BhProgress *progress = user;
  if (progress->quiet)
    return;
  pthread_mutex_lock(&progress->lock);
  progress->total = (guint)MAX((gint)progress->total + outlook->more, (gint)progress->done);
  bh_eta_outlook(progress->eta, outlook);
  changed(progress);
  pthread_mutex_unlock(&progress->lock);
}

static void on_cell_started(void *user, const BhCell *cell, guint round) {
  BhProgress *progress = user;
  if (progress->quiet)
    return;
  pthread_mutex_lock(&progress->lock);
  g_free(progress->label);
  progress->label = cell_label(progress, cell, round);
  progress->phase[0] = '\0';
  bh_eta_cell_started(progress->eta, cell, bh_clock_now_ns());
  changed(progress);
  pthread_mutex_unlock(&progress->lock);
}

static void on_cell_phase(void *user, const BhCell *cell, const char *phase) {
  BhProgress *progress = user;
  (void)cell;
  if (!progress->terminal || progress->quiet)
    return;
  g_autofree char *clean = bh_display_clean(phase, progress->ascii);
  pthread_mutex_lock(&progress->lock);
  g_strlcpy(progress->phase, g_utf8_validate(clean, MIN(strlen(clean), sizeof progress->phase - 1), NULL) ? clean : "",
            sizeof progress->phase);
  changed(progress);
  pthread_mutex_unlock(&progress->lock);
}

static void on_cell_log(void *user, const BhCell *cell, const char *text) {
  BhProgress *progress = user;
  if (!progress->verbose || progress->quiet)
    return;
  g_autofree char *label = bh_display_clean(cell->label, progress->ascii);
  g_autofree char *clean = bh_display_clean(text, progress->ascii);
  g_autofree char *line = g_strdup_printf("%s: %s", label, clean);
  pthread_mutex_lock(&progress->lock);
  say(progress, line);
  changed(progress);
  pthread_mutex_unlock(&progress->lock);
}

static char *outcome(const BhProgress *progress, const BhCellRecord *record) {
  if (record->status != BH_CELL_OK)
    return bh_display_clean(record->reason ? record->reason : "", progress->ascii);
  if (record->steady_ns->len == 0)
    return g_strdup("");
  const BhSummary summary =
      bh_stats_summary((const double *)(gconstpointer)record->steady_ns->data, record->steady_ns->len);
  g_autofree char *median = bh_text_duration(summary.median);
  if (!summary.has_interval || !(summary.median > 0))
    return g_steal_pointer(&median);
  char half[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(half, sizeof half, "%.1f",
                  MIN(MAX(summary.high - summary.median, summary.median - summary.low) / summary.median * 100, 999.9));
  return g_strdup_printf("%s %s%s%%", median, progress->ascii ? "+-" : "±", half);
}

static void on_cell_done(void *user, const BhCell *cell, const BhCellRecord *record) {
  BhProgress *progress = user;
  if (progress->quiet)
    return;
  pthread_mutex_lock(&progress->lock);
  progress->done++;
  bh_eta_cell_done(progress->eta, cell, bh_clock_now_ns());
  const gboolean failed =
      record->status != BH_CELL_OK && record->status != BH_CELL_SKIPPED && record->status != BH_CELL_UNSUPPORTED;
  /* On a terminal only what went wrong stays: the table comes at the end. */
  if (!progress->terminal || failed || progress->verbose) {
    g_autofree char *count = counter(progress, progress->done);
    g_autofree char *label = cell_label(progress, cell, record->round);
    g_autofree char *text = outcome(progress, record);
    g_autofree char *line =
        g_strdup_printf("%s %s%s%s  %s  %s", count, progress->color && failed ? "\033[31m" : "",
                        bh_cell_status_name(record->status), progress->color && failed ? "\033[0m" : "", label, text);
    say(progress, g_strchomp(line));
  }
  g_clear_pointer(&progress->label, g_free);
  changed(progress);
  pthread_mutex_unlock(&progress->lock);
}

static void on_finished(void *user, gboolean interrupted) {
  BhProgress *progress = user;
  if (progress->quiet)
    return;
  end_thread(progress);
  if (interrupted) {
    g_autofree char *line =
        g_strdup_printf("interrupted: %u of %u cell runs are in the journal", progress->done, progress->total);
    say(progress, line);
  }
}

BhProgress *bh_progress_new(BhProgressMode mode, gboolean verbose) {
  const char *term = g_getenv("TERM");
  BhProgress *progress = g_new0(BhProgress, 1);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&progress->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_init(&progress->lock, NULL);
  progress->quiet = mode == BH_PROGRESS_QUIET;
  progress->terminal = mode == BH_PROGRESS_AUTO && isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
  progress->color = bh_display_colors(STDERR_FILENO);
  progress->verbose = verbose;
  progress->ascii = bh_display_ascii();
  progress->watcher = (BhWatcher){.user = progress,
                                  .started = on_started,
                                  .outlook = on_outlook,
                                  .cell_started = on_cell_started,
                                  .cell_phase = on_cell_phase,
                                  .cell_log = on_cell_log,
                                  .cell_done = on_cell_done,
                                  .finished = on_finished};
  return progress;
}

const BhWatcher *bh_progress_watcher(BhProgress *progress) {
  return &progress->watcher;
}

void bh_progress_free(BhProgress *progress) {
  if (!progress)
    return;
  end_thread(progress);
  pthread_cond_destroy(&progress->wake);
  pthread_mutex_destroy(&progress->lock);
  bh_eta_free(progress->eta);
  g_free(progress->label);
  g_free(progress);
}
