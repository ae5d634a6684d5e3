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
#define WORDS_ARE_ODD 4  /* added to a kind of floats: zeroes of either sign and denormal numbers among them */
#define WORDS_ARE_NANS 8 /* and NaNs and infinities, whose sums have no one sign */

typedef struct {
  uint32_t rank, kind;
} fill_params;

/* An odd number's bits, of those of `word`: its sign, and of the rest what `pick` says; `exponent`: all bits of that.
 */
BH_FN uint64_t exchange_odd(uint64_t word, uint64_t pick, uint64_t sign, uint64_t exponent) {
  const uint64_t fraction = exponent & (~exponent + 1); /* the exponent's lowest bit: one above the fraction */
  if (pick == 0)
    return word & sign;
  if (pick == 1)
    return word & (sign | (fraction - 1));
  if (pick == 2)
    return (word & sign) | exponent;
  return (word & (sign | 0xff)) | exponent | fraction / 2; /* a quiet NaN, one of some */
}

BH_FN uint32_t exchange_float(uint32_t kind, uint32_t r) {
  const uint64_t pick = (r >> 8) % 8;
  if (kind & WORDS_ARE_ODD && pick < (kind & WORDS_ARE_NANS ? 4 : 2))
    return (uint32_t)exchange_odd(r, pick, 0x80000000, 0x7f800000);
  return bh_bits_of_float((float)(int32_t)r * 1e-3f);
}

BH_FN uint64_t exchange_double(uint32_t kind, uint64_t r) {
  const uint64_t pick = (r >> 8) % 8;
  if (kind & WORDS_ARE_ODD && pick < (kind & WORDS_ARE_NANS ? 4 : 2))
    return exchange_odd(r, pick, (uint64_t)1 << 63, (uint64_t)0x7ff << 52);
  return bh_bits_of_double((double)(int64_t)r * 1e-7);
}

/* Numbers of either sign whose sums round. */
BH_FN uint64_t exchange_word(uint32_t kind, uint32_t rank, uint64_t i) {
  const uint64_t r = bh_random_u64(0x65786368 + (uint64_t)rank, i);
  if (kind % WORDS_ARE_ODD == WORDS_OF_DOUBLES)
    return exchange_double(kind, r);
  if (kind % WORDS_ARE_ODD == WORDS_OF_FLOATS)
    return (uint64_t)exchange_float(kind, (uint32_t)(r >> 32)) << 32 | exchange_float(kind, (uint32_t)r);
  return r;
}

BH_FN void exchange_fill_item(uint64_t i, BH_GLOBAL uint64_t *in, BH_GLOBAL uint64_t *out, fill_params p) {
  in[i] = exchange_word(p.kind, p.rank, i);
  out[i] = EXCHANGE_LEFT;
}
BH_ITEMS_KERNEL2(exchange_fill, exchange_fill_item, fill_params, uint64_t, uint64_t)
#endif
