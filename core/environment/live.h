/* SPDX-License-Identifier: MIT
 * A short look at the machine as it is now. First we sleep, so that what is seen is others'; then one thread for each
 * CPU that we may use spins, because steal and gaps show only to somebody who wants to run. */
#pragma once
#include "environment/disturbance.h"

/* A process that is not ours. */
typedef struct {
  char *name;  /* as the kernel has it, at most 15 bytes, any bytes */
  double cpus; /* CPU time used per second: 0.3 is 30 % of one CPU */
} BhBusy;

typedef struct {
  gboolean looked; /* FALSE: nothing below is set but `busy`, which is then empty */
  BhDisturbance quiet;
  double waiting;  /* tasks that wanted to run while we slept, on average; below 0: not known */
  GPtrArray *busy; /* of BhBusy, busiest first, those above 1 % of a CPU */
  gboolean spun;   /* FALSE: a made-up machine, whose CPUs nobody can spin on; the rest is not set */
  BhDisturbance spinning;
  gint64 spin_ns, lost_ns, longest_ns; /* sums over threads: time looked at, time in gaps; the longest gap */
  guint gaps;                          /* longer than BH_GAP_NS */
  gint64 step_ns, read_ns, slow_ns;    /* the clock: smallest step; a reading's median and 99.9th percentile */
} BhLive;

#define BH_GAP_NS 50000 /* timer interrupts are shorter; losing the CPU is longer */

/* `seconds` 0: no look. `cores`: threads that may spin at once without meeting a quota. */
void bh_live_look(const char *root, double seconds, guint cores, BhLive *ret);
void bh_live_clear(BhLive *live);
