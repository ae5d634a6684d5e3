/* SPDX-License-Identifier: MIT
 *
 * cache: how large the caches are, from sysfs: sizes of one CPU's, and of all last-level caches together, because an
 * array that workers share is divided among them.
 */
#include "peaks.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define MOST_INDEXES 8
#define MOST_CACHES 64

static int read_text(unsigned cpu, unsigned index, const char *what, char *ret, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cache/index%u/%s", cpu, index, what);
  FILE *file = fopen(path, "re");
  if (!file)
    return 0;
  int ok = fgets(ret, (int)size, file) != NULL;
  fclose(file);
  return ok;
}

/* Of cache `index` of `cpu`; 0: none, or one for instructions only. */
static uint64_t bytes_of(unsigned cpu, unsigned index, unsigned *ret_level) {
  char type[32], level[32], size[32], unit = 0;
  unsigned long long n = 0;
  if (!read_text(cpu, index, "type", type, sizeof type) || !strncmp(type, "Instruction", 11) ||
      !read_text(cpu, index, "level", level, sizeof level) || !read_text(cpu, index, "size", size, sizeof size) ||
      sscanf(level, "%u", ret_level) != 1 || sscanf(size, "%llu%c", &n, &unit) < 1)
    return 0;
  return n * (unit == 'K' ? 1024u : unit == 'M' ? 1048576u : 1u);
}

/* The CPUs that this process may run on; CPU 0 when that is not known. */
static void own_cpus(cpu_set_t *set) {
  CPU_ZERO(set);
  if (sched_getaffinity(0, sizeof *set, set) != 0)
    CPU_SET(0, set);
}

static unsigned first_cpu(const cpu_set_t *set) {
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, set))
      return cpu;
  return 0;
}

uint64_t peaks_cache_bytes(unsigned level) {
  cpu_set_t set;
  own_cpus(&set);
  for (unsigned index = 0; index < MOST_INDEXES; index++) {
    unsigned found = 0;
    uint64_t bytes = bytes_of(first_cpu(&set), index, &found);
    if (bytes && found == level)
      return bytes;
  }
  return 0;
}

uint64_t peaks_last_cache_bytes(void) {
  char seen[MOST_CACHES][128];
  unsigned caches = 0, last = 0, last_index = 0, level;
  uint64_t sum = 0, bytes;
  cpu_set_t set;
  own_cpus(&set);
  for (unsigned index = 0; index < MOST_INDEXES; index++)
    if (bytes_of(first_cpu(&set), index, &level) && level > last) {
      last = level;
      last_index = index;
    }
  for (unsigned cpu = 0; last && cpu < CPU_SETSIZE && caches < MOST_CACHES; cpu++) {
    if (!CPU_ISSET(cpu, &set) || !(bytes = bytes_of(cpu, last_index, &level)) ||
        !read_text(cpu, last_index, "shared_cpu_list", seen[caches], sizeof seen[caches]))
      continue;
    unsigned k = 0;
    while (strcmp(seen[k], seen[caches]))
      k++;
    if (k < caches)
      continue; /* counted with another of its CPUs */
    caches++;
    sum += bytes;
  }
  return sum;
}
