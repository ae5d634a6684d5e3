/* SPDX-License-Identifier: MIT
 * Which figure of a cell decides: the matrix's `primary`, as a text ("wall", "counter:instructions") and taken apart.
 */
#pragma once
#include <glib.h>

typedef enum {
  BH_PRIMARY_WALL = 0, /* "wall": a run's steady time */
  BH_PRIMARY_TOTAL,    /* "total": from cold, once per process */
  BH_PRIMARY_CPU,      /* "cpu": CPU time of all the cell's workers, per run */
  BH_PRIMARY_MEMORY,   /* "memory": peak memory of the cell's processes, once per process */
  BH_PRIMARY_COUNTER,  /* "counter:NAME": a hardware or kernel counter, per run */
  BH_PRIMARY_METRIC,   /* "metric:NAME": what the workload reports by bh_host.metric */
} BhPrimaryKind;

typedef struct {
  BhPrimaryKind kind;
  const char *name; /* interned; of the counter or the metric, else NULL */
} BhPrimary;

/* FALSE: not one of the texts above; `ret` is then the wall time. */
gboolean bh_primary_parse(const char *text, BhPrimary *ret);
/* Whether it has one value per sample, so that sampling inside a process can stop by its precision. Else it has one per
 * process, and only rounds make it precise. */
gboolean bh_primary_per_sample(const BhPrimary *primary);
