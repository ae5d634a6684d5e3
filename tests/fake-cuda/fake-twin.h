/* SPDX-License-Identifier: MIT
 * What a library of twins shows the driver double: one exported object, fake_twins. The double calls `place` before
 * each call of a twin, on the same thread. */
#pragma once
#include <benchhost/plugin.h>
#include <stdint.h>

typedef struct fake_twin {
  const struct fake_twin *next;
  const char *entry;
  void (*run)(void **arguments); /* pointers to the arguments in the kernel's order */
  bh_kernel_by by; /* BH_BY_GROUP: once per group, of exactly `lanes` lanes (0: any); else once per lane */
  uint32_t lanes;
  uint64_t pointers; /* bit k: argument k is a pointer; 0: those of a kernel of benchhost/kernel.h */
} fake_twin;

typedef struct {
  uint32_t size; /* of this struct */
  const fake_twin *(*first)(void);
  void (*place)(uint64_t index, uint64_t count);
  void (*clock)(uint64_t (*now_ns)(void), uint64_t (*cycles)(void)); /* what bh_clock_ns() and clock64() read */
} fake_twin_library;
