/* SPDX-License-Identifier: MIT
 * CPU time of all of a cell's processes, read around a sample. One thread only: the cell's first. */
#pragma once
#include <json-glib/json-glib.h>

typedef struct BhCpuTime BhCpuTime;

BhCpuTime *bh_cpu_time_new(void); /* knows this process's first thread only */
void bh_cpu_time_free(BhCpuTime *cpu);
/* The threads that this process has now, and the processes of the workers in `placement` (as bh_arena_placement). */
void bh_cpu_time_find(BhCpuTime *cpu, JsonNode *placement);
/* Used so far, in ns, by this process, its threads, and workers in other processes; what children used that were reaped
 * is rusage's to tell. */
guint64 bh_cpu_time_now_ns(const BhCpuTime *cpu);
/* The kernel adds up the CPU time of a running thread when it stops running and at each tick (1 to 10 ms), else only
 * when a thread of its own process asks. FALSE: a worker in another process still runs, a moment after the end of its
 * part (it spins), so that its time may be a tick behind. */
gboolean bh_cpu_time_settle(const BhCpuTime *cpu);
