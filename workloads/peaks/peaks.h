/* SPDX-License-Identifier: MIT
 *
 * peaks.h - what the system says of its caches (cache.c).
 */
#ifndef PEAKS_H
#define PEAKS_H
#include <stdint.h>

/* Bytes of the data cache of this level of one core; of the last level, all caches that this process's CPUs have
 * together. 0: the system does not say. */
uint64_t peaks_cache_bytes(unsigned level);
uint64_t peaks_last_cache_bytes(void);
#endif
