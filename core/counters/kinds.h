/* SPDX-License-Identifier: MIT
 * The table of counters: what each is called and how perf_event_open knows it. For this room only. */
#pragma once
#include <glib.h>

typedef enum { BH_COUNTER_PERF = 0, BH_COUNTER_ENERGY } BhCounterSource;

typedef struct {
  const char *group, *name, *unit;
  BhCounterSource source;
  guint32 type; /* PERF_TYPE_*; energy: 0 */
  guint64 config;
  /* Counters with the same number count at the same times, so that their ratio is exact; 0: on its own. A set must fit
   * into the processor's few counters at once. Those of the kernel always have room, and Linux 6.18 was seen to lose
   * most of task-clock's time in a set with others. */
  guint set;
  gboolean in_kernel; /* happens in the kernel: counting user mode only would find none, which is not so */
  const char *domain; /* energy: of the powercap tree, "package", "dram" */
  const char *event;  /* energy: of perf's power unit, "energy-pkg" */
  const char *help;
} BhCounterKind;

extern const BhCounterKind bh_counter_kinds[]; /* ends with a NULL name; a group's members are together */
