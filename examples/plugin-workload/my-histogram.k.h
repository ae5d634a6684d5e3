/* SPDX-License-Identifier: MIT
 *
 * The kernel of my-histogram: what is measured. It is written once: the host's compiler builds it into the plugin, and
 * benchhost-kernel embeds it as text, which a device's compiler gets when a cell opens. So it is C, less some of it
 * (docs/kernels.md: what works where, and the other forms). benchhost-kernel names what is outside, and what to write instead.
 */
#include <benchhost/kernel.h>

#define MOST_BINS 64
#define LANES 32 /* that work as a group on a device: they share LANES x MOST_BINS x 8 = 16 KiB of local memory */

/* The loop's parameters: flat bytes without pointers, as they may go to another process or a device. */
typedef struct {
  uint32_t bins;
} count_params;

/* What each worker has for itself, and so needs no locking; COUNTS, the region, is one of these. */
typedef struct {
  uint64_t of[MOST_BINS];
} counts;

/* Nothing counted yet. */
BH_FN void count_start(counts *sum) {
  for (uint32_t b = 0; b < MOST_BINS; b++)
    sum->of[b] = 0;
}

/* Item i, and no other one. A pointer to a region is BH_GLOBAL, everywhere. */
BH_FN void count_item(uint64_t i, counts *sum, BH_GLOBAL const uint32_t *values, count_params p) {
  sum->of[values[i] & (p.bins - 1)]++;
}

/* Adds what another one counted, in any order. */
BH_FN void count_join(counts *sum, const counts *other) {
  for (uint32_t b = 0; b < MOST_BINS; b++)
    sum->of[b] += other->of[b];
}

/* The kernel `count`. Its last types are those of its regions, in the order of `uses` in my-histogram.c. */
BH_REDUCE_KERNEL2(count, count_start, count_item, count_join, LANES, count_params, counts, const uint32_t)
