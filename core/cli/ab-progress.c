/* SPDX-License-Identifier: MIT
 * Owns a comparison's progress. Hundreds of visits are too many lines for a log, so that without a terminal there is
 * one line per round, and one for each visit that fails. */
#include "cli/ab-progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct BhAbProgress {
  BhProgress *visits; /* NULL: not shown one by one */
  BhWatcher plain;
  BhAbWatcher watcher;
  guint64 started_ns;
};

static void on_round(void *user, const char *stage, guint round, guint rounds, guint pairs) {
  BhAbProgress *progress = user;
  const double seconds = (double)(bh_clock_now_ns() - progress->started_ns) * 1e-9;
  fprintf(stderr, "benchhost: %s round %u of %u, %u pair%s, after %.0f s\n", stage, round + 1, rounds, pairs,
          pairs == 1 ? "" : "s", seconds);
}

static void on_cell_done(void *user, const BhCell *cell, const BhCellRecord *record) {
  (void)user;
  (void)cell;
  if (record->status != BH_CELL_OK)
    fprintf(stderr, "benchhost: %s: %s: %s\n", record->label, bh_cell_status_name(record->status), record->reason);
}

BhAbProgress *bh_ab_progress_new(BhProgressMode mode, gboolean verbose) {
  BhAbProgress *progress = g_new0(BhAbProgress, 1);
  const char *term = g_getenv("TERM");
  const gboolean terminal = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");
  progress->started_ns = bh_clock_now_ns();
  progress->watcher.user = progress;
  if (mode == BH_PROGRESS_QUIET)
    return progress;
  if (verbose || (terminal && mode == BH_PROGRESS_AUTO)) {
    progress->visits = bh_progress_new(mode, verbose);
    progress->watcher.visits = bh_progress_watcher(progress->visits);
    return progress;
  }
  progress->plain = (BhWatcher){.user = progress, .cell_done = on_cell_done};
  progress->watcher.visits = &progress->plain;
  progress->watcher.round = on_round;
  return progress;
}

const BhAbWatcher *bh_ab_progress_watcher(BhAbProgress *progress) {
  return &progress->watcher;
}

void bh_ab_progress_free(BhAbProgress *progress) {
  if (!progress)
    return;
  bh_progress_free(progress->visits);
  g_free(progress);
}
