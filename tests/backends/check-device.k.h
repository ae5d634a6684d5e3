/* SPDX-License-Identifier: MIT
 *
 * check-device.k.h - kernels of every form, with every role and split, whose results can be worked out from the index.
 */
#ifndef CHECK_DEVICE_K_H
#define CHECK_DEVICE_K_H
#include <benchhost/kernel.h>

typedef struct {
  uint64_t n, grain, salt;
} check_params;

#define CHECK_BONUS (1ULL << 40)
#define CHECK_LANES 32

BH_FN uint64_t check_mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/* Every role at once; scratch that somebody else writes to at the same time spoils `out`. */
BH_FN void check_roles_item(uint64_t i, BH_GLOBAL const uint64_t *in, BH_GLOBAL uint64_t *out, BH_GLOBAL uint64_t *inout,
                            BH_GLOBAL uint64_t *sum, BH_GLOBAL uint64_t *scratch, BH_GLOBAL const uint64_t *table,
                            check_params p) {
  uint64_t trace = 0;
  for (uint64_t k = 0; k < 32; k++)
    scratch[k] = check_mix(i + k);
  for (uint64_t k = 0; k < 32; k++)
    trace |= scratch[k] ^ check_mix(i + k);
  out[i] = in[i] + table[i % 16] + trace + p.salt;
  if (inout[i] < CHECK_BONUS)
    inout[i] += CHECK_BONUS;
  sum[0] += i;
  sum[1] += 1;
}
BH_ITEMS_KERNEL6(check_roles, check_roles_item, check_params, const uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                 const uint64_t)

/* A chain: what one loop wrote by item all read whole in the next; what was reduced is read, too. */
BH_FN void check_first_item(uint64_t i, BH_GLOBAL uint64_t *temp, BH_GLOBAL uint64_t *all, check_params p) {
  BH_UNUSED(p);
  temp[i] = check_mix(i);
  all[0] ^= check_mix(i);
}
BH_ITEMS_KERNEL2(check_first, check_first_item, check_params, uint64_t, uint64_t)
BH_FN void check_second_item(uint64_t i, BH_GLOBAL const uint64_t *temp, BH_GLOBAL const uint64_t *all,
                             BH_GLOBAL uint64_t *out, check_params p) {
  out[i] = temp[(i + 1) % p.n] + temp[(i + p.n / 2) % p.n] + all[0];
}
BH_ITEMS_KERNEL3(check_second, check_second_item, check_params, const uint64_t, const uint64_t, uint64_t)
BH_FN void check_third_item(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint64_t *temp, check_params p) {
  BH_UNUSED(p);
  out[i] ^= temp[i];
}
BH_ITEMS_KERNEL2(check_third, check_third_item, check_params, uint64_t, const uint64_t)

/* Item i has i % 7 words; they start after those of all items before. */
BH_FN uint64_t check_ragged_start(uint64_t i) {
  uint64_t r = i % 7;
  return i / 7 * 21 + (r ? r * (r - 1) / 2 : 0);
}
BH_FN void check_ragged_item(uint64_t i, BH_GLOBAL const uint64_t *in, BH_GLOBAL uint64_t *out, check_params p) {
  BH_UNUSED(p);
  for (uint64_t w = check_ragged_start(i); w < check_ragged_start(i + 1); w++)
    out[w] = in[w] * 3;
}
BH_ITEMS_KERNEL2(check_ragged, check_ragged_item, check_params, const uint64_t, uint64_t)

/* The form CHUNKS: a run that starts beside the grain, or ends beside it, shows. */
BH_FN void check_chunk(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, check_params p) {
  uint64_t fault = begin % p.grain != 0 || (end != p.n && end % p.grain != 0);
  for (uint64_t i = begin; i < end; i++)
    out[i] = check_mix(i) + fault;
}
BH_CHUNKS_KERNEL1(check_chunks, check_chunk, check_params, uint64_t)

/* The form REDUCE, with an identity that is not one word. */
typedef struct {
  uint64_t least, most, sum, count;
} check_range;
BH_FN void check_range_start(check_range *sum) {
  sum->least = ~0ULL;
  sum->most = 0;
  sum->sum = 0;
  sum->count = 0;
}
BH_FN void check_range_item(uint64_t i, check_range *sum, BH_GLOBAL const uint64_t *in, check_params p) {
  BH_UNUSED(p);
  sum->least = in[i] < sum->least ? in[i] : sum->least;
  sum->most = in[i] > sum->most ? in[i] : sum->most;
  sum->sum += in[i];
  sum->count += 1;
}
BH_FN void check_range_join(check_range *sum, const check_range *other) {
  sum->least = other->least < sum->least ? other->least : sum->least;
  sum->most = other->most > sum->most ? other->most : sum->most;
  sum->sum += other->sum;
  sum->count += other->count;
}
BH_REDUCE_KERNEL2(check_reduce, check_range_start, check_range_item, check_range_join, CHECK_LANES, check_params,
                  check_range, const uint64_t)

/* The form GROUPS: lane t's word is read by its neighbour, so that a missing barrier shows. */
BH_FN void check_group(uint64_t i, BH_LOCAL uint64_t *words, BH_GLOBAL uint64_t *out, check_params p) {
  BH_PRIVATE(uint64_t, mine, CHECK_LANES);
  BH_UNUSED(p);
  BH_LANES(t, CHECK_LANES)
  words[t] = check_mix(i * CHECK_LANES + t);
  BH_SYNC
  BH_LANES(t, CHECK_LANES)
  BH_OF(mine, t) = words[(t + 1) % CHECK_LANES] + t;
  BH_SYNC
  BH_LANES(t, CHECK_LANES)
  words[t] = BH_OF(mine, t);
  BH_SYNC
  BH_LANES(t, CHECK_LANES)
  if (t == 0) {
    uint64_t sum = 0;
    for (uint32_t k = 0; k < CHECK_LANES; k++)
      sum += words[k];
    out[i] = sum;
  }
  BH_SYNC
}
BH_GROUPS_KERNEL1(check_groups, check_group, CHECK_LANES, uint64_t, CHECK_LANES, check_params, uint64_t)

/* A part for each worker. */
BH_FN void check_worker_item(uint64_t i, BH_GLOBAL uint64_t *part, BH_GLOBAL const uint64_t *all, check_params p) {
  BH_UNUSED(p);
  part[0] += 1;
  part[1] += i + all[2];
}
BH_ITEMS_KERNEL2(check_worker, check_worker_item, check_params, uint64_t, const uint64_t)

BH_FN void check_word_item(uint64_t i, BH_GLOBAL uint64_t *out, check_params p) {
  out[i] = check_mix(i) + p.salt;
}
BH_ITEMS_KERNEL1(check_word, check_word_item, check_params, uint64_t)
BH_FN void check_idle_item(uint64_t i, BH_GLOBAL uint64_t *out, check_params p) {
  BH_UNUSED(i);
  BH_UNUSED(out);
  BH_UNUSED(p);
}
BH_ITEMS_KERNEL1(check_idle, check_idle_item, check_params, uint64_t)
/* Wrong on purpose: two items write one word. */
BH_FN void check_racy_item(uint64_t i, BH_GLOBAL uint64_t *out, check_params p) {
  out[i / 2] = check_mix(i) + p.salt;
}
BH_ITEMS_KERNEL1(check_racy, check_racy_item, check_params, uint64_t)
BH_FN void check_tired_item(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint64_t *sample, check_params p) {
  if (sample[i] == 1)
    out[i] = check_mix(i) + p.salt;
}
BH_ITEMS_KERNEL2(check_tired, check_tired_item, check_params, uint64_t, const uint64_t)
BH_FN void check_halves_item(uint64_t i, BH_GLOBAL uint64_t *out, check_params p) {
  out[2 * i + p.salt] = check_mix(2 * i + p.salt);
}
BH_ITEMS_KERNEL1(check_halves, check_halves_item, check_params, uint64_t)

/* Of a team: `weights` is nobody's but the kernels', `mine` is the body's too, `sum` is reduced over all runs. */
BH_FN void check_set_item(uint64_t i, BH_GLOBAL uint64_t *weights, BH_GLOBAL const uint64_t *in, check_params p) {
  weights[i] = in[i] + p.salt;
}
BH_ITEMS_KERNEL2(check_set, check_set_item, check_params, uint64_t, const uint64_t)
BH_FN void check_step_item(uint64_t i, BH_GLOBAL uint64_t *weights, BH_GLOBAL const uint64_t *in, BH_GLOBAL uint64_t *sum,
                           check_params p) {
  weights[i] += in[i] + p.salt;
  sum[0] += p.salt;
}
BH_ITEMS_KERNEL3(check_step, check_step_item, check_params, uint64_t, const uint64_t, uint64_t)
BH_FN void check_show_item(uint64_t i, BH_GLOBAL const uint64_t *weights, BH_GLOBAL uint64_t *mine, check_params p) {
  BH_UNUSED(p);
  mine[i] = weights[i];
}
BH_ITEMS_KERNEL2(check_show, check_show_item, check_params, const uint64_t, uint64_t)
#endif
