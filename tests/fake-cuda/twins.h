/* SPDX-License-Identifier: MIT
 * How a file of twins puts them into its library's list. */
#pragma once
#include "fake-twin.h"

void fake_twin_add(fake_twin *twin); /* not copied */
uint64_t fake_twin_cycles(void);     /* clock64() */

#define FAKE_TWIN(NAME, FORM, LANES, POINTERS)                                                                         \
  __attribute__((constructor)) static void fake_twin_add_##NAME(void) {                                                \
    static fake_twin twin = {.entry = #NAME, .run = NAME, .by = FORM, .lanes = LANES, .pointers = POINTERS};           \
    fake_twin_add(&twin);                                                                                              \
  }
