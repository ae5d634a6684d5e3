/* SPDX-License-Identifier: MIT
 * Twins of the kernels that plugins/cuda has besides those of workloads (its clock.c): one reads the device's clocks,
 * one finds how far they go at a time, one holds a stream until the host says so or its time is over. */
#define BH_TWIN 1
#include <benchhost/kernel.h>

#include "twins.h"

static void bh_cuda_stamp(void **argument) {
  uint64_t *out = *(uint64_t **)argument[0];
  out[0] = bh_twin_clock_ns();
  out[1] = fake_twin_cycles();
  out[2] = 0;
}

static void bh_cuda_step(void **argument) {
  uint64_t *out = *(uint64_t **)argument[0], first = bh_twin_clock_ns(), now, step = 0;
  for (int edges = 0; edges < 5;) {
    if ((now = bh_twin_clock_ns()) == first)
      continue;
    if (!step || now - first < step)
      step = now - first;
    first = now;
    edges++;
  }
  out[0] = step;
}

static void bh_cuda_block(void **argument) {
  volatile uint32_t *flags = *(volatile uint32_t **)argument[0];
  const uint64_t limit_ns = *(const uint64_t *)argument[1], start = bh_twin_clock_ns();
  while (!flags[0] && bh_twin_clock_ns() - start < limit_ns) {
  }
  if (!flags[0])
    flags[1] = 1;
}

FAKE_TWIN(bh_cuda_stamp, BH_BY_LANE, 0, 1)
FAKE_TWIN(bh_cuda_step, BH_BY_LANE, 0, 1)
FAKE_TWIN(bh_cuda_block, BH_BY_LANE, 0, 1)
