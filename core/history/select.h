/* SPDX-License-Identifier: MIT
 * Which cells are meant: globs over labels, or KEY=VALUE[,VALUE...] over workload, backend, variant, id, parameters and
 * options; all must match. As --filter of `run`, on stored cells. Internal to history/. */
#pragma once
#include "history/stored.h"

typedef struct BhSelect BhSelect;
BhSelect *bh_select_new(const char *const *filters, GError **error); /* NULL: everything */
void bh_select_free(BhSelect *select);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSelect, bh_select_free)
gboolean bh_select_matches(const BhSelect *select, const BhStoredCell *cell);
