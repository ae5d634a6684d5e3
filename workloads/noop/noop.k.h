/* SPDX-License-Identifier: MIT
 *
 * noop.k.h - the kernel of noop, written once: compiled here for the host, and when a cell opens for its device. It is
 * C within limits (docs/kernels.md): BH_FN before functions, BH_GLOBAL at pointers to regions.
 */
#ifndef NOOP_K_H
#define NOOP_K_H
#include <benchhost/kernel.h>

/* What a run leaves behind. Doing nothing must still be checkable: a kernel that was never called, or called twice for
 * one chunk, has to be found out. So each chunk adds how many items it saw and the sum of their indices. */
typedef struct {
  uint64_t count, index_sum; /* modulo 2^64 */
} noop_seen;

/* Called with chunks [begin, end) of the items, by many workers at once: threads, processes, or lanes of a device. It
 * touches its regions (`seen`, the first of `noop_uses`) and its parameters and nothing else: no globals, no host
 * services, no memory of the workload's state. `seen` is REDUCE: this worker's own part, so there is no lock. */
BH_FN void noop_chunk(uint64_t begin, uint64_t end, BH_GLOBAL noop_seen *seen, bh_no_params p) {
  const uint64_t n = end - begin, twice_middle = begin + end - 1;
  BH_UNUSED(p);
  seen->count += n;
  seen->index_sum += n % 2 == 0 ? n / 2 * twice_middle : twice_middle / 2 * n; /* begin + ... + (end - 1) */
}

/* Makes the kernel `noop` of it: CHUNKS, because the function takes a chunk (others take one item), 1 region. */
BH_CHUNKS_KERNEL1(noop, noop_chunk, bh_no_params, noop_seen)
#endif
