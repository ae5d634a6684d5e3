/* SPDX-License-Identifier: MIT
 * Owns the order of a comparison: streams of benchhost/random.h, one for each kind of choice. */
#include "gate/order.h"

#include <benchhost/random.h>

enum { STREAM_FIRST = 1, STREAM_ORDER, STREAM_DRAW };

/* Neighbouring seeds, kinds and numbers must not share a stream. */
static guint64 stream(guint64 seed, guint kind, guint number) {
  return bh_random_u64(bh_random_u64(seed, kind), number);
}

BhAbSide bh_ab_first(guint64 seed, guint index, guint round) {
  const guint64 coin = bh_random_u64(stream(seed, STREAM_FIRST, index), round / 2) >> 63;
  return (coin ^ (round & 1)) ? BH_SIDE_CANDIDATE : BH_SIDE_BASE;
}

guint *bh_ab_order(guint64 seed, guint round, guint n) {
  guint *order = g_new(guint, MAX(n, 1u));
  const guint64 numbers = stream(seed, STREAM_ORDER, round);
  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n; i > 1; i--) { /* Fisher and Yates */
    const guint k = bh_random_below(numbers, i, i);
    const guint swapped = order[k];
    order[k] = order[i - 1];
    order[i - 1] = swapped;
  }
  return order;
}

guint bh_ab_draw(guint64 seed, guint n) {
  return bh_random_below(stream(seed, STREAM_DRAW, 0), 0, MAX(n, 1u));
}

gboolean bh_ab_control_matches(const BhAbTask *task, const char *label) {
  return !task->control_glob || g_pattern_match_simple(task->control_glob, label);
}
