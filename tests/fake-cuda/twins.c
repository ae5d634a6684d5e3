/* SPDX-License-Identifier: MIT
 * A library of twins: kernels compiled for the host, one lane or one group at a time, listed by entry. The files beside
 * this one in the library are made from twin-kernel.c.in, one for each kernel file. */
#include "twins.h"

extern _Thread_local uint64_t bh_twin_index, bh_twin_count;
extern uint64_t bh_twin_clock_ns(void);

_Thread_local uint64_t bh_twin_index, bh_twin_count;
static fake_twin *first_twin;
static _Thread_local uint64_t (*device_clock)(void), (*device_cycles)(void); /* members run twins at the same time */

void fake_twin_add(fake_twin *twin) {
  twin->next = first_twin;
  first_twin = twin;
}

uint64_t bh_twin_clock_ns(void) {
  return device_clock ? device_clock() : 0;
}

uint64_t fake_twin_cycles(void) {
  return device_cycles ? device_cycles() : 0;
}

static const fake_twin *twins_first(void) {
  return first_twin;
}

static void twins_place(uint64_t index, uint64_t count) {
  bh_twin_index = index;
  bh_twin_count = count;
}

static void twins_clock(uint64_t (*now_ns)(void), uint64_t (*cycles)(void)) {
  device_clock = now_ns;
  device_cycles = cycles;
}

extern BH_EXPORT const fake_twin_library fake_twins;
const fake_twin_library fake_twins = {
    .size = sizeof(fake_twin_library), .first = twins_first, .place = twins_place, .clock = twins_clock};
