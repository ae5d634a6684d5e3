/* SPDX-License-Identifier: MIT
 * Where workers go: computed once by the supervisor with hwloc (loading a topology costs milliseconds), handed to
 * cells. */
#pragma once
#include <glib.h>

typedef struct {
  guint cores;        /* min(affinity mask, cgroup cpu quota rounded up) */
  guint mask_cores;   /* CPUs in the affinity mask */
  double quota_cores; /* cgroup quota / period; 0: none */
  GArray *compact;    /* of int: OS CPU numbers, neighbouring cores first, SMT siblings last */
  GArray *spread;     /* of int: as far apart as possible */
  guint64 memory_total_bytes, memory_available_bytes; /* MemAvailable, capped by the cgroup's limit */
} BhPlacement;

BhPlacement *bh_placement_new(void); /* never fails: without a topology, the order of CPU numbers */
void bh_placement_free(BhPlacement *placement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhPlacement, bh_placement_free)

/* The process's one copy, made at the first call; never freed, never changed. */
const BhPlacement *bh_placement_shared(void);
/* The affinity mask now, as ascending CPU numbers (of int); never empty. Caller unrefs. */
GArray *bh_placement_mask(void);
/* MemAvailable now, capped by what the cgroup still allows: two or three small files. */
guint64 bh_placement_memory_available_bytes(void);
/* The two orders over the CPUs in `mask` (of int, ascending). `synthetic`: one of hwloc's made-up machines
 * ("package:2 core:4 pu:2"), for tests; NULL: this one. Caller unrefs both. */
void bh_placement_orders(const char *synthetic, const GArray *mask, GArray **ret_compact, GArray **ret_spread);
