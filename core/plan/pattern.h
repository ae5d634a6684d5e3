/* SPDX-License-Identifier: MIT
 * Patterns choose cells: {workload: prime, backend: [fork, pthread], workers: 2..4, workload.n: 1000}. All keys must
 * match. */
#pragma once
#include "plan/draft.h"

typedef struct BhPattern BhPattern;

/* `sides`: of BhSide, all that the matrix has: names that none of them knows are errors. */
BhPattern *bh_pattern_new(const BhNode *map, const GPtrArray *sides, const BhMachine *machine, GError **error);
void bh_pattern_free(BhPattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhPattern, bh_pattern_free)
/* FALSE with `error` set: a key is ambiguous for this cell. A value that could not be computed matches nothing. */
gboolean bh_pattern_matches(BhPattern *pattern, BhDraft *draft, GError **error);
guint bh_pattern_uses(const BhPattern *pattern); /* how many cells it matched */
BhPosition bh_pattern_at(const BhPattern *pattern);
