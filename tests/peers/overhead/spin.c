/* SPDX-License-Identifier: MIT
 * Owns the kernel that both sides time. */
#include "spin.h"

uint64_t spin(uint64_t seed, uint64_t steps) {
  uint64_t x = seed;
  for (uint64_t i = 0; i < steps; i++)
    x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return x;
}
