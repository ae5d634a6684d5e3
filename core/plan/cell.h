/* SPDX-License-Identifier: MIT
 * One finished cell: from a draft to what the supervisor runs, with its identity and its label. */
#pragma once
#include "plan/draft.h"

/* The draft is evaluated. `env`: the cell's variables, `common`: those that the whole matrix has (NULL: none), which a
 * label need not show. Both are copied. */
BhCell *bh_cell_new(const BhDraft *draft, GHashTable *env, GHashTable *common, const BhMeasure *measure);
/* "64KiB", "1.5s": the shortest exact text for people. Caller frees. */
char *bh_cell_value_text(const BhValue *value);
