/* SPDX-License-Identifier: MIT
 * Owns the answer to "which CPUs, and in which order": hwloc's tree cut down to the affinity mask, read once by the
 * supervisor. hwloc's default filters leave I/O devices out, so no GPU library is touched. */
#include "machine/placement.h"

#include "machine/cgroup.h"

#include <hwloc.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define MOST_SIBLINGS 16 /* hardware threads of one core */

/* Grows until the kernel's mask fits. */
GArray *bh_placement_mask(void) {
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(int));
  for (int n = 1024; n <= 1 << 20; n *= 4) {
    cpu_set_t *set = CPU_ALLOC((size_t)n);
    const size_t size = CPU_ALLOC_SIZE((size_t)n);
    const int failed = sched_getaffinity(0, size, set);
    for (int cpu = 0; !failed && cpu < n; cpu++)
      if (CPU_ISSET_S((size_t)cpu, size, set))
        g_array_append_val(cpus, cpu);
    CPU_FREE(set);
    if (!failed)
      break;
  }
  if (!cpus->len) {
    const int first = 0;
    g_array_append_val(cpus, first);
  }
  return cpus;
}

static gboolean contains(const GArray *cpus, int cpu) {
  for (guint i = 0; i < cpus->len; i++)
    if (g_array_index(cpus, int, i) == cpu)
      return TRUE;
  return FALSE;
}

/* The `sibling`-th allowed hardware thread of a core, or -1. */
static int core_thread(hwloc_obj_t core, guint sibling, const GArray *mask) {
  unsigned cpu;
  guint seen = 0;
  hwloc_bitmap_foreach_begin(cpu, core->cpuset) {
    if (contains(mask, (int)cpu) && seen++ == sibling)
      return (int)cpu;
  }
  hwloc_bitmap_foreach_end();
  return -1;
}

/* All first hardware threads of the cores below `object` that the mask allows (then called again for second ones),
 * dealt in turn from each child, so that any prefix is spread over packages, then caches, then cores. */
static GArray *deal(hwloc_obj_t object, guint sibling, const GArray *mask) {
  GArray *order = g_array_new(FALSE, FALSE, sizeof(int));
  if (object->type == HWLOC_OBJ_CORE || object->type == HWLOC_OBJ_PU) {
    const int cpu = core_thread(object, sibling, mask);
    if (cpu >= 0)
      g_array_append_val(order, cpu);
    return order;
  }
  g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref); /* of GArray of int */
  guint longest = 0;
  for (unsigned i = 0; i < object->arity; i++) {
    GArray *part = deal(object->children[i], sibling, mask);
    longest = MAX(longest, part->len);
    g_ptr_array_add(parts, part);
  }
  for (guint turn = 0; turn < longest; turn++)
    for (guint i = 0; i < parts->len; i++) {
      const GArray *part = parts->pdata[i];
      if (turn < part->len)
        g_array_append_val(order, g_array_index(part, int, turn));
    }
  return order;
}

/* The same threads in the tree's own order: neighbours share caches. */
static void walk(hwloc_topology_t topology, guint sibling, const GArray *mask, GArray *order) {
  hwloc_obj_t core = NULL;
  while ((core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core))) {
    const int cpu = core_thread(core, sibling, mask);
    if (cpu >= 0)
      g_array_append_val(order, cpu);
  }
}

/* CPUs of the mask that the topology did not name, at the end. */
static void complete(GArray *order, const GArray *mask) {
  for (guint i = 0; i < mask->len; i++)
    if (!contains(order, g_array_index(mask, int, i)))
      g_array_append_val(order, g_array_index(mask, int, i));
}

void bh_placement_orders(const char *synthetic, const GArray *mask, GArray **ret_compact, GArray **ret_spread) {
  GArray *compact = *ret_compact = g_array_new(FALSE, FALSE, sizeof(int));
  GArray *spread = *ret_spread = g_array_new(FALSE, FALSE, sizeof(int));
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) == 0) {
    if ((!synthetic || hwloc_topology_set_synthetic(topology, synthetic) == 0) && hwloc_topology_load(topology) == 0)
      for (guint sibling = 0; spread->len < mask->len && sibling < MOST_SIBLINGS; sibling++) {
        walk(topology, sibling, mask, compact);
        GArray *dealt = deal(hwloc_get_root_obj(topology), sibling, mask);
        g_array_append_vals(spread, dealt->data, dealt->len);
        g_array_unref(dealt);
      }
    hwloc_topology_destroy(topology);
  }
  complete(compact, mask);
  complete(spread, mask);
}

/* A field of /proc/meminfo in bytes; 0: not there. hwloc's own figure is wrong in some virtual machines. */
static guint64 meminfo(const char *key) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
    return 0;
  const char *at = strstr(text, key);
  return at ? g_ascii_strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

guint64 bh_placement_memory_available_bytes(void) {
  guint64 available = meminfo("MemAvailable:"), unused = 0;
  if (!available)
    available = meminfo("MemFree:");
  if (bh_cgroup_memory_limit("", &unused))
    available = MIN(available, unused);
  return available;
}

BhPlacement *bh_placement_new(void) {
  BhPlacement *placement = g_new0(BhPlacement, 1);
  GArray *mask = bh_placement_mask();
  placement->mask_cores = mask->len;
  placement->quota_cores = bh_cgroup_cpu_quota("");
  placement->cores = mask->len;
  if (placement->quota_cores > 0 && ceil(placement->quota_cores) < mask->len)
    placement->cores = (guint)ceil(placement->quota_cores);
  bh_placement_orders(NULL, mask, &placement->compact, &placement->spread);
  g_array_unref(mask);
  guint64 unused = 0;
  const guint64 limit = bh_cgroup_memory_limit("", &unused);
  placement->memory_total_bytes = meminfo("MemTotal:");
  if (limit)
    placement->memory_total_bytes = MIN(placement->memory_total_bytes, limit);
  placement->memory_available_bytes = bh_placement_memory_available_bytes();
  return placement;
}

void bh_placement_free(BhPlacement *placement) {
  if (!placement)
    return;
  g_array_unref(placement->compact);
  g_array_unref(placement->spread);
  g_free(placement);
}

const BhPlacement *bh_placement_shared(void) {
  static BhPlacement *shared; /* the supervisor has one thread */
  if (!shared)
    shared = bh_placement_new();
  return shared;
}
