/* SPDX-License-Identifier: MIT
 *
 * sleep.k.h - the kernel of sleep: a worker sleeps, a device's lane looks at the clock until the time has come.
 */
#ifndef SLEEP_K_H
#define SLEEP_K_H
#include "sleep.h"

BH_FN void sleep_item(uint64_t i, BH_GLOBAL sleep_nap *naps, sleep_params p) {
#if defined(BH_ON_HOST)
  sleep_take(&naps[i], i, p.duration_ns);
#elif defined(BH_HAS_CLOCK)
  const uint64_t begin = bh_clock_ns(), until = begin + p.duration_ns;
  uint64_t now = begin;
  while (now < until) {
    BH_NAP((until - now) / 2); /* a device's nap may take twice as long */
    now = bh_clock_ns();
  }
  naps[i].item = i;
  naps[i].begin_ns = begin;
  naps[i].end_ns = now;
#else /* no clock: the host naps (sleep-device.c). Should this run all the same, it is found: these are no times */
  naps[i].item = i;
  naps[i].begin_ns = naps[i].end_ns = 0;
  BH_UNUSED(p);
#endif
}
BH_ITEMS_KERNEL1(sleep_items, sleep_item, sleep_params, sleep_nap)
#endif
