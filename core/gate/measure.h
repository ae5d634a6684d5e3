/* SPDX-License-Identifier: MIT
 * Measures a comparison: screening rounds over all pairs, confirming rounds over the suspects, the A/A control in both.
 * Says nothing about what it means. */
#pragma once
#include "gate/pairs.h"
#include "supervisor/visits.h"

typedef struct {
  const BhPlan *plan[2]; /* BhAbSide */
  const BhArm *arm[2];
  GPtrArray *pairs; /* of BhAbPair */
  GPtrArray *notes; /* of char * */
  BhRule rule;
  guint64 seed;
  gint64 budget_ns;         /* of the whole; 0: none */
  gboolean no_control;      /* no A/A pair */
  const char *control_glob; /* over labels: where the control is to be; NULL: chosen */
  char *invalid_before;     /* --resume: disturbed pairs that were kept make the whole invalid; why, or NULL */
} BhAbTask;

typedef struct {
  void *user;
  const BhWatcher *visits; /* may be NULL */
  /* A round begins. `stage`: "screen" or "confirm"; `pairs`: how many it visits; may be NULL. */
  void (*round)(void *user, const char *stage, guint round, guint rounds, guint pairs);
} BhAbWatcher;

typedef struct {
  guint visits;
  gboolean interrupted, out_of_time;
  char *invalid; /* why the environment was; NULL: it was not. The caller's */
  double wall_s, overhead_s;
} BhAbSummary;

/* The `run` line: a run's of the base's plan with what makes it a comparison. Caller unrefs. */
JsonObject *bh_ab_run_line(const BhAbTask *task, const char *const *argv);
/* The rule's settings: in the `run` line and in the JSON report. Caller unrefs. */
JsonObject *bh_ab_rule_object(const BhRule *rule);
/* What the `end` line says beyond a run's. */
void bh_ab_put_end(JsonObject *line, const BhAbSummary *summary);

/* Appends to `journal` and `results`; what `results` already has (--resume) is not measured again. FALSE with `error`
 * only when it cannot go on; what is in the journal stays. */
gboolean bh_ab_measure(const BhAbTask *task, BhJournal *journal, BhResults *results, const BhAbWatcher *watcher,
                       BhAbSummary *ret_summary, GError **error);
