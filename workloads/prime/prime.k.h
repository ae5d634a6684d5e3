/* SPDX-License-Identifier: MIT
 *
 * prime.k.h - the kernel of prime, for the host and for devices.
 */
#ifndef PRIME_K_H
#define PRIME_K_H
#include <benchhost/kernel.h>

typedef struct {
  uint32_t variable; /* 1: item i tests i; 0: every item tests `number` */
  uint32_t number;
} prime_params;

/* Trial division by 2 and all odd d with d*d <= n, the way the published scripts do it: slow on purpose. n < 2^31, so
 * that d*d fits. */
BH_FN uint32_t prime_test(uint32_t n) {
  if (n < 4)
    return n >= 2;
  if (n % 2 == 0)
    return 0;
  for (uint32_t d = 3; d * d <= n; d += 2)
    if (n % d == 0)
      return 0;
  return 1;
}

/* The answer carries its item, so that a shifted or repeated result shows even when all answers are "yes". */
BH_FN uint32_t prime_answer(uint64_t i, prime_params p) {
  return (uint32_t)i * 2 + prime_test(p.variable ? (uint32_t)i : p.number);
}
BH_FN void prime_item(uint64_t i, BH_GLOBAL uint32_t *answers, prime_params p) {
  answers[i] = prime_answer(i, p);
}
BH_ITEMS_KERNEL1(prime, prime_item, prime_params, uint32_t)
#endif
