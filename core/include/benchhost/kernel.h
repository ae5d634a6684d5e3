/* SPDX-License-Identifier: MIT
 *
 * benchhost/kernel.h - a kernel written once, in C, for the host, for CUDA and for OpenCL. The file that includes it is
 * compiled into the workload for the host and, embedded as text by `benchhost-kernel`, for the device when a cell opens.
 * docs/kernels.md has the subset of C that works everywhere, and what to write instead of the rest.
 *
 * What a file holds: a parameter struct (flat, no pointers), functions marked BH_FN, and for each kernel one line:
 *
 *   typedef struct { uint64_t n; } row_params;
 *   BH_FN void row_item(uint64_t i, BH_GLOBAL const double *values, BH_GLOBAL double *sums, row_params p) { ... }
 *   BH_ITEMS_KERNEL2(row_sum, row_item, row_params, const double, double)
 *
 * On the host that defines `row_sum`, a bh_chunk; with BH_KERNEL_DEVICE(row_sum, row_source) in the workload's table of
 * kernels it runs on every backend. The types stand in the order of the kernel's `uses`; at most BH_KERNEL_USES of them.
 *
 * Forms, by what the function is called with:
 *   ITEMS   one item: item(i, u0, .., p). A device's lanes take items in turn (neighbours: neighbouring items).
 *   CHUNKS  a run of items: chunk(begin, end, u0, .., p). A device's lane takes one contiguous run.
 *   REDUCE  one item and a private sum: item(i, &sum, u1, .., p); u0 is the REDUCE region. start(&sum) makes the
 *           identity, join(&sum, &other) adds another to it, in any order. On a device groups of LANES lanes join first.
 *   GROUPS  one item for a whole group of LANES lanes, with local memory and barriers: see BH_LANES below.
 *
 * REDUCE and SCRATCH regions, private to a worker on the host, are private to a lane on a device (to a group in the forms
 * REDUCE and GROUPS): u points to that part.
 */
#ifndef BENCHHOST_KERNEL_H
#define BENCHHOST_KERNEL_H

#define BH_KERNEL_USES 6

#if defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)
#define BH_ON_OPENCL 1
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define BH_ON_CUDA 1
#elif defined(BH_TWIN) /* the host's twin of a device kernel, one lane at a time: for test doubles of a driver */
#define BH_ON_TWIN 1
#else
#define BH_ON_HOST 1
#endif

/* ---- Words: exact-width integers by C's own names, address spaces, functions ---- */

#if defined(BH_ON_OPENCL)
typedef char int8_t;
typedef uchar uint8_t;
typedef short int16_t;
typedef ushort uint16_t;
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;
#define BH_GLOBAL __global
#define BH_CONST __constant
#define BH_FN static inline
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#elif defined(BH_ON_CUDA)
#if defined(__CUDACC_RTC__)
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif
#define BH_GLOBAL
#define BH_CONST static __constant__ const
#define BH_FN static __device__ inline
#else
#include <math.h>
#include <stdint.h>
#define BH_GLOBAL
#define BH_CONST static const
#define BH_FN static inline
#endif

#define BH_UNUSED(x) (void)(x)

/* Parameters of a loop that has none. */
typedef struct {
  uint32_t none;
} bh_no_params;

/* What a device backend passes to every kernel first, by value. `grain`: a chunk starts at a multiple of it. */
typedef struct {
  uint64_t begin, end, grain;
} bh_launch;

/* ---- Mathematics: C's names differ by target where the type is float ---- */

#if defined(BH_ON_OPENCL)
#define BH_SQRTF(x) sqrt((float)(x))
#define BH_EXPF(x) exp((float)(x))
#define BH_LOGF(x) log((float)(x))
#define BH_SINF(x) sin((float)(x))
#define BH_COSF(x) cos((float)(x))
#define BH_TANHF(x) tanh((float)(x))
#define BH_POWF(x, y) pow((float)(x), (float)(y))
#define BH_FABSF(x) fabs((float)(x))
#define BH_FMAF(a, b, c) fma((float)(a), (float)(b), (float)(c))
#define BH_FMINF(a, b) fmin((float)(a), (float)(b))
#define BH_FMAXF(a, b) fmax((float)(a), (float)(b))
#define BH_FLOORF(x) floor((float)(x))
#else
#define BH_SQRTF(x) sqrtf((float)(x))
#define BH_EXPF(x) expf((float)(x))
#define BH_LOGF(x) logf((float)(x))
#define BH_SINF(x) sinf((float)(x))
#define BH_COSF(x) cosf((float)(x))
#define BH_TANHF(x) tanhf((float)(x))
#define BH_POWF(x, y) powf((float)(x), (float)(y))
#define BH_FABSF(x) fabsf((float)(x))
#define BH_FMAF(a, b, c) fmaf((float)(a), (float)(b), (float)(c))
#define BH_FMINF(a, b) fminf((float)(a), (float)(b))
#define BH_FMAXF(a, b) fmaxf((float)(a), (float)(b))
#define BH_FLOORF(x) floorf((float)(x))
#endif
/* double: the same name everywhere */
#define BH_SQRT(x) sqrt((double)(x))
#define BH_EXP(x) exp((double)(x))
#define BH_LOG(x) log((double)(x))
#define BH_SIN(x) sin((double)(x))
#define BH_COS(x) cos((double)(x))
#define BH_POW(x, y) pow((double)(x), (double)(y))
#define BH_FABS(x) fabs((double)(x))
#define BH_FMA(a, b, c) fma((double)(a), (double)(b), (double)(c))
#define BH_FMIN(a, b) fmin((double)(a), (double)(b))
#define BH_FMAX(a, b) fmax((double)(a), (double)(b))
#define BH_FLOOR(x) floor((double)(x))

/* The same bits as another type. */
#if defined(BH_ON_OPENCL)
#define bh_bits_of_double(x) as_ulong((double)(x))
#define bh_double_of_bits(x) as_double((ulong)(x))
#define bh_bits_of_float(x) as_uint((float)(x))
#define bh_float_of_bits(x) as_float((uint)(x))
#elif defined(BH_ON_CUDA)
#define bh_bits_of_double(x) ((uint64_t)__double_as_longlong(x))
#define bh_double_of_bits(x) __longlong_as_double((long long)(x))
#define bh_bits_of_float(x) ((uint32_t)__float_as_int(x))
#define bh_float_of_bits(x) __int_as_float((int)(x))
#else
static inline uint64_t bh_bits_of_double(double x) {
  union {
    double value;
    uint64_t bits;
  } as = {x};
  return as.bits;
}
static inline double bh_double_of_bits(uint64_t x) {
  union {
    uint64_t bits;
    double value;
  } as = {x};
  return as.value;
}
static inline uint32_t bh_bits_of_float(float x) {
  union {
    float value;
    uint32_t bits;
  } as = {x};
  return as.bits;
}
static inline float bh_float_of_bits(uint32_t x) {
  union {
    uint32_t bits;
    float value;
  } as = {x};
  return as.value;
}
#endif

/* ---- Time: nanoseconds of the host's CLOCK_MONOTONIC, where a kernel can read a clock at all (not in OpenCL C) ---- */

#if defined(BH_ON_CUDA)
#define BH_HAS_CLOCK 1
__device__ long long bh_clock_offset_ns; /* what to add to the device's clock; the backend sets it */
BH_FN uint64_t bh_clock_ns(void) {
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return (uint64_t)((long long)now + *(volatile long long *)&bh_clock_offset_ns);
}
/* About so long, at most a millisecond; for loops that look at the clock. Before Volta a device cannot nap. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 700
#define BH_NAP(ns) (void)(ns)
#else
#define BH_NAP(ns) __nanosleep((unsigned int)((ns) < 1000000 ? (ns) : 1000000))
#endif
#elif defined(BH_ON_TWIN)
#define BH_HAS_CLOCK 1
extern uint64_t bh_twin_clock_ns(void); /* the caller's */
#define bh_clock_ns() bh_twin_clock_ns()
#define BH_NAP(ns) (void)(ns)
#elif defined(BH_ON_HOST)
#include <time.h>
#define BH_HAS_CLOCK 1
static inline uint64_t bh_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#define BH_NAP(ns) (void)(ns)
#endif

/* ---- Opening a kernel: its arguments by target. T *b0, b1, ...: the uses; s0, s1, ...: bytes of a private part, 0 for
 * what everybody shares; p: the parameters. ---- */

#define BH_PART(T, k, part) ((BH_GLOBAL T *)((BH_GLOBAL char *)b##k + s##k * (uint64_t)(part)))

#if defined(BH_ON_OPENCL) || defined(BH_ON_CUDA)
#define BH_ARG_(T, k) BH_GLOBAL T *b##k, uint64_t s##k
#define BH_OPEN1_(ENTRY, NAME, P, T0) ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), P p) {
#define BH_OPEN2_(ENTRY, NAME, P, T0, T1) ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), BH_ARG_(T1, 1), P p) {
#define BH_OPEN3_(ENTRY, NAME, P, T0, T1, T2)                                                                          \
  ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), BH_ARG_(T1, 1), BH_ARG_(T2, 2), P p) {
#define BH_OPEN4_(ENTRY, NAME, P, T0, T1, T2, T3)                                                                      \
  ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), BH_ARG_(T1, 1), BH_ARG_(T2, 2), BH_ARG_(T3, 3), P p) {
#define BH_OPEN5_(ENTRY, NAME, P, T0, T1, T2, T3, T4)                                                                  \
  ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), BH_ARG_(T1, 1), BH_ARG_(T2, 2), BH_ARG_(T3, 3), BH_ARG_(T4, 4), P p) {
#define BH_OPEN6_(ENTRY, NAME, P, T0, T1, T2, T3, T4, T5)                                                              \
  ENTRY void NAME(bh_launch l, BH_ARG_(T0, 0), BH_ARG_(T1, 1), BH_ARG_(T2, 2), BH_ARG_(T3, 3), BH_ARG_(T4, 4),         \
                  BH_ARG_(T5, 5), P p) {
#else
#if defined(BH_ON_TWIN)
/* Called once for each lane of a launch (for each group in the forms that have groups), with pointers to the arguments
 * as a driver gets them; `bh_twin_index` and `bh_twin_count` are the caller's. */
extern _Thread_local uint64_t bh_twin_index, bh_twin_count;
#define BH_HEAD_(NAME, N, P)                                                                                           \
  void NAME(void **bh_argument);                                                                                       \
  void NAME(void **bh_argument) {                                                                                      \
    const bh_launch l = *(const bh_launch *)bh_argument[0];                                                            \
    const P p = *(const P *)bh_argument[1 + 2 * (N)];
#define BH_BASE_(T, k)                                                                                                 \
  T *const b##k = *(T *const *)bh_argument[1 + 2 * (k)];                                                               \
  const uint64_t s##k = *(const uint64_t *)bh_argument[2 + 2 * (k)];
#else
#include <benchhost/plugin.h>
#include <string.h>
#define BH_HEAD_(NAME, N, P)                                                                                           \
  static void NAME(const bh_args *bh_a, uint64_t bh_begin, uint64_t bh_end) {                                          \
    const bh_launch l = {bh_begin, bh_end, 1};                                                                         \
    P p = {0};                                                                                                         \
    if (bh_a->params)                                                                                                  \
      memcpy(&p, bh_a->params, sizeof p);
#define BH_BASE_(T, k)                                                                                                 \
  T *const b##k = (T *)bh_a->region[k];                                                                                \
  const uint64_t s##k = 0;
#endif
#define BH_OPEN1_(ENTRY, NAME, P, T0) BH_HEAD_(NAME, 1, P) BH_BASE_(T0, 0)
#define BH_OPEN2_(ENTRY, NAME, P, T0, T1) BH_HEAD_(NAME, 2, P) BH_BASE_(T0, 0) BH_BASE_(T1, 1)
#define BH_OPEN3_(ENTRY, NAME, P, T0, T1, T2) BH_HEAD_(NAME, 3, P) BH_BASE_(T0, 0) BH_BASE_(T1, 1) BH_BASE_(T2, 2)
#define BH_OPEN4_(ENTRY, NAME, P, T0, T1, T2, T3)                                                                      \
  BH_HEAD_(NAME, 4, P) BH_BASE_(T0, 0) BH_BASE_(T1, 1) BH_BASE_(T2, 2) BH_BASE_(T3, 3)
#define BH_OPEN5_(ENTRY, NAME, P, T0, T1, T2, T3, T4)                                                                  \
  BH_HEAD_(NAME, 5, P) BH_BASE_(T0, 0) BH_BASE_(T1, 1) BH_BASE_(T2, 2) BH_BASE_(T3, 3) BH_BASE_(T4, 4)
#define BH_OPEN6_(ENTRY, NAME, P, T0, T1, T2, T3, T4, T5)                                                              \
  BH_HEAD_(NAME, 6, P) BH_BASE_(T0, 0) BH_BASE_(T1, 1) BH_BASE_(T2, 2) BH_BASE_(T3, 3) BH_BASE_(T4, 4) BH_BASE_(T5, 5)
#endif

#define BH_PASS1_(I, T0) BH_PART(T0, 0, I)
#define BH_PASS2_(I, T0, T1) BH_PASS1_(I, T0), BH_PART(T1, 1, I)
#define BH_PASS3_(I, T0, T1, T2) BH_PASS2_(I, T0, T1), BH_PART(T2, 2, I)
#define BH_PASS4_(I, T0, T1, T2, T3) BH_PASS3_(I, T0, T1, T2), BH_PART(T3, 3, I)
#define BH_PASS5_(I, T0, T1, T2, T3, T4) BH_PASS4_(I, T0, T1, T2, T3), BH_PART(T4, 4, I)
#define BH_PASS6_(I, T0, T1, T2, T3, T4, T5) BH_PASS5_(I, T0, T1, T2, T3, T4), BH_PART(T5, 5, I)

/* ---- Who am I among how many: lanes of the launch, or groups ---- */

#if defined(BH_ON_OPENCL)
#define BH_ANY_ __kernel
#define BH_EXACT_(LANES) __kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define BH_LANE_ ((uint64_t)get_global_id(0))
#define BH_LANES_ALL_ ((uint64_t)get_global_size(0))
#define BH_GROUP_ ((uint64_t)get_group_id(0))
#define BH_GROUPS_ALL_ ((uint64_t)get_num_groups(0))
#elif defined(BH_ON_CUDA)
#define BH_ANY_ extern "C" __global__
#define BH_EXACT_(LANES) extern "C" __global__ __launch_bounds__(LANES)
#define BH_LANE_ ((uint64_t)blockIdx.x * blockDim.x + threadIdx.x)
#define BH_LANES_ALL_ ((uint64_t)gridDim.x * blockDim.x)
#define BH_GROUP_ ((uint64_t)blockIdx.x)
#define BH_GROUPS_ALL_ ((uint64_t)gridDim.x)
#elif defined(BH_ON_TWIN)
#define BH_LANE_ bh_twin_index
#define BH_LANES_ALL_ bh_twin_count
#define BH_GROUP_ bh_twin_index
#define BH_GROUPS_ALL_ bh_twin_count
#else
#define BH_LANE_ UINT64_C(0)
#define BH_LANES_ALL_ UINT64_C(1)
#define BH_GROUP_ UINT64_C(0)
#define BH_GROUPS_ALL_ UINT64_C(1)
#endif
#ifndef BH_ANY_
#define BH_ANY_
#define BH_EXACT_(LANES)
#endif

/* What a backend must know of a kernel besides its name, and what the host holds its table of uses and its loops against:
 * only the host's compilation says it. SUM: bytes of a REDUCE kernel's sum, else 0; READ: BH_READn_ of its N types. */
#if defined(BH_ON_HOST)
#define BH_SHAPE_(NAME, FORM, LANES, SUM, N, READ, P)                                                                  \
  static const bh_kernel_shape NAME##_shape = {                                                                        \
      FORM, LANES, N, READ, __builtin_types_compatible_p(P, bh_no_params) ? 0 : sizeof(P), SUM};
/* The members of a bh_kernel that belong to kernel NAME of the text SOURCE (an array that benchhost-kernel made). */
#define BH_KERNEL_DEVICE(NAME, SOURCE)                                                                                 \
  .host = NAME, .source = SOURCE, .source_bytes = sizeof SOURCE - 1, .entry = #NAME, .shape = &NAME##_shape
#else
#define BH_SHAPE_(NAME, FORM, LANES, SUM, N, READ, P)
#endif
#define BH_READ_(T, k) (__builtin_types_compatible_p(const __typeof__(T) *, __typeof__(T) *) ? 1u << (k) : 0)
#define BH_READ1_(T0) BH_READ_(T0, 0)
#define BH_READ2_(T0, T1) (BH_READ1_(T0) | BH_READ_(T1, 1))
#define BH_READ3_(T0, T1, T2) (BH_READ2_(T0, T1) | BH_READ_(T2, 2))
#define BH_READ4_(T0, T1, T2, T3) (BH_READ3_(T0, T1, T2) | BH_READ_(T3, 3))
#define BH_READ5_(T0, T1, T2, T3, T4) (BH_READ4_(T0, T1, T2, T3) | BH_READ_(T4, 4))
#define BH_READ6_(T0, T1, T2, T3, T4, T5) (BH_READ5_(T0, T1, T2, T3, T4) | BH_READ_(T5, 5))

/* ---- ITEMS ---- */

#define BH_ITEM_BY_ITEM_ for (uint64_t i = l.begin + BH_LANE_; i < l.end; i += BH_LANES_ALL_)
#define BH_ITEMS_KERNEL1(NAME, ITEM, P, T0)                                                                            \
  BH_OPEN1_(BH_ANY_, NAME, P, T0)                                                                                      \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS1_(BH_LANE_, T0), p); }                                                              \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 1, BH_READ1_(T0), P)
#define BH_ITEMS_KERNEL2(NAME, ITEM, P, T0, T1)                                                                        \
  BH_OPEN2_(BH_ANY_, NAME, P, T0, T1)                                                                                  \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS2_(BH_LANE_, T0, T1), p); }                                                          \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 2, BH_READ2_(T0, T1), P)
#define BH_ITEMS_KERNEL3(NAME, ITEM, P, T0, T1, T2)                                                                    \
  BH_OPEN3_(BH_ANY_, NAME, P, T0, T1, T2)                                                                              \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS3_(BH_LANE_, T0, T1, T2), p); }                                                      \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 3, BH_READ3_(T0, T1, T2), P)
#define BH_ITEMS_KERNEL4(NAME, ITEM, P, T0, T1, T2, T3)                                                                \
  BH_OPEN4_(BH_ANY_, NAME, P, T0, T1, T2, T3)                                                                          \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS4_(BH_LANE_, T0, T1, T2, T3), p); }                                                  \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 4, BH_READ4_(T0, T1, T2, T3), P)
#define BH_ITEMS_KERNEL5(NAME, ITEM, P, T0, T1, T2, T3, T4)                                                            \
  BH_OPEN5_(BH_ANY_, NAME, P, T0, T1, T2, T3, T4)                                                                      \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS5_(BH_LANE_, T0, T1, T2, T3, T4), p); }                                              \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 5, BH_READ5_(T0, T1, T2, T3, T4), P)
#define BH_ITEMS_KERNEL6(NAME, ITEM, P, T0, T1, T2, T3, T4, T5)                                                        \
  BH_OPEN6_(BH_ANY_, NAME, P, T0, T1, T2, T3, T4, T5)                                                                  \
  BH_ITEM_BY_ITEM_ ITEM(i, BH_PASS6_(BH_LANE_, T0, T1, T2, T3, T4, T5), p); }                                          \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 6, BH_READ6_(T0, T1, T2, T3, T4, T5), P)

/* ---- CHUNKS: lane k of n takes grains [k g / n, (k + 1) g / n) of the g there are ---- */

#if defined(BH_ON_HOST) /* a backend calls with begin < end, and this is all of it */
#define BH_CHUNK_OF_LANE_ const uint64_t bh_from = l.begin, bh_to = l.end;
#define BH_IF_ANY_
#else
#define BH_CHUNK_OF_LANE_                                                                                              \
  const uint64_t bh_grains = (l.end - l.begin + l.grain - 1) / l.grain;                                                \
  const uint64_t bh_share = bh_grains / BH_LANES_ALL_, bh_rest = bh_grains % BH_LANES_ALL_;                            \
  const uint64_t bh_at = BH_LANE_ * bh_share + (BH_LANE_ < bh_rest ? BH_LANE_ : bh_rest);                              \
  const uint64_t bh_from = l.begin + bh_at * l.grain;                                                                  \
  uint64_t bh_to = bh_from + (bh_share + (BH_LANE_ < bh_rest ? 1 : 0)) * l.grain;                                      \
  if (bh_to > l.end)                                                                                                   \
    bh_to = l.end;
#define BH_IF_ANY_ if (bh_from < bh_to)
#endif
#define BH_CHUNKS_KERNEL1(NAME, CHUNK, P, T0)                                                                          \
  BH_OPEN1_(BH_ANY_, NAME, P, T0)                                                                                      \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS1_(BH_LANE_, T0), p); }                                                               \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 1, BH_READ1_(T0), P)
#define BH_CHUNKS_KERNEL2(NAME, CHUNK, P, T0, T1)                                                                      \
  BH_OPEN2_(BH_ANY_, NAME, P, T0, T1)                                                                                  \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS2_(BH_LANE_, T0, T1), p); }                                                           \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 2, BH_READ2_(T0, T1), P)
#define BH_CHUNKS_KERNEL3(NAME, CHUNK, P, T0, T1, T2)                                                                  \
  BH_OPEN3_(BH_ANY_, NAME, P, T0, T1, T2)                                                                              \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS3_(BH_LANE_, T0, T1, T2), p); }                                                       \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 3, BH_READ3_(T0, T1, T2), P)
#define BH_CHUNKS_KERNEL4(NAME, CHUNK, P, T0, T1, T2, T3)                                                              \
  BH_OPEN4_(BH_ANY_, NAME, P, T0, T1, T2, T3)                                                                          \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS4_(BH_LANE_, T0, T1, T2, T3), p); }                                                   \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 4, BH_READ4_(T0, T1, T2, T3), P)
#define BH_CHUNKS_KERNEL5(NAME, CHUNK, P, T0, T1, T2, T3, T4)                                                          \
  BH_OPEN5_(BH_ANY_, NAME, P, T0, T1, T2, T3, T4)                                                                      \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS5_(BH_LANE_, T0, T1, T2, T3, T4), p); }                                               \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 5, BH_READ5_(T0, T1, T2, T3, T4), P)
#define BH_CHUNKS_KERNEL6(NAME, CHUNK, P, T0, T1, T2, T3, T4, T5)                                                      \
  BH_OPEN6_(BH_ANY_, NAME, P, T0, T1, T2, T3, T4, T5)                                                                  \
  BH_CHUNK_OF_LANE_                                                                                                    \
  BH_IF_ANY_                                                                                                           \
    CHUNK(bh_from, bh_to, BH_PASS6_(BH_LANE_, T0, T1, T2, T3, T4, T5), p); }                                           \
  BH_SHAPE_(NAME, BH_BY_LANE, 0, 0, 6, BH_READ6_(T0, T1, T2, T3, T4, T5), P)

/* ---- Local memory and barriers of a group ---- */

/* In a GROUPS body work goes in phases: BH_LANES(t, LANES) what lane t does, then BH_SYNC, after which every lane sees what
 * all wrote to local memory (and, within the group, to regions). Nothing but phases may write; what a lane remembers from
 * one phase to a later one is declared by BH_PRIVATE and named BH_OF(v, t):
 *
 *   BH_FN void body(uint64_t i, BH_LOCAL double *sums, BH_GLOBAL const double *x, BH_GLOBAL double *y, row_params p) {
 *     BH_LANES(t, 64) sums[t] = x[i * 64 + t]; BH_SYNC
 *     BH_LANES(t, 64) if (t == 0) y[i] = total(sums); BH_SYNC
 *   }
 *   BH_GROUPS_KERNEL2(row_sum, body, 64, double, 64, row_params, const double, double)
 */
#if defined(BH_ON_OPENCL)
#define BH_LOCAL __local
#define BH_SHARED_ __local
#define BH_BARRIER_ barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
#define BH_MINE_ ((uint32_t)get_local_id(0))
#elif defined(BH_ON_CUDA)
#define BH_LOCAL
#define BH_SHARED_ __shared__
#define BH_BARRIER_ __syncthreads();
#define BH_MINE_ ((uint32_t)threadIdx.x)
#else
#define BH_LOCAL
#define BH_SHARED_
#endif
#if defined(BH_BARRIER_)
#define BH_LANES(t, LANES)                                                                                             \
  {                                                                                                                    \
    const uint32_t t = BH_MINE_;
#define BH_SYNC                                                                                                        \
  }                                                                                                                    \
  BH_BARRIER_
#define BH_PRIVATE(T, v, LANES) T v
#define BH_OF(v, t) v
#else
#define BH_LANES(t, LANES) for (uint32_t t = 0; t < (LANES); t++) {
#define BH_SYNC }
#define BH_PRIVATE(T, v, LANES) T v[LANES]
#define BH_OF(v, t) v[t]
#endif

/* Adds parts[0 .. LANES - 1] as a tree, always the same, into parts[0]. LANES is a power of two. Ends in a BH_SYNC; wants one
 * before. */
#define BH_GROUP_SUM(parts, LANES)                                                                                     \
  for (uint32_t bh_half = (LANES) / 2; bh_half > 0; bh_half /= 2) {                                                    \
    BH_LANES(bh_t, LANES)                                                                                              \
    if (bh_t < bh_half)                                                                                                \
      (parts)[bh_t] += (parts)[bh_t + bh_half];                                                                        \
    BH_SYNC                                                                                                            \
  }

/* ---- GROUPS: LANES lanes work on one item, with local memory L local[LENGTH] ---- */

#define BH_ITEM_BY_GROUP_ for (uint64_t i = l.begin + BH_GROUP_; i < l.end; i += BH_GROUPS_ALL_)
#define BH_GROUPS_KERNEL1(NAME, BODY, LANES, L, LENGTH, P, T0)                                                         \
  BH_OPEN1_(BH_EXACT_(LANES), NAME, P, T0)                                                                             \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS1_(BH_GROUP_, T0), p); }                                                  \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 1, BH_READ1_(T0), P)
#define BH_GROUPS_KERNEL2(NAME, BODY, LANES, L, LENGTH, P, T0, T1)                                                     \
  BH_OPEN2_(BH_EXACT_(LANES), NAME, P, T0, T1)                                                                         \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS2_(BH_GROUP_, T0, T1), p); }                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 2, BH_READ2_(T0, T1), P)
#define BH_GROUPS_KERNEL3(NAME, BODY, LANES, L, LENGTH, P, T0, T1, T2)                                                 \
  BH_OPEN3_(BH_EXACT_(LANES), NAME, P, T0, T1, T2)                                                                     \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS3_(BH_GROUP_, T0, T1, T2), p); }                                          \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 3, BH_READ3_(T0, T1, T2), P)
#define BH_GROUPS_KERNEL4(NAME, BODY, LANES, L, LENGTH, P, T0, T1, T2, T3)                                             \
  BH_OPEN4_(BH_EXACT_(LANES), NAME, P, T0, T1, T2, T3)                                                                 \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS4_(BH_GROUP_, T0, T1, T2, T3), p); }                                      \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 4, BH_READ4_(T0, T1, T2, T3), P)
#define BH_GROUPS_KERNEL5(NAME, BODY, LANES, L, LENGTH, P, T0, T1, T2, T3, T4)                                         \
  BH_OPEN5_(BH_EXACT_(LANES), NAME, P, T0, T1, T2, T3, T4)                                                             \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS5_(BH_GROUP_, T0, T1, T2, T3, T4), p); }                                  \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 5, BH_READ5_(T0, T1, T2, T3, T4), P)
#define BH_GROUPS_KERNEL6(NAME, BODY, LANES, L, LENGTH, P, T0, T1, T2, T3, T4, T5)                                     \
  BH_OPEN6_(BH_EXACT_(LANES), NAME, P, T0, T1, T2, T3, T4, T5)                                                         \
  BH_SHARED_ L bh_local[LENGTH];                                                                                       \
  BH_ITEM_BY_GROUP_ BODY(i, bh_local, BH_PASS6_(BH_GROUP_, T0, T1, T2, T3, T4, T5), p); }                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, 0, 6, BH_READ6_(T0, T1, T2, T3, T4, T5), P)

/* ---- REDUCE: LANES is a power of two; the group's lanes join as a tree, lane 0 adds to the group's part ---- */

#if defined(BH_BARRIER_)
#define BH_SUMS_(R, LANES) BH_SHARED_ R bh_sums[LANES];
#define BH_TREE_(R, LANES, JOIN)                                                                                       \
  bh_sums[BH_MINE_] = bh_sum;                                                                                          \
  BH_BARRIER_                                                                                                          \
  for (uint32_t bh_half = (LANES) / 2; bh_half > 0; bh_half /= 2) {                                                    \
    if (BH_MINE_ < bh_half) {                                                                                          \
      R bh_other = bh_sums[BH_MINE_ + bh_half];                                                                        \
      JOIN(&bh_sum, &bh_other);                                                                                        \
      bh_sums[BH_MINE_] = bh_sum;                                                                                      \
    }                                                                                                                  \
    BH_BARRIER_                                                                                                        \
  }                                                                                                                    \
  if (BH_MINE_ != 0)                                                                                                   \
    return;
#define BH_REDUCE_BY_ BH_ITEM_BY_ITEM_
#else
#define BH_SUMS_(R, LANES)
#define BH_TREE_(R, LANES, JOIN)
#define BH_REDUCE_BY_ BH_ITEM_BY_GROUP_
#endif
#define BH_REDUCE_KERNEL1(NAME, START, ITEM, JOIN, LANES, P, R)                                                        \
  BH_OPEN1_(BH_EXACT_(LANES), NAME, P, R)                                                                              \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, p);                                                                                   \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 1, BH_READ1_(R), P)
#define BH_REDUCE_KERNEL2(NAME, START, ITEM, JOIN, LANES, P, R, T1)                                                    \
  BH_OPEN2_(BH_EXACT_(LANES), NAME, P, R, T1)                                                                          \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, BH_PART(T1, 1, BH_GROUP_), p);                                                        \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 2, BH_READ2_(R, T1), P)
#define BH_REDUCE_KERNEL3(NAME, START, ITEM, JOIN, LANES, P, R, T1, T2)                                                \
  BH_OPEN3_(BH_EXACT_(LANES), NAME, P, R, T1, T2)                                                                      \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, BH_PART(T1, 1, BH_GROUP_), BH_PART(T2, 2, BH_GROUP_), p);                             \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 3, BH_READ3_(R, T1, T2), P)
#define BH_REDUCE_KERNEL4(NAME, START, ITEM, JOIN, LANES, P, R, T1, T2, T3)                                            \
  BH_OPEN4_(BH_EXACT_(LANES), NAME, P, R, T1, T2, T3)                                                                  \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, BH_PART(T1, 1, BH_GROUP_), BH_PART(T2, 2, BH_GROUP_), BH_PART(T3, 3, BH_GROUP_), p);  \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 4, BH_READ4_(R, T1, T2, T3), P)
#define BH_REDUCE_KERNEL5(NAME, START, ITEM, JOIN, LANES, P, R, T1, T2, T3, T4)                                        \
  BH_OPEN5_(BH_EXACT_(LANES), NAME, P, R, T1, T2, T3, T4)                                                              \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, BH_PART(T1, 1, BH_GROUP_), BH_PART(T2, 2, BH_GROUP_),                                 \
                     BH_PART(T3, 3, BH_GROUP_), BH_PART(T4, 4, BH_GROUP_), p);                                         \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 5, BH_READ5_(R, T1, T2, T3, T4), P)
#define BH_REDUCE_KERNEL6(NAME, START, ITEM, JOIN, LANES, P, R, T1, T2, T3, T4, T5)                                    \
  BH_OPEN6_(BH_EXACT_(LANES), NAME, P, R, T1, T2, T3, T4, T5)                                                          \
  BH_SUMS_(R, LANES)                                                                                                   \
  R bh_sum;                                                                                                            \
  START(&bh_sum);                                                                                                      \
  BH_REDUCE_BY_ ITEM(i, &bh_sum, BH_PART(T1, 1, BH_GROUP_), BH_PART(T2, 2, BH_GROUP_),                                 \
                     BH_PART(T3, 3, BH_GROUP_), BH_PART(T4, 4, BH_GROUP_), BH_PART(T5, 5, BH_GROUP_), p);              \
  BH_TREE_(R, LANES, JOIN)                                                                                             \
  R bh_total = *BH_PART(R, 0, BH_GROUP_);                                                                              \
  JOIN(&bh_total, &bh_sum);                                                                                            \
  *BH_PART(R, 0, BH_GROUP_) = bh_total; }                                                                              \
  BH_SHAPE_(NAME, BH_BY_GROUP, LANES, sizeof(R), 6, BH_READ6_(R, T1, T2, T3, T4, T5), P)
#endif
