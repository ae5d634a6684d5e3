/* SPDX-License-Identifier: MIT
 * What is looked at around every sample besides the clock: resource usage, the CPU time of all the cell's workers, the
 * counters that the matrix asked for. One set of observations a sample; all divided by its runs where that makes sense.
 * Every function accepts NULL: then nothing is observed. One thread only: the cell's first. */
#pragma once
#include "base/primary.h"
#include "worker/session.h"

typedef struct BhProbe BhProbe;

/* Before the backend opens: threads and processes that it starts are counted only if counters were open by then. Never
 * fails: what is not allowed is recorded as unavailable, with the reason. `measure`: its groups of counters, and that
 * of its primary figure. */
BhProbe *bh_probe_new(const BhMeasure *measure);
void bh_probe_free(BhProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhProbe, bh_probe_free)
/* After the backend has opened: the processes of its workers, for their CPU time. Reads the arena's placement. */
void bh_probe_find_workers(BhProbe *probe, const BhSession *session);
/* Around the timed part, the clock's reading inside of both: begin, clock, run, clock, end. Both cheap (a few system
 * calls), neither allocates. */
void bh_probe_begin(BhProbe *probe);
void bh_probe_end(BhProbe *probe, guint inner, guint64 wall_ns);
/* The sample just ended is kept; else the next begin forgets it (warm-up). */
void bh_probe_keep(BhProbe *probe);
/* The value of `primary` in the sample just ended, per run. FALSE: it has none (unavailable, or not per sample). A
 * metric is the arena's to tell, not the probe's. */
gboolean bh_probe_value(const BhProbe *probe, const BhPrimary *primary, double *ret);
/* The share of the kept samples that something disturbed; 0 when none was kept. */
double bh_probe_flagged_share(const BhProbe *probe);
/* What kept samples showed, for the `cell` line: `cpu` (a figure), `counters`, `samples` (arrays that are not all 0)
 * and `flagged`. Adds members to `record`; nothing when no sample was kept; no `samples` beyond 100,000 of them. */
void bh_probe_add_to_record(const BhProbe *probe, JsonObject *record);
/* Adds `peak_bytes` to each worker of `placement`, while workers are still there. Returns this process's own. */
guint64 bh_probe_add_peaks(JsonNode *placement);
