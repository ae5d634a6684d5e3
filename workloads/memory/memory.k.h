/* SPDX-License-Identifier: MIT
 *
 * memory.k.h - the kernel of memory: filling an array with random doubles, and the sample that proves it. The host
 * allocates each array (memory.c); on a device a group of lanes fills its part of the scratch region.
 */
#ifndef MEMORY_K_H
#define MEMORY_K_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

#define MEMORY_SAMPLES 1024
#define MEMORY_GROUP 256 /* lanes that fill one array, on a device */
/* Elements that lanes fill before they wait for each other: a device of CPU cores runs one lane after the other, and
 * each would go through the whole array, a few bytes of a cache line at a time. This fits in a second-level cache. */
#define MEMORY_BLOCK (MEMORY_GROUP * 64)

typedef struct {
  uint64_t seed, bytes;
  uint32_t map, reserved; /* host: map 1: fresh pages from the system each time; 0: malloc */
} memory_params;

/* One per item. */
typedef struct {
  uint64_t item;
  uint64_t sample; /* over MEMORY_SAMPLES elements, read back after the whole array was written */
  uint64_t error;  /* errno of the allocation, or 0 */
} memory_record;

/* Position k of MEMORY_SAMPLES: one in each of as many equal parts of the array, another place in each part; first and
 * last element included. */
BH_FN uint64_t memory_position(uint64_t count, uint64_t stream, uint64_t k) {
  uint64_t part = count / MEMORY_SAMPLES;
  if (k == 0 || k == MEMORY_SAMPLES - 1)
    return k == 0 ? 0 : count - 1;
  return part == 0 ? k * count / MEMORY_SAMPLES : k * part + bh_random_u64(~stream, k) % part;
}

/* What element `value` at position k adds to a running sample; order matters. */
BH_FN uint64_t memory_word(double value, uint64_t k) {
  return bh_bits_of_double(value) + (k + 1) * BH_RANDOM_STEP;
}
BH_FN uint64_t memory_fold(uint64_t sample, uint64_t word) {
  return bh_random_mix(sample ^ word);
}

#if defined(BH_ON_HOST)
/* Doubles in [0, 1); each item has a stream of its own. */
BH_FN void memory_fill(double *array, uint64_t count, uint64_t stream) {
  for (uint64_t j = 0; j < count; j++)
    array[j] = bh_random_unit(stream, j);
}

static const bh_kernel_shape memory_arrays_shape = {.by = BH_BY_GROUP, .lanes = MEMORY_GROUP};

#else

/* `array`: this group's own part of the scratch region. */
BH_FN void memory_group(uint64_t item, BH_LOCAL uint64_t *words, BH_GLOBAL memory_record *records,
                        BH_GLOBAL double *array, memory_params p) {
  const uint64_t count = p.bytes / sizeof(double), stream = bh_random_u64(p.seed, item);
  for (uint64_t block = 0; block < count; block += MEMORY_BLOCK) {
    const uint64_t end = count - block < MEMORY_BLOCK ? count : block + MEMORY_BLOCK;
    BH_LANES(t, MEMORY_GROUP)
    for (uint64_t j = block + t; j < end; j += MEMORY_GROUP)
      array[j] = bh_random_unit(stream, j);
    BH_SYNC
  }
  BH_LANES(t, MEMORY_GROUP)
  for (uint64_t k = t; k < MEMORY_SAMPLES; k += MEMORY_GROUP)
    words[k] = memory_word(array[memory_position(count, stream, k)], k);
  BH_SYNC
  BH_LANES(t, MEMORY_GROUP)
  if (t == 0) {
    uint64_t sample = 0;
    for (uint64_t k = 0; k < MEMORY_SAMPLES; k++)
      sample = memory_fold(sample, words[k]);
    records[item].item = item;
    records[item].sample = sample;
    records[item].error = 0;
  }
  BH_SYNC
}
BH_GROUPS_KERNEL2(memory_arrays, memory_group, MEMORY_GROUP, uint64_t, MEMORY_SAMPLES, memory_params, memory_record,
                  double)
#endif
#endif
