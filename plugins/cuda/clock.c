/* SPDX-License-Identifier: MIT
 *
 * clock.c - small kernels of our own: one that reads the device's clocks, one that finds how far the timer goes at a
 * time, and one that holds a stream until the host says so, that nothing of a launch is in what events measure (as
 * nvbench does it).
 */
#include "lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The names are known to the driver double in tests/, which has no GPU to run them. */
static const char text[] =
    "extern \"C\" __global__ void bh_cuda_stamp(unsigned long long *out) {\n"
    "  unsigned long long now;\n"
    "  unsigned int sm;\n"
    "  asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(now));\n"
    "  asm volatile(\"mov.u32 %0, %%smid;\" : \"=r\"(sm));\n"
    "  out[0] = now;\n"
    "  out[1] = (unsigned long long)clock64();\n"
    "  out[2] = sm;\n"
    "}\n"
    "extern \"C\" __global__ void bh_cuda_step(unsigned long long *out, long long limit_cycles) {\n"
    "  unsigned long long first, now, step = 0;\n"
    "  const long long start = clock64();\n"
    "  asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(first));\n"
    "  for (int edges = 0; edges < 5 && clock64() - start < limit_cycles;) {\n"
    "    asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(now));\n"
    "    if (now == first)\n"
    "      continue;\n"
    "    if (!step || now - first < step)\n"
    "      step = now - first;\n"
    "    first = now;\n"
    "    edges++;\n"
    "  }\n"
    "  out[0] = step;\n"
    "}\n"
    "extern \"C\" __global__ void bh_cuda_block(volatile unsigned int *flags, unsigned long long limit_ns) {\n"
    "  unsigned long long start, now;\n"
    "  asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(start));\n"
    "  do {\n"
    "    asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(now));\n"
    "  } while (!flags[0] && now - start < limit_ns);\n"
    "  if (!flags[0])\n"
    "    flags[1] = 1;\n"
    "}\n";
#define BLOCK_LIMIT_NS UINT64_C(2000000000)
#define LEAST_SPAN_NS 10000u /* shorter spans are too close to the timer's own steps, a microsecond on many devices */
#define STEP_CYCLES 20000000 /* at least: how long a step is waited for */
enum { STEPS_IN_SPAN = 10, ROUNDS = 10, FLAGS_AT = 128, PINNED_BYTES = 256 };

static bh_status make_clock(dev_lane *lane, cuda_clock *clock) {
  cu_module module;
  cu_pointer at = 0;
  LANE_TRY(lane_module(lane, text, sizeof text - 1, "bh_cuda_stamp", &module));
  CU_TRY(lane, cuModuleGetFunction, &clock->stamp, module, "bh_cuda_stamp");
  CU_TRY(lane, cuModuleGetFunction, &clock->step, module, "bh_cuda_step");
  CU_TRY(lane, cuModuleGetFunction, &clock->block, module, "bh_cuda_block");
  CU_TRY(lane, cuMemHostAlloc, &clock->pinned, PINNED_BYTES, CU_HOST_MAPPED);
  memset(clock->pinned, 0, PINNED_BYTES);
  CU_TRY(lane, cuMemHostGetDevicePointer, &at, clock->pinned, 0);
  clock->stamps = clock->pinned;
  clock->stamps_at = at;
  clock->flags = (volatile uint32_t *)(void *)((char *)clock->pinned + FLAGS_AT);
  clock->flags_at = at + FLAGS_AT;
  return BH_OK;
}

bh_status clock_open(dev_lane *lane, int flush) {
  if (!lane->clock) {
    cuda_clock *clock = calloc(1, sizeof *clock);
    if (!clock)
      return lane_no_memory(lane);
    lane->clock = clock; /* closed with the lane, as far as it got */
    LANE_TRY(make_clock(lane, clock));
  }
  if (!flush || lane->clock->flush || !lane->device->l2_bytes)
    return BH_OK;
  const cu_result result = cu.cuMemAlloc(&lane->clock->flush, lane->device->l2_bytes);
  return result == CU_SUCCESS ? BH_OK : lane_not_allocated(lane, result, lane->device->l2_bytes, "cuMemAlloc");
}

void clock_close(dev_lane *lane) {
  cuda_clock *clock = lane->clock;
  if (!clock)
    return;
  if (clock->flush)
    cu.cuMemFree(clock->flush);
  if (clock->pinned)
    cu.cuMemFreeHost(clock->pinned);
  free(clock);
  lane->clock = NULL;
}

bh_status clock_stamp(dev_lane *lane, int which) {
  cu_pointer at = lane->clock->stamps_at + (cu_pointer)which * sizeof(cuda_stamp);
  void *arguments[] = {&at};
  CU_TRY(lane, cuLaunchKernel, lane->clock->stamp, 1, 1, 1, 1, 1, 1, 0, lane->stream, arguments, NULL);
  return BH_OK;
}

bh_status clock_block(dev_lane *lane) {
  uint64_t limit_ns = BLOCK_LIMIT_NS;
  void *arguments[] = {&lane->clock->flags_at, &limit_ns};
  lane->clock->flags[0] = lane->clock->flags[1] = 0;
  CU_TRY(lane, cuLaunchKernel, lane->clock->block, 1, 1, 1, 1, 1, 1, 0, lane->stream, arguments, NULL);
  return BH_OK;
}

void clock_unblock(dev_lane *lane) {
  __atomic_store_n(&lane->clock->flags[0], 1, __ATOMIC_RELEASE);
}

int clock_was_stuck(const dev_lane *lane) {
  return lane->clock->flags[1] != 0;
}

bh_status clock_flush(dev_lane *lane) {
  if (lane->clock->flush)
    CU_TRY(lane, cuMemsetD32Async, lane->clock->flush, 0, lane->device->l2_bytes / 4, lane->stream);
  CU_TRY(lane, cuStreamSynchronize, lane->stream);
  return BH_OK;
}

double clock_share(const dev_lane *lane) {
  const cuda_stamp a = lane->clock->stamps[0], b = lane->clock->stamps[1];
  const uint64_t steps_ns = STEPS_IN_SPAN * lane->device->timer_step_ns;
  const uint64_t least_ns = steps_ns > LEAST_SPAN_NS ? steps_ns : LEAST_SPAN_NS;
  if (a.sm != b.sm || b.time_ns < a.time_ns + least_ns || b.cycles <= a.cycles || lane->device->clock_khz <= 0)
    return 0;
  const double hertz = (double)(b.cycles - a.cycles) / (double)(b.time_ns - a.time_ns) * 1e9;
  return hertz / (1e3 * lane->device->clock_khz);
}

/* Some timers stand still for a microsecond, and are said to for a millisecond. The least of a few steps: others may
 * have had the device meanwhile. */
static bh_status find_step(dev_lane *lane) {
  int64_t limit_cycles = STEP_CYCLES;
  void *arguments[] = {&lane->clock->stamps_at, &limit_cycles};
  CU_TRY(lane, cuLaunchKernel, lane->clock->step, 1, 1, 1, 1, 1, 1, 0, lane->stream, arguments, NULL);
  CU_TRY(lane, cuStreamSynchronize, lane->stream);
  lane->device->timer_step_ns = ((volatile cuda_stamp *)lane->clock->stamps)->time_ns;
  return BH_OK;
}

/* Asks for the time between two readings of the host's clock; the closest pair decides. */
static bh_status calibrate(dev_lane *lane) {
  const bh_host *h = lane->head.host;
  uint64_t closest_ns = UINT64_MAX;
  LANE_TRY(clock_open(lane, 0));
  for (int i = 0; i < ROUNDS; i++) {
    const uint64_t before_ns = h->now_ns();
    LANE_TRY(clock_stamp(lane, 0));
    CU_TRY(lane, cuStreamSynchronize, lane->stream);
    const uint64_t after_ns = h->now_ns();
    if (after_ns - before_ns >= closest_ns)
      continue;
    closest_ns = after_ns - before_ns;
    lane->device->clock_offset_ns =
        (int64_t)(before_ns + closest_ns / 2) - (int64_t)((volatile cuda_stamp *)lane->clock->stamps)->time_ns;
  }
  LANE_TRY(find_step(lane));
  lane->device->calibrated = 1;
  h->fact(h, "device clock", "within %llu ns of the host's, in steps of %llu ns", (unsigned long long)(closest_ns / 2),
          (unsigned long long)lane->device->timer_step_ns);
  return BH_OK;
}

bh_status clock_calibrate(dev_lane *lane) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a device's lanes may be opened by several threads */
  pthread_mutex_lock(&lock);
  const bh_status status = lane->device->calibrated ? BH_OK : calibrate(lane);
  pthread_mutex_unlock(&lock);
  return status;
}
