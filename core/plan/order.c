/* SPDX-License-Identifier: MIT
 * Owns the order in which a round visits its cells: Fisher-Yates over SplitMix64, our own so that a seed means the same
 * order with every version of every library. */
#include "plan/plan.h"

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014. */
static guint64 next_random(guint64 *state) {
  guint64 z = *state += G_GUINT64_CONSTANT(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* 0 .. n-1, each equally likely: what does not divide evenly is drawn again. */
static guint random_below(guint64 *state, guint n) {
  const guint64 limit = G_MAXUINT64 - G_MAXUINT64 % n;
  guint64 x;
  do
    x = next_random(state);
  while (x >= limit);
  return (guint)(x % n);
}

void bh_plan_shuffle(guint64 seed, guint64 stream, guint *order, guint n) {
  guint64 state = seed;
  state = next_random(&state) ^ stream; /* neighbouring seeds and streams must not share one sequence */
  for (guint i = n; i > 1; i--) {
    const guint k = random_below(&state, i);
    const guint swapped = order[k];
    order[k] = order[i - 1];
    order[i - 1] = swapped;
  }
}

guint *bh_plan_order(const BhPlan *plan, guint round, guint *ret_n) {
  guint *order = g_new(guint, MAX(plan->cells->len, 1u));
  guint n = 0;
  for (guint i = 0; i < plan->cells->len; i++)
    if (round < ((const BhCell *)plan->cells->pdata[i])->measure.rounds)
      order[n++] = i;
  bh_plan_shuffle(plan->seed, round, order, n);
  *ret_n = n;
  return order;
}

guint bh_plan_rounds(const BhPlan *plan) {
  guint rounds = 0;
  for (guint i = 0; i < plan->cells->len; i++)
    rounds = MAX(rounds, ((const BhCell *)plan->cells->pdata[i])->measure.rounds);
  return rounds;
}
