/* SPDX-License-Identifier: MIT
 *
 * exchange.k.h - the arithmetic of a team's reductions on a device: into[i] = into[i] op from[i], as bh_team_fold of
 * benchhost/team.h does it on the host, so that both give the same bits.
 */
#ifndef EXCHANGE_K_H
#define EXCHANGE_K_H
#include <benchhost/kernel.h>

/* bh_op */
#define EXCHANGE_SUM 0
#define EXCHANGE_MIN 1
#define EXCHANGE_MAX 2

typedef struct {
  uint32_t op;
} exchange_params;

/* Signed sums wrap around, as unsigned ones do. */
#define EXCHANGE_FOLD(NAME, TYPE, WRAPPING)                                                                            \
  BH_FN void NAME##_item(uint64_t i, BH_GLOBAL TYPE *into, BH_GLOBAL const TYPE *from, exchange_params p) {            \
    const TYPE a = into[i], b = from[i];                                                                               \
    if (p.op == EXCHANGE_SUM)                                                                                          \
      into[i] = (TYPE)((WRAPPING)a + (WRAPPING)b);                                                                     \
    else if (p.op == EXCHANGE_MIN)                                                                                     \
      into[i] = b < a ? b : a;                                                                                         \
    else                                                                                                               \
      into[i] = b > a ? b : a;                                                                                         \
  }                                                                                                                    \
  BH_ITEMS_KERNEL2(NAME, NAME##_item, exchange_params, TYPE, const TYPE)
EXCHANGE_FOLD(exchange_u8, uint8_t, uint32_t)
EXCHANGE_FOLD(exchange_i32, int32_t, uint32_t)
EXCHANGE_FOLD(exchange_u32, uint32_t, uint32_t)
EXCHANGE_FOLD(exchange_i64, int64_t, uint64_t)
EXCHANGE_FOLD(exchange_u64, uint64_t, uint64_t)
EXCHANGE_FOLD(exchange_f32, float, float)
EXCHANGE_FOLD(exchange_f64, double, double)
#endif
