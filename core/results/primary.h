/* SPDX-License-Identifier: MIT
 * The figure that decides, out of a record: one number per process, whatever it is a figure of. What the engine makes
 * precise, `ab` and `compare` compare, and history follows. */
#pragma once
#include "base/primary.h"
#include "results/results.h"

#include <benchhost/plugin.h>

/* What `record` has of `primary`: the median of its samples (wall, cpu, counter:NAME, metric:NAME), or the one value of
 * the process (total, memory). FALSE: not `ok`, or it has none (never reported, counter unavailable). Times in ns,
 * memory in bytes, both better when lower, as counters are; a metric as the workload says. The pointers may be NULL;
 * `ret_unit` is "" for a plain number, belongs to the record or is static, and is set only with a value. */
gboolean bh_results_primary(const BhCellRecord *record, const BhPrimary *primary, double *ret_value,
                            bh_better *ret_better, const char **ret_unit);
/* The primary that this record's cell was measured by: the line's own, else the run's, else the wall time. */
BhPrimary bh_results_primary_of(const BhResults *results, const BhCellRecord *record);
/* "wall", "metric:frames": the text that bh_primary_parse takes. Caller frees. */
char *bh_results_primary_text(const BhPrimary *primary);
