/* SPDX-License-Identifier: MIT
 * Visits of cells: one fresh process each, under its deadline and memory limit, turned into a journal line. Which cell
 * is visited when is decided elsewhere: by the engine for a run, by the gate for base against candidate. One thread;
 * loads no plugin; everything that a visit started is gone when it returns, or shortly after this process is killed. */
#pragma once
#include "environment/disturbance.h"
#include "plan/plan.h"
#include "results/results.h"
#include "supervisor/journal.h"

/* What comes after the rounds that every cell has, as far as that is known. */
typedef struct {
  gint more;           /* visits that were now decided on, besides those told of before; below 0: given up */
  double topup_s;      /* expected for all visits besides those told of at the start */
  gboolean bound;      /* it is the most, no expectation */
  double left_s;       /* of the budget; INFINITY: none */
  const BhCell *again; /* its visit was struck and is made once more; NULL: none */
} BhOutlook;

/* What a person watching wants to know. All called in the thread that visits. Any may be NULL. */
typedef struct {
  void *user;
  /* total: cells x rounds, and what a resumed journal has besides */
  void (*started)(void *user, const BhPlan *plan, guint total, guint already_done);
  void (*outlook)(void *user, const BhOutlook *outlook); /* again and again */
  void (*cell_started)(void *user, const BhCell *cell, guint round);
  void (*cell_phase)(void *user, const BhCell *cell, const char *phase);
  void (*cell_log)(void *user, const BhCell *cell, const char *text);
  void (*cell_done)(void *user, const BhCell *cell, const BhCellRecord *record);
  void (*finished)(void *user, gboolean interrupted);
} BhWatcher;

typedef struct BhVisits BhVisits;

typedef struct {
  guint round;
  const char *arm;    /* into the line, as `arm`; NULL: none */
  const char *stage;  /* the same, as `stage` */
  BhMeasure measure;  /* the cell's, or what is left of it */
  BhResults *results; /* the line is added here too */
  /* A comparison: whose inputs it gets, as another build or value may have other parameters. NULL: its own. */
  const BhCell *inputs;
} BhVisit;

/* Between open and close SIGINT, SIGTERM and SIGHUP belong to it: the first ends the current cell, the second kills it.
 * `watcher` may be NULL and must outlive it, as must `journal`. */
BhVisits *bh_visits_open(BhJournal *journal, const BhWatcher *watcher, GError **error);
void bh_visits_close(BhVisits *visits); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhVisits, bh_visits_close)

/* One visit. FALSE with `error` only when nothing can go on (journal's disk full); what is in the journal stays. An
 * interrupted visit leaves a record only if it was good by then: ask bh_visits_interrupted. `ret_wall_ns`: from spawn
 * to reaped; 0: no process ran. */
gboolean bh_visits_run(BhVisits *visits, const BhPlan *plan, const BhCell *cell, const BhVisit *visit,
                       gint64 *ret_wall_ns, GError **error);
gboolean bh_visits_interrupted(BhVisits *visits); /* a signal came, now or earlier */
/* The scratch folder, for files that visits need; gone when they close. Theirs. */
const char *bh_visits_folder(const BhVisits *visits);
guint bh_visits_count(const BhVisits *visits);      /* lines written */
gint64 bh_visits_inside_ns(const BhVisits *visits); /* of all visits, open..close of the cells themselves */
/* What happened on the machine during the last visit that ended. */
const BhDisturbance *bh_visits_last(const BhVisits *visits);
/* What happened on the machine from the beginning of the first visit since the last call of this function to the end
 * of the last one, less what was dropped; FALSE: there was no visit. Ask after every round (or pair): it is what a
 * round is judged by. */
gboolean bh_visits_span(BhVisits *visits, BhDisturbance *ret);
/* Visits between a mark and a drop were struck and are repeated: what happened meanwhile is nobody's any more. */
void bh_visits_mark(BhVisits *visits);
void bh_visits_drop(BhVisits *visits);
