/* SPDX-License-Identifier: MIT
 *
 * benchhost/random.h - random numbers by position: value = f(seed, index), no state, so that any split of the work over
 * any number of workers sees the same numbers. It is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014) with its counter laid open: bh_random_u64(seed, i) is the i-th output of SplitMix64 started
 * at `seed`, so the published test vectors apply. Two multiplications a number; passes BigCrush; not for secrets. Plain
 * C without a library: host C and C++, CUDA (also NVRTC) and OpenCL C.
 *
 * Independent streams: use bh_random_u64(seed, k) as the seed of stream k, or disjoint ranges of one stream's indices.
 */
#ifndef BENCHHOST_RANDOM_H
#define BENCHHOST_RANDOM_H

#if defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)
typedef ulong bh_random_word;
typedef long bh_random_signed;
#define BH_RANDOM_FN static inline
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
typedef unsigned long long bh_random_word;
typedef long long bh_random_signed;
#define BH_RANDOM_FN static __host__ __device__ inline
#else
#include <stdint.h>
typedef uint64_t bh_random_word;
typedef int64_t bh_random_signed; /* vectors convert it to double faster */
#define BH_RANDOM_FN static inline
#endif

#define BH_RANDOM_STEP ((bh_random_word)0x9E3779B97F4A7C15) /* 2^64 / golden ratio, odd */

/* SplitMix64's finaliser: a bijection of 64 bits. */
BH_RANDOM_FN bh_random_word bh_random_mix(bh_random_word z) {
  z = (z ^ (z >> 30)) * (bh_random_word)0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * (bh_random_word)0x94D049BB133111EB;
  return z ^ (z >> 31);
}

/* 64 random bits for `index` (0 is the first). */
BH_RANDOM_FN bh_random_word bh_random_u64(bh_random_word seed, bh_random_word index) {
  return bh_random_mix(seed + (index + 1) * BH_RANDOM_STEP);
}

/* The upper 53 bits as a number in [0, 1): a multiple of 2^-53, so sums of them can be checked exactly in integers. */
BH_RANDOM_FN double bh_random_unit(bh_random_word seed, bh_random_word index) {
  return (double)(bh_random_signed)(bh_random_u64(seed, index) >> 11) * (1.0 / 9007199254740992.0);
}

/* Uniform in [0, n) for n >= 1, by the upper bits of a 32 x 32 bit product: bias below n / 2^32. */
BH_RANDOM_FN unsigned int bh_random_below(bh_random_word seed, bh_random_word index, unsigned int n) {
  return (unsigned int)(((bh_random_u64(seed, index) >> 32) * n) >> 32);
}

#endif
