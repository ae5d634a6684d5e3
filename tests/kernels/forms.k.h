/* SPDX-License-Identifier: MIT
 *
 * forms.k.h - kernels of every form with 1 to 6 uses, for tests/kernels/test-forms.c. All figures are small whole
 * numbers, so that every order of work gives the same sums.
 */
#ifndef FORMS_K_H
#define FORMS_K_H
#include <benchhost/kernel.h>
#include <benchhost/random.h>

#define FORMS_GROUP 8 /* lanes of a group */

typedef struct {
  uint8_t odd; /* padding follows: the layout must be the same everywhere */
  uint64_t factor;
  float fraction;
  uint32_t pair[2];
} forms_params;

typedef struct {
  uint64_t sum;
  uint32_t count, largest;
} forms_sum;

BH_FN uint64_t forms_scaled(uint64_t x, forms_params p) {
  return x * p.factor + p.odd + (uint64_t)(2 * p.fraction) + p.pair[0] + p.pair[1];
}
BH_FN uint64_t forms_inputs2(uint64_t i, BH_GLOBAL const uint32_t *a) {
  return 3 * (uint64_t)a[i];
}
BH_FN uint64_t forms_inputs3(uint64_t i, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b) {
  return forms_inputs2(i, a) + 5 * (uint64_t)b[i];
}
BH_FN uint64_t forms_inputs4(uint64_t i, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                             BH_GLOBAL const int32_t *c) {
  return forms_inputs3(i, a, b) + (uint64_t)(7 * (int64_t)c[i]);
}
BH_FN uint64_t forms_inputs5(uint64_t i, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                             BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d) {
  return forms_inputs4(i, a, b, c) + 11 * (uint64_t)d[i];
}
BH_FN uint64_t forms_inputs6(uint64_t i, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                             BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d, BH_GLOBAL const uint8_t *e) {
  return forms_inputs5(i, a, b, c, d) + 13 * (uint64_t)e[i];
}

/* ---- ITEMS: adds to what is there, so that an item that came twice shows ---- */

BH_FN void forms_item1(uint64_t i, BH_GLOBAL uint64_t *out, forms_params p) {
  out[i] += forms_scaled(i, p);
}
BH_FN void forms_item2(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a, forms_params p) {
  out[i] += forms_scaled(forms_inputs2(i, a), p);
}
BH_FN void forms_item3(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                       forms_params p) {
  out[i] += forms_scaled(forms_inputs3(i, a, b), p);
}
BH_FN void forms_item4(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                       BH_GLOBAL const int32_t *c, forms_params p) {
  out[i] += forms_scaled(forms_inputs4(i, a, b, c), p);
}
BH_FN void forms_item5(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                       BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d, forms_params p) {
  out[i] += forms_scaled(forms_inputs5(i, a, b, c, d), p);
}
BH_FN void forms_item6(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                       BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d, BH_GLOBAL const uint8_t *e,
                       forms_params p) {
  out[i] += forms_scaled(forms_inputs6(i, a, b, c, d, e), p);
}
BH_ITEMS_KERNEL1(items1, forms_item1, forms_params, uint64_t)
BH_ITEMS_KERNEL2(items2, forms_item2, forms_params, uint64_t, const uint32_t)
BH_ITEMS_KERNEL3(items3, forms_item3, forms_params, uint64_t, const uint32_t, const double)
BH_ITEMS_KERNEL4(items4, forms_item4, forms_params, uint64_t, const uint32_t, const double, const int32_t)
BH_ITEMS_KERNEL5(items5, forms_item5, forms_params, uint64_t, const uint32_t, const double, const int32_t, const float)
BH_ITEMS_KERNEL6(items6, forms_item6, forms_params, uint64_t, const uint32_t, const double, const int32_t, const float,
                 const uint8_t)

/* ---- CHUNKS: each item also says where its chunk began and ended ---- */

BH_FN void forms_mark(uint64_t i, uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, uint64_t value) {
  out[3 * i] += value;
  out[3 * i + 1] += begin + 1;
  out[3 * i + 2] += end;
}
BH_FN void forms_chunk1(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(i, p));
}
BH_FN void forms_chunk2(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(forms_inputs2(i, a), p));
}
BH_FN void forms_chunk3(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(forms_inputs3(i, a, b), p));
}
BH_FN void forms_chunk4(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(forms_inputs4(i, a, b, c), p));
}
BH_FN void forms_chunk5(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d,
                        forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(forms_inputs5(i, a, b, c, d), p));
}
BH_FN void forms_chunk6(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d,
                        BH_GLOBAL const uint8_t *e, forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_mark(i, begin, end, out, forms_scaled(forms_inputs6(i, a, b, c, d, e), p));
}
BH_CHUNKS_KERNEL1(chunks1, forms_chunk1, forms_params, uint64_t)
BH_CHUNKS_KERNEL2(chunks2, forms_chunk2, forms_params, uint64_t, const uint32_t)
BH_CHUNKS_KERNEL3(chunks3, forms_chunk3, forms_params, uint64_t, const uint32_t, const double)
BH_CHUNKS_KERNEL4(chunks4, forms_chunk4, forms_params, uint64_t, const uint32_t, const double, const int32_t)
BH_CHUNKS_KERNEL5(chunks5, forms_chunk5, forms_params, uint64_t, const uint32_t, const double, const int32_t,
                  const float)
BH_CHUNKS_KERNEL6(chunks6, forms_chunk6, forms_params, uint64_t, const uint32_t, const double, const int32_t,
                  const float, const uint8_t)

/* ---- REDUCE ---- */

BH_FN void forms_start(forms_sum *s) {
  s->sum = 0;
  s->count = 0;
  s->largest = 0;
}
BH_FN void forms_join(forms_sum *into, const forms_sum *other) {
  into->sum += other->sum;
  into->count += other->count;
  if (into->largest < other->largest)
    into->largest = other->largest;
}
BH_FN void forms_add(forms_sum *s, uint64_t i, uint64_t value) {
  s->sum += value;
  s->count++;
  if (s->largest < i)
    s->largest = (uint32_t)i;
}
BH_FN void forms_sum1(uint64_t i, forms_sum *s, forms_params p) {
  forms_add(s, i, forms_scaled(i, p));
}
BH_FN void forms_sum2(uint64_t i, forms_sum *s, BH_GLOBAL const uint32_t *a, forms_params p) {
  forms_add(s, i, forms_scaled(forms_inputs2(i, a), p));
}
BH_FN void forms_sum3(uint64_t i, forms_sum *s, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                      forms_params p) {
  forms_add(s, i, forms_scaled(forms_inputs3(i, a, b), p));
}
BH_FN void forms_sum4(uint64_t i, forms_sum *s, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                      BH_GLOBAL const int32_t *c, forms_params p) {
  forms_add(s, i, forms_scaled(forms_inputs4(i, a, b, c), p));
}
BH_FN void forms_sum5(uint64_t i, forms_sum *s, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                      BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d, forms_params p) {
  forms_add(s, i, forms_scaled(forms_inputs5(i, a, b, c, d), p));
}
BH_FN void forms_sum6(uint64_t i, forms_sum *s, BH_GLOBAL const uint32_t *a, BH_GLOBAL const double *b,
                      BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d, BH_GLOBAL const uint8_t *e,
                      forms_params p) {
  forms_add(s, i, forms_scaled(forms_inputs6(i, a, b, c, d, e), p));
}
BH_REDUCE_KERNEL1(reduce1, forms_start, forms_sum1, forms_join, FORMS_GROUP, forms_params, forms_sum)
BH_REDUCE_KERNEL2(reduce2, forms_start, forms_sum2, forms_join, FORMS_GROUP, forms_params, forms_sum, const uint32_t)
BH_REDUCE_KERNEL3(reduce3, forms_start, forms_sum3, forms_join, FORMS_GROUP, forms_params, forms_sum, const uint32_t,
                  const double)
BH_REDUCE_KERNEL4(reduce4, forms_start, forms_sum4, forms_join, FORMS_GROUP, forms_params, forms_sum, const uint32_t,
                  const double, const int32_t)
BH_REDUCE_KERNEL5(reduce5, forms_start, forms_sum5, forms_join, FORMS_GROUP, forms_params, forms_sum, const uint32_t,
                  const double, const int32_t, const float)
BH_REDUCE_KERNEL6(reduce6, forms_start, forms_sum6, forms_join, FORMS_GROUP, forms_params, forms_sum, const uint32_t,
                  const double, const int32_t, const float, const uint8_t)

/* ---- GROUPS: lane t puts i + t into local memory, the next phase turns them round; what a lane kept is added, and the
 * sum of all that was put there ---- */

#define FORMS_BODY(VALUE)                                                                                              \
  BH_PRIVATE(uint64_t, kept, FORMS_GROUP);                                                                             \
  BH_LANES(t, FORMS_GROUP) local_sums[t] = i + t;                                                                      \
  BH_OF(kept, t) = t;                                                                                                  \
  BH_SYNC                                                                                                              \
  BH_LANES(t, FORMS_GROUP) BH_OF(kept, t) += 10 * local_sums[FORMS_GROUP - 1 - t];                                     \
  BH_SYNC                                                                                                              \
  BH_GROUP_SUM(local_sums, FORMS_GROUP)                                                                                \
  BH_LANES(t, FORMS_GROUP) out[i * FORMS_GROUP + t] += BH_OF(kept, t) + local_sums[0] + forms_scaled(VALUE, p);        \
  BH_SYNC

BH_FN void forms_group1(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, forms_params p) {
  FORMS_BODY(i);
}
BH_FN void forms_group2(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        forms_params p) {
  FORMS_BODY(forms_inputs2(i, a));
}
BH_FN void forms_group3(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, forms_params p) {
  FORMS_BODY(forms_inputs3(i, a, b));
}
BH_FN void forms_group4(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, forms_params p) {
  FORMS_BODY(forms_inputs4(i, a, b, c));
}
BH_FN void forms_group5(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d,
                        forms_params p) {
  FORMS_BODY(forms_inputs5(i, a, b, c, d));
}
BH_FN void forms_group6(uint64_t i, BH_LOCAL uint64_t *local_sums, BH_GLOBAL uint64_t *out, BH_GLOBAL const uint32_t *a,
                        BH_GLOBAL const double *b, BH_GLOBAL const int32_t *c, BH_GLOBAL const float *d,
                        BH_GLOBAL const uint8_t *e, forms_params p) {
  FORMS_BODY(forms_inputs6(i, a, b, c, d, e));
}
BH_GROUPS_KERNEL1(groups1, forms_group1, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t)
BH_GROUPS_KERNEL2(groups2, forms_group2, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t, const uint32_t)
BH_GROUPS_KERNEL3(groups3, forms_group3, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t, const uint32_t,
                  const double)
BH_GROUPS_KERNEL4(groups4, forms_group4, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t, const uint32_t,
                  const double, const int32_t)
BH_GROUPS_KERNEL5(groups5, forms_group5, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t, const uint32_t,
                  const double, const int32_t, const float)
BH_GROUPS_KERNEL6(groups6, forms_group6, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t, const uint32_t,
                  const double, const int32_t, const float, const uint8_t)

/* ---- Private parts: how many items came to each, and an array to work in ---- */

BH_FN void forms_private_item(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL uint64_t *scratch, forms_params p) {
  for (uint32_t k = 1; k < 4; k++)
    scratch[k] = i + k;
  scratch[0]++;
  out[i] += scratch[1] + scratch[2] + scratch[3] + p.factor;
}
BH_ITEMS_KERNEL2(private_items, forms_private_item, forms_params, uint64_t, uint64_t)
BH_FN void forms_private_chunk(uint64_t begin, uint64_t end, BH_GLOBAL uint64_t *out, BH_GLOBAL uint64_t *scratch,
                               forms_params p) {
  for (uint64_t i = begin; i < end; i++)
    forms_private_item(i, out, scratch, p);
}
BH_CHUNKS_KERNEL2(private_chunks, forms_private_chunk, forms_params, uint64_t, uint64_t)
BH_FN void forms_private_group(uint64_t i, BH_LOCAL uint64_t *sums, BH_GLOBAL uint64_t *out,
                               BH_GLOBAL uint64_t *scratch, forms_params p) {
  BH_LANES(t, FORMS_GROUP) if (t < 3) scratch[1 + t] = i + 1 + t;
  sums[t] = t;
  BH_SYNC
  BH_LANES(t, FORMS_GROUP)
  if (t == 0) {
    scratch[0]++;
    out[i] += scratch[1] + scratch[2] + scratch[3] + p.factor + sums[0];
  }
  BH_SYNC
}
BH_GROUPS_KERNEL2(private_groups, forms_private_group, FORMS_GROUP, uint64_t, FORMS_GROUP, forms_params, uint64_t,
                  uint64_t)

/* ---- No parameters; numbers by position; mathematics ---- */

BH_FN void forms_random_item(uint64_t i, BH_GLOBAL uint64_t *words, BH_GLOBAL double *units, bh_no_params p) {
  BH_UNUSED(p);
  words[2 * i] = bh_random_u64(0, i);
  words[2 * i + 1] = bh_random_u64(1234567, i) ^ ((uint64_t)bh_random_below(99, i, 26) << 32);
  units[i] = bh_random_unit(7, i);
}
BH_ITEMS_KERNEL2(randoms, forms_random_item, bh_no_params, uint64_t, double)

#define FORMS_DOUBLES 11
#define FORMS_FLOATS 12
BH_FN void forms_double_item(uint64_t i, BH_GLOBAL double *out, BH_GLOBAL const double *in, bh_no_params p) {
  double x = in[2 * i], y = in[2 * i + 1];
  BH_GLOBAL double *to = out + i * FORMS_DOUBLES;
  BH_UNUSED(p);
  to[0] = BH_SQRT(x);
  to[1] = BH_EXP(y);
  to[2] = BH_LOG(x);
  to[3] = BH_SIN(y);
  to[4] = BH_COS(y);
  to[5] = BH_POW(x, y);
  to[6] = BH_FABS(y);
  to[7] = BH_FMA(x, y, -0.1);
  to[8] = BH_FMIN(x, y);
  to[9] = BH_FMAX(x, y);
  to[10] = BH_FLOOR(y);
}
BH_ITEMS_KERNEL2(doubles, forms_double_item, bh_no_params, double, const double)
BH_FN void forms_float_item(uint64_t i, BH_GLOBAL float *out, BH_GLOBAL const double *in, bh_no_params p) {
  float x = (float)in[2 * i], y = (float)in[2 * i + 1];
  BH_GLOBAL float *to = out + i * FORMS_FLOATS;
  BH_UNUSED(p);
  to[0] = BH_SQRTF(x);
  to[1] = BH_EXPF(y);
  to[2] = BH_LOGF(x);
  to[3] = BH_SINF(y);
  to[4] = BH_COSF(y);
  to[5] = BH_POWF(x, y);
  to[6] = BH_FABSF(y);
  to[7] = BH_FMAF(x, y, -0.1f);
  to[8] = BH_FMINF(x, y);
  to[9] = BH_FMAXF(x, y);
  to[10] = BH_FLOORF(y);
  to[11] = BH_TANHF(y);
}
BH_ITEMS_KERNEL2(floats, forms_float_item, bh_no_params, float, const double)
BH_FN void forms_bits_item(uint64_t i, BH_GLOBAL uint64_t *out, BH_GLOBAL const double *in, bh_no_params p) {
  BH_UNUSED(p);
  out[4 * i] = bh_bits_of_double(in[i]);
  out[4 * i + 1] = bh_bits_of_float((float)in[i]);
  out[4 * i + 2] = (uint64_t)bh_double_of_bits(0x4045000000000000u);
  out[4 * i + 3] = (uint64_t)bh_float_of_bits(0x42280000u);
}
BH_ITEMS_KERNEL2(bits, forms_bits_item, bh_no_params, uint64_t, const double)
#endif
