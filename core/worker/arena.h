/* SPDX-License-Identifier: MIT
 * What a cell's workers tell the host: reasons, logs, facts, phases, metrics, placement. It lives in one anonymous
 * shared mapping made before any plugin code runs, so that bh_host's functions work alike in threads and in processes
 * that a backend forked. Writers claim slots by atomics; the host reads when workers are idle or gone. */
#pragma once
#include "base/error.h"
#include <benchhost/plugin.h>
#include <json-glib/json-glib.h>

typedef struct BhArena BhArena;

typedef struct {
  guint64 seed;
  const char *data_dir, *scratch_dir; /* not copied: must outlive the arena */
  guint cores;
  const int *cpus_compact, *cpus_spread; /* placement orders; not copied */
  guint n_compact, n_spread;
} BhArenaOptions;

BhArena *bh_arena_new(const BhArenaOptions *options, GError **error);
void bh_arena_free(BhArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhArena, bh_arena_free)

const bh_host *bh_arena_host(BhArena *arena);
void bh_arena_cancel(BhArena *arena); /* async-signal-safe */
gboolean bh_arena_cancelled(const BhArena *arena);
/* The first `stop`: BH_OK when none was called. `ret_message` points into the arena. */
bh_status bh_arena_stopped(const BhArena *arena, const char **ret_message);
/* Metrics recorded from now on belong to sample `sample`; bh_arena_forget_metrics drops those of warm-up. */
void bh_arena_begin_sample(BhArena *arena, guint sample);
void bh_arena_forget_metrics(BhArena *arena);
/* The median of what was reported as `name` in sample `sample`, the latest one. FALSE: nothing was. */
gboolean bh_arena_sample_metric(const BhArena *arena, guint sample, const char *name, double *ret);
void bh_arena_forget_phases(BhArena *arena);

/* Collected, as the journal has them. */
JsonNode *bh_arena_facts(const BhArena *arena);
JsonNode *bh_arena_metrics(const BhArena *arena);
JsonNode *bh_arena_worker_phases(const BhArena *arena);
JsonNode *bh_arena_placement(const BhArena *arena, gboolean *ret_misplaced);
JsonNode *bh_arena_log(const BhArena *arena);
gboolean bh_arena_overflowed(const BhArena *arena); /* something did not fit and was dropped */
