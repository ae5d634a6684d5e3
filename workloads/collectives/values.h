/* SPDX-License-Identifier: MIT
 *
 * values.h - what kernels and the host have in common: starting values, the trace, the kernels' parameters.
 */
#ifndef COLLECTIVES_VALUES_H
#define COLLECTIVES_VALUES_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

/* What a buffer is filled with. */
#define COL_KEEP 0
#define COL_ZEROS 1
#define COL_START 2

/* Parameters of all kernels of this workload; each reads those that it names. */
typedef struct {
  uint32_t rank, data, spare; /* fill: what of */
  uint32_t in_spare;          /* mark: 1: in `spare`, 0: in `data` */
  uint32_t add;               /* mark: 1: added, 0: written */
  uint32_t compare;           /* note: 1: whether the element is about `value`, 0: its bits */
  uint64_t at, step;          /* elements: mark i is `value` + i, at `at` + i x `step` */
  double value;
} col_kernel_params;

/* Element j of rank's buffer before the first operation: 1 .. 1024, different on every rank. */
BH_FN double col_start(uint32_t rank, uint64_t j) {
  return (double)(int32_t)(1 + (bh_random_u64(0x636f6c6c + (uint64_t)rank, j) >> 54));
}

#define COL_NEAR 1e-9 /* of sums that round: another order of adding is no error */

/* A trace: what each repeat brought, folded together in their order. No two ranks' begin alike. */
BH_FN uint64_t col_trace(uint32_t rank) {
  return bh_random_mix((uint64_t)rank + 1);
}

BH_FN uint64_t col_fold(uint64_t trace, double value) {
  return bh_random_mix(trace ^ bh_bits_of_double(value)) + 1;
}
#endif
