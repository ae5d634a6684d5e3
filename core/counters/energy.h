/* SPDX-License-Identifier: MIT
 * Energy of one kind of domain (packages, memory) over the whole machine, from Intel's and AMD's running average power
 * limit. For this room only. */
#pragma once
#include "counters/counters.h"
#include "counters/kinds.h"

typedef struct BhEnergy BhEnergy;

/* NULL with `ret_why` (taken by the caller) where neither the powercap files nor perf's power unit can be read. */
BhEnergy *bh_energy_open(const BhCounterKind *kind, const BhCountersSystem *system, char **ret_why);
void bh_energy_free(BhEnergy *energy);
void bh_energy_start(BhEnergy *energy);
void bh_energy_stop(BhEnergy *energy);
double bh_energy_joules(const BhEnergy *energy); /* between the last start and stop; below 0: a reading failed */
