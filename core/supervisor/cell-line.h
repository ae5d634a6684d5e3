/* SPDX-License-Identifier: MIT
 * A cell's line in the journal: what its process said, checked, together with what the supervisor saw. */
#pragma once
#include "plan/plan.h"
#include "supervisor/process.h"

/* Caller unrefs. Never fails: a result that breaks the rules becomes a `failed` line that says which rule. */
JsonObject *bh_cell_line_new(const BhCell *cell, guint round, const BhOutcome *outcome);
/* What is wrong with a worker's result, for people, or NULL: every type, every number finite, figures exactly when the
 * status is ok. Caller frees. */
char *bh_cell_line_check(JsonObject *result);
/* Whether the outcome of an interrupted cell is worth keeping: a whole result that the interruption did not cause. */
gboolean bh_cell_line_keeps(const BhOutcome *outcome);
/* Time between the end of loading and the end of `close`, as the process's phases tell; all of its life without a
 * result. */
gint64 bh_cell_line_inside_ns(const BhOutcome *outcome);
