/* SPDX-License-Identifier: MIT
 *
 * benchhost/pool.h - fork and join: one leader, who is worker 0, hands a command to the others and waits for them. The
 * same code serves threads and processes: it is plain memory, shared by all workers. Optional: plugin.h alone is the
 * contract. C11.
 *
 * A dispatch is one store to a cache line that all others wait on (command included), a join is one counter; each role
 * has its own line, so the leader's store is the only miss a worker takes before its first chunk of a static loop.
 */
#ifndef BENCHHOST_POOL_H
#define BENCHHOST_POOL_H
#include <benchhost/regions.h>
#include <benchhost/schedule.h>
#include <benchhost/wait.h>
#include <stdio.h>

#define BH_POOL_TEAM UINT32_MAX       /* command: run the team's body */
#define BH_POOL_QUIT (UINT32_MAX - 1) /* command: leave; any other is a loop's index */

typedef struct {
  bh_gate start; /* word: generation; payload[0]: command */
  bh_gate busy;  /* word: how many others still work */
  bh_claims claims;
  _Alignas(64) _Atomic uint32_t abort; /* ends all waits */
} bh_pool;                             /* starts as zeroes, 64-byte aligned */

/* [leader] */
static inline void bh_pool_start(bh_pool *pool, uint32_t workers, uint32_t command, const bh_waiter *waiter) {
  uint32_t generation = atomic_load_explicit(&pool->start.word, memory_order_relaxed) + 1;
  atomic_store_explicit(&pool->claims.next, 0, memory_order_relaxed);
  if (workers == 1)
    return;
  atomic_store_explicit(&pool->busy.word, workers - 1, memory_order_relaxed);
  pool->start.payload[0] = command;
  bh_gate_set(&pool->start, generation, waiter);
}

/* [leader] 0: all others are done and what they wrote is visible. */
static inline int bh_pool_join(bh_pool *pool, uint32_t workers, const bh_waiter *waiter) {
  return workers == 1 ? 0 : bh_gate_wait_for(&pool->busy, 0, waiter);
}

/* [worker] Waits for the command after `generation` (0 at first) and counts it up. Nonzero: aborted. */
static inline int bh_pool_wait(bh_pool *pool, uint32_t *generation, uint32_t *ret_command, const bh_waiter *waiter) {
  if (bh_gate_wait_for(&pool->start, *generation + 1, waiter))
    return 1;
  ++*generation;
  *ret_command = pool->start.payload[0];
  return 0;
}

/* [worker] */
static inline void bh_pool_done(bh_pool *pool, const bh_waiter *waiter) {
  bh_gate_count_down(&pool->busy, waiter);
}

/* [worker] This worker's share of loop `index`. */
static inline void bh_pool_work(bh_pool *pool, const bh_share *share, const bh_lane *lane, uint32_t index) {
  const bh_kernel *kernel = &lane->problem->kernels[lane->problem->loops[index].kernel];
  const bh_args *args = &lane->loops[index];
  uint64_t cursor = 0, begin, end;
  bh_lane_identity(lane, kernel->uses, kernel->n_uses);
  while (bh_schedule_next(share, &pool->claims, &cursor, lane->worker, &begin, &end))
    kernel->host(args, begin, end);
}

/* One share per loop; NULL: out of memory. Caller frees. */
static inline bh_share *bh_pool_shares(const bh_problem *problem, bh_schedule schedule, uint64_t chunk,
                                       uint32_t workers) {
  bh_share *shares = calloc(problem->n_loops + 1u, sizeof *shares);
  for (uint32_t l = 0; shares && l < problem->n_loops; l++)
    shares[l] = bh_schedule_share(schedule, chunk, problem->loops[l].items, problem->loops[l].min_chunk, workers);
  return shares;
}

/* Records what all backends record: schedule, and the items per chunk that it came to (of each loop, where they
 * differ). */
static inline void bh_pool_facts(const bh_host *h, const bh_problem *problem, const bh_share *shares,
                                 const char *schedule) {
  char text[160] = "";
  int length = 0;
  if (problem->member)
    return;
  for (uint32_t l = 0; l < problem->n_loops && length < (int)sizeof text - 24; l++) {
    uint64_t items = bh_schedule_chunk_items(&shares[l]);
    if (l && items == bh_schedule_chunk_items(&shares[l - 1]))
      continue;
    length += snprintf(text + length, sizeof text - (size_t)length, "%s%" PRIu64, length ? ", " : "", items);
  }
  h->fact(h, "schedule", "%s", schedule);
  h->fact(h, "chunk", "%s", text);
}
#endif
