/* SPDX-License-Identifier: MIT
 * The append-only journal, results.jsonl: complete after every line, whatever is killed when. A line goes out in one
 * write() and is synced; if it does not fit on the disk the file is cut back to its last whole line and the error says
 * so. */
#pragma once
#include "environment/disturbance.h"
#include "plan/plan.h"
#include "results/results.h"
#include <json-glib/json-glib.h>

#define BH_JOURNAL_SCHEMA 1

typedef struct BhJournal BhJournal;
/* Refuses to overwrite an existing file. Creates missing folders. Holds an advisory lock: a second writer is refused.
 */
BhJournal *bh_journal_create(const char *path, GError **error);
/* Opens for resuming: cuts a torn last line off. */
BhJournal *bh_journal_resume(const char *path, goffset good_bytes, GError **error);
gboolean bh_journal_append(BhJournal *journal, JsonObject *line, GError **error);
/* The run ended before it began: a journal that was created for it is taken away again when it is closed,
 * unless writing to it failed: then the user was told how to go on with it. */
void bh_journal_discard(BhJournal *journal);
const char *bh_journal_path(const BhJournal *journal);
void bh_journal_close(BhJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhJournal, bh_journal_close)

/* The `run` and `end` lines. Timestamps are ISO 8601 UTC. */
JsonObject *bh_journal_run_line(const BhPlan *plan, const char *const *argv);
/* Written when a run is taken up again. */
JsonObject *bh_journal_resume_line(const char *const *argv);
/* Does the journal read back as `results` belong to this plan? Matrix text, seed, the planned cells, the plugins'
 * builds and the processor must be the same; the error says which is not. */
gboolean bh_journal_check_resume(const BhPlan *plan, const BhResults *results, const char *path, GError **error);
/* "2026-01-31T12:00:00.123Z"; caller frees. */
char *bh_journal_now_text(void);
JsonObject *bh_journal_end_line(gboolean interrupted, guint cells_done, double wall_s, double overhead_s);
/* What happened on the machine during a round (bh_visits_span); `started` as by bh_journal_now_text. `round` -1: a pass over some cells, each at a round of its own. `rejected`: its
 * visits are thrown away for it (`noise: reject`). */
JsonObject *bh_journal_round_line(gint round, const char *started, const BhDisturbance *disturbance,
                                  gboolean rejected);
