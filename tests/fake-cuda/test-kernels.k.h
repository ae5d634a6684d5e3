/* SPDX-License-Identifier: MIT
 *
 * test-kernels.k.h - kernels for the driver double's own test: one of each form, with parameters that have holes.
 */
#ifndef TEST_KERNELS_K_H
#define TEST_KERNELS_K_H
#include <benchhost/kernel.h>

typedef struct {
  uint8_t plus;
  double times;
  uint16_t minus;
} scale_params;

BH_FN void scale_item(uint64_t i, BH_GLOBAL const double *x, BH_GLOBAL double *y, scale_params p) {
  y[i] = x[i] * p.times + p.plus - p.minus;
}
BH_ITEMS_KERNEL2(test_scale, scale_item, scale_params, const double, double)

/* The rest of a group's work: lane t adds what its neighbour wrote. */
BH_FN void turn_body(uint64_t i, BH_LOCAL uint32_t *turned, BH_GLOBAL uint32_t *y, bh_no_params p) {
  BH_UNUSED(p);
  BH_LANES(t, 32) turned[t] = (uint32_t)i * 32 + t;
  BH_SYNC
  BH_LANES(t, 32) y[i * 32 + t] = turned[(t + 1) % 32];
  BH_SYNC
}
BH_GROUPS_KERNEL1(test_turn, turn_body, 32, uint32_t, 32, bh_no_params, uint32_t)

BH_FN void sum_start(uint64_t *sum) {
  *sum = 0;
}
BH_FN void sum_item(uint64_t i, uint64_t *sum, BH_GLOBAL const uint64_t *x, bh_no_params p) {
  BH_UNUSED(p);
  *sum += x[i];
}
BH_FN void sum_join(uint64_t *sum, const uint64_t *other) {
  *sum += *other;
}
BH_REDUCE_KERNEL2(test_sum, sum_start, sum_item, sum_join, 64, bh_no_params, uint64_t, const uint64_t)

#if defined(BH_HAS_CLOCK)
BH_FN void clock_item(uint64_t i, BH_GLOBAL uint64_t *now, bh_no_params p) {
  BH_UNUSED(p);
  now[i] = bh_clock_ns();
}
BH_ITEMS_KERNEL1(test_clock, clock_item, bh_no_params, uint64_t)
#endif
#endif
