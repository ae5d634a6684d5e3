/* SPDX-License-Identifier: MIT
 * How long a run will still take, from each cell's own time budget and from how long cells have taken so far. Internal
 * to results/; no lock of its own. */
#pragma once
#include "supervisor/visits.h"

typedef struct BhEta BhEta;
/* `left`: cell runs still to do; a resumed run has fewer than the plan. The plan must outlive it. */
BhEta *bh_eta_new(const BhPlan *plan, guint left);
void bh_eta_free(BhEta *eta);
void bh_eta_cell_started(BhEta *eta, const BhCell *cell, guint64 now_ns);
void bh_eta_cell_done(BhEta *eta, const BhCell *cell, guint64 now_ns);
/* What the engine expects besides; the latest counts. */
void bh_eta_outlook(BhEta *eta, const BhOutlook *outlook);
/* FALSE: nothing can be said. `ret_bound`: the figure is the most that it can be (no cell has ended yet, or the budget
 * ends before all is precise), no expectation. Never more than is left of the budget. */
gboolean bh_eta_left(const BhEta *eta, double *ret_seconds, gboolean *ret_bound);
