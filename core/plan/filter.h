/* SPDX-License-Identifier: MIT
 * --filter: which of a plan's cells are run. */
#pragma once
#include "plan/plan.h"

/* Removes the cells that do not match all of `filters` (NULL: none removed). An error when none is left. */
gboolean bh_filter_apply(GPtrArray *cells, const char *const *filters, GError **error);
