/* SPDX-License-Identifier: MIT
 *
 * check-exchange.k.h - what members start with, on every backend: words by rank and position, which are integers,
 * doubles or pairs of floats. */
#ifndef CHECK_EXCHANGE_K_H
#define CHECK_EXCHANGE_K_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

#define EXCHANGE_LEFT ((uint64_t)0x5a5a5a5a5a5a5a5a) /* what nobody wrote over */

#define WORDS_OF_INTEGERS 0
#define WORDS_OF_FLOATS 1
#define WORDS_OF_DOUBLES 2

typedef struct {
  uint32_t rank, kind;
} fill_params;

/* Numbers of either sign whose sums round. */
BH_FN uint64_t exchange_word(uint32_t kind, uint32_t rank, uint64_t i) {
  const uint64_t r = bh_random_u64(0x65786368 + (uint64_t)rank, i);
  if (kind == WORDS_OF_DOUBLES)
    return bh_bits_of_double((double)(int64_t)r * 1e-7);
  if (kind == WORDS_OF_FLOATS)
    return (uint64_t)bh_bits_of_float((float)(int32_t)(uint32_t)(r >> 32) * 1e-3f) << 32 |
           bh_bits_of_float((float)(int32_t)(uint32_t)r * 1e-3f);
  return r;
}

BH_FN void exchange_fill_item(uint64_t i, BH_GLOBAL uint64_t *in, BH_GLOBAL uint64_t *out, fill_params p) {
  in[i] = exchange_word(p.kind, p.rank, i);
  out[i] = EXCHANGE_LEFT;
}
BH_ITEMS_KERNEL2(exchange_fill, exchange_fill_item, fill_params, uint64_t, uint64_t)
#endif
