/* SPDX-License-Identifier: MIT
 * How long a run will still take, from each cell's own time budget and from how long cells have taken so far. Internal
 * to results/; no lock of its own. */
#pragma once
#include "plan/plan.h"

typedef struct BhEta BhEta;
/* `left`: cell runs still to do; a resumed run has fewer than the plan. The plan must outlive it. */
BhEta *bh_eta_new(const BhPlan *plan, guint left);
void bh_eta_free(BhEta *eta);
void bh_eta_cell_started(BhEta *eta, const BhCell *cell, guint64 now_ns);
void bh_eta_cell_done(BhEta *eta, const BhCell *cell, guint64 now_ns);
/* FALSE: nothing can be said. `ret_bound`: no cell has ended yet, so the figure is what the budgets allow at most. */
gboolean bh_eta_left(const BhEta *eta, double *ret_seconds, gboolean *ret_bound);
