/* SPDX-License-Identifier: MIT
 * Limits of control groups read from made-up trees, and the orders in which CPUs are dealt out on the real machine. */
#include "machine/cgroup.h"
#include "machine/placement.h"
#include "supervisor/scratch.h"

#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>

static char *root;

static void put(const char *path, const char *text) {
  g_autofree char *whole = g_strconcat(root, path, NULL);
  g_autofree char *folder = g_path_get_dirname(whole);
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

static void new_root(void) {
  root = g_dir_make_tmp("benchhost-test-XXXXXX", NULL);
}

static void drop_root(void) {
  g_assert_true(bh_scratch_remove(root));
  g_assert_false(g_file_test(root, G_FILE_TEST_EXISTS));
  g_clear_pointer(&root, g_free);
}

/* The group has 2.5 cores, its parent 1.5: the tighter one counts. Memory likewise; cache that can go is no use. */
static void test_unified(void) {
  new_root();
  put("/proc/self/cgroup", "0::/user/run\n");
  put("/proc/self/mounts", "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n");
  put("/sys/fs/cgroup/user/run/cpu.max", "250000 100000\n");
  put("/sys/fs/cgroup/user/cpu.max", "75000 50000\n");
  put("/sys/fs/cgroup/user/run/memory.max", "max\n");
  put("/sys/fs/cgroup/user/memory.max", "1000000\n");
  put("/sys/fs/cgroup/user/memory.current", "900000\n");
  put("/sys/fs/cgroup/user/memory.stat", "anon 100\ninactive_file 300000\n");
  put("/sys/fs/cgroup/user/run/memory.events", "low 0\noom 5\noom_kill 3\n");
  put("/sys/fs/cgroup/user/run/cpu.stat", "usage_usec 5\nnr_throttled 7\nthrottled_usec 1234\n");
  put("/proc/vmstat", "oom_kill 99\n");
  g_assert_cmpfloat(bh_cgroup_cpu_quota(root), ==, 1.5);
  guint64 unused = 0, times = 0, us = 0;
  g_assert_cmpuint(bh_cgroup_memory_limit(root, &unused), ==, 1000000);
  g_assert_cmpuint(unused, ==, 400000);
  g_assert_cmpuint(bh_cgroup_oom_kills(root), ==, 3);
  g_assert_true(bh_cgroup_throttling(root, &times, &us));
  g_assert_cmpuint(times, ==, 7);
  g_assert_cmpuint(us, ==, 1234);
  drop_root();
}

/* Version 1 in a container: the path of the group does not exist below the mount, so the mount itself counts. */
static void test_legacy(void) {
  new_root();
  put("/proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n");
  put("/proc/self/mounts", "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup ro,cpu,cpuacct 0 0\n"
                           "cgroup /sys/fs/cgroup/memory cgroup ro,memory 0 0\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
  put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2500000\n");
  put("/proc/vmstat", "pgfault 1\noom_kill 99\n");
  g_assert_cmpfloat(bh_cgroup_cpu_quota(root), ==, 0.5);
  guint64 unused = 1;
  g_assert_cmpuint(bh_cgroup_memory_limit(root, &unused), ==, 2000000);
  g_assert_cmpuint(unused, ==, 0);
  g_assert_cmpuint(bh_cgroup_oom_kills(root), ==, 99);
  drop_root();
}

static void test_unlimited(void) {
  new_root();
  put("/proc/self/cgroup", "4:memory:/\n3:cpu:/\n0::/../../elsewhere\n");
  put("/proc/self/mounts",
      "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/unified/cpu.max", "max 100000\n");
  guint64 unused = 17;
  g_assert_cmpfloat(bh_cgroup_cpu_quota(root), ==, 0);
  g_assert_cmpuint(bh_cgroup_memory_limit(root, &unused), ==, 0);
  g_assert_cmpuint(unused, ==, 17);
  drop_root();
  g_assert_cmpfloat(bh_cgroup_cpu_quota("/nowhere"), ==, 0);
  g_assert_cmpuint(bh_cgroup_oom_kills("/nowhere"), ==, 0);
}

static int compare_ints(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

/* Both orders hold every CPU of the mask, each once. */
static void test_orders(void) {
  g_autoptr(BhPlacement) placement = bh_placement_new();
  cpu_set_t mask;
  g_assert_cmpint(sched_getaffinity(0, sizeof mask, &mask), ==, 0);
  g_assert_cmpuint(placement->mask_cores, ==, (guint)CPU_COUNT(&mask));
  g_assert_cmpuint(placement->cores, >=, 1);
  g_assert_cmpuint(placement->cores, <=, placement->mask_cores);
  GArray *const orders[] = {placement->compact, placement->spread};
  for (guint k = 0; k < 2; k++) {
    g_assert_cmpuint(orders[k]->len, ==, placement->mask_cores);
    g_array_sort(orders[k], compare_ints);
    for (guint i = 0; i < orders[k]->len; i++) {
      g_assert_true(CPU_ISSET(g_array_index(orders[k], int, i), &mask));
      if (i)
        g_assert_cmpint(g_array_index(orders[k], int, i), >, g_array_index(orders[k], int, i - 1));
    }
  }
  g_assert_cmpuint(placement->memory_available_bytes, >, 0);
  g_assert_cmpuint(placement->memory_available_bytes, <=, placement->memory_total_bytes);
}

/* On a smaller mask only that is dealt out. */
static void test_mask(void) {
  cpu_set_t whole, one;
  g_assert_cmpint(sched_getaffinity(0, sizeof whole, &whole), ==, 0);
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &whole))
      last = cpu;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  g_assert_cmpint(sched_setaffinity(0, sizeof one, &one), ==, 0);
  g_autoptr(BhPlacement) placement = bh_placement_new();
  sched_setaffinity(0, sizeof whole, &whole);
  g_assert_cmpuint(placement->cores, ==, 1);
  g_assert_cmpuint(placement->compact->len, ==, 1);
  g_assert_cmpint(g_array_index(placement->compact, int, 0), ==, last);
  g_assert_cmpint(g_array_index(placement->spread, int, 0), ==, last);
}

static void check_orders(const char *machine, const char *mask_text, const char *compact_text,
                         const char *spread_text) {
  g_autoptr(GArray) mask = g_array_new(FALSE, FALSE, sizeof(int));
  g_auto(GStrv) numbers = g_strsplit(mask_text, " ", -1);
  for (char **number = numbers; *number; number++) {
    const int cpu = atoi(*number);
    g_array_append_val(mask, cpu);
  }
  GArray *orders[2];
  bh_placement_orders(machine, mask, &orders[0], &orders[1]);
  const char *const expected[] = {compact_text, spread_text};
  for (guint k = 0; k < 2; k++) {
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < orders[k]->len; i++)
      g_string_append_printf(text, "%s%d", i ? " " : "", g_array_index(orders[k], int, i));
    g_assert_cmpstr(text->str, ==, expected[k]);
    g_array_unref(orders[k]);
  }
}

/* hwloc numbers a made-up machine's CPUs by depth: 0 and 1 are siblings on one core. Worked by hand. */
static void test_made_up(void) {
  check_orders("package:2 core:2 pu:2", "0 1 2 3 4 5 6 7", "0 2 4 6 1 3 5 7", "0 4 2 6 1 5 3 7");
  check_orders("package:2 core:2 pu:2", "1 2 3 6", "1 2 6 3", "1 6 2 3"); /* some taken away: 1 is all of its core */
  check_orders("package:2 l3:2 core:2 pu:1", "0 1 2 3 4 5 6 7", "0 1 2 3 4 5 6 7", "0 4 2 6 1 5 3 7");
  check_orders("package:1 core:1 pu:1", "0 9", "0 9", "0 9"); /* one that the topology does not know */
  check_orders("nonsense", "2 3", "2 3", "2 3");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cgroup/unified", test_unified);
  g_test_add_func("/cgroup/legacy", test_legacy);
  g_test_add_func("/cgroup/unlimited", test_unlimited);
  g_test_add_func("/placement/orders", test_orders);
  g_test_add_func("/placement/mask", test_mask);
  g_test_add_func("/placement/made-up", test_made_up);
  return g_test_run();
}
