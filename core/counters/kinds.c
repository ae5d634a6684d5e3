/* SPDX-License-Identifier: MIT
 * Owns the names and numbers of counters. Names are those of perf(1), so that its documentation applies. */
#include "counters/kinds.h"

#include "counters/counters.h"

#include <linux/perf_event.h>
#include <string.h>

#define HARDWARE(group, name, event, set, help)                                                                        \
  { group, name, "", BH_COUNTER_PERF, PERF_TYPE_HARDWARE, PERF_COUNT_HW_##event, set, FALSE, NULL, NULL, help }
#define LOAD_MISSES(name, cache, help)                                                                                 \
  {                                                                                                                    \
    "caches", name, "", BH_COUNTER_PERF, PERF_TYPE_HW_CACHE,                                                           \
        PERF_COUNT_HW_CACHE_##cache | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16, 0,     \
        FALSE, NULL, NULL, help                                                                                        \
  }
#define SOFTWARE(name, unit, event, in_kernel, help)                                                                   \
  { "kernel", name, unit, BH_COUNTER_PERF, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##event, 0, in_kernel, NULL, NULL, help }
#define ENERGY(name, domain, event, help)                                                                              \
  { "energy", name, "J", BH_COUNTER_ENERGY, 0, 0, 0, FALSE, domain, event, help }

const BhCounterKind bh_counter_kinds[] = {
    HARDWARE("cycles", "cycles", CPU_CYCLES, 1, "clock cycles of the cores while they worked for the cell"),
    HARDWARE("cycles", "instructions", INSTRUCTIONS, 1, "instructions retired"),
    HARDWARE("cycles", "ref-cycles", REF_CPU_CYCLES, 1, "cycles at the nominal frequency"),
    HARDWARE("caches", "cache-references", CACHE_REFERENCES, 2, "accesses to the last-level cache"),
    HARDWARE("caches", "cache-misses", CACHE_MISSES, 2, "accesses that the last-level cache missed"),
    LOAD_MISSES("L1-dcache-load-misses", L1D, "loads that missed the first-level data cache"),
    LOAD_MISSES("LLC-load-misses", LL, "loads that missed the last-level cache"),
    LOAD_MISSES("dTLB-load-misses", DTLB, "loads that missed the data TLB"),
    HARDWARE("branches", "branches", BRANCH_INSTRUCTIONS, 3, "branch instructions retired"),
    HARDWARE("branches", "branch-misses", BRANCH_MISSES, 3, "branches that were predicted wrongly"),
    SOFTWARE("context-switches", "", CONTEXT_SWITCHES, TRUE, "times that a worker gave up or lost its CPU"),
    SOFTWARE("cpu-migrations", "", CPU_MIGRATIONS, TRUE, "times that a worker moved to another CPU"),
    SOFTWARE("page-faults", "", PAGE_FAULTS, FALSE, "page faults, minor and major"),
    SOFTWARE("task-clock", "ns", TASK_CLOCK, FALSE, "CPU time"),
    ENERGY("energy", "package", "energy-pkg", "energy of all processor packages, whoever used it"),
    ENERGY("energy-dram", "dram", "energy-ram", "energy of the memory, whoever used it"),
    {NULL},
};

const char *const *bh_counters_groups(void) {
  static const char *groups[G_N_ELEMENTS(bh_counter_kinds)];
  guint n = 0;
  for (const BhCounterKind *kind = bh_counter_kinds; kind->name; kind++)
    if (!n || strcmp(groups[n - 1], kind->group))
      groups[n++] = kind->group;
  return groups;
}

const char *const *bh_counters_names(void) {
  static const char *names[G_N_ELEMENTS(bh_counter_kinds)];
  for (guint i = 0; bh_counter_kinds[i].name; i++)
    names[i] = bh_counter_kinds[i].name;
  return names;
}

const char *bh_counters_group_of(const char *name) {
  for (const BhCounterKind *kind = bh_counter_kinds; kind->name; kind++)
    if (!strcmp(kind->name, name))
      return kind->group;
  return NULL;
}
