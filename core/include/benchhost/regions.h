/* SPDX-License-Identifier: MIT
 *
 * benchhost/regions.h - from a problem's regions to what one worker's kernels get: argument tables, private parts for
 * REDUCE and SCRATCH, identity and combine. Optional: plugin.h alone is the contract. C11 (gnu11 or _GNU_SOURCE);
 * allocates nothing itself but small tables, so that a backend decides whether parts lie in a heap, in shared memory or
 * in a worker's own.
 *
 * REDUCE is taken as: every loop (or team run) that uses a region with role REDUCE starts each worker's part from the
 * identity, and leaves in the host's view the identity combined with all parts in worker order: always the same order,
 * so the same split gives the same bits. In a team the parts live from the start of the body to its end.
 */
#ifndef BENCHHOST_REGIONS_H
#define BENCHHOST_REGIONS_H
#include <benchhost/plugin.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static inline uint64_t bh_regions_round(uint64_t bytes) {
  return (bytes + 63) & ~UINT64_C(63);
}

/* Size of the host's view; 0 for SCRATCH, which the host never sees. */
static inline uint64_t bh_regions_view_bytes(const bh_problem *problem, uint32_t index, uint32_t workers) {
  const bh_region *region = &problem->regions[index];
  if (region->role == BH_SCRATCH)
    return 0;
  return region->split == BH_BY_WORKER ? region->bytes * workers : region->bytes;
}

static inline int bh_regions_reduces(const bh_problem *problem, uint32_t index) {
  for (uint32_t k = 0; k < problem->n_kernels; k++)
    for (uint32_t u = 0; u < problem->kernels[k].n_uses; u++)
      if (problem->kernels[k].uses[u].region == index && problem->kernels[k].uses[u].role == BH_REDUCE)
        return 1;
  for (uint32_t u = 0; u < problem->n_uses; u++)
    if (problem->uses[u].region == index && problem->uses[u].role == BH_REDUCE)
      return 1;
  return 0;
}

/* Bytes of one worker's private parts, each rounded up to 64: `role` BH_REDUCE or BH_SCRATCH. */
static inline uint64_t bh_regions_parts_bytes(const bh_problem *problem, bh_role role) {
  uint64_t bytes = 0;
  for (uint32_t r = 0; r < problem->n_regions; r++)
    if (role == BH_SCRATCH ? problem->regions[r].role == BH_SCRATCH : bh_regions_reduces(problem, r))
      bytes += bh_regions_round(problem->regions[r].bytes);
  return bytes;
}

static inline void bh_regions_identity(const bh_region *region, void *part) {
  if (region->identity)
    region->identity(part, region->bytes);
  else if (region->bytes)
    memset(part, 0, region->bytes);
}

/* ---- Memory: zero pages that cost nothing before they are touched ---- */

/* NULL: out of memory. `shared`: also with processes forked later. */
static inline void *bh_regions_pages(uint64_t bytes, int shared) {
  int flags = MAP_ANONYMOUS | MAP_NORESERVE | (shared ? MAP_SHARED : MAP_PRIVATE);
  void *pages = bytes > SIZE_MAX / 2 ? MAP_FAILED : mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, flags, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}
static inline void bh_regions_free_pages(void *pages, uint64_t bytes) {
  if (pages)
    munmap(pages, bytes ? bytes : 1);
}

static inline void bh_regions_unmap(const bh_problem *problem, uint32_t workers, void **view) {
  for (uint32_t r = 0; view && r < problem->n_regions; r++)
    bh_regions_free_pages(view[r], bh_regions_view_bytes(problem, r, workers));
  free(view);
}

/* The host's views of all regions (NULL for SCRATCH), to be freed by bh_regions_unmap. NULL: out of memory, and said
 * so. */
static inline void **bh_regions_map(const bh_host *h, const bh_problem *problem, uint32_t workers, int shared) {
  void **view = calloc(problem->n_regions + 1u, sizeof *view);
  for (uint32_t r = 0; view && r < problem->n_regions; r++) {
    uint64_t bytes = bh_regions_view_bytes(problem, r, workers);
    if (problem->regions[r].role == BH_SCRATCH)
      continue;
    if ((view[r] = bh_regions_pages(bytes, shared)) != NULL)
      continue;
    h->stop(h, BH_OUT_OF_MEMORY, "region '%s' needs %" PRIu64 " bytes, which could not be mapped",
            problem->regions[r].name, bytes);
    bh_regions_unmap(problem, workers, view);
    return NULL;
  }
  return view;
}

/* ---- A lane: one worker's argument tables ---- */

typedef struct {
  const bh_host *host;
  const bh_problem *problem;
  uint32_t worker, workers;
  bh_args *loops; /* n_loops */
  bh_args team;
  void **own; /* n_regions: this worker's part of a REDUCE or SCRATCH region, else NULL */
  void **tables;
} bh_lane;

/* Where a worker's parts lie: fills own[] from two blocks of bh_regions_parts_bytes, 64-byte aligned. */
static inline void bh_lane_parts(bh_lane *lane, void *reduce, void *scratch) {
  char *next_reduce = reduce, *next_scratch = scratch;
  for (uint32_t r = 0; r < lane->problem->n_regions; r++) {
    const bh_region *region = &lane->problem->regions[r];
    if (region->role == BH_SCRATCH) {
      lane->own[r] = next_scratch;
      next_scratch += bh_regions_round(region->bytes);
    } else if (bh_regions_reduces(lane->problem, r)) {
      lane->own[r] = next_reduce;
      next_reduce += bh_regions_round(region->bytes);
    }
  }
}

static inline void *bh_lane_pointer(const bh_lane *lane, const bh_use *use, void *const *view) {
  const bh_region *region = &lane->problem->regions[use->region];
  if (region->role == BH_SCRATCH || use->role == BH_REDUCE)
    return lane->own[use->region];
  char *base = view[use->region];
  return use->split == BH_BY_WORKER && base ? base + (uint64_t)lane->worker * region->bytes : base;
}

static inline void **bh_lane_table(const bh_lane *lane, const bh_use *uses, uint32_t n, void *const *view, void **at) {
  for (uint32_t u = 0; u < n; u++)
    *at++ = bh_lane_pointer(lane, &uses[u], view);
  return at;
}

/* `view`: per region the address at which this worker sees it. Needs bh_lane_open and bh_lane_parts before. */
static inline void bh_lane_fill(bh_lane *lane, void *const *view) {
  const bh_problem *problem = lane->problem;
  void **at = lane->tables;
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    lane->loops[l] = (bh_args){at, problem->loops[l].params, lane->worker, lane->workers, NULL};
    at = bh_lane_table(lane, kernel->uses, kernel->n_uses, view, at);
  }
  lane->team = (bh_args){at, NULL, lane->worker, lane->workers, NULL};
  bh_lane_table(lane, problem->uses, problem->n_uses, view, at);
}

/* [worker] After bh_lane_fill, by the worker itself: the kernels' own states. */
static inline bh_status bh_lane_setup(bh_lane *lane) {
  bh_status status = BH_OK;
  for (uint32_t l = 0; l < lane->problem->n_loops && status == BH_OK; l++) {
    const bh_loop *loop = &lane->problem->loops[l];
    const bh_kernel *kernel = &lane->problem->kernels[loop->kernel];
    if (kernel->setup)
      status = kernel->setup(lane->host, &lane->loops[l], loop->items, &lane->loops[l].state);
  }
  return status;
}

static inline void bh_lane_close(bh_lane *lane) {
  for (uint32_t l = 0; lane->loops && l < lane->problem->n_loops; l++) {
    const bh_kernel *kernel = &lane->problem->kernels[lane->problem->loops[l].kernel];
    if (lane->loops[l].state && kernel->teardown)
      kernel->teardown(lane->loops[l].state);
  }
  free(lane->loops);
  free(lane->own);
  free(lane->tables);
  memset(lane, 0, sizeof *lane);
}

/* 0: out of memory (of a few hundred bytes). */
static inline int bh_lane_open(bh_lane *lane, const bh_host *host, const bh_problem *problem, uint32_t worker,
                               uint32_t workers) {
  size_t uses = problem->n_uses;
  for (uint32_t l = 0; l < problem->n_loops; l++)
    uses += problem->kernels[problem->loops[l].kernel].n_uses;
  memset(lane, 0, sizeof *lane);
  lane->host = host;
  lane->problem = problem;
  lane->worker = worker;
  lane->workers = workers;
  lane->loops = calloc(problem->n_loops + 1u, sizeof *lane->loops);
  lane->own = calloc(problem->n_regions + 1u, sizeof *lane->own);
  lane->tables = calloc(uses + 1, sizeof *lane->tables);
  if (lane->loops && lane->own && lane->tables)
    return 1;
  bh_lane_close(lane);
  return 0;
}

static inline int bh_regions_any_reduce(const bh_use *uses, uint32_t n) {
  for (uint32_t u = 0; u < n; u++)
    if (uses[u].role == BH_REDUCE)
      return 1;
  return 0;
}

/* [worker] Sets this worker's REDUCE parts among `uses` to the identity. */
static inline void bh_lane_identity(const bh_lane *lane, const bh_use *uses, uint32_t n) {
  for (uint32_t u = 0; u < n; u++)
    if (uses[u].role == BH_REDUCE)
      bh_regions_identity(&lane->problem->regions[uses[u].region], lane->own[uses[u].region]);
}

/* [host] Joins all workers' parts of one region into the host's view. */
static inline void bh_lanes_join(const bh_lane *lanes, uint32_t workers, uint32_t index, void *view) {
  const bh_region *region = &lanes[0].problem->regions[index];
  bh_regions_identity(region, view);
  for (uint32_t w = 0; w < workers; w++)
    region->combine(view, lanes[w].own[index], region->bytes);
}

static inline void bh_lanes_join_uses(const bh_lane *lanes, uint32_t workers, const bh_use *uses, uint32_t n,
                                      void *const *view) {
  for (uint32_t u = 0; u < n; u++)
    if (uses[u].role == BH_REDUCE)
      bh_lanes_join(lanes, workers, uses[u].region, view[uses[u].region]);
}

/* A team's members keep their parts through the whole body: all REDUCE regions at once, used by body or kernels. */
static inline void bh_lane_identity_team(const bh_lane *lane) {
  for (uint32_t r = 0; r < lane->problem->n_regions; r++)
    if (lane->own[r] && lane->problem->regions[r].role != BH_SCRATCH)
      bh_regions_identity(&lane->problem->regions[r], lane->own[r]);
}
static inline void bh_lanes_join_team(const bh_lane *lanes, uint32_t workers, void *const *view) {
  for (uint32_t r = 0; r < lanes[0].problem->n_regions; r++)
    if (lanes[0].own[r] && lanes[0].problem->regions[r].role != BH_SCRATCH)
      bh_lanes_join(lanes, workers, r, view[r]);
}

/* [worker] BH_OK, or why member `member` of a team cannot run items [begin, end) of loop `index`. */
static inline bh_status bh_regions_check_run(const bh_host *h, const bh_problem *problem, uint32_t member,
                                             uint32_t index, uint64_t begin, uint64_t end) {
  if (index >= problem->n_loops)
    return h->stop(h, BH_FAIL, "member %" PRIu32 " runs loop %" PRIu32 ", but there are %" PRIu32, member, index,
                   problem->n_loops);
  if (begin > end || end > problem->loops[index].items)
    return h->stop(h, BH_FAIL,
                   "member %" PRIu32 " runs items %" PRIu64 " to %" PRIu64 " of loop %" PRIu32 ", which has %" PRIu64,
                   member, begin, end, index, problem->loops[index].items);
  return BH_OK;
}

/* [worker] What a team's `run` does on the host: items of loop `index` in one chunk on this member's lane, a bh_lane.
 */
static inline bh_status bh_lane_run(void *arg, uint32_t index, uint64_t begin, uint64_t end, const void *params) {
  const bh_lane *lane = arg;
  bh_status status = bh_regions_check_run(lane->host, lane->problem, lane->worker, index, begin, end);
  if (status != BH_OK)
    return status;
  bh_args args = lane->loops[index];
  if (params)
    args.params = params;
  if (begin < end)
    lane->problem->kernels[lane->problem->loops[index].kernel].host(&args, begin, end);
  return BH_OK;
}

/* ---- accept: what no backend of the host can do ---- */

static inline bh_status bh_regions_check_uses(const bh_host *h, const bh_problem *problem, const char *who,
                                              const bh_use *uses, uint32_t n) {
  for (uint32_t u = 0; u < n; u++) {
    if (uses[u].region >= problem->n_regions)
      return h->stop(h, BH_FAIL, "%s: use %" PRIu32 " names region %" PRIu32 ", but there are %" PRIu32, who, u,
                     uses[u].region, problem->n_regions);
    const bh_region *region = &problem->regions[uses[u].region];
    if (uses[u].role == BH_REDUCE && !region->combine)
      return h->stop(h, BH_FAIL, "%s: region '%s' is reduced but has no combine function", who, region->name);
    if (uses[u].split == BH_BY_WORKER && region->split != BH_BY_WORKER && region->role != BH_SCRATCH)
      return h->stop(h, BH_FAIL, "%s: region '%s' is used by worker, but is not divided by worker", who, region->name);
    if (uses[u].split != BH_BY_WORKER && region->split == BH_BY_WORKER && region->role != BH_SCRATCH &&
        (uses[u].role != BH_IN || uses[u].split != BH_WHOLE))
      return h->stop(h, BH_FAIL,
                     "%s: region '%s' is divided by worker: a kernel may write its worker's part, and read all of it",
                     who, region->name);
  }
  return BH_OK;
}

/* BH_OK, or the reason why a team of so many cannot run. */
static inline bh_status bh_regions_check_team(const bh_host *h, const bh_problem *problem, uint32_t workers) {
  if (workers < problem->min_members)
    return h->stop(h, BH_UNSUPPORTED, "the team needs at least %" PRIu32 " members, but there are %" PRIu32 " workers",
                   problem->min_members, workers);
  if (problem->max_members && workers > problem->max_members)
    return h->stop(h, BH_UNSUPPORTED, "the team takes at most %" PRIu32 " members, but there are %" PRIu32 " workers",
                   problem->max_members, workers);
  return bh_regions_check_uses(h, problem, "team", problem->uses, problem->n_uses);
}

/* BH_OK, or the reason why host code with `workers` workers cannot run this problem. */
static inline bh_status bh_regions_check(const bh_host *h, const bh_problem *problem, uint32_t workers) {
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    uint32_t k = problem->loops[l].kernel;
    if (k >= problem->n_kernels)
      return h->stop(h, BH_FAIL, "loop %" PRIu32 " names kernel %" PRIu32 ", but there are %" PRIu32, l, k,
                     problem->n_kernels);
    const bh_kernel *kernel = &problem->kernels[k];
    if (!kernel->host)
      return h->stop(h, BH_UNSUPPORTED, "kernel '%s' has no code for the host", kernel->name);
    bh_status status = bh_regions_check_uses(h, problem, kernel->name, kernel->uses, kernel->n_uses);
    if (status != BH_OK)
      return status;
  }
  return problem->member ? bh_regions_check_team(h, problem, workers) : BH_OK;
}
#endif
