/* SPDX-License-Identifier: MIT
 * A checking backend inside the host: runs a workload's loops in this thread, in whatever order and chunks a check
 * wants, on guarded memory; teams run on threads. */
#pragma once
#include "check/guard.h"
#include "plugin/mini-host.h"
#include "worker/problem.h"

typedef enum {
  BH_CHUNKS_ONE = 0, /* all items at once */
  BH_CHUNKS_SINGLE,  /* the smallest chunks allowed, the first 256 of them */
  BH_CHUNKS_UNEVEN,  /* sizes 1, 2, 3, ... times the smallest */
  BH_CHUNKS_REVERSE, /* eight chunks, the last first */
  BH_N_CHUNKS
} BhChunks;
const char *bh_chunks_name(BhChunks chunks);

typedef struct BhRunner BhRunner;
struct BhRunner {
  const BhProblem *problem;
  const void *state; /* the workload's */
  BhMiniHost *mini;
  guint workers;
  BhGuard **view;        /* per region; NULL for SCRATCH */
  BhGuard **parts;       /* region * workers + worker: SCRATCH and REDUCE parts; else NULL */
  guint8 **pristine;     /* per region: INOUT as filled; else NULL */
  void **states;         /* loop * workers + worker: what the kernel's `setup` made; NULL: not yet, or nothing */
  gboolean watch_slices; /* after each chunk, look whether bytes outside its slices changed */
  char *trespass;        /* what a chunk did that it may not; NULL: nothing */
};

/* NULL: out of memory, or a kernel without host code; `error` says which. */
BhRunner *bh_runner_new(const BhProblem *problem, const void *state, BhMiniHost *mini, guint workers, GError **error);
void bh_runner_free(BhRunner *runner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhRunner, bh_runner_free)
/* For fill and verify: caller frees the array. `for_fill`: TEMP is NULL too. */
void **bh_runner_regions(const BhRunner *runner, gboolean for_fill);
/* After fill: keeps INOUT, write-protects IN. */
void bh_runner_filled(BhRunner *runner);
/* Poisons results (zeroes PARTIAL ones), restores INOUT. */
void bh_runner_poison(BhRunner *runner, guint64 word);
bh_status bh_runner_run(BhRunner *runner, BhChunks chunks);
/* The first guard that something ran over; NULL: none. Caller frees. */
char *bh_runner_damage(const BhRunner *runner);
gboolean bh_runner_is_result(const bh_region *region); /* OUT, INOUT, REDUCE */
