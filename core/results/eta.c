/* SPDX-License-Identifier: MIT
 * Owns the estimate of the time that is left. A cell that has run before will take as long as then, on average. One
 * that has not will take the share of its budget that others took of theirs. Until one has ended there is only the
 * bound that budgets give. What comes on top, for cells that are not precise, is the engine's to tell. */
#include "results/eta.h"

#include <math.h>

struct BhEta {
  GHashTable *cells; /* of (BhCell *, Seen), the plan's keys */
  guint left;
  double spent_s, spent_budget_s; /* of all cells that ended */
  guint ended;
  guint64 started_ns; /* the current cell; 0: none */
  double budget_s;    /* of the whole run; 0: none */
  double topup_s;     /* for rounds beyond those that every cell has */
  gboolean topup_bound;
};

typedef struct {
  guint rounds, done, visits; /* visits: with those that were struck */
  double budget_s, spent_s;
} Seen;

/* Warm-up and sampling are bounded by the matrix; starting, filling and checking are not: half a second stands for
 * them. */
static double cell_budget(const BhCell *cell) {
  return (double)(cell->measure.warmup_ns + cell->measure.max_time_ns) / 1e9 + 0.5;
}

BhEta *bh_eta_new(const BhPlan *plan, guint left) {
  BhEta *eta = g_new0(BhEta, 1);
  eta->cells = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  eta->left = left;
  eta->budget_s = (double)plan->measure.budget_ns / 1e9;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = g_ptr_array_index(plan->cells, i);
    Seen *seen = g_new0(Seen, 1);
    seen->rounds = MAX(cell->measure.rounds, 1);
    seen->budget_s = cell_budget(cell);
    g_hash_table_insert(eta->cells, (gpointer)cell, seen);
  }
  return eta;
}

void bh_eta_free(BhEta *eta) {
  if (!eta)
    return;
  g_hash_table_unref(eta->cells);
  g_free(eta);
}

void bh_eta_outlook(BhEta *eta, const BhOutlook *outlook) {
  eta->topup_s = outlook->topup_s;
  eta->topup_bound = outlook->bound;
  Seen *seen = outlook->again ? g_hash_table_lookup(eta->cells, outlook->again) : NULL;
  if (seen && seen->done > 0) {
    seen->done--;
    eta->left++;
  }
  if (isfinite(outlook->left_s)) /* with what earlier sessions of a resumed run spent, and time between cells */
    eta->budget_s = MAX(outlook->left_s, 0) + eta->spent_s;
}

void bh_eta_cell_started(BhEta *eta, const BhCell *cell, guint64 now_ns) {
  (void)cell;
  eta->started_ns = now_ns;
}

void bh_eta_cell_done(BhEta *eta, const BhCell *cell, guint64 now_ns) {
  Seen *seen = g_hash_table_lookup(eta->cells, cell);
  if (eta->left > 0)
    eta->left--;
  if (!seen || eta->started_ns == 0)
    return;
  const double took_s = (double)(now_ns - eta->started_ns) / 1e9;
  seen->done++;
  seen->visits++;
  seen->spent_s += took_s;
  eta->spent_s += took_s;
  eta->spent_budget_s += seen->budget_s;
  eta->ended++;
  eta->started_ns = 0;
}

gboolean bh_eta_left(const BhEta *eta, double *ret_seconds, gboolean *ret_bound) {
  if (!eta || (eta->left == 0 && !(eta->topup_s > 0)))
    return FALSE;
  GHashTableIter iter;
  gpointer value;
  double sum_s = 0;
  guint runs = 0;
  const double share = eta->spent_budget_s > 0 ? eta->spent_s / eta->spent_budget_s : 1;
  g_hash_table_iter_init(&iter, eta->cells);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Seen *seen = value;
    const guint left = seen->rounds > seen->done ? seen->rounds - seen->done : 0;
    sum_s += left * (seen->visits > 0 ? seen->spent_s / seen->visits : seen->budget_s * share);
    runs += left;
  }
  /* A resumed run has done some before, nobody knows which: they count as average ones. */
  *ret_seconds = runs ? sum_s * MIN(1, (double)eta->left / runs) : 0;
  *ret_seconds += eta->topup_s;
  *ret_bound = (eta->left && eta->ended == 0) || eta->topup_bound;
  if (eta->budget_s > 0 && eta->budget_s - eta->spent_s < *ret_seconds) {
    *ret_seconds = MAX(eta->budget_s - eta->spent_s, 0);
    *ret_bound = TRUE;
  }
  return (runs && eta->left) || eta->topup_s > 0;
}
