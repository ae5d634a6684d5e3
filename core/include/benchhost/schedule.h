/* SPDX-License-Identifier: MIT
 *
 * benchhost/schedule.h - which worker runs which chunk of a loop: static, dynamic or guided, as every backend means it.
 * Optional: plugin.h alone is the contract. C11 (gnu11 or _GNU_SOURCE), lock-free; the counter may lie in memory shared
 * between processes.
 *
 * With m = the loop's min_chunk and W workers, a chunk always starts at a multiple of m, and only the last one is
 * smaller: static,  chunk 0: one block per worker; blocks differ by at most m items static,  chunk c: blocks of c
 * (rounded up to m) dealt out in turn: worker w gets blocks w, w+W, w+2W, ... dynamic, chunk c: the next block of c to
 * whoever asks; c = 0: ceil(items / 32W), rounded up to m guided,  chunk c: max(c, remaining / 2W) to whoever asks,
 * rounded up to m; c = 0: ceil(items / 128W), rounded up to m
 */
#ifndef BENCHHOST_SCHEDULE_H
#define BENCHHOST_SCHEDULE_H
#include <benchhost/params.h>
#include <stdatomic.h>

/* How one loop is shared out: computed once, then constant. Counted in grains of min_chunk items. */
typedef struct {
  uint64_t items, grain; /* grain: min_chunk, at least 1 */
  uint64_t grains;       /* ceil(items / grain) */
  uint64_t chunk;        /* grains per chunk (guided: the fewest); 0: static, one block per worker */
  uint64_t chunks;       /* ceil(grains / chunk) where chunks are of one size, else 0 */
  bh_schedule schedule;
  uint32_t workers;
} bh_share;

/* What workers claim from, reset to 0 before each run of a loop by one thread that then starts the others. */
typedef struct {
  _Alignas(64) _Atomic uint64_t next;
} bh_claims;

static inline uint64_t bh_schedule_ceil(uint64_t a, uint64_t b) {
  return a / b + (a % b != 0);
}

static inline bh_share bh_schedule_share(bh_schedule schedule, uint64_t chunk, uint64_t items, uint64_t min_chunk,
                                         uint32_t workers) {
  bh_share share = {0};
  share.schedule = schedule;
  share.workers = workers;
  share.items = items;
  share.grain = min_chunk ? min_chunk : 1;
  share.grains = bh_schedule_ceil(items, share.grain);
  if (schedule != BH_STATIC && chunk == 0)
    chunk = bh_schedule_ceil(items, (uint64_t)workers * (schedule == BH_GUIDED ? 128 : 32));
  share.chunk = bh_schedule_ceil(chunk, share.grain);
  if (schedule != BH_STATIC && share.chunk == 0)
    share.chunk = 1;
  if (share.chunk && schedule != BH_GUIDED)
    share.chunks = bh_schedule_ceil(share.grains, share.chunk);
  return share;
}

/* Items of the largest chunk that is handed out (guided: of the smallest but the last): for reports. */
static inline uint64_t bh_schedule_chunk_items(const bh_share *share) {
  uint64_t grains = share->chunk ? share->chunk : bh_schedule_ceil(share->grains, share->workers);
  return grains > share->items / share->grain ? share->items : grains * share->grain;
}

/* Grains [first, last) as items. */
static inline int bh_schedule_give(const bh_share *share, uint64_t first, uint64_t last, uint64_t *ret_begin,
                                   uint64_t *ret_end) {
  *ret_begin = first * share->grain;
  *ret_end = last >= share->grains ? share->items : last * share->grain;
  return 1;
}

static inline int bh_schedule_next_guided(const bh_share *share, bh_claims *claims, uint64_t *ret_begin,
                                          uint64_t *ret_end) {
  uint64_t first = atomic_load_explicit(&claims->next, memory_order_relaxed), last;
  do {
    if (first >= share->grains)
      return 0;
    uint64_t left = share->grains - first, size = left / (2 * (uint64_t)share->workers);
    if (size < share->chunk)
      size = share->chunk;
    last = first + (size < left ? size : left);
  } while (
      !atomic_compare_exchange_weak_explicit(&claims->next, &first, last, memory_order_relaxed, memory_order_relaxed));
  return bh_schedule_give(share, first, last, ret_begin, ret_end);
}

/* The next chunk of worker `worker`: 1 with [*ret_begin, *ret_end), or 0 when there is none left. `cursor` is the
 * worker's own, 0 at the start of a loop. */
static inline int bh_schedule_next(const bh_share *share, bh_claims *claims, uint64_t *cursor, uint32_t worker,
                                   uint64_t *ret_begin, uint64_t *ret_end) {
  uint64_t index;
  if (share->schedule == BH_GUIDED)
    return bh_schedule_next_guided(share, claims, ret_begin, ret_end);
  if (share->chunk == 0) {
    if ((*cursor)++ != 0)
      return 0;
    uint64_t each = share->grains / share->workers, more = share->grains % share->workers;
    uint64_t first = each * worker + (worker < more ? worker : more), last = first + each + (worker < more);
    return first < last ? bh_schedule_give(share, first, last, ret_begin, ret_end) : 0;
  }
  if (share->schedule == BH_STATIC)
    index = worker + (*cursor)++ * share->workers;
  else
    index = atomic_fetch_add_explicit(&claims->next, 1, memory_order_relaxed);
  if (index >= share->chunks)
    return 0;
  uint64_t first = index * share->chunk, left = share->grains - first;
  return bh_schedule_give(share, first, first + (share->chunk < left ? share->chunk : left), ret_begin, ret_end);
}
#endif
