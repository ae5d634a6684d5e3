/* SPDX-License-Identifier: MIT
 * The one clock: CLOCK_MONOTONIC, in nanoseconds. */
#pragma once
#include <stdint.h>

uint64_t bh_clock_now_ns(void);
/* The smallest step seen between two different readings, in ns (>= 1): what sample sizing stands on. Takes ~1 ms. */
uint64_t bh_clock_resolution_ns(void);
