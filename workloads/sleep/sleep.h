/* SPDX-License-Identifier: MIT
 *
 * sleep.h - what a nap is: for the kernel (sleep.k.h), and for the host's own napping in stream order (sleep-device.c).
 */
#ifndef SLEEP_H
#define SLEEP_H
#include <benchhost/kernel.h>

typedef struct {
  uint64_t duration_ns;
} sleep_params;

/* One per item. CLOCK_MONOTONIC is the machine's, so times of different processes compare. */
typedef struct {
  uint64_t item, begin_ns, end_ns;
} sleep_nap;

#if defined(BH_ON_HOST)
#include <benchhost/device.h>
#include <errno.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* An absolute deadline: a signal does not lengthen the nap. */
static inline void sleep_take(sleep_nap *nap, uint64_t item, uint64_t duration_ns) {
  uint64_t now = bh_clock_ns(), until_ns = now + duration_ns;
  struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
  *nap = (sleep_nap){.item = item, .begin_ns = now, .end_ns = bh_clock_ns()};
}

extern const bh_program sleep_program; /* for devices whose kernels cannot read a clock */
#endif
#endif
