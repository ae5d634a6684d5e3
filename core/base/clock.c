/* SPDX-License-Identifier: MIT
 * Owns the reading of time. */
#include "base/clock.h"

#include <time.h>

uint64_t bh_clock_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The smallest step: larger ones are interruptions. */
uint64_t bh_clock_resolution_ns(void) {
  uint64_t smallest = UINT64_MAX;
  for (int i = 0; i < 2000; i++) {
    const uint64_t start = bh_clock_now_ns();
    uint64_t now = start;
    while (now == start)
      now = bh_clock_now_ns();
    if (now - start < smallest)
      smallest = now - start;
  }
  return smallest;
}
