/* SPDX-License-Identifier: MIT
 * core/environment/disturbance: figures and verdicts worked by hand on made-up files; what a reading costs is said. */
#include "base/clock.h"
#include "environment/disturbance.h"
#include "machine/placement.h"
#include "made-up.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_US (1000000 / sysconf(_SC_CLK_TCK))

static char *root;

static void put(const char *path, const char *text) {
  made_up_put(root, path, text);
}

/* A CPU of ours with the given ticks of user, idle and steal time, and one that is not ours with lots of steal. */
static void put_stat(int user, int idle, int steal) {
  g_autoptr(GArray) mask = bh_placement_mask();
  g_autofree char *text = g_strdup_printf("cpu  9 9 9 9 9 9 9 9 0 0\ncpu%d %d 0 0 %d 0 0 0 %d 0 0\n"
                                          "cpu65000 0 0 0 0 0 0 %d 0 0\nintr 5 1 2\nctxt %d\nprocs_running 4\n",
                                          g_array_index(mask, int, 0), user, idle, steal, steal * 100, 1000 + user);
  put("/proc/stat", text);
}

static BhDisturbance between(BhDisturbanceMeter *meter, void (*change)(void)) {
  BhReading before, after;
  bh_disturbance_read(meter, &before);
  change();
  bh_disturbance_read(meter, &after);
  BhDisturbance d = bh_disturbance_between(&before, &after);
  g_assert_cmpint(d.wall_ns, >=, 0);
  return d;
}

static gboolean has_flag(const BhDisturbance *d, const char *name) {
  g_autofree const char **flags = bh_disturbance_flags(d);
  for (guint i = 0; flags[i]; i++)
    if (!strcmp(flags[i], name))
      return TRUE;
  return FALSE;
}

static void nothing(void) {}

static void ten_of_1000(void) {
  put_stat(100 + 700, 200 + 290, 10 + 10);
}

static void twelve_of_1000(void) {
  put_stat(100 + 700, 200 + 288, 10 + 12);
}

static void backwards(void) {
  put_stat(50, 200, 10);
}

/* 1000 ticks: 10 of steal are not above 1 %, 12 are, and surely so (one tick may be rounding). */
static void test_steal(void) {
  root = made_up_new();
  put_stat(100, 200, 10);
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  BhDisturbance d = between(meter, ten_of_1000);
  g_assert_cmpint(d.cpus, ==, 1);
  g_assert_cmpint(d.cpu_us, ==, 1000 * TICK_US);
  g_assert_cmpint(d.steal_us, ==, 10 * TICK_US);
  g_assert_cmpint(d.steal_err_us, ==, TICK_US);
  g_assert_cmpint(d.others_us, >, 690 * TICK_US); /* 700, less what this test has used */
  g_assert_cmpint(d.others_us, <=, 700 * TICK_US);
  g_assert_cmpint(d.context_switches, ==, 700);
  g_assert_cmpint(d.procs_running, ==, 3);
  g_assert_null(bh_disturbance_rejects(&d));
  g_assert_false(has_flag(&d, "stolen"));
  put_stat(100, 200, 10);
  d = between(meter, twelve_of_1000);
  g_assert_nonnull(strstr(bh_disturbance_rejects(&d), "hypervisor"));
  g_assert_true(has_flag(&d, "stolen"));
  d = between(meter, backwards); /* a counter that shrank says nothing */
  g_assert_cmpint(d.steal_us, ==, BH_NOT_KNOWN);
  g_assert_cmpint(d.cpu_us, ==, BH_NOT_KNOWN);
  g_assert_cmpint(d.others_us, ==, BH_NOT_KNOWN);
  g_assert_null(bh_disturbance_rejects(&d));
  made_up_free(root);
}

/* Ten visits of 100 ms with one tick of steal each: none can prove more than 1 %, together they do. */
static void test_round(void) {
  BhDisturbance round = {0};
  for (int i = 0; i < 10; i++) {
    const BhReading before = {.cpus = 2, .cpu_us = i * 200000, .steal_us = i * 20000, .at_ns = i * 100000000},
                    after = {.cpus = 2,
                             .cpu_us = (i + 1) * 200000,
                             .steal_us = (i + 1) * 20000,
                             .at_ns = (i + 1) * 100000000};
    const BhDisturbance visit = bh_disturbance_between(&before, &after);
    g_assert_false(has_flag(&visit, "stolen"));
    bh_disturbance_add(&round, &visit);
  }
  g_assert_cmpint(round.cpu_us, ==, 2000000);
  g_assert_cmpint(round.steal_us, ==, 200000);
  g_assert_cmpint(round.wall_ns, ==, 1000000000);
  /* The sum of short spans carries each one's error: only the long span is sure. */
  g_assert_null(bh_disturbance_rejects(&round));
  const BhReading first = {.cpus = 2}, last = {.cpus = 2, .cpu_us = 2000000, .steal_us = 200000, .at_ns = 1000000000};
  const BhDisturbance whole = bh_disturbance_between(&first, &last);
  g_assert_nonnull(bh_disturbance_rejects(&whole));
}

static void more_throttling(void) {
  put("/sys/fs/cgroup/g/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 5\nthrottled_usec 4000000\n");
  put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "8\n");
}

/* The group without a quota of its own is not asked: its parent's quota is what holds back. */
static void test_throttling(void) {
  root = made_up_new();
  put("/proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
  put("/proc/self/cgroup", "0::/g/inner\n");
  put("/sys/fs/cgroup/g/cpu.max", "150000 100000\n");
  put("/sys/fs/cgroup/g/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 1000000\n");
  put("/sys/fs/cgroup/g/inner/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/g/inner/cpu.stat", "usage_usec 5\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
  g_autoptr(GArray) mask = bh_placement_mask();
  const gboolean first = g_array_index(mask, int, 0) == 0;
  put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  BhDisturbance d = between(meter, nothing);
  g_assert_cmpint(d.throttles, ==, 0);
  g_assert_false(has_flag(&d, "throttled"));
  g_assert_cmpint(d.cpu_us, ==, BH_NOT_KNOWN); /* no /proc/stat here */
  d = between(meter, more_throttling);
  g_assert_cmpint(d.throttles, ==, 3);
  g_assert_cmpint(d.throttled_us, ==, 3000000);
  g_assert_true(has_flag(&d, "throttled"));
  g_assert_nonnull(strstr(bh_disturbance_rejects(&d), "quota"));
  if (first) {
    g_assert_cmpint(d.thermal, ==, 3);
    g_assert_true(has_flag(&d, "thermal"));
  }
  /* Held back for 9 ms of one second on two CPUs: said, but no reason to throw anything away. */
  const BhDisturbance little = {.wall_ns = 1000000000, .cpus = 2, .throttles = 1, .throttled_us = 9000};
  g_assert_true(has_flag(&little, "throttled"));
  g_assert_null(bh_disturbance_rejects(&little));
  made_up_free(root);
}

static void more_pressure(void) {
  put("/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=700\n");
  put("/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=25\n"
                               "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n");
}

static void test_pressure(void) {
  root = made_up_new();
  put("/proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=100\n");
  put("/proc/pressure/memory",
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n");
  put("/proc/loadavg", "1.25 0.50 0.10 3/100 4242\n");
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  BhDisturbance d = between(meter, more_pressure);
  g_assert_cmpint(d.stalled_us[BH_PSI_CPU], ==, 600);
  g_assert_cmpint(d.stalled_us[BH_PSI_MEMORY], ==, 20);
  g_assert_cmpint(d.stalled_us[BH_PSI_MEMORY_FULL], ==, 5);
  g_assert_cmpint(d.stalled_us[BH_PSI_IO], ==, BH_NOT_KNOWN);
  g_assert_cmpfloat(d.load1, ==, 1.25);
  made_up_free(root);
  /* Waiting alone is no sign: more workers than CPUs do that. Nor is others' work for which nobody waits. */
  const BhDisturbance oversubscribed = {.wall_ns = 1000000000, .cpus = 2, .stalled_us = {900000}};
  const BhDisturbance beside = {.wall_ns = 1000000000, .cpus = 2, .others_us = 900000};
  const BhDisturbance both = {.wall_ns = 1000000000, .cpus = 2, .stalled_us = {150000}, .others_us = 150000};
  g_assert_false(has_flag(&oversubscribed, "pressure"));
  g_assert_false(has_flag(&beside, "pressure"));
  g_assert_true(has_flag(&both, "pressure"));
  g_assert_null(bh_disturbance_rejects(&both)); /* depends on how long what was measured took */
}

static void test_suspend(void) {
  const BhReading before = {.at_ns = 5000000000, .asleep_ns = 7},
                  after = {.at_ns = 6000000000, .asleep_ns = 30000000007};
  const BhDisturbance d = bh_disturbance_between(&before, &after);
  g_assert_cmpint(d.suspended_ns, ==, 30000000000);
  g_assert_true(has_flag(&d, "suspended"));
  g_assert_nonnull(strstr(bh_disturbance_rejects(&d), "suspended"));
  const BhDisturbance jitter = {.suspended_ns = 20000000};
  g_assert_false(has_flag(&jitter, "suspended"));
}

/* Where the kernel says nothing there is null, never a zero. */
static void test_bare(void) {
  root = made_up_new();
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  const BhDisturbance d = between(meter, nothing);
  g_autoptr(JsonObject) object = bh_disturbance_to_json(&d);
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  guint nulls = 0;
  json_object_iter_init(&iter, object);
  while (json_object_iter_next(&iter, &name, &value))
    nulls += JSON_NODE_HOLDS_NULL(value);
  g_assert_cmpuint(json_object_get_size(object), ==, 16);
  g_assert_cmpuint(nulls, ==, 14); /* all but wall_s and suspended_s */
  g_assert_null(bh_disturbance_rejects(&d));
  g_autofree const char **flags = bh_disturbance_flags(&d);
  g_assert_null(flags[0]);
  /* unknown in one span is unknown in the sum */
  BhDisturbance sum = {0};
  bh_disturbance_add(&sum, &d);
  g_assert_cmpint(sum.steal_us, ==, BH_NOT_KNOWN);
  bh_disturbance_add(&sum, &(BhDisturbance){.steal_us = 5});
  g_assert_cmpint(sum.steal_us, ==, BH_NOT_KNOWN);
  made_up_free(root);
}

/* As many CPUs as before, but others: their counters have nothing to do with each other. */
static void test_other_cpus(void) {
  const BhReading before = {.cpus = 2, .which = 1, .cpu_us = 1000, .steal_us = 10},
                  after = {.cpus = 2, .which = 2, .cpu_us = 9000000, .steal_us = 800000, .at_ns = 1000000000};
  const BhDisturbance d = bh_disturbance_between(&before, &after);
  g_assert_cmpint(d.steal_us, ==, BH_NOT_KNOWN);
  g_assert_null(bh_disturbance_rejects(&d));
}

static void test_hostile(void) {
  root = made_up_new();
  put("/proc/stat", "cpu0 1 2\ncpu1 a b c d e f g h\ncpu\nctxt\nprocs_running x\n");
  put("/proc/pressure/cpu", "some total");
  put("/proc/loadavg", "");
  put("/proc/self/mounts", "cgroup2 /c cgroup2 rw 0 0\n");
  put("/proc/self/cgroup", "0::/../../x\n");
  put("/c/cpu.stat", "nr_throttled\n");
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  const BhDisturbance d = between(meter, nothing);
  g_assert_cmpint(d.cpu_us, ==, BH_NOT_KNOWN);
  g_assert_cmpint(d.context_switches, ==, BH_NOT_KNOWN);
  g_assert_cmpint(d.throttles, ==, BH_NOT_KNOWN);
  g_assert_cmpfloat(d.load1, ==, BH_NOT_KNOWN);
  made_up_free(root);
}

static int compare_times(const void *a, const void *b) {
  const guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
  return x < y ? -1 : x > y;
}

/* Of this machine: counters never shrink; what a reading costs is reported, not asserted. */
static void test_here(void) {
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new("");
  BhReading first, last;
  guint64 times[101];
  bh_disturbance_read(meter, &first);
  for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
    const guint64 start = bh_clock_now_ns();
    bh_disturbance_read(meter, &last);
    times[i] = bh_clock_now_ns() - start;
  }
  qsort(times, G_N_ELEMENTS(times), sizeof times[0], compare_times);
  g_test_message("one reading: median %.1f us, 95th percentile %.1f us", (double)times[50] * 1e-3,
                 (double)times[95] * 1e-3);
  const BhDisturbance d = bh_disturbance_between(&first, &last);
  g_autoptr(GArray) mask = bh_placement_mask();
  g_assert_cmpuint(d.cpus, ==, mask->len);
  g_assert_cmpint(d.cpu_us, >=, 0);
  g_assert_cmpint(d.steal_us, >=, 0);
  g_assert_cmpint(d.context_switches, >=, 0);
  g_assert_cmpfloat(d.load1, >=, 0);
  g_assert_cmpint(d.suspended_ns, <, 100000000);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/disturbance/steal", test_steal);
  g_test_add_func("/disturbance/round", test_round);
  g_test_add_func("/disturbance/throttling", test_throttling);
  g_test_add_func("/disturbance/pressure", test_pressure);
  g_test_add_func("/disturbance/suspend", test_suspend);
  g_test_add_func("/disturbance/bare", test_bare);
  g_test_add_func("/disturbance/other-cpus", test_other_cpus);
  g_test_add_func("/disturbance/hostile", test_hostile);
  g_test_add_func("/disturbance/here", test_here);
  return g_test_run();
}
